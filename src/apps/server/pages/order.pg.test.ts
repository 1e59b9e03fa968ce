import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestReader, type TestReader } from '../../../../test/support/reader.ts'
import { seedTotesys } from '../../../../test/support/small-totesys.ts'
import { createSystem, type TestSystem } from '../../../../test/support/system.ts'
import { parseConfig } from '../../../platform/config.ts'
import { type Origin, readOrigins } from '../../../platform/inspect/origins.ts'
import { commitKey } from '../../../platform/lake/zone.ts'
import { run } from '../../../platform/pipeline.ts'
import { findFact, readHistory } from '../../../platform/presentation/history.ts'
import { type Question, readQuestions } from '../../../platform/presentation/question.ts'
import { createReader, type Reader } from '../../../platform/presentation/reader.ts'
import { generationOf } from '../../../platform/project/generation.ts'
import { diskDrop } from '../../../platform/source/drop.ts'
import { openWarehouse } from '../../../platform/warehouse/warehouse.ts'
import { dashboard } from '../../../totesys/presentation/pages.ts'
import { readAccess, type ServerEnv } from '../access.ts'
import { createApp } from '../app.ts'
import { groupsFor } from '../groups.ts'
import { orderRoutes } from './order.ts'
import { totesys } from '../../../totesys/totesys.ts'
import { orderWords } from '../../../totesys/presentation/words.ts'
import { serverExtension } from '../../../totesys/payments/server-extension.ts'

const questions: ReadonlyMap<string, Question> = new Map(
  dashboard.questions.flatMap((folder) => [...readQuestions(folder)]),
)

describe('the page of an order', () => {
  let system: TestSystem
  let role: TestReader
  let reader: Reader
  beforeAll(async () => {
    system = await createSystem()
    const { sql } = system
    await seedTotesys(sql)
    await sql.query(`insert into design (design_id, design_name, file_location, file_name, created_at, last_updated)
      select 2, '<img src=x onerror=alert(1)>', file_location, file_name, created_at, last_updated
      from design`)
    await system.run()
    await sql.query(
      'update sales_order set units_sold = 12, design_id = 2 where sales_order_id = 1',
    )
    await system.run()
    await sql.query(`update payment set payment_amount = 30 where payment_id = 1;
      delete from sales_order where sales_order_id = 2`)
    await system.run()
    role = await createTestReader(system)
    reader = createReader(role.warehouse)
  })
  afterAll(async () => {
    await reader[Symbol.asyncDispose]()
    await role[Symbol.asyncDispose]()
    await system[Symbol.asyncDispose]()
  })

  const appOf = (groups: readonly string[] = ['finance', 'analyst']) =>
    createApp({
      project: totesys,
      extension: serverExtension,
      reader,
      questions,
      promiseMs: 1_800_000,
      access: readAccess(parseConfig({})),
      log: system.log,
      version: '1.2.3',
      pages: (presentation) => {
        const app = new Hono<ServerEnv>()
        app.use(async (c, next) => {
          c.set('caller', { ...c.get('caller'), groups: new Set(groups) })
          await next()
        })
        return app.route(
          '/',
          orderRoutes({
            presentation,
            words: orderWords,
            deps: system.deps,
            extension: serverExtension,
            log: system.log,
          }),
        )
      },
    })
  const get = async (path: string, groups?: readonly string[]) =>
    await appOf(groups).request(path, {}, { incoming: { socket: { remoteAddress: '127.0.0.1' } } })
  const pageOf = async (path: string, groups?: readonly string[]) =>
    plain(await (await get(path, groups)).text())

  it('shows every version, what changed, and names for numbers', async () => {
    const response = await get('/order/sales_order/1')
    expect([response.status, response.headers.get('cache-control')]).toEqual([
      200,
      'private, no-store',
    ])
    const page = plain(await response.text())
    expect(page).toContain('<h1>Sales order 1</h1>')
    expect(page).toContain('Acme, sold by Ada Byron (Sales)')
    expect(page).toMatch(/current<\/span\s*> 2 versions/)
    const lines = page.match(/<li id="v\d+">.*?<\/li>/gs) ?? []
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatch(/created<\/span\s*>.*record 1, <a href="\/run\/1">batch 1<\/a>/s)
    expect(lines[1]).toContain('units sold <del>10</del> → <ins>12</ins>')
    expect(lines[1]).toContain('</ins> <span class="muted">(+2)</span>')
    expect(lines[0]).toContain('total GBP ')
    expect(lines[1]).toMatch(/total <del>GBP [\d,.]+<\/del> → <ins>GBP [\d,.]+<\/ins>/)
    expect(lines[1]).toContain(
      '<del><a href="/list/sales_order?design=1">Bee</a> <span class="muted">1</span></del> → <ins><a href="/list/sales_order?design=2">&lt;img src=x onerror=alert(1)&gt;</a> <span class="muted">2</span></ins>',
    )
    expect(lines[1]).toContain('record 4, <a href="/run/2">batch 2</a>')
    expect(page).toContain('<td class="changed"><del>10</del> → <ins>12</ins></td>')
    expect(page).toContain(
      '<a href="/counterparty?counterparty=1">Acme</a> <span class="muted">1</span></td>',
    )
    expect(page).toContain('GBP <span class="muted">1</span></td>')
    expect(page).toContain('Ada Byron <span class="muted">1</span></td>')
    expect(page).not.toContain('<img')
  })

  it('says where each version comes from', async () => {
    const page = await pageOf('/order/sales_order/1')
    const generation = generationOf(system.deps.project)
    const [captured, processed] = [await system.records(), await system.records('processed')]
    for (const place of [0, 1]) {
      const record = captured[place]!
      expect(page).toContain(`<code>ingestion/${commitKey(record.batch)}</code>`)
      expect(page).toContain(`<code>processed/${generation}/${commitKey(record.batch)}</code>`)
      for (const { key, sha256 } of record.tables['sales_order']!.changes) {
        expect(page).toContain(`<code>ingestion/${key}</code>`)
        expect(page).toContain(`<code title="${sha256}">${sha256.slice(0, 12)}</code>`)
      }
      const files = processed[place]!.tables['fact_sales_order']!.changes
      expect(files).toHaveLength(1)
      expect(page).toContain(`<code>processed/${generation}/${files[0]?.key}</code>`)
    }
    const [first, second] = captured.map(({ snapshot }) => snapshot)
    expect(page).toContain(`all before ${first?.xmax}, for the whole table`)
    expect(page).toContain(`from ${first?.xmin}, before ${second?.xmax}`)
    expect(page).toContain(`datetime="${second?.takenAt}"`)
    // The third batch has no version of this order.
    expect(page).not.toContain(commitKey(3))
  })

  it('shows a deletion with the last known values', async () => {
    const page = await pageOf('/order/sales_order/2')
    expect(page).toMatch(/deleted<\/span\s*> in Totesys, noticed <time/)
    expect(page).toMatch(/deleted<\/span\s*> noticed; the last known values are kept/)
    expect(page).toContain('<td class="muted">20</td>')
    expect(page).toContain('No transaction refers to it')
  })

  it('shows the transaction and payments of an order to those who may see payments', async () => {
    system.entries.length = 0
    const page = await pageOf('/order/sales_order/1')
    expect(page).toContain('<a href="/order/payment/1">1</a>')
    expect(page).toContain('sales receipt')
    expect(page).toContain('<td class="number foremost" data-label="Amount">30.00</td>')
    expect(system.entries).toEqual([
      { event: 'payments_read', path: '/order/sales_order/1', status: 200, subject: 'local' },
    ])
    const other = await pageOf('/order/sales_order/1', ['analyst'])
    expect(other).toContain('Only the group finance may see payments.')
    expect(other).not.toMatch(/sales receipt|>30\.00</)
    expect(system.entries).toHaveLength(1)
  })

  it('shows any fact, and payments only to finance', async () => {
    const page = await pageOf('/order/payment/1', ['finance'])
    expect(page).toContain('<h1>Payment 1</h1>')
    expect(page).toContain('<p class="summary">sales receipt of GBP 30.00, ')
    expect(page).toContain('<del>99.50</del> → <ins>30.00</ins>')
    expect(page).toContain(
      'GBP <del>99.50</del> → <ins>30.00</ins> <span class="muted">(−69.50)</span>',
    )
    expect(page).toContain(
      '<a href="/order/sales_order/1">sales order 1</a> <span class="muted">1</span></td>',
    )
    expect(page).toContain('sales receipt <span class="muted">1</span></td>')
    expect(page).not.toContain('Its transaction and payments')
    const purchase = await pageOf('/order/purchase_order/1')
    expect(purchase).toContain('<h1>Purchase order 1</h1>')
    expect(purchase).toContain('Item ABC1234')
    expect((await get('/order/payment/1', ['analyst'])).status).toBe(403)
    expect((await get('/order/sales_order/1', ['finance'])).status).toBe(403)
  })

  it('redirects other spellings to the one address of a fact', async () => {
    const to = async (path: string) => {
      const response = await get(path)
      return [response.status, response.headers.get('location')]
    }
    expect(await to('/order/fact_sales_order/1')).toEqual([302, '/order/sales_order/1'])
    expect(await to('/order/PAYMENTS/1')).toEqual([302, '/order/payment/1'])
    expect(await to('/order/sales_order/%20001%20')).toEqual([302, '/order/sales_order/1'])
    expect(await to('/order?table=purchase_orders&key=+1+')).toEqual([
      302,
      '/order/purchase_order/1',
    ])
    expect(await to('/order?table=sales_order&key=a%2Fb%3Fc')).toEqual([
      302,
      '/order/sales_order/a%2Fb%3Fc',
    ])
    for (const written of ['payment', '%70ayment', 'payment/', 'fact_payment']) {
      const response = await get(`/order/${written}/1`, ['analyst'])
      expect(await response.text(), written).not.toContain('sales receipt')
    }
  })

  it('requires the group finance, beyond this machine, if it shows payments', () => {
    expect(groupsFor('/order/payment/1', totesys)).toEqual(['finance'])
    expect(groupsFor('/order/payment', totesys)).toEqual(['finance'])
    expect(groupsFor('/payments/next5', totesys)).toEqual(['finance'])
    expect(groupsFor('/payments', totesys)).toEqual(['finance'])
    expect(groupsFor('/order/payments/1', totesys)).toEqual(['analyst'])
    expect(groupsFor('/order/sales_order/1', totesys)).toEqual(['analyst'])
    expect(groupsFor('/ask', totesys)).toEqual(['analyst'])
    expect(groupsFor('/ask.csv', totesys)).toEqual(['analyst'])
    expect(groupsFor('/order', totesys)).toEqual(['finance', 'analyst'])
  })

  it.each([
    ['/order/sales_order/99', 'No version of Sales order 99 was captured'],
    ['/order/sales_order/abc', 'cannot be a key'],
    ['/order/sales_order/1,2', 'cannot be a key'],
    ['/order/sales_order/99999999999999999999', 'cannot be a key'],
    ['/order/sales_order/1%00', 'cannot be a key'],
    ['/order/sales_order/%27%20or%201%3D1--', 'cannot be a key'],
    [`/order/sales_order/${'9'.repeat(5000)}`, 'cannot be a key'],
    ['/order/sales_order/%3Cscript%3Ealert(1)%3C%2Fscript%3E', '&lt;script&gt;alert(1)'],
    ['/order/%3Cscript%3E/1', 'There is no history of a table called “&lt;script&gt;”'],
    [
      '/order/staff/1',
      'These tables have one: sales_order, purchase_order, payment, exchange_rate.',
    ],
    ['/order/__proto__/1', 'There is no history'],
    ['/order/..%2F..%2Fetc/passwd', 'There is no history'],
    ['/order?table=nothing&key=1', 'There is no history'],
    ['/order?table=sales_order&key=', 'Enter a number'],
  ])('answers %s with 404, a sentence and a form', async (path, sentence) => {
    const response = await get(path)
    expect(response.status).toBe(404)
    const page = await response.text()
    expect(page).toContain(sentence)
    expect(page).toContain('<form method="get" action="/order"')
    expect(page).not.toContain('<script>')
    expect(page.length).toBeLessThan(20_000)
  })

  it('answers no other address', async () => {
    for (const path of ['/order/../../etc/passwd', '/order/sales_order', '/order/a/b/c']) {
      const response = await get(path)
      expect([path, response.status]).toEqual([path, 404])
      expect(await response.text()).not.toContain('root:')
    }
  })

  it('offers a form to find one, which needs no script', async () => {
    const page = await pageOf('/order')
    expect(page).toContain('<h1>Find an order</h1>')
    expect(page).toMatch(/<select name="table">.*sales order.*purchase order.*payment.*<\/select>/s)
    expect(page).not.toMatch(/ on\w+="/)
  })

  it('shows 200 versions a few at a time, and says what the lake no longer knows', async () => {
    await system.query(`
      insert into fact_sales_order
      select n - 1000, 777, created_date, created_time, last_updated_date, last_updated_time,
          sales_staff_id, counterparty_id, n, unit_price, currency_id, design_id,
          agreed_payment_date, agreed_delivery_date, agreed_delivery_location_id,
          case n when 1 then 'insert' else 'update' end,
          recorded_at + n * interval '1 minute', 5000 + n
      from fact_sales_order, generate_series(1, 200) as n where sales_record_id = 1`)
    const page = await pageOf('/order/sales_order/777')
    expect(page.match(/<li id="v\d+">/g)).toHaveLength(200)
    expect(page).toContain('Versions 189 to 200 of 200')
    expect(page).toContain('<td class="changed"><del>188</del> → <ins>189</ins></td>')
    expect(page.match(/its commit record is no longer in the lake/g)).toHaveLength(12)
    expect(page).toContain('<a href="/run/5200">5200</a>')
    expect(page).toContain('href="?until=188#h-versions"')
    const older = await pageOf('/order/sales_order/777?until=13')
    expect(older).toContain('Versions 2 to 13 of 200')
    expect(older).toContain('<td class="changed"><del>1</del> → <ins>2</ins></td>')
    expect(older).toContain('href="?until=25#h-versions"')
    for (const until of ['0', '201', '-1', 'x', '9999999999', '"><script>']) {
      const other = await pageOf(`/order/sales_order/777?until=${encodeURIComponent(until)}`)
      expect(other, until).toContain('Versions 189 to 200 of 200')
    }
  })

  it('names the batch that captured a fact which was held', async () => {
    const { sql, deps } = system
    const strict = { ...deps, limits: { ...deps.limits, quarantineRows: 0, quarantineShare: 0.1 } }
    await sql.query(`insert into purchase_order select 2, created_at, last_updated, staff_id,
      counterparty_id, item_code, item_quantity, item_unit_price, currency_id,
      agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id from purchase_order;
      update purchase_order set agreed_payment_date = 'TBC' where purchase_order_id = 1`)
    await run(strict)
    await sql.query('update purchase_order set item_quantity = 6 where purchase_order_id = 2')
    await run(strict)
    await sql.query(
      `update purchase_order set agreed_payment_date = '2024-07-01' where purchase_order_id = 1`,
    )
    await run(strict)
    await using warehouse = await openWarehouse(role.warehouse)
    const fact = findFact(deps.project, 'purchase_order')
    const { versions } = await readHistory(warehouse, fact, ['2'])
    expect(versions.map(({ batch }) => batch)).toEqual([6, 6])
    const generation = generationOf(deps.project)
    const origins = await readOrigins(deps, fact, { versions, generation })
    expect(origins.map((origin) => (origin as Origin).captured.batch)).toEqual([4, 5])
    const page = await pageOf('/order/purchase_order/2')
    expect(page).toContain('captured in <a href="/run/4">4</a> and held since')
    const [, , , four] = await system.records()
    expect(page).toContain(four?.tables['purchase_order']?.changes[0]?.key)
  })

  it('shows every version of a rate, by its pair and day', async () => {
    const folder = join(system.folder, 'drop', 'exchange_rate')
    await mkdir(folder, { recursive: true })
    for (const rate of ['0.7912', '0.7932']) {
      const text = `base,quote,rate_date,rate,source\nUSD,GBP,2026-11-20,${rate},a bank\n`
      await writeFile(join(folder, `${rate}.csv`), text)
      const drop = diskDrop(join(system.folder, 'drop'), { settledMs: 0 })
      expect((await run({ ...system.deps, feeds: { drop } })).failures).toEqual([])
    }
    const text = await pageOf('/order/exchange_rate/USD,GBP,2026-11-20')
    expect(text).toContain('1 USD = 0.7932 GBP on 2026-11-20, a bank')
    expect(text).toContain('0.7912')
    expect(text).not.toContain('failed')
  })

  it('shows the versions even if the lake cannot be read', async () => {
    await rm(join(system.folder, 'processed', generationOf(system.deps.project), commitKey(2)))
    expect(await pageOf('/order/sales_order/1')).toMatch(/gone<\/span\s*> from the processed zone/)
    await rm(join(system.folder, 'ingestion', commitKey(2)))
    const page = await pageOf('/order/sales_order/1')
    expect(page).toContain('its commit record is no longer in the lake')
    expect(page).toContain('<ins>12</ins>')
  })
})

/** What stands between tags on lines of its own, on one line. */
function plain(page: string): string {
  return page.replaceAll(/\s+/g, ' ')
}
