import { expect, it } from 'vitest'
import type { Deps } from '../../src/platform/deps.ts'
import { extract } from '../../src/platform/extract/extract.ts'
import { load } from '../../src/platform/load/load.ts'
import { run } from '../../src/platform/pipeline.ts'
import { transform } from '../../src/platform/transform/transform.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { totesys } from '../../src/totesys/totesys.ts'
import {
  currentOrders,
  expectFaithful,
  insertOrders,
  lastChanges,
  orderHistory,
  seedTotesys,
} from '../support/small-totesys.ts'
import { createSystem, type TestSystem } from '../support/system.ts'

/** Deps of a call that is out of time from the start. */
function late({ deps }: TestSystem): Deps {
  return { ...deps, deadline: AbortSignal.abort() }
}

it('I1 I6 extract() past its deadline reads one table a batch, and loses nothing of the others', async () => {
  await using system = await createSystem()
  await seedTotesys(system.sql)
  const captured: string[] = []
  for (;;) {
    const report = await run(late(system))
    expect(report.failures).toEqual([])
    captured.push(...Object.keys(await lastChanges(system)))
    if (report.held.length === 0) break
    expect(new Set(report.held.map(({ reason }) => reason))).toEqual(new Set(['deferred']))
    // Only what is proven is reported: the warehouse is as complete as its batches.
    expect(report.extracted?.committed).toBe(true)
  }
  expect(captured.toSorted()).toEqual(totesys.source.tables.map(({ name }) => name).toSorted())
  await expectFaithful(system)
  expect((await verify(system.deps)).isEqual).toBe(true)
  expect(system.entries.filter(({ level }) => level === 'alert')).toEqual([])
})

it('I1 I7 what happens to a table while it waits is captured when its turn comes', async () => {
  await using system = await createSystem()
  await seedTotesys(system.sql)
  await system.run()
  // Another table is read first.
  await system.sql.query(`update address set city = 'York' where address_id = 1`)
  await system.sql.query('update sales_order set units_sold = 11 where sales_order_id = 1')
  expect((await run(late(system))).held.map(({ table }) => table)).toContain('sales_order')
  expect(await lastChanges(system)).toEqual({ address: { updated: 1 } })
  expect(await currentOrders(system)).toEqual({ 1: 10, 2: 20, 3: 30 })

  await system.sql.query('update sales_order set units_sold = 12 where sales_order_id = 1')
  await system.sql.query('delete from sales_order where sales_order_id = 2')
  await system.sql.query(insertOrders([[4, 40]]))
  await system.sql.query(`update address set city = 'Ripon' where address_id = 1`)
  // Tables that waited come first. Transactions of other tests may have made more tables wait.
  do await run(late(system))
  while ((await lastChanges(system))['sales_order'] === undefined)
  expect(await system.query('select city from dim_location where location_id = 1')).toEqual([
    { city: 'York' },
  ])
  expect(await currentOrders(system)).toEqual({ 1: 12, 3: 30, 4: 40 })
  expect(await orderHistory(system, 1)).toEqual(['insert 10', 'update 12'])
  expect((await system.run()).held).toEqual([])
  await expectFaithful(system)
  expect((await verify(system.deps)).isEqual).toBe(true)
})

it('I4 transform() and load() past their deadline do one batch a call, and say that more is left', async () => {
  await using system = await createSystem()
  await seedTotesys(system.sql)
  await extract(system.deps)
  for (const id of [4, 5]) {
    await system.sql.query(insertOrders([[id, id * 10]]))
    await extract(system.deps)
  }
  const transformed = []
  for (;;) {
    const { batches, isCutShort } = await transform(late(system))
    transformed.push(batches)
    if (!isCutShort) break
  }
  expect(transformed).toEqual([[1], [2], [3]])
  const loaded = []
  for (;;) {
    const { batches, lastBatch, isCutShort } = await load(late(system))
    loaded.push([...batches, lastBatch])
    if (!isCutShort) break
  }
  expect(loaded).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
  ])
  await expectFaithful(system)
})
