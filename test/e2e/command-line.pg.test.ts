import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fillTotesys } from '../support/totesys-source/fill.ts'
import { type CommandWorld, tidemark } from '../support/command.ts'
import { createTestReader } from '../support/reader.ts'
import { createTestSaver } from '../support/saver.ts'
import { createSystem, type TestSystem } from '../support/system.ts'
import { TOTESYS_PROJECT } from '../support/totesys-project.ts'

/** The command line with a source and a warehouse that the user owns. */
describe('tidemark with databases of your own', () => {
  let system: TestSystem
  let env: Record<string, string>
  const command = (line: string, world: CommandWorld = {}) =>
    tidemark(line.split(' '), { env, ...world })

  beforeAll(async () => {
    system = await createSystem()
    await fillTotesys(system.sql, {
      seed: 7,
      salesOrders: 120,
      until: new Date('2026-10-30T12:00:00Z'),
    })
    env = {
      TIDEMARK_PROJECT: TOTESYS_PROJECT,
      TIDEMARK_SOURCE_URL: system.source.readerUrl,
      TIDEMARK_WAREHOUSE_URL: system.warehouse.url,
      TIDEMARK_HOME: system.folder,
    }
  })
  afterAll(() => system[Symbol.asyncDispose]())

  it('status says that the warehouse is empty, and --check fails', async () => {
    const { code, out } = await command('status --check')
    expect(out).toContain('The warehouse is empty.')
    expect(code).toBe(5)
  })

  it.each([
    ['user', (url: URL) => (url.username = 'nobody')],
    ['database', (url: URL) => (url.pathname = '/nowhere')],
    ['TLS', (url: URL) => (url.search = '?sslmode=verify-full')],
  ])("status names the reader's setting if its %s is wrong", async (_part, change) => {
    const url = new URL(system.warehouse.url)
    change(url)
    const own = { ...env, TIDEMARK_WAREHOUSE_READER_URL: url.href }
    const { code, events } = await command('status --json', { env: own })
    expect(code).toBe(2)
    expect(events.at(-1)?.['hint']).toMatch(/\bTIDEMARK_WAREHOUSE_READER_URL\b/)
  })

  it('doctor finds nothing wrong before the first run, and says what it could not check', async () => {
    const { code, out } = await command('doctor')
    expect(out).toContain('11 tables')
    expect(out).toMatch(
      /– the dashboard can read the warehouse +not checked: TIDEMARK_WAREHOUSE_READER_URL is not set/,
    )
    expect(out).not.toContain('All is well')
    expect(out).toContain('Nothing is wrong; 2 not checked.   Next: tidemark run')
    expect(code).toBe(0)
    const { events } = await command('doctor --json')
    const unchecked = events.filter((event) => event['unchecked'] === true)
    expect(unchecked).toMatchObject([
      { what: 'the dashboard can read the warehouse', ok: true },
      { what: 'questions can be saved', ok: true },
    ])
  })

  it('doctor marks a suggestion, and does not call that well', async () => {
    await system.sql.query('revoke execute on function pg_control_system() from public')
    const { out, code } = await command('doctor')
    await system.sql.query('grant execute on function pg_control_system() to public')
    expect(out).toMatch(/! Totesys answers .*cannot tell restores apart\n {4}Next: grant execute/)
    expect(out).toContain('Nothing is wrong; 1 suggestion, 2 not checked.   Next: tidemark run')
    expect(code).toBe(0)
  })

  it.each(['status', 'catalog', 'quarantine list', 'lake sweep'])(
    '%s leaves nothing in an empty folder',
    async (line) => {
      const folder = mkdtempSync(join(tmpdir(), 'tidemark-reading-'))
      const home = join(folder, 'below', 'home')
      await command(line, { env: { ...env, TIDEMARK_HOME: home } })
      expect(readdirSync(folder)).toEqual([])
      rmSync(folder, { recursive: true })
    },
  )

  it('run captures, transforms and loads, and says so in one line', async () => {
    const { code, out } = await command('run')
    expect(out).toMatch(/batch 1 {2}✓ {2}[\d,]+ new .* s behind the source\n/)
    expect(code).toBe(0)
    expect(await system.query('select count(*)::int as n from fact_sales_order')).toEqual([
      { n: 120 },
    ])
  })

  it('I13 run says "nothing new" only after it has looked', async () => {
    const { code, events } = await command('run --json')
    expect(events.at(-1)).toMatchObject({
      event: 'run_finished',
      ok: true,
      changed: false,
      loaded: [],
    })
    expect(code).toBe(0)
    const { out } = await command('run')
    expect(out).toContain('nothing new')
  })

  it('doctor says that all is well once the reader can read and may do nothing else', async () => {
    await using role = await createTestReader(system)
    await using saver = await createTestSaver(system.warehouse)
    const own = {
      ...env,
      TIDEMARK_WAREHOUSE_READER: role.role,
      TIDEMARK_WAREHOUSE_READER_URL: role.warehouse.url,
      TIDEMARK_SAVER_URL: saver.url,
    }
    for (const mark of ['✕', '!']) {
      const { out } = await command('doctor', { env: own })
      const [, found, fix = ''] =
        /([✕!]) the dashboard can read .*\n {4}Next: ((?:.*;\n)+)/.exec(out) ?? []
      expect(found).toBe(mark)
      expect(out).not.toContain('All is well')
      await system.query(mark === '✕' ? `alter role ${role.role} set temp_file_limit = '1GB'` : fix)
    }
    const well = await command('doctor', { env: own })
    expect(well.out).toContain('✓ the dashboard can read the warehouse')
    expect(well.out).toContain('All is well.   Next: tidemark run')
    await system.query(`revoke select on tidemark_status from ${role.role}`)
    const { out, code } = await command('doctor', { env: own, call: 'npx tidemark' })
    expect(out).toMatch(
      /✕ the dashboard can read the warehouse .*42501\]\n {4}Next: npx tidemark run\n/,
    )
    expect(out).toContain('1 fault.   Fix what is marked ✕, then: npx tidemark doctor')
    expect(code).toBe(1)
    await command('run', { env: own })
    expect((await command('doctor', { env: own })).out).toContain('All is well')
    await system.query(`revoke select on tidemark_status from ${role.role}`)
    // A run grants to the role from the settings, and to no other.
    const other = await command('doctor', { env: { ...own, TIDEMARK_WAREHOUSE_READER: 'else' } })
    expect(other.out).toContain(
      `Next: set TIDEMARK_WAREHOUSE_READER=${role.role}\n          a run then`,
    )
  })

  it('history tells how an order changed and that it was deleted', async () => {
    await system.sql.query('update sales_order set units_sold = 4242 where sales_order_id = 42')
    await command('run')
    await system.sql.query(`
      delete from payment where transaction_id in
        (select transaction_id from transaction where sales_order_id = 42)`)
    await system.sql.query('delete from transaction where sales_order_id = 42')
    await system.sql.query('delete from sales_order where sales_order_id = 42')
    await command('run')

    const { code, out } = await command('history sales_order 42')
    expect(out).toMatch(/Sales order 42 {3}\w+ \d+, .+, sold by .+ \(\w+\) {3}DELETED in Totesys/)
    expect(out).toMatch(
      /v1 .* created {3}[\d,]+ units × [\d.,]+ = [\d,.]+ [A-Z]{3} · design \w+ \(\d+\)/,
    )
    expect(out).toMatch(
      /v2 .* changed {3}units [\d,]+ → 4,242 \([+−][\d,]+\) · total [\d,.]+ → [\d,.]+ [A-Z]{3} \([+−][\d,.]+\)\n/,
    )
    expect(out).toMatch(/v3 .* deleted {3}\(last values\) 4,242 units × /)
    expect(code).toBe(0)
    const { events } = await command('history fact_sales_order 42 --json')
    const [history] = events
    expect(history).toMatchObject({
      event: 'history',
      versions: [
        { operation: 'insert' },
        { operation: 'update', changed: ['units_sold'] },
        { operation: 'delete' },
      ],
      totals: [
        { currency: expect.stringMatching(/^[A-Z]{3}$/) as string },
        { amount: expect.stringMatching(/^\d+\.\d\d$/) as string },
        {},
      ],
    })
    const { names } = history as unknown as { names: Record<string, Record<string, string>> }
    expect(Object.keys(names)).toContain('counterparty_id')
  })

  it('history refuses a table or a key that cannot exist, and explains a key without versions', async () => {
    expect(await command('history nonsense 1')).toMatchObject({ code: 2 })
    expect((await command('history nonsense 1')).err).toContain(
      'sales_order, purchase_order, payment',
    )
    expect((await command('history sales_order abc')).err).toContain('not a key of sales_order')
    expect((await command('history sales_order 1,2')).err).toContain('(sales_order_id)')
    expect((await command('history payment 5')).out).toMatch(/sales receipt|purchase payment/)
    expect((await command('history purchase_orders 5')).out).toMatch(/Item \w{7}, .+, bought by /)
    const never = await command('history payment 999999')
    expect(never.err).toContain('There is no version of payment 999999')
    expect(never).toMatchObject({ code: 2, out: '' })
    const [refused, ...more] = (await command('history payment 999999 --json')).events
    expect([refused?.event, refused?.['code'], more]).toEqual(['failed', 'UNKNOWN_KEY', []])
  })

  it('status shows rows, versions, batches and freshness', async () => {
    const { code, out } = await command('status')
    expect(out).toContain('✓ fresh')
    expect(out).toMatch(/fact_sales_order +119 +122/)
    expect(out).toContain('3 captured · 3 transformed · 3 loaded')
    expect(out).toContain('rows in quarantine 0')
    expect(code).toBe(0)
    const { events } = await command('status --json --check')
    expect(events[0]).toMatchObject({ event: 'status', isFresh: true, batches: { warehouse: 3 } })
  })

  it('verify proves source = lake = warehouse', async () => {
    const { code, out } = await command('verify')
    expect(out).toContain('source = lake = warehouse, value for value')
    expect(code).toBe(0)
  })

  it('I6 verify names the differing key, column and place, and exits 7', async () => {
    await system.query(
      'update fact_payment_current set payment_amount = payment_amount + 0.01 where payment_id = 5',
    )
    await system.query(`update dim_staff set first_name = 'Nobody' where staff_id = 3`)
    await system.query('delete from fact_sales_order_current where sales_order_id = 7')
    const { code, out } = await command('verify')
    expect(out).toContain('✕ warehouse fact_payment   different   payment_id=5   payment_amount')
    expect(out).toContain('✕ warehouse dim_staff   different   staff_id=3   first_name')
    expect(out).toContain('✕ warehouse fact_sales_order   missing   sales_order_id=7')
    expect(code).toBe(7)
    const { events } = await command('verify --json')
    expect(events.at(-1)).toMatchObject({ event: 'verified', isEqual: false })
    const one = await command('verify dim_staff --repair')
    expect(one.out).toMatch(
      /✓ dim_staff   1 row set\n.*✕ dim_staff   different   staff_id=3   first_name/,
    )
    expect(one.out).toContain('✓ Repaired. Verified again: no difference')
    expect(one.code).toBe(7)
    const all = await command('verify --repair --json')
    expect(all.code).toBe(7)
    expect(all.events.at(-1)).toMatchObject({
      event: 'verified',
      isEqual: false,
      repair: {
        corrections: [
          { table: 'fact_sales_order_current', difference: { missing: 1 } },
          { table: 'fact_payment_current', difference: { different: 1 } },
        ],
        recaptured: [],
        left: [],
      },
    })
    const again = await command('verify --repair')
    expect(again.out).toContain('source = lake = warehouse, value for value')
    expect(again.code).toBe(0)
  })

  it('run --every goes on until it is interrupted, and exits 130', async () => {
    const stop = new AbortController()
    const finished = command('run --every 50ms --json', {
      signal: stop.signal,
      onOut: (out) => {
        if (out.split('run_finished').length > 3) stop.abort()
      },
    })
    const { code, events } = await finished
    expect(events.filter(({ event }) => event === 'run_finished').length).toBeGreaterThanOrEqual(3)
    expect(code).toBe(130)
  })

  it('a held mass deletion exits 4 and names the command that lets it through', async () => {
    await system.sql.query('truncate payment')
    const held = await command('run')
    expect(held.code).toBe(4)
    expect(held.err).toContain('tidemark run --confirm-deletes payment')
    // A run that holds deletions and changes nothing else commits no batch for status to show.
    expect(held.err).toMatch(/! held: payment \(mass_deletion\)\n/)
    const confirmed = await command('run --confirm-deletes payment')
    expect(confirmed.code).toBe(0)
    expect(await system.query('select count(*)::int as n from fact_payment_current')).toEqual([
      { n: 0 },
    ])
  })

  it('a row that cannot be stored exits 3 and is counted', async () => {
    await system.sql.query(
      `update sales_order set agreed_delivery_date = 'TBC' where sales_order_id = 9`,
    )
    const { code, err } = await command('run')
    expect(err).toContain('fact_sales_order: 1 row of')
    expect(code).toBe(3)
    expect((await command('status')).out).toContain('rows in quarantine 1')
    const verified = await command('verify sales_order')
    expect(verified.out).toMatch(/✓ source = lake, value for value\n/)

    const list = await command('quarantine list')
    const [id = ''] = /\d+\.fact_sales_order\.\d+/.exec(list.out) ?? []
    expect(list.out).toMatch(/9 +not_null +agreed_delivery_date/)
    expect(list.out).toContain(`1 row in quarantine   Next: tidemark quarantine show ${id}`)
    expect(list.code).toBe(0)
    expect((await command('quarantine list payment')).out).toContain('Nothing is in quarantine')
    expect((await command('quarantine list --limit few')).code).toBe(2)
    expect((await command('quarantine list --limit 0')).out).toContain('0 of 1 row')

    const shown = await command(`quarantine show ${id}`)
    expect(shown.out).toContain('fact_sales_order 9   not_null in agreed_delivery_date')
    expect(shown.out).toMatch(/▸ agreed_delivery_date +TBC/)
    expect(shown.out).toContain('Next: correct it in the source')
    const { events } = await command(`quarantine show ${id} --json`)
    expect(events[0]).toMatchObject({ event: 'quarantined_row', id, key: { sales_order_id: '9' } })
    const never = await command('quarantine show 1.payment.99')
    expect(never.err).toContain('There is no entry 1.payment.99')
    expect(never.code).toBe(2)

    const replayed = await command('quarantine replay')
    expect(replayed.out).toContain('1 row still in quarantine')
    expect(replayed.code).toBe(3)
    await system.sql.query(
      `update sales_order set agreed_delivery_date = '2026-11-01' where sales_order_id = 9`,
    )
    const mended = await command('quarantine replay')
    expect(mended.out).toContain('1 row left quarantine. Nothing is in quarantine.')
    expect(mended.code).toBe(0)
    expect((await command('run')).code).toBe(0)
  })

  it('quarantine show says why the lake does not take a row', async () => {
    await system.sql.query(
      `alter table staff add note text; update staff set note = repeat('x', 17000000) where staff_id = 1`,
    )
    expect((await command('run')).code).toBe(3)
    const { out } = await command('quarantine list staff')
    const [id = ''] = /\d+\.staff\.\d+/.exec(out) ?? []
    const shown = await command(`quarantine show ${id}`)
    expect(shown.out).toContain('The row is larger than the lake takes (16 MB)')
    expect(shown.out).toContain('Next: correct the row in the source')
    const verified = await command('verify staff')
    expect(verified.out).toContain(
      '✓ source = lake, value for value, except in quarantine: 1 row of staff\n',
    )
    expect(verified.code).toBe(0)
    await system.sql.query('alter table staff drop note')
    expect((await command('run')).code).toBe(0)
  })

  it('a row that breaks a check is published and counted, and exits 0', async () => {
    await system.sql.query('update sales_order set units_sold = 0 where sales_order_id = 9')
    const { code, err } = await command('run')
    expect(err).toContain('1 row of fact_sales_order breaks the check positive')
    expect(code).toBe(0)
    expect((await command('status')).out).toMatch(/fact_sales_order +positive +1 +1\n/)
    const { events } = await command('status --json')
    const warning = { table: 'fact_sales_order', check: 'positive', rows: 1, total: 1 }
    expect(events[0]).toMatchObject({ quarantined: 0, warnings: [warning] })
    expect((await command('run --json')).events.at(-1)).toMatchObject({ warnings: [] })
  })

  it('a table that breaks its contract exits 4, is named everywhere, and is not compared', async () => {
    await system.sql.query('alter table sales_order rename units_sold to units')
    const { code, err, out } = await command('run')
    expect(err).toContain('sales_order is held: column units_sold is gone')
    expect(out).toMatch(/✓ {2}held: sales_order /)
    expect(code).toBe(4)
    const status = await command('status', { call: 'npx tidemark' })
    expect(status.out).toMatch(/sales_order .*held: column units_sold is gone/)
    expect(status.out).toContain(
      '! sales_order (column_missing)   Next: npx tidemark doctor   prints',
    )
    expect((await command('status --check')).code).toBe(4)
    expect((await command('doctor')).out).toMatch(/table sales_order +column units_sold is gone/)
    expect((await command('verify')).out).toMatch(
      /sales_order +source = lake +\d+ +held: column_missing/,
    )
    const partial = await command('verify sales_order')
    expect(partial.out).toContain('! no difference, but nothing was compared: held sales_order')
    expect(partial.code).toBe(4)
    await system.sql.query('alter table sales_order rename units to units_sold')
    const mended = await command('run')
    expect(mended.err).toContain('sales_order is no longer held')
    expect(mended.out).toMatch(/✓ {2}no row changed /)
    expect(mended.code).toBe(0)
  })

  it('doctor names an unreachable source, and no password', async () => {
    const url = 'postgresql://someone:top-secret@127.0.0.1:1/totesys'
    const { code, err } = await command('doctor', { env: { ...env, TIDEMARK_SOURCE_URL: url } })
    expect(code).toBe(1)
    expect(err).not.toContain('top-secret')
    const refused = await command('doctor --json', { env: { ...env, TIDEMARK_SOURCE_URL: url } })
    expect(refused.events[0]).toMatchObject({ ok: false })
    expect(String(refused.events[0]?.['detail'])).toContain('127.0.0.1:1')
    expect(refused.out).not.toContain('top-secret')
  })

  it('I13 run with the source away says so, how old the warehouse is and when the promise breaks', async () => {
    const url = 'postgresql://someone:top-secret@127.0.0.1:1/totesys'
    const { code, err } = await command('run', { env: { ...env, TIDEMARK_SOURCE_URL: url } })
    expect(err).toMatch(/Cannot reach Totesys at 127\.0\.0\.1:1: .*tried 4 times in \d+ s/)
    expect(err).toMatch(/complete up to .+ ago; the promise of 30 min breaks at .+ UTC/)
    expect(err).toContain('Nothing was captured by this run; the next run catches up.')
    expect(err).not.toContain('top-secret')
    expect(code).toBe(1)
  })

  it.each(['status', 'catalog', 'catalog sales_order', 'history sales_order 42', 'verify'])(
    '%s keeps to the width of the terminal, and to ASCII marks where that shows no others',
    async (line) => {
      const narrow = { isTTY: true, columns: 60, env: { ...env, NO_COLOR: '1' } }
      const { out, code } = await command(line, narrow)
      const isHint = (each: string) => each.includes('Next: ') || each.includes(': tidemark')
      const wide = out.split('\n').filter((each) => each.length > 60 && !isHint(each))
      expect(wide).toEqual([])
      const wider = await command(line, { ...narrow, columns: 200 })
      expect(wider.out.split('\n').length).toBeLessThanOrEqual(out.split('\n').length)
      const ascii = await command(line, { env: { ...env, LC_ALL: 'C' } })
      // oxlint-disable-next-line no-control-regex
      expect(ascii.out + ascii.err).not.toMatch(/[^\x00-\x7f]/)
      expect(ascii.code).toBe(code)
    },
  )

  it('errors, steps and help have ASCII marks in a locale without UTF-8', async () => {
    for (const line of ['nope', 'history nope 1', 'doctor', 'run', 'lake sweep', '--help']) {
      const { out, err } = await command(line, { env: { ...env, LC_ALL: 'POSIX' } })
      // oxlint-disable-next-line no-control-regex
      expect(out + err, line).not.toMatch(/[^\x00-\x7f]/)
    }
  })

  it('help is as wide as the terminal', async () => {
    const wide = await tidemark(['run', '--help'], { isTTY: true, columns: 150 })
    const narrow = await tidemark(['run', '--help'], { isTTY: true, columns: 50 })
    expect(narrow.out.split('\n').length).toBeGreaterThan(wide.out.split('\n').length)
  })

  it('is coloured on a terminal, unless NO_COLOR says otherwise', async () => {
    const green = '\u001B[32m'
    expect((await command('status', { isTTY: true })).out).toContain(green)
    const plain = await command('status', { isTTY: true, env: { ...env, NO_COLOR: '1' } })
    expect(plain.out).not.toContain(green)
    expect((await command('status')).out).not.toContain(green)
  })

  it('a command that was asked to stop exits 130 and blames nobody', async () => {
    await system.sql.query('update sales_order set units_sold = units_sold + 1')
    const { code, err } = await command('verify', { signal: AbortSignal.abort() })
    expect(code).toBe(130)
    expect(err).not.toContain('✕')
  })

  it('a warehouse without a source is refused', async () => {
    const { code, err } = await tidemark(['run'], {
      env: {
        TIDEMARK_PROJECT: TOTESYS_PROJECT,
        TIDEMARK_WAREHOUSE_URL: system.warehouse.url,
        TIDEMARK_HOME: system.folder,
      },
    })
    expect(err).toContain('TIDEMARK_SOURCE_URL is not set')
    expect(code).toBe(2)
  })
})

it('history tells a new price, another currency and another person by name', async () => {
  await using system = await createSystem()
  await fillTotesys(system.sql, {
    seed: 7,
    salesOrders: 20,
    until: new Date('2026-10-30T12:00:00Z'),
  })
  const env = {
    TIDEMARK_PROJECT: TOTESYS_PROJECT,
    TIDEMARK_SOURCE_URL: system.source.readerUrl,
    TIDEMARK_WAREHOUSE_URL: system.warehouse.url,
    TIDEMARK_HOME: system.folder,
  }
  const command = (line: string) => tidemark(line.split(' '), { env })
  await command('run')
  await system.sql.query(`update purchase_order set item_unit_price = item_unit_price + 0.5,
      currency_id = currency_id % 3 + 1 where purchase_order_id = 3`)
  await system.sql.query(
    `update payment set payment_amount = payment_amount + 1 where payment_id = 3`,
  )
  await system.sql.query(
    `update sales_order set staff_id = staff_id % 5 + 1 where sales_order_id = 3`,
  )
  await command('run')
  const purchase = (await command('history purchase_order 3')).out
  expect(purchase).toMatch(/price [\d.,]+ → [\d.,]+ \(\+0\.50\)/)
  expect(purchase).toMatch(/currency [A-Z]{3} → [A-Z]{3} /)
  expect(purchase).toMatch(/total [\d.,]+ [A-Z]{3} → [\d.,]+ [A-Z]{3}( ·|\n)/)
  const payment = (await command('history payment 3')).out
  expect(payment).toMatch(/v1 .* created {3}[\d.,]+ [A-Z]{3} · type [a-z ]+ \(\d\)/)
  expect(payment).toMatch(/amount [\d.,]+ → [\d.,]+ \(\+1\.00\)\n/)
  expect((await command('history sales_order 3')).out).toMatch(
    /sold by \w[^()]* \(\d+\) → \w[^()]* \(\d+\)\n/,
  )
})

describe('tidemark as a program', () => {
  it.each([
    ['verify nope', 'UNKNOWN_TABLE'],
    ['catalog nope', 'UNKNOWN_TABLE'],
    ['history nope 1', 'UNKNOWN_TABLE'],
    ['history sales_order 1,2', 'BAD_KEY'],
    ['run --confirm-deletes payment nope', 'UNKNOWN_TABLE'],
    ['run --confirm-deletes fact_payment', 'UNKNOWN_TABLE'],
    ['run --confirm-deletes exchange_rate', 'UNKNOWN_TABLE'],
    ['catalog fact_payment', 'UNKNOWN_TABLE'],
    ['verify exchange_rate', 'UNKNOWN_TABLE'],
    ['completion tcsh', 'USAGE'],
    ['status nope', 'USAGE'],
    ['up nope', 'USAGE'],
    ['quarantine list nope', 'UNKNOWN_TABLE'],
    ['quarantine list --limit few', 'USAGE'],
    ['quarantine show nope', 'UNKNOWN_ENTRY'],
    ['quarantine show 7.nope.3', 'UNKNOWN_ENTRY'],
    ['lake sweep --older-than 0', 'USAGE'],
  ])('%s is refused before anything is started or written', async (line, code) => {
    const home = join(tmpdir(), `tidemark-unopened-${randomUUID()}`)
    const refused = await tidemark([...line.split(' '), '--json', '--home', home])
    expect([refused.code, refused.events.map((event) => [event.event, event['code']])]).toEqual([
      2,
      [['failed', code]],
    ])
    expect(existsSync(home)).toBe(false)
  })

  it.each([
    'status',
    'status --check',
    'history sales_order 42',
    'verify',
    'verify payment',
    'catalog',
    'catalog payment',
    'quarantine list',
    'quarantine show 7.fact_sales_order.3',
    'quarantine replay',
    'lake sweep',
    'lake sweep --delete',
    'doctor',
    'serve --port 0',
  ])('%s makes and starts nothing where Tidemark has never run', async (line) => {
    const home = join(tmpdir(), `tidemark-empty-${randomUUID()}`)
    const refused = await tidemark([...line.split(' '), '--home', home])
    expect(refused).toMatchObject({
      code: 2,
      out: '',
      err:
        `✕ There is no Tidemark in ${home} yet   HOME_EMPTY\n` +
        '  Next: tidemark up   or name another home (--home), or databases of your own: docs/configuration.md\n',
    })
    expect(existsSync(home)).toBe(false)
  })

  it('prints help and version, and refuses what it does not know', async () => {
    const help = await tidemark(['--help'])
    expect(help.code).toBe(0)
    for (const word of [
      'up',
      'run',
      'status',
      'history',
      'verify',
      'catalog',
      'doctor',
      'Exit codes',
    ]) {
      expect(help.out).toContain(word)
    }
    expect((await tidemark(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/)
    for (const line of ['nonsense', 'run --every soon', 'run --nonsense', 'history']) {
      expect((await tidemark(line.split(' '))).code, line).toBe(2)
    }
  })
})
