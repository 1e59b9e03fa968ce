import { afterEach, beforeEach, expect, it } from 'vitest'
import { fillTotesys } from '../support/totesys-source/fill.ts'
import type { Deps } from '../../src/platform/deps.ts'
import { run } from '../../src/platform/pipeline.ts'
import { readHistory, findFact } from '../../src/platform/presentation/history.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { openWarehouse } from '../../src/platform/warehouse/warehouse.ts'
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

it('verify() proves a newer snapshot if another run overtakes it', async () => {
  const codes: unknown[] = []
  let hasLoaded = false
  let overtaken: Promise<unknown> | undefined
  const deps: Deps = {
    ...system.deps,
    // Another run loads a batch between verify's own load and its comparison.
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
      if (entry.event === 'verify_again') codes.push(entry.code)
      if (entry.event === 'batch_loaded') hasLoaded = true
    },
  }
  const report = await verify(deps)
  expect(report.isEqual).toBe(true)
  expect(codes).toEqual(['VERIFY_OVERTAKEN'])
})

it('I6 verify() finds extra rows in the lake, and rows that differ', async () => {
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
  await system.query('alter table fact_payment_current drop column batch_id cascade')
  await system.query('alter table fact_payment_current add column batch_id bigint default 99')
  const report = await verify(system.deps)
  const fact = report.tables.find(({ table }) => table === 'fact_payment')
  expect(fact?.difference.different).toBeGreaterThan(40)
})

it('readHistory() tells an empty warehouse from a key that never existed', async () => {
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
