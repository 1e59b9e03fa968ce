import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { verify } from '../../src/platform/inspect/verify.ts'
import { repair } from '../../src/platform/repair.ts'
import {
  contentOf,
  correctionsOf,
  missChanges,
  repairPlanted,
  transformWrongly,
} from '../support/repairs.ts'
import {
  expectFaithful,
  insertOrders,
  orderHistory,
  fillTotesys,
} from '../support/small-totesys.ts'
import { prepareSystem, type TestSystem } from '../support/system.ts'

const prepared = prepareSystem(fillTotesys)
let system: TestSystem
beforeEach(async () => {
  system = await prepared.open()
})
afterEach(() => system[Symbol.asyncDispose]())
afterAll(() => prepared[Symbol.asyncDispose]())

const OLD = `batch_id = 1 and sales_order_id = 1`

it('repair() changes nothing where nothing differs', async () => {
  const before = await contentOf(system)
  expect(await repair(system.deps)).toMatchObject({
    found: { isEqual: true },
    corrections: [],
    recaptured: [],
    left: [],
  })
  expect(await contentOf(system)).toEqual(before)
})

it('I6 I8 repair() makes the processed zone again if its rows are not those of the models', async () => {
  await system.sql.query(insertOrders([[9, 5]]))
  const wrong = { table: 'fact_sales_order', column: 'units_sold', value: '6::integer' }
  await transformWrongly(system, wrong)
  await system.run()
  expect(await orderHistory(system, 9)).toEqual(['insert 6'])

  const report = await repair(system.deps)
  expect(report.found.tables.filter(({ difference }) => difference.different > 0)).toMatchObject([
    { table: 'fact_sales_order', where: 'warehouse', difference: { different: 1 } },
  ])
  expect(report).toMatchObject({ corrections: [], recaptured: [], left: [] })
  expect(report.edition).toMatch(/\.2$/)
  expect(await orderHistory(system, 9)).toEqual(['insert 5'])
  expect(await verify(system.deps)).toMatchObject({ isEqual: true })
  await expectFaithful(system)
})

describe('repair() puts right', () => {
  it.each<[string, string, Record<string, object>]>([
    [
      'a cell of an old version',
      `update fact_sales_order set units_sold = 9 where ${OLD}`,
      { fact_sales_order: { different: 1 } },
    ],
    [
      'a cell of the newest version',
      `update fact_sales_order set units_sold = 9 where batch_id = 2`,
      { fact_sales_order: { different: 1 } },
    ],
    [
      'an old version that is gone',
      `delete from fact_sales_order where ${OLD}`,
      { fact_sales_order: { missing: 1 } },
    ],
    [
      'the newest version that is gone',
      `delete from fact_sales_order where batch_id = 3`,
      { fact_sales_order: { missing: 1 } },
    ],
    [
      'an extra version before all others',
      `insert into fact_sales_order
       select (jsonb_populate_record(f, '{"sales_record_id": 0}')).* from fact_sales_order as f
       where ${OLD}`,
      { fact_sales_order: { extra: 1 } },
    ],
    [
      'an extra version after all others',
      `insert into fact_sales_order
       select (jsonb_populate_record(f, '{"sales_record_id": 99}')).* from fact_sales_order as f
       where ${OLD}`,
      { fact_sales_order: { extra: 1 } },
    ],
    [
      'the moment of a version',
      `update fact_sales_order set recorded_at = recorded_at - interval '1 day' where ${OLD}`,
      { fact_sales_order: { different: 1 } },
    ],
    [
      'a deletion that was taken back',
      `update fact_sales_order set record_operation = 'update' where record_operation = 'delete'`,
      { fact_sales_order: { different: 1 } },
    ],
    [
      'a cell of a current row',
      `update fact_sales_order_current set units_sold = 9 where sales_order_id = 1`,
      { fact_sales_order_current: { different: 1 } },
    ],
    [
      'a current row that is gone',
      `delete from fact_payment_current`,
      { fact_payment_current: { missing: 1 } },
    ],
    [
      'a current row that was deleted',
      `insert into fact_sales_order_current
       select * from fact_sales_order where batch_id = 1 and sales_order_id = 3`,
      { fact_sales_order_current: { extra: 1 } },
    ],
    [
      'a cell of a dimension',
      `update dim_staff set last_name = 'Lovelace'`,
      { dim_staff: { different: 1 } },
    ],
    [
      'a row of a dimension that is gone',
      `delete from dim_location where location_id = 2`,
      { dim_location: { missing: 1 } },
    ],
    [
      'an extra row of a dimension',
      `insert into dim_design values (99, 'None', '/home', 'none.json')`,
      { dim_design: { extra: 1 } },
    ],
    [
      'an extra row of a dimension to which a wrong version refers',
      `insert into dim_design values (99, 'None', '/home', 'none.json');
       update fact_sales_order set design_id = 99 where ${OLD}`,
      { dim_design: { extra: 1 }, fact_sales_order: { different: 1 } },
    ],
    [
      'a day of a calendar',
      `update dim_date set day_name = 'Funday' where date_id = '2024-02-01'`,
      { dim_date: { different: 1 } },
    ],
    [
      'sums: one changed, one missing, one too many',
      `update fact_sales_order_by_staff set amount = amount + 0.01;
       update fact_payment_by_due set payment_date = date '1999-01-01'`,
      {
        fact_sales_order_by_staff: { different: 1 },
        fact_payment_by_due: { missing: 1, extra: 1 },
      },
    ],
    [
      'a revision',
      `update fact_sales_order_revisions set before_units_sold = before_units_sold + 1`,
      { fact_sales_order_revisions: { different: 2 } },
    ],
    [
      'a row of the ledger that is missing',
      `delete from tidemark_ledger where batch_id = 2`,
      { tidemark_ledger: { missing: 1 } },
    ],
    [
      'a row of the ledger from another record',
      `update tidemark_ledger set loaded_from = repeat('0', 64), captured_as = repeat('0', 64)
       where batch_id = 2`,
      { tidemark_ledger: { different: 1 } },
    ],
    [
      'other counts in the ledger',
      `update tidemark_ledger set row_counts = jsonb_set(row_counts, '{fact_payment,inserted}', '7')
       where batch_id = 1`,
      { tidemark_ledger: { different: 1 } },
    ],
    [
      'the newest row of the ledger that is missing',
      `delete from tidemark_ledger where batch_id = 3`,
      { tidemark_ledger: { missing: 1 } },
    ],
    [
      'the newest row of the ledger from another record',
      `update tidemark_ledger set loaded_from = repeat('0', 64), captured_as = repeat('0', 64)
       where batch_id = 3`,
      { tidemark_ledger: { different: 1 } },
    ],
  ])('I7 %s', async (_, plant, corrected) => {
    const report = await repairPlanted(system, plant)
    const found = correctionsOf(report)
    for (const [table, counts] of Object.entries(corrected)) {
      expect(found, table).toHaveProperty(table)
      expect(found[table]).toMatchObject(counts)
    }
    await system.sql.query(insertOrders([[9, 90]]))
    await system.run()
    expect((await verify(system.deps)).isEqual).toBe(true)
  })

  it.each([
    ['the newest version that is gone', 'delete from fact_sales_order where batch_id = 3'],
    [
      'an extra version after all others',
      `insert into fact_sales_order
       select (jsonb_populate_record(f, '{"sales_record_id": 99}')).* from fact_sales_order as f
       where ${OLD}`,
    ],
    [
      'the newest row of the ledger that is missing',
      'delete from tidemark_ledger where batch_id = 3',
    ],
    [
      'the newest row of the ledger from another record',
      `update tidemark_ledger set loaded_from = repeat('0', 64), captured_as = repeat('0', 64)
       where batch_id = 3`,
    ],
    [
      'a row of a dimension that is gone, and that a new version needs',
      'delete from dim_location where location_id = 2',
    ],
  ])('I14 %s, although it keeps changes of the source from being loaded', async (_, plant) => {
    await system.query(plant)
    await system.sql.query(`
      insert into sales_order values
        (9, now(), now(), 1, 1, 1, 90, 2.50, 1, '2024-02-01', '2024-02-02', 2)`)
    await expect(system.run()).rejects.toThrow(/./)
    const { corrections, left } = await repair(system.deps)
    expect(corrections).not.toEqual([])
    expect(left).toEqual([])
    await expectFaithful(system)
    expect((await verify(system.deps)).isEqual).toBe(true)
  })

  it('everything at once, while changes of the source wait to be loaded', async () => {
    await system.query(`
      delete from fact_sales_order where batch_id = 2;
      update fact_payment set payment_amount = 1;
      delete from fact_purchase_orders_current;
      update dim_currency set currency_code = 'XXX';
      delete from tidemark_ledger where batch_id = 3`)
    await system.sql.query(insertOrders([[9, 90]]))
    const { left, corrections } = await repair(system.deps)
    expect(left).toEqual([])
    expect(corrections.map(({ table }) => table)).toEqual(
      expect.arrayContaining([
        'fact_sales_order',
        'fact_payment',
        'fact_purchase_orders_current',
        'dim_currency',
        'tidemark_ledger',
      ]),
    )
    await expectFaithful(system)
    expect((await verify(system.deps)).isEqual).toBe(true)
  })
})

it('repair() names table, key, record id and column, but no value', async () => {
  await system.query(`update fact_sales_order set units_sold = 987654 where ${OLD}`)
  const { corrections } = await repair(system.deps)
  const fact = corrections.find(({ table }) => table === 'fact_sales_order')
  expect(fact?.difference.keys).toEqual([
    { kind: 'different', key: 'sales_record_id=1 sales_order_id=1', columns: ['units_sold'] },
  ])
  expect(JSON.stringify(corrections)).not.toContain('987654')
})

it('repair() of one table repairs this table alone', async () => {
  await system.query(`
    update dim_staff set last_name = 'Lovelace';
    update dim_design set design_name = 'Wasp'`)
  const { corrections, left } = await repair(system.deps, { table: 'dim_staff' })
  expect(corrections.map(({ table }) => table)).toEqual(['dim_staff'])
  expect(left).toEqual([])
  const { tables } = await verify(system.deps)
  expect(tables.filter(({ difference }) => difference.different > 0).map((t) => t.table)).toEqual([
    'dim_design',
    'dim_design',
  ])
})

it('repair() leaves alone what people made in the warehouse', async () => {
  await system.query(`
    create view staff_names as select last_name from dim_staff;
    alter table dim_staff add column note text not null default 'ours';
    alter table fact_sales_order add column seen boolean;
    create role repair_tester;
    grant select on staff_names to repair_tester;
    update dim_staff set note = 'mine', last_name = 'Lovelace';
    update fact_sales_order set seen = true, units_sold = 9 where ${OLD}`)
  try {
    await system.run()
    expect((await repair(system.deps)).left).toEqual([])
    expect(await system.query('select last_name, note from dim_staff')).toEqual([
      { last_name: 'Byron', note: 'mine' },
    ])
    expect(
      await system.query(`select units_sold, seen from fact_sales_order where ${OLD}`),
    ).toEqual([{ units_sold: 10, seen: true }])
    expect(
      await system.query(
        `select has_table_privilege('repair_tester', 'staff_names', 'select') as may`,
      ),
    ).toEqual([{ may: true }])
  } finally {
    await system.query('drop owned by repair_tester; drop role repair_tester')
  }
})

it('I6 repair() captures again, as new versions, what the lake has missed', async () => {
  await system.sql.query(`
    update sales_order set units_sold = 12 where sales_order_id = 1;
    update staff set last_name = 'Lovelace'`)
  await missChanges(system)
  await system.run()
  const { tables } = await verify(system.deps)
  expect(tables.find(({ table }) => table === 'sales_order')?.difference).toMatchObject({
    different: 1,
  })
  const report = await repair(system.deps)
  expect(report).toMatchObject({
    recaptured: expect.arrayContaining(['sales_order', 'staff']) as unknown,
    batch: 5,
    corrections: [],
    left: [],
  })
  expect(await orderHistory(system, 1)).toEqual(['insert 10', 'update 11', 'update 12'])
  await expectFaithful(system)
  expect((await verify(system.deps)).isEqual).toBe(true)
})

it('I15 repair() confirms no mass deletion, and says how', async () => {
  await system.sql.query('truncate payment')
  const limits = { ...system.deps.limits, brakeRows: 0 }
  const report = await repair({ ...system.deps, limits })
  expect(report.left).toEqual([
    {
      what: 'payment: a mass deletion is held',
      next: 'tidemark run --confirm-deletes payment, if it is right',
    },
  ])
  expect(await system.query('select payment_id from fact_payment_current')).toHaveLength(1)
})

it('repair() keeps extra rows of a dimension to which other rows refer, and says so', async () => {
  await system.query(`
    insert into dim_design values (99, 'None', '/home', 'none.json');
    create table mine (design_id integer references dim_design);
    insert into mine values (99);
    update dim_design set design_name = 'Wasp' where design_id = 1`)
  const { corrections, left } = await repair(system.deps)
  expect(corrections).toMatchObject([{ table: 'dim_design', left: 1 }])
  expect(left).toEqual([
    {
      what: 'dim_design: extra rows stay, because other rows refer to them',
      next: 'remove the rows that refer to them, then: tidemark verify dim_design --repair',
    },
  ])
  await system.query('drop table mine')
  expect((await repair(system.deps)).left).toEqual([])
  expect((await verify(system.deps)).isEqual).toBe(true)
})

it('I14 repair() refuses a warehouse that was loaded from another lake', async () => {
  await system.query(`
    update tidemark_ledger set loaded_from = repeat('0', 64), captured_as = repeat('0', 64),
      snapshot_at = snapshot_at + interval '1 second' where batch_id = 3`)
  const before = await contentOf(system)
  await expect(repair(system.deps)).rejects.toMatchObject({ code: 'LAKE_MIXED' })
  expect(await contentOf(system)).toEqual(before)
})
