import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestReader, type TestReader } from '../../../../test/support/reader.ts'
import { insertOrders, seedTotesys } from '../../../../test/support/small-totesys.ts'
import { createSystem, type TestSystem } from '../../../../test/support/system.ts'
import { parseConfig } from '../../../platform/config.ts'
import type { Deps } from '../../../platform/deps.ts'
import { extract } from '../../../platform/extract/extract.ts'
import { run, transform } from '../../../platform/pipeline.ts'
import { type Question, readQuestions } from '../../../platform/presentation/question.ts'
import { createReader, type Reader } from '../../../platform/presentation/reader.ts'
import { diskDrop } from '../../../platform/source/drop.ts'
import { readAccess } from '../access.ts'
import { createApp } from '../app.ts'
import { operationRoutes } from './operations.ts'
import { totesys } from '../../../totesys/totesys.ts'

let system: TestSystem
let role: TestReader
let reader: Reader
beforeAll(async () => {
  system = await createSystem()
  await seedTotesys(system.sql)
  await system.run()
  role = await createTestReader(system)
  reader = createReader(role.warehouse)
})
afterAll(async () => {
  await reader[Symbol.asyncDispose]()
  await role[Symbol.asyncDispose]()
  await system[Symbol.asyncDispose]()
})

type Ask = (path: string) => Promise<Response>

function asker({
  questions = new Map<string, Question>(),
  deps = system.deps,
}: { questions?: ReadonlyMap<string, Question>; deps?: Deps } = {}): Ask {
  const app = createApp({
    project: totesys,
    reader,
    questions,
    promiseMs: 1_800_000,
    access: readAccess(parseConfig({})),
    log: system.log,
    version: '1.2.3',
    pages: (presentation) => operationRoutes({ presentation, deps }),
  })
  return async (path) =>
    await app.request(path, {}, { incoming: { socket: { remoteAddress: '127.0.0.1' } } })
}

const get: Ask = (path) => asker()(path)

/** The text of a page, without tags and with white space folded. */
async function said(path: string): Promise<string> {
  const response = await get(path)
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    'text/html; charset=UTF-8',
  ])
  const text = await response.text()
  return text.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ')
}

describe('while all is well', () => {
  it('Pipeline shows the proven moment, every batch, and the rows of lake and warehouse', async () => {
    const text = await said('/pipeline')
    expect(text).toMatch(/fresh Everything committed in the source up to .* UTC is here: .* ago/)
    expect(text).toContain('Batch 1 captured, 1 transformed, 1 loaded')
    expect(text).toContain('Nothing is in quarantine')
    expect(text).toContain('all within the promise')
    expect(text).toMatch(/sales_order 3 0 captured/)
    expect(text).toMatch(/fact_sales_order 3 3/)
    // Nobody knows how old the rows of a first batch are.
    expect(text).not.toContain('after their commit')
  })

  it('Run shows a batch from its snapshot to its objects', async () => {
    const [record] = await system.records()
    const text = await said('/run/1')
    expect(text).toContain(`before transaction ${record?.snapshot.xmax}`)
    expect(text).toContain('ingestion/batch/000000000001.json')
    expect(text).toMatch(/sales_order 3 3 0 0 0 0/)
    expect(text).toContain(record?.tables['sales_order']?.changes[0]?.key)
    expect(text).toContain('1 row payment_amount_differs_from_order')
    expect(text).not.toContain('Batch 0')
    const none = await get('/run/99')
    expect([none.status, await none.json()]).toMatchObject([404, { code: 'NOT_FOUND' }])
    expect((await get('/run/1%20or%201')).status).toBe(404)
  })

  it('Quarantine says that there is nothing', async () => {
    const text = await said('/quarantine')
    expect(text).toContain('Every table keeps its contract')
    expect(text).toContain('No row was refused')
    expect(text).toContain('Every row keeps the checks of its model')
  })

  it('Catalogue shows tables, their contract, and where each column goes', async () => {
    const list = await said('/catalogue')
    expect(list).toMatch(/sales_order sales_order_id 3 12 1 fact_sales_order/)
    expect(list).toMatch(/dim_staff department , staff|dim_staff staff , department/)
    const table = await said('/catalogue/sales_order')
    expect(table).toMatch(/staff_id integer no integer fact_sales_order\.sales_staff_id/)
    expect(table).toContain('first captured, 12 columns')
    expect((await get('/catalogue/pg_authid')).status).toBe(404)
    expect((await get('/catalogue/%3Cscript%3E')).status).toBe(404)
  })
})

describe('the catalogue', () => {
  it('reads the catalogue once for each batch, and again after a failure', async () => {
    const reads: string[] = []
    let isAway = true
    const store = system.deps.ingestion
    const ingestion: typeof store = {
      ...store,
      get(key) {
        reads.push(key)
        if (isAway && key.startsWith('schema/')) return Promise.reject(new Error('away'))
        return store.get(key)
      },
    }
    const ask = asker({ deps: { ...system.deps, ingestion } })
    expect((await ask('/catalogue')).status).toBe(500)
    isAway = false
    expect((await ask('/catalogue')).status).toBe(200)
    reads.length = 0
    expect((await ask('/catalogue/staff')).status).toBe(200)
    expect(reads.filter((key) => key.startsWith('schema/'))).toEqual([])
  })

  it('Pipeline links to the question about lags, if the project has one', async () => {
    const folder = new URL('../../../totesys/presentation/', import.meta.url)
    const questions = readQuestions(folder)
    const text = await (await asker({ questions })('/pipeline')).text()
    expect(text).toContain('href="/questions/o01_freshness"')
    expect(await (await get('/pipeline')).text()).not.toContain('href="/questions/')
  })
})

describe('when something is kept back', () => {
  beforeAll(async () => {
    await system.sql.query(`alter table design add "<b>note" text;
      ${insertOrders([
        [4, 40],
        [5, -50],
      ])};
      update sales_order set agreed_payment_date = '<script>alert(1)</script>' where sales_order_id = 2`)
    // Then the next run reads no row again that another test's transaction kept recent.
    await system.source.settle()
    await system.run()
    await system.sql.query('alter table payment rename paid to settled')
    await system.run()
  })

  it('Quarantine names the table and the row, with what fixes each', async () => {
    const response = await get('/quarantine')
    const html = await response.text()
    expect(html).not.toContain('<script>alert')
    const text = await said('/quarantine')
    expect(text).toMatch(/payment column_missing column paid is gone .* UTC 3/)
    expect(text).toMatch(/fact_sales_order 2 not_null agreed_payment_date .* UTC 2/)
    expect(text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
    expect(text).toContain('tidemark quarantine replay')
  })

  it('Quarantine and Run count the rows that are published although they break a check', async () => {
    expect(await said('/quarantine')).toMatch(/fact_sales_order positive 0 1/)
    expect(await said('/run/2')).toMatch(
      /1 row of fact_sales_order , published although it breaks the check positive/,
    )
    expect(await said('/run/3')).not.toContain('breaks the check')
    expect(await said('/pipeline')).toMatch(/2 \S+ \S+ UTC 2 1 0 1 1 /)
  })

  it('Pipeline says how old changes were, at most, when they became visible', async () => {
    expect(await said('/pipeline')).toMatch(
      /visible at most [\d.]+ \w+ \(p50\) and [\d.]+ \w+ \(p99\) after their commit, in 1 batch\./,
    )
  })

  it('Pipeline and Run say so too', async () => {
    const text = await said('/pipeline')
    expect(text).toContain('1 row in quarantine')
    expect(text).toMatch(/payment 1 0 held column paid is gone/)
    expect(text).toMatch(/loaded 1 held/)
    expect(await said('/run/3')).toMatch(/payment 0 0 0 0 0 0 held column paid is gone/)
  })

  it('Catalogue shows what changed, with hostile names too', async () => {
    const text = await said('/catalogue/design')
    expect(text).toContain('added &lt;b&gt;note')
    const payment = await said('/catalogue/payment')
    expect(payment).toMatch(/held since .* UTC ?: column paid is gone/)
  })

  it('Pipeline shows which batches are not loaded yet', async () => {
    await system.sql.query(`update design set design_name = 'Wasp'`)
    await extract(system.deps)
    expect(await said('/pipeline')).toMatch(/4 captured, 3 transformed, 3 loaded \( ?1 pending ?\)/)
    expect(await said('/run/4')).toMatch(/Transformed not yet Loaded not yet/)
    await transform(system.deps)
    expect(await said('/pipeline')).toMatch(/4 captured, 4 transformed, 3 loaded/)
  })
})

it('every table that Pipeline links to is in the catalogue, beside a feed too', async () => {
  const drop = join(system.folder, 'drop')
  await mkdir(join(drop, 'exchange_rate'), { recursive: true })
  const path = join(drop, 'exchange_rate', 'rates.csv')
  await writeFile(path, 'base,quote,rate_date,rate,source\nUSD,EUR,2024-01-02,0.9,test\n')
  const earlier = new Date(Date.now() - 5000)
  await utimes(path, earlier, earlier)
  const { failures } = await run({ ...system.deps, feeds: { drop: diskDrop(drop) } })
  expect(failures).toEqual([])
  const text = await (await get('/pipeline')).text()
  expect(text).toContain('exchange_rate_files')
  const links = [...text.matchAll(/href="(\/catalogue\/[^"]+)"/g)].map(([, link = '']) => link)
  expect(links).toContain('/catalogue/exchange_rate')
  const answers = await Promise.all(links.map(async (link) => [link, (await get(link)).status]))
  expect(answers.filter(([, status]) => status !== 200)).toEqual([])
})
