import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { run } from '../../src/platform/pipeline.ts'
import type { Check } from '../../src/platform/project/model.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { readRefusedRows } from '../support/lake.ts'
import { createShop, type ShopSystem } from '../support/shop.ts'

const SOLD: Check = { name: 'sold', column: 'units', holds: 'units > 0', severity: 'refuse' }
const NAMED: Check = {
  name: 'named',
  column: 'item_name',
  holds: `item_name <> ''`,
  severity: 'refuse',
}

/** 120 sales, 30 of them (ids from 91) without units: a quarter, but only a fifth may be refused. */
const SALES = `insert into sale
  select i, 1, case when i <= 90 then i else 0 end, 2.5, '2024-01-01' from generate_series(1, 120) i`

const versions = ({ query }: ShopSystem, where = 'true') =>
  query<{ id: number; sale: number; units: number; op: string; batch: number }>(`
    select sale_record_id::int as id, sale_id as sale, units, record_operation as op, batch_id::int as batch
    from fact_sale where ${where} order by 1`)

async function lastEntry(shop: ShopSystem, table = 'fact_sale') {
  return (await shop.records('processed')).at(-1)?.tables[table]
}

/** How many rows a table has in quarantine for each reason, as of the last batch. */
async function open(shop: ShopSystem, table = 'fact_sale'): Promise<Record<string, number>> {
  const record = (await shop.records('processed')).at(-1)
  const counts: Record<string, number> = {}
  for (const { reason } of await readRefusedRows(shop, record, { table, what: 'open' })) {
    counts[reason] = (counts[reason] ?? 0) + 1
  }
  return counts
}

const logged = ({ entries }: ShopSystem, event: string) =>
  entries.filter((entry) => entry.event === event)

/** Four batches: held, tried again and held, left alone, released. */
async function makeHistory(shop: ShopSystem, each: () => Promise<void>): Promise<void> {
  for (const step of [
    `${SALES}; insert into stock values (1, 1, 1)`,
    // 6 gets a version, 7 is deleted again, 8 turns bad, and one that was never good is deleted.
    `insert into sale values (121, 1, 1, 1, '2024-01-01');
     update sale set units = 600 where sale_id = 6;
     delete from sale where sale_id in (7, 120);
     update sale set units = 0 where sale_id = 8`,
    `insert into stock values (2, 1, 2)`,
    `update sale set units = 1 where sale_id between 91 and 110; delete from sale where sale_id = 8`,
  ]) {
    await shop.sql.query(step)
    await each()
  }
}

it('a fact with too many refused rows is held alone, and tried again with all changes since', async () => {
  await using shop = await createShop({ checks: { fact_sale: [SOLD] } })
  const held: unknown[] = []
  const opened: unknown[] = []
  const counts: unknown[] = []
  const verified: unknown[] = []
  const published: unknown[] = []
  await makeHistory(shop, async () => {
    const report = await shop.run()
    held.push(report.held.map(({ table, detail }) => [table, detail]))
    opened.push(await open(shop))
    const entry = await lastEntry(shop)
    counts.push([entry?.counts.read, entry?.counts.accepted, entry?.counts.quarantined])
    const { tables, isEqual } = await verify(shop.deps)
    verified.push([isEqual, tables.find(({ table }) => table === 'fact_sale')?.held])
    const [found] = await shop.query<{ sales: number; stocks: number }>(`
      select (select count(*) from fact_sale)::int as sales, count(*)::int as stocks from fact_stock`)
    published.push([found?.sales, found?.stocks, entry?.held?.since])
  })
  expect(verified).toEqual([
    [true, 'too_many_rejected'],
    [true, 'too_many_rejected'],
    [true, 'too_many_rejected'],
    [true, undefined],
  ])
  expect(published).toEqual([
    [0, 1, 1],
    [0, 1, 1],
    [0, 2, 1],
    [114, 2, undefined],
  ])
  const last = '30 of 121 rows break a rule, more than 20 %'
  expect(held).toEqual([
    [['fact_sale', '30 of 120 rows break a rule, more than 20 %']],
    [['fact_sale', last]],
    [['fact_sale', last]],
    [],
  ])
  expect(counts).toEqual([
    [120, 0, 120],
    [5, 0, 5],
    [0, 0, 0],
    [146, 114, 32],
  ])
  expect(opened).toEqual([
    { sold: 30, table_held: 90 },
    { sold: 31, table_held: 90 },
    { sold: 31, table_held: 90 },
    { sold: 9 },
  ])

  const made = await versions(shop)
  expect(made.map(({ id }) => id)).toEqual(made.map((_, index) => index + 1))
  expect(new Set(made.map((version) => version.batch))).toEqual(new Set([4]))
  expect(made.slice(0, 90).map(({ sale }) => sale)).toEqual(made.slice(0, 90).map(({ id }) => id))
  expect(made.slice(90, 94).map(({ sale, units, op }) => [sale, units, op])).toEqual([
    [6, 600, 'update'],
    [7, 7, 'delete'],
    [121, 1, 'insert'],
    // Its last accepted version is in this very batch.
    [8, 8, 'delete'],
  ])
  expect(made.slice(94).map(({ sale, op }) => [sale, op])).toEqual(
    Array.from({ length: 20 }, (_, index) => [index + 91, 'update']),
  )
  const moments = await shop.query<{ at: string; n: number }>(
    `select recorded_at::text as at, count(*)::int as n from fact_sale group by 1 order by 1`,
  )
  expect(moments.map(({ n }) => n)).toEqual([90, 3, 21])
  const snapshots = (await shop.records()).map(({ snapshot }) => snapshot.takenAt)
  expect(
    await shop.query(
      `select distinct recorded_at = any ($1::timestamptz[]) as own from fact_sale`,
      [snapshots],
    ),
  ).toEqual([{ own: true }])
  expect(
    await shop.query(
      `select sale_id, units from fact_sale_current where sale_id in (6, 7, 8, 91, 120) order by 1`,
    ),
  ).toEqual([
    { sale_id: 6, units: 600 },
    { sale_id: 91, units: 1 },
  ])
  expect(await verify(shop.deps)).toMatchObject({ isEqual: true })

  expect(logged(shop, 'table_held')).toEqual([
    expect.objectContaining({ level: 'alert', batch: 1, table: 'fact_sale' }),
  ])
  expect(logged(shop, 'table_released')).toEqual([
    expect.objectContaining({ batch: 4, table: 'fact_sale' }),
  ])
  expect(logged(shop, 'rows_quarantined').map(({ level }) => level)).toEqual([
    'warn',
    'warn',
    'warn',
  ])

  // The next batch goes on as if nothing had happened.
  await shop.sql.query(
    `update sale set units = 5 where sale_id = 1; delete from sale where sale_id = 6`,
  )
  await shop.run()
  expect((await versions(shop, 'batch_id = 5')).map(({ id, sale, op }) => [id, sale, op])).toEqual([
    [made.length + 1, 1, 'update'],
    [made.length + 2, 6, 'delete'],
  ])
  expect((await lastEntry(shop))?.changesSince).toBeUndefined()
})

it('I8 a table that was held and released is rebuilt from the lake with the same rows', async () => {
  await using shop = await createShop({ checks: { fact_sale: [SOLD] } })
  await makeHistory(shop, async () => void (await shop.run()))
  const before = [await versions(shop), await open(shop)]
  await rm(join(shop.folder, 'processed'), { recursive: true })
  await shop.query('drop schema public cascade')
  expect((await run(shop.deps)).failures).toEqual([])
  expect([await versions(shop), await open(shop)]).toEqual(before)
})

it('a fact is held neither for few refused rows nor for the deletion of refused rows', async () => {
  await using shop = await createShop({ checks: { fact_sale: [SOLD] } })
  for (const first of [1, 101]) {
    await shop.sql.query(`insert into sale
      select i, 1, 0, 2.5, '2024-01-01' from generate_series(${first}, ${first + 99}) i`)
    expect((await shop.run()).held).toEqual([])
  }
  await shop.sql.query(`delete from sale; insert into sale values (201, 1, 1, 1, '2024-01-01')`)
  const report = await shop.run()
  expect(report.held.filter(({ table }) => table === 'fact_sale')).toEqual([])
  expect((await versions(shop)).map(({ id, sale }) => [id, sale])).toEqual([[1, 201]])
})

it('I11 a held dimension is carried over, and facts join inferred rows in it meanwhile', async () => {
  await using shop = await createShop({ checks: { dim_item: [NAMED] } })
  await shop.run()
  const items = () =>
    shop.query(`select item_id, item_name from dim_item where item_id in (1, 2, 5, 200) order by 1`)
  await shop.sql.query(`
    update item set item_name = 'sack' where item_id = 1;
    insert into item select i, case when i > 90 then '' else 'n' end, 1, null from generate_series(3, 200) i;
    insert into stock values (1, 5, 1), (2, 200, 1)`)
  const report = await shop.run()
  expect(report.held.map(({ table }) => table)).toEqual(['dim_item'])
  expect(await items()).toEqual([
    { item_id: 1, item_name: 'tote' },
    { item_id: 2, item_name: 'bowler' },
    { item_id: 5, item_name: 'Unknown' },
    { item_id: 200, item_name: 'Unknown' },
  ])
  expect((await lastEntry(shop, 'dim_item'))?.counts).toMatchObject({
    read: 202,
    accepted: 2,
    inserted: 2,
    unchanged: 1,
    quarantined: 199,
  })
  expect(await open(shop, 'dim_item')).toEqual({ named: 110, table_held: 89 })
  const { tables, isEqual } = await verify(shop.deps)
  expect(isEqual).toBe(true)
  expect(tables.find(({ table }) => table === 'dim_item')?.held).toBe('too_many_rejected')

  // Another batch that names its rows adds inferred rows and publishes nothing else.
  await shop.sql.query(`insert into stock values (3, 6, 1)`)
  expect((await shop.run()).held.map(({ table }) => table)).toEqual(['dim_item'])
  expect((await lastEntry(shop, 'dim_item'))?.counts).toMatchObject({ read: 1, accepted: 1 })

  await shop.sql.query(`update item set item_name = 'm' where item_name = '' and item_id < 190`)
  expect((await shop.run()).held).toEqual([])
  expect(await items()).toEqual([
    { item_id: 1, item_name: 'sack' },
    { item_id: 2, item_name: 'bowler' },
    { item_id: 5, item_name: 'n' },
    { item_id: 200, item_name: 'Unknown' },
  ])
  expect(await open(shop, 'dim_item')).toEqual({ named: 11 })
  expect(await verify(shop.deps)).toMatchObject({ isEqual: true })
  expect(logged(shop, 'table_held')).toHaveLength(1)
  expect(logged(shop, 'table_released')).toHaveLength(1)
})
