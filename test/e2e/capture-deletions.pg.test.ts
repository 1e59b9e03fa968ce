import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { extract } from '../../src/platform/extract/extract.ts'
import { readTable } from '../support/lake.ts'
import {
  currentOrders,
  expectFaithful,
  insertOrders,
  lastChanges,
  orderHistory,
  seedTotesys,
} from '../support/small-totesys.ts'
import { prepareSystem, type TestSystem } from '../support/system.ts'

const prepared = prepareSystem(async (system) => {
  await seedTotesys(system.sql)
  await system.run()
})
let system: TestSystem
beforeEach(async () => {
  system = await prepared.open()
})
afterEach(() => system[Symbol.asyncDispose]())
afterAll(() => prepared[Symbol.asyncDispose]())

describe('a deletion', () => {
  it('I7 is a version that carries the last known values', async () => {
    await system.sql.query('delete from sales_order where sales_order_id = 3')
    await system.run()
    expect(await lastChanges(system)).toEqual({ sales_order: { deleted: 1 } })
    expect(await orderHistory(system, 3)).toEqual(['insert 30', 'delete 30'])
    expect(await currentOrders(system)).toEqual({ 1: 10, 2: 20 })
    await expectFaithful(system)
  })

  it('I1 is found though as many rows were inserted', async () => {
    await system.sql.query(
      `delete from sales_order where sales_order_id = 3; ${insertOrders([[4, 40]])}`,
    )
    await system.run()
    expect(await lastChanges(system)).toEqual({ sales_order: { inserted: 1, deleted: 1 } })
    expect(await currentOrders(system)).toEqual({ 1: 10, 2: 20, 4: 40 })
  })

  it('of a row that was inserted after the last batch leaves no trace', async () => {
    await system.sql.query(insertOrders([[4, 40]]))
    await system.sql.query('delete from sales_order where sales_order_id = 4')
    const report = await system.run()
    expect(report.extracted?.committed).toBe(false)
    expect(await orderHistory(system, 4)).toEqual([])
  })

  it('and an insert of the same key are two more versions, with a run in between', async () => {
    await system.sql.query('delete from sales_order where sales_order_id = 3')
    await system.run()
    await system.sql.query(insertOrders([[3, 31]]))
    await system.run()
    expect(await lastChanges(system)).toEqual({ sales_order: { inserted: 1 } })
    expect(await orderHistory(system, 3)).toEqual(['insert 30', 'delete 30', 'insert 31'])
    await expectFaithful(system)
  })

  it('and an insert of the same key are an update, without a run in between', async () => {
    await system.sql.query(
      `delete from sales_order where sales_order_id = 3; ${insertOrders([[3, 31]])}`,
    )
    await system.run()
    expect(await lastChanges(system)).toEqual({ sales_order: { updated: 1 } })
    expect(await orderHistory(system, 3)).toEqual(['insert 30', 'update 31'])
  })

  it('and an insert of the same row are no change, without a run in between', async () => {
    await system.sql.query(
      `delete from sales_order where sales_order_id = 3; ${insertOrders([[3, 30]])}`,
    )
    const report = await system.run()
    expect(report.extracted?.committed).toBe(false)
    expect(await orderHistory(system, 3)).toEqual(['insert 30'])
  })

  it('and an insert of the same row are two more versions, with a run in between', async () => {
    await system.sql.query('delete from sales_order where sales_order_id = 3')
    await system.run()
    await system.sql.query(insertOrders([[3, 30]]))
    await system.run()
    expect(await orderHistory(system, 3)).toEqual(['insert 30', 'delete 30', 'insert 30'])
    await expectFaithful(system)
  })
})

it('a key update is a delete and an insert, and its cascade is an update', async () => {
  await system.sql.query('update address set address_id = 99 where address_id = 1')
  await system.run()
  expect(await lastChanges(system)).toEqual({
    address: { inserted: 1, deleted: 1 },
    counterparty: { updated: 1 },
    sales_order: { updated: 3 },
    purchase_order: { updated: 1 },
  })
  const [lake] = (await system.records()).slice(-1)
  expect((await readTable(system, lake, 'address')).map((row) => row['address_id'])).toEqual([
    '2',
    '99',
  ])
  await expectFaithful(system)
  // The old location stays, because earlier facts still join it (I11).
  expect(await system.query('select location_id as id from dim_location order by 1')).toEqual([
    { id: 1 },
    { id: 2 },
    { id: 99 },
  ])
})

it('a truncate of a small table is a deletion of every row', async () => {
  await system.sql.query('truncate payment, transaction')
  await system.run()
  expect(await lastChanges(system)).toEqual({
    payment: { deleted: 1 },
    transaction: { deleted: 1 },
  })
  expect(await system.query('select * from fact_payment_current')).toEqual([])
  await system.sql.query(`insert into transaction values (9, 'SALE', 1, null, now(), now())`)
  await system.run()
  expect(await lastChanges(system)).toEqual({ transaction: { inserted: 1 } })
  const [lake] = (await system.records()).slice(-1)
  expect(
    (await readTable(system, lake, 'transaction')).map((row) => row['transaction_id']),
  ).toEqual(['9'])
})

describe('the brake', () => {
  const many = Array.from({ length: 150 }, (_, index) => [1000 + index, 1 + index] as const)
  beforeEach(async () => {
    await system.sql.query(insertOrders(many))
    await system.run()
    await system.sql.query('truncate sales_order cascade')
    // The cascade deletes only a few rows of other tables, so those deletions go through.
    await system.run()
  })
  const counts = async () => Object.keys(await currentOrders(system)).length

  it('holds a mass deletion, and says so, while other tables go on', async () => {
    expect(await lastChanges(system)).toEqual({
      payment: { deleted: 1 },
      transaction: { deleted: 1 },
    })
    const [lake] = (await system.records()).slice(-1)
    expect(lake?.tables['sales_order']).toMatchObject({ heldDeletes: 153, rows: 153 })
    expect(system.entries).toContainEqual({
      event: 'deletes_held',
      level: 'alert',
      table: 'sales_order',
      deletes: 153,
      rows: 153,
    })
    expect(await counts()).toBe(153)
  })

  it('holds even if nothing else changes, with or without a batch', async () => {
    const before = (await system.records()).length
    const report = await system.run()
    expect(report.held).toEqual([
      {
        table: 'sales_order',
        reason: 'mass_deletion',
        detail: '153 of 153 rows are gone from the source',
      },
    ])
    expect(report.extracted?.committed).toBe(false)
    expect(await system.records()).toHaveLength(before)
  })

  it('lets inserts and updates of the table through', async () => {
    await system.sql.query(
      insertOrders([
        [1, 11],
        [2000, 1],
      ]),
    )
    const report = await system.run()
    expect(await lastChanges(system)).toEqual({ sales_order: { inserted: 1, updated: 1 } })
    expect(report.held).toEqual([
      {
        table: 'sales_order',
        reason: 'mass_deletion',
        detail: '152 of 154 rows are gone from the source',
      },
    ])
    expect(await currentOrders(system)).toMatchObject({ 1: 11, 2000: 1 })
  })

  it('holds until it is confirmed, even when the table has outgrown what is held', async () => {
    const refill = Array.from({ length: 400 }, (_, index) => [5000 + index, 1] as const)
    await system.sql.query(insertOrders(refill))
    await system.run()
    await system.sql.query(insertOrders([[9000, 1]]))
    const report = await system.run()
    expect(report.held).toEqual([
      {
        table: 'sales_order',
        reason: 'mass_deletion',
        detail: '153 of 554 rows are gone from the source',
      },
    ])
    expect(await counts()).toBe(554)
  })

  it('is released by a confirmation, for that table only', async () => {
    const other = await system.run({ confirmDeletes: new Set(['payment']) })
    expect(other.held).toHaveLength(1)
    const report = await system.run({ confirmDeletes: new Set(['sales_order']) })
    expect(report.held).toEqual([])
    expect(await lastChanges(system)).toEqual({ sales_order: { deleted: 153 } })
    expect(await counts()).toBe(0)
    await expectFaithful(system)
    expect((await system.run()).extracted?.committed).toBe(false)
  })

  it('refuses a confirmation for a table that does not exist, and nothing is captured', async () => {
    const before = system.entries.length
    await expect(
      extract(system.deps, { confirmDeletes: new Set(['sales_orders']) }),
    ).rejects.toMatchObject({
      code: 'UNKNOWN_TABLE',
      hint: expect.stringContaining('sales_order,') as string,
    })
    expect(system.entries.slice(before)).toEqual([])
  })

  it('is released when the rows come back', async () => {
    await system.sql.query(insertOrders([[1, 10], [2, 20], [3, 30], ...many]))
    const report = await system.run()
    expect(report.held).toEqual([])
    await system.sql.query('delete from sales_order where sales_order_id = 1')
    await system.run()
    expect(await lastChanges(system)).toEqual({ sales_order: { deleted: 1 } })
    await expectFaithful(system)
  })
})
