import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { fillTotesys } from '../../src/apps/local/living-totesys/fill.ts'
import { startRateServer } from '../../src/apps/local/living-totesys/rates.ts'
import type { Deps } from '../../src/platform/deps.ts'
import { examine } from '../../src/platform/doctor.ts'
import { run } from '../../src/platform/pipeline.ts'
import { readHistory, findFact } from '../../src/platform/presentation/history.ts'
import { diskDrop } from '../../src/platform/source/drop.ts'
import { verify } from '../../src/platform/verify.ts'
import { openWarehouse } from '../../src/platform/warehouse/warehouse.ts'
import { rateAnswers } from '../../src/totesys/source/rate-answers.ts'
import { createSystem, type TestSystem } from '../support/system.ts'

let system: TestSystem
beforeEach(async () => {
  system = await createSystem()
  await fillTotesys(system.sql, {
    seed: 5,
    salesOrders: 40,
    until: new Date('2026-10-30T12:00:00Z'),
  })
})
afterEach(() => system[Symbol.asyncDispose]())

const change = () => system.sql.query('update sales_order set units_sold = units_sold + 1')

it('verify() of an empty lake captures, loads and proves it', async () => {
  const { batch, isEqual, tables } = await verify(system.deps)
  expect({ batch, isEqual }).toEqual({ batch: 1, isEqual: true })
  expect(tables.filter(({ where }) => where === 'lake')).toHaveLength(11)
  expect(tables.filter(({ where }) => where === 'warehouse')).toHaveLength(12)
})

it('verify() that is overtaken by another run proves a newer snapshot', async () => {
  const codes: unknown[] = []
  let hasLoaded = false
  let overtaken: Promise<unknown> | undefined
  const deps: Deps = {
    ...system.deps,
    // Between verify's own load and its look at the warehouse, another run goes by.
    ingestion: {
      ...system.deps.ingestion,
      async download(key, folder) {
        if (hasLoaded) {
          overtaken ??= change().then(() => run({ ...system.deps, runId: 'other' }))
          await overtaken
        }
        return system.deps.ingestion.download(key, folder)
      },
    },
    log: (entry) => {
      if (entry.event === 'verify_again') codes.push(entry['code'])
      if (entry.event === 'batch_loaded') hasLoaded = true
    },
  }
  const report = await verify(deps)
  expect(report.isEqual).toBe(true)
  expect(codes).toEqual(['VERIFY_OVERTAKEN'])
})

it('I6 verify() finds what the lake has too many, and what is not as it should be', async () => {
  await verify(system.deps)
  // A source that lost rows behind the brake: the lake holds them, and says so.
  await system.sql.query('truncate payment')
  const limits = { ...system.deps.limits, brakeRows: 10 }
  const report = await verify({ ...system.deps, limits })
  const payment = report.tables.find(({ table, where }) => table === 'payment' && where === 'lake')
  expect(report.isEqual).toBe(false)
  expect(payment?.difference.extra).toBeGreaterThan(40)
  expect(payment?.difference.keys[0]).toMatchObject({ kind: 'extra', columns: [] })
})

it('I6 verify() leaves rows in quarantine out, and counts them', async () => {
  await verify(system.deps)
  await system.sql.query(
    `update sales_order set agreed_payment_date = 'soon' where sales_order_id = 3`,
  )
  const report = await verify(system.deps)
  const fact = report.tables.find(({ table }) => table === 'fact_sales_order')
  expect(fact).toMatchObject({ rows: 39, quarantined: 1 })
  expect(report.isEqual).toBe(true)
})

it('I6 verify() compares the maintained current rows with their history', async () => {
  await verify(system.deps)
  await system.query('alter table fact_payment_current drop column batch_id')
  await system.query('alter table fact_payment_current add column batch_id bigint default 99')
  const report = await verify(system.deps)
  const fact = report.tables.find(({ table }) => table === 'fact_payment')
  expect(fact?.difference.different).toBeGreaterThan(40)
})

it('examine() finds each thing that is missing, says what mends it, and goes on', async () => {
  const reader = system.source.name
  await system.sql.query(`revoke select on staff from ${reader}_reader`)
  const deps = {
    ...system.deps,
    warehouse: { ...system.deps.warehouse, url: system.source.readerUrl },
    processed: { ...system.deps.processed, putIfAbsent: () => Promise.reject(new Error('full')) },
  }
  const findings = await examine(deps)
  expect(findings.map(({ ok }) => ok)).toEqual([true, false, false, true, false])
  expect(findings[1]).toMatchObject({
    detail: expect.stringContaining('staff'),
    hint: expect.any(String),
  })
  expect(findings[2]?.hint).toContain('grant create')
  expect(findings[4]).toMatchObject({ detail: 'full' })
})

it('examine() says what it cannot know of the source', async () => {
  await system.sql.query('revoke execute on function pg_control_system() from public')
  const [source] = await examine(system.deps)
  expect(source).toMatchObject({ ok: true, detail: expect.stringContaining('pg_control_system') })
  const schema = 'not there yet'
  const warehouse = { ...system.deps.warehouse, schema }
  const findings = await examine({ ...system.deps, warehouse })
  expect(findings[2]).toMatchObject({ ok: true, detail: expect.stringContaining(schema) })
})

it('readHistory() tells an empty warehouse from a key that never was', async () => {
  const fact = findFact(system.deps.project, 'payments')
  await using empty = await openWarehouse(system.deps.warehouse)
  await expect(readHistory(empty, fact, ['1'])).rejects.toMatchObject({ code: 'WAREHOUSE_EMPTY' })
  await system.run()
  await using warehouse = await openWarehouse(system.deps.warehouse)
  expect(await readHistory(warehouse, fact, ['999'])).toMatchObject({
    versions: [],
    headline: undefined,
  })
})

it('examine() says whether files and rates can be had', async () => {
  await using rates = await startRateServer({ seed: 1 })
  const drop = join(system.folder, 'drop')
  await mkdir(join(drop, 'exchange_rate'), { recursive: true })
  await writeFile(join(drop, 'exchange_rate', 'a.csv'), 'base\n')
  const past = new Date(Date.now() - 60_000)
  await utimes(join(drop, 'exchange_rate', 'a.csv'), past, past)
  const server = (url: string) => ({ url: new URL(url), format: rateAnswers.ecb, everyMs: 1 })
  const other = { ...server(rates.url), format: rateAnswers.freeforexapi }
  const servers = [server(rates.url), server('http://127.0.0.1:1/'), other]
  const findings = await examine({ ...system.deps, feeds: { drop: diskDrop(drop), servers } })
  expect(findings.slice(5).map(({ ok, detail }) => [ok, detail])).toEqual([
    [true, `${drop}, 1 file`],
    [true, '2 rows of exchange_rate'],
    [false, expect.stringMatching(/cannot be reached/) as string],
    [false, 'It answers something else than rows of exchange_rate'],
  ])
})
