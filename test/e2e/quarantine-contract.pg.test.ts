import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { run } from '../../src/platform/pipeline.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { readRefusedRows } from '../support/lake.ts'
import { createShop, type ShopSystem } from '../support/shop.ts'

const SALE = {
  sale_id: 'integer',
  item_id: 'integer',
  units: 'integer',
  price: 'numeric(12,3)',
  sold_on: 'text',
  returned_on: 'date',
  extra: 'jsonb',
}
const STOCK = { stock_id: 'integer', item_id: 'integer', counted: 'integer' }
const COLUMNS = { sale: SALE, stock: STOCK }

const sales = ({ query }: ShopSystem) =>
  query(`select sale_record_id::int as id, sale_id as sale, units, price::text, record_operation as op
    from fact_sale order by 1`)

/** Key, batch and column of the source table's rows that a batch put into quarantine, or has there. */
async function refused(
  shop: ShopSystem,
  table: string,
  what: 'quarantine' | 'open' = 'quarantine',
): Promise<unknown[][]> {
  const rows = await readRefusedRows(shop, (await shop.records('processed')).at(-1), {
    table,
    what,
  })
  return rows.map(({ key, batch, column, reason }) => [
    ...Object.values(key),
    batch,
    column,
    reason,
  ])
}

it('no row is refused if the source keeps its contract exactly', async () => {
  await using shop = await createShop({ columns: COLUMNS })
  await shop.sql.query(`insert into sale values (1, 1, 2, 2.5, '2024-01-01')`)
  await shop.run()
  const [record] = await shop.records('processed')
  expect(Object.keys(record?.tables ?? {})).toEqual(shop.project.models.map(({ table }) => table))
})

it('models see the columns of the contract and no others', async () => {
  await using shop = await createShop({
    columns: { stock: STOCK },
    models: {
      fact_stock: `select * exclude (_batch) from change_stock`,
      dim_item: `select item_id, item_name, 'x' as label, (select count(columns(*)) from stock)::varchar as note from item`,
    },
  })
  await shop.sql.query(`alter table stock add column colour text default 'red'`)
  await shop.sql.query(`insert into stock values (1, 1, 5, 'blue')`)
  await expect(shop.run()).rejects.toMatchObject({ code: 'MODEL_INVALID' })
  const project = await shop.changed({
    columns: { stock: STOCK },
    models: { fact_stock: `select * exclude (_batch) from change_stock` },
  })
  expect((await run({ ...shop.deps, project })).failures).toEqual([])
  expect(await shop.query('select stock_id, counted from fact_stock')).toEqual([
    { stock_id: 1, counted: 5 },
  ])
})

it('I6 a widened column lets through what fits and refuses the row that does not', async () => {
  await using shop = await createShop({ columns: COLUMNS })
  const { sql } = shop
  await sql.query(
    `insert into sale values (1, 1, 2, 2.5, '2024-01-01'), (2, 1, 3, 1, '2024-01-01')`,
  )
  await shop.run()
  await sql.query(`
    alter table sale alter column units type bigint;
    alter table sale alter column price type numeric(16, 5);
    update sale set units = 2147483647 where sale_id = 1;
    update sale set units = 2147483648 where sale_id = 2;
    insert into sale values (3, 1, 4, 0.12300, '2024-01-01'), (4, 1, 4, 0.12301, '2024-01-01')`)
  const report = await shop.run()
  expect(report.quarantined).toBe(2)
  expect(await refused(shop, 'sale')).toEqual([
    ['2', 2, 'units', 'cast'],
    ['4', 2, 'price', 'cast'],
  ])
  const [, record] = await shop.records('processed')
  expect(record?.tables['sale']?.counts).toMatchObject({ read: 4, accepted: 2, quarantined: 2 })
  expect(record?.tables['fact_sale']?.counts).toMatchObject({ read: 2, quarantined: 0 })
  expect(await sales(shop)).toEqual([
    { id: 1, sale: 1, units: 2, price: '2.500', op: 'insert' },
    { id: 2, sale: 2, units: 3, price: '1.000', op: 'insert' },
    { id: 3, sale: 1, units: 2147483647, price: '2.500', op: 'update' },
    { id: 4, sale: 3, units: 4, price: '0.123', op: 'insert' },
  ])
  expect(await verify(shop.deps)).toMatchObject({ isEqual: true })
  expect(said(shop)).toEqual([['alert', 'sale', 2, ['cast price', 'cast units']]])

  // Corrected or deleted, they leave quarantine. The one that fitted before is deleted with its last
  // values that fit. The other one was never there.
  await sql.query(`insert into sale values (5, 1, 2147483648, 1, '2024-01-01')`)
  await shop.run()
  expect((await refused(shop, 'sale', 'open')).map(([id]) => id)).toEqual(['2', '4', '5'])
  await sql.query(`update sale set price = 7 where sale_id = 4; delete from sale where sale_id = 2`)
  expect((await shop.run()).quarantined).toBe(0)
  expect((await refused(shop, 'sale', 'open')).map(([id]) => id)).toEqual(['5'])
  expect((await sales(shop)).slice(4)).toEqual([
    { id: 5, sale: 2, units: 3, price: '1.000', op: 'delete' },
    { id: 6, sale: 4, units: 4, price: '7.000', op: 'update' },
  ])
  await sql.query(`delete from sale where sale_id = 5`)
  expect((await shop.run()).quarantined).toBe(1)
  expect(await refused(shop, 'sale', 'open')).toEqual([])
  expect(await verify(shop.deps)).toMatchObject({ isEqual: true })
})

it('I6 a value that does not fit a nullable column does not become null', async () => {
  await using shop = await createShop({ columns: COLUMNS })
  await shop.sql.query(`
    alter table stock alter column counted type bigint;
    insert into stock values (1, 1, 5000000000), (2, 1, null), (3, 1, 5)`)
  await shop.run()
  expect(await shop.query('select stock_id, counted from fact_stock order by 1')).toEqual([
    { stock_id: 2, counted: null },
    { stock_id: 3, counted: 5 },
  ])
  expect(await refused(shop, 'stock')).toEqual([['1', 1, 'counted', 'cast']])
})

it('I6 an unbounded numeric is compared with the contract by its value, not its text', async () => {
  await using shop = await createShop({ columns: COLUMNS })
  await shop.sql.query(`
    alter table sale alter column price type numeric;
    insert into sale values (1, 1, 1, 2.50000, '2024-01-01'), (2, 1, 1, 100, '2024-01-01'),
      (3, 1, 1, 'NaN', '2024-01-01'), (4, 1, 1, 0.0001, '2024-01-01'), (5, 1, 1, 1e9, '2024-01-01'),
      (6, 1, 1, 0.000, '2024-01-01'), (7, 1, 1, -0.5, '2024-01-01')`)
  await shop.run()
  expect(await shop.query('select sale_id, price::text from fact_sale order by 1')).toEqual([
    { sale_id: 1, price: '2.500' },
    { sale_id: 2, price: '100.000' },
    { sale_id: 6, price: '0.000' },
    { sale_id: 7, price: '-0.500' },
  ])
  expect((await refused(shop, 'sale')).map(([id]) => id)).toEqual(['3', '4', '5'])
})

it('a dimension follows the rows that fit, and keeps the last values of the others', async () => {
  await using shop = await createShop({
    columns: {
      kind: { kind_id: 'integer', label: 'text' },
      item: { item_id: 'integer', item_name: 'text', kind_id: 'smallint', note: 'text' },
    },
  })
  await shop.run()
  await shop.sql.query(`
    update item set kind_id = 40000, item_name = 'gone' where item_id = 1;
    update item set item_name = 'boater' where item_id = 2`)
  await shop.run()
  expect(await shop.query('select item_id, item_name from dim_item order by 1')).toEqual([
    { item_id: 1, item_name: 'tote' },
    { item_id: 2, item_name: 'boater' },
  ])
  expect(await refused(shop, 'item')).toEqual([['1', 2, 'kind_id', 'cast']])
  expect(await verify(shop.deps)).toMatchObject({ isEqual: true })
})

it('I8 a renamed column is found under its former name in older files of the lake', async () => {
  await using shop = await createShop({ columns: { sale: SALE } })
  const { sql } = shop
  await sql.query(
    `insert into sale values (1, 1, 2, 2.5, '2024-01-01'), (2, 1, 3, 1, '2024-01-01')`,
  )
  await shop.run()
  await sql.query(`update sale set units = 4 where sale_id = 1`)
  await shop.run()
  const before = await sales(shop)
  await sql.query(
    `alter table sale rename column units to pieces; delete from sale where sale_id = 2`,
  )
  const { units, ...others } = SALE
  const renamed = { sale: { ...others, pieces: { type: units, formerly: ['count', 'units'] } } }
  const fact = `
    select sale_id, item_id, pieces as units, price, try_cast(sold_on as date) as sold_on, returned_on,
      extra, _operation, _captured_at, _ordinal
    from change_sale`
  const project = await shop.changed({ columns: renamed, models: { fact_sale: fact } })
  const deps = { ...shop.deps, project }
  expect((await run(deps)).failures).toEqual([])
  expect((await sales(shop)).slice(0, 3)).toEqual(before)
  expect(await shop.query('select sale_id, units from fact_sale_current')).toEqual([
    { sale_id: 1, units: 4 },
  ])
  expect(await verify(deps)).toMatchObject({ isEqual: true })
  const after = await sales(shop)
  await rm(join(shop.folder, 'processed'), { recursive: true })
  await shop.query('drop schema public cascade')
  expect((await run(deps)).failures).toEqual([])
  expect(await sales(shop)).toEqual(after)
})

it('a table of the contract that was never captured is empty, in its own types', async () => {
  await using shop = await createShop({ columns: { kind: { kind_id: 'integer', label: 'text' } } })
  await shop.sql.query('alter table kind rename to kinds; insert into stock values (1, 1, 1)')
  const report = await run(shop.deps)
  expect(report.failures).toEqual([])
  expect(report.held.map(({ table, reason }) => [table, reason])).toEqual([
    ['kind', 'table_missing'],
  ])
  expect(await shop.query('select item_name from dim_item')).toEqual([{ item_name: 'Unknown' }])
  const verified = await verify(shop.deps)
  expect(verified.tables.find(({ table }) => table === 'kind')).toMatchObject({
    held: 'table_missing',
  })
  expect(verified.isEqual).toBe(true)
})

function said({ entries }: ShopSystem): unknown[] {
  return entries
    .filter((entry) => entry.event === 'rows_quarantined')
    .map(({ level, table, rows, reasons }) => [level, table, rows, reasons])
}
