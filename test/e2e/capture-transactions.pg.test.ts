import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { once, withHook } from '../support/lake.ts'
import { run } from '../../src/platform/pipeline.ts'
import {
  changesOf,
  currentOrders,
  expectFaithful,
  insertOrders,
  lastChanges,
  orderHistory,
  seedTotesys,
} from '../support/small-totesys.ts'
import { createSystem, type TestSystem } from '../support/system.ts'

let system: TestSystem
beforeAll(async () => {
  system = await createSystem()
  await seedTotesys(system.sql)
  await system.run()
})
afterAll(() => system[Symbol.asyncDispose]())

const setUnits = (id: number, units: number) =>
  `update sales_order set units_sold = ${units} where sales_order_id = ${id}`

describe('one row', () => {
  it('I1 an update that moves no timestamp is a version', async () => {
    await system.sql.query(setUnits(1, 11))
    await system.run()
    expect(await lastChanges(system)).toEqual({ sales_order: { updated: 1 } })
    expect(await orderHistory(system, 1)).toEqual(['insert 10', 'update 11'])
    await expectFaithful(system)
  })

  it('I7 a value that changes and changes back is three versions', async () => {
    await system.sql.query(setUnits(2, 21))
    await system.run()
    await system.sql.query(setUnits(2, 20))
    await system.run()
    expect(await orderHistory(system, 2)).toEqual(['insert 20', 'update 21', 'update 20'])
    const versions = await system.query(
      `select version::int, valid_to is null as open, is_current from fact_sales_order_history
       where sales_order_id = 2 order by version`,
    )
    expect(versions).toEqual([
      { version: 1, open: false, is_current: false },
      { version: 2, open: false, is_current: false },
      { version: 3, open: true, is_current: true },
    ])
  })

  it('I9 an update that writes the same values makes no version', async () => {
    const before = (await system.records()).length
    await system.sql.query('update sales_order set units_sold = units_sold')
    const report = await system.run()
    expect(report.extracted?.committed).toBe(false)
    expect(await system.records()).toHaveLength(before)
  })

  it.each([
    ['in the future', `'2999-12-31 23:59:59.999'`],
    ['in the past', `'1970-01-01'`],
    ['the same on every row', `'2024-01-01 10:00:00.123'`],
  ])('I1 a last_updated that is %s decides nothing', async (_, moment) => {
    await system.sql.query(
      `update sales_order set last_updated = ${moment}, units_sold = units_sold + 1`,
    )
    await system.run()
    expect(await lastChanges(system)).toEqual({ sales_order: { updated: 3 } })
    await expectFaithful(system)
  })

  it('I1 a null last_updated hides nothing', async () => {
    await system.sql.query('alter table design alter last_updated drop not null')
    await system.sql.query(`update design set last_updated = null, file_name = 'null.json'`)
    await system.run()
    expect(await lastChanges(system)).toEqual({ design: { updated: 1 } })
    expect(await system.query('select file_name from dim_design')).toEqual([
      { file_name: 'null.json' },
    ])
  })
})

describe('transactions', () => {
  it('I1 a transaction that wrote before a run and commits after it is in the next batch', async () => {
    const late = await system.source.client()
    await late.query('begin')
    await late.query(`${insertOrders([[101, 1]])}; ${setUnits(3, 77)}`)
    await system.sql.query(insertOrders([[102, 2]]))
    await system.run()
    expect(await lastChanges(system)).toEqual({ sales_order: { inserted: 1 } })
    await late.query('commit')
    await system.run()
    expect(await lastChanges(system)).toEqual({ sales_order: { inserted: 1, updated: 1 } })
    expect((await orderHistory(system, 3)).at(-1)).toBe('update 77')
    await expectFaithful(system)
  })

  it('I1 a smaller transaction id may commit several batches after greater ones', async () => {
    const late = await system.source.client()
    await late.query(`begin; ${insertOrders([[111, 1]])}`)
    for (const id of [112, 113]) {
      await system.sql.query(insertOrders([[id, 2]]))
      await system.run()
      expect(await lastChanges(system)).toEqual({ sales_order: { inserted: 1 } })
    }
    await late.query('commit')
    await system.run()
    expect(await lastChanges(system)).toEqual({ sales_order: { inserted: 1 } })
    expect(await orderHistory(system, 111)).toEqual(['insert 1'])
    expect(await orderHistory(system, 112)).toEqual(['insert 2'])
    await expectFaithful(system)
  })

  it('a transaction that is rolled back leaves nothing', async () => {
    const before = (await system.records()).length
    await system.sql.query(`begin; ${insertOrders([[121, 1]])}; ${setUnits(1, 999)}`)
    await system.run()
    await system.sql.query('rollback')
    const report = await system.run()
    expect(report.extracted?.committed).toBe(false)
    expect(await system.records()).toHaveLength(before)
    expect(await orderHistory(system, 121)).toEqual([])
  })

  it('I1 a released subtransaction counts, and a rolled-back one does not', async () => {
    const late = await system.source.client()
    await late.query(`begin; ${insertOrders([[131, 1]])}`)
    await late.query(`savepoint a; ${insertOrders([[132, 2]])}; release a`)
    await late.query(`savepoint b; ${insertOrders([[133, 3]])}; rollback to b`)
    await system.sql.query(insertOrders([[134, 4]]))
    await system.run()
    // Gets its id after the batch's snapshot, under a parent from before the snapshot.
    await late.query(`savepoint c; ${insertOrders([[135, 5]])}; release c`)
    await late.query('commit')
    await system.run()
    expect(await lastChanges(system)).toEqual({ sales_order: { inserted: 3 } })
    expect(await orderHistory(system, 132)).toEqual(['insert 2'])
    expect(await orderHistory(system, 133)).toEqual([])
    expect(await orderHistory(system, 135)).toEqual(['insert 5'])
    await expectFaithful(system)
  })

  it('I1 a prepared transaction is captured once it commits, however many batches later', async () => {
    const name = `late_${system.source.name}`
    const late = await system.source.client()
    await late.query(`begin; ${insertOrders([[141, 1]])}; prepare transaction '${name}'`)
    for (const id of [142, 143]) {
      await system.sql.query(insertOrders([[id, 2]]))
      await system.run()
      expect(await lastChanges(system)).toEqual({ sales_order: { inserted: 1 } })
    }
    await late.query(`commit prepared '${name}'`)
    await system.run()
    expect(await lastChanges(system)).toEqual({ sales_order: { inserted: 1 } })
    expect(await orderHistory(system, 141)).toEqual(['insert 1'])
    await expectFaithful(system)
  })
})

describe('one snapshot', () => {
  it('I2 a transaction that commits after the snapshot is complete in the next batch', async () => {
    const other = await system.source.client()
    await system.sql.query(setUnits(1, 1000))
    const commitBetween = once(
      (call) => call === 'get',
      () =>
        other.query(`begin;
        insert into counterparty values (50, 'Late Ltd', 1, null, null, now(), now());
        insert into sales_order values (151, now(), now(), 1, 1, 50, 7, 1.00, 1, '2024-02-01', '2024-02-02', 1);
        ${setUnits(1, 2000)};
        commit`),
    )
    const report = await run(withHook(system.deps, commitBetween))
    expect(report.failures).toEqual([])
    expect(changesOf(report.extracted?.record)).toEqual({ sales_order: { updated: 1 } })
    expect((await currentOrders(system))[1]).toBe(1000)
    await system.run()
    expect(await lastChanges(system)).toEqual({
      counterparty: { inserted: 1 },
      sales_order: { inserted: 1, updated: 1 },
    })
    await expectFaithful(system)
  })

  it('I2 an order and its counterparty committed between two table reads arrive together', async () => {
    await system.sql.query(`update address set phone = 'new'; update payment set paid = true`)
    const other = await system.source.client()
    const commitBetween = once(
      (call, key) => call === 'upload' && key.startsWith('address/'),
      () =>
        other.query(`begin;
        insert into counterparty values (51, 'Between Ltd', 1, null, null, now(), now());
        insert into sales_order values (161, now(), now(), 1, 1, 51, 7, 1.00, 1, '2024-02-01', '2024-02-02', 1);
        commit`),
    )
    const report = await run(withHook(system.deps, commitBetween))
    expect(changesOf(report.extracted?.record)).toEqual({
      address: { updated: 2 },
      payment: { updated: 1 },
    })
    await system.run()
    expect(await lastChanges(system)).toEqual({
      counterparty: { inserted: 1 },
      sales_order: { inserted: 1 },
    })
    expect(
      await system.query(
        `select counterparty_legal_name as name from fact_sales_order_current
         join dim_counterparty using (counterparty_id) where sales_order_id = 161`,
      ),
    ).toEqual([{ name: 'Between Ltd' }])
  })
})
