import { describe, expect, it } from 'vitest'
import { generationOf } from '../../src/platform/project/generation.ts'
import { run } from '../../src/platform/pipeline.ts'
import type { Check } from '../../src/platform/project/model.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { readRefusedRows } from '../support/lake.ts'
import { createShop, type ShopSystem } from '../support/shop.ts'

const SOLD: Check = {
  name: 'sold',
  column: 'units',
  holds: 'units > 0 -- or nothing was',
  severity: 'refuse',
}
const CHECKS = { fact_sale: [SOLD] }

const sale = (id: number, units: number | null, on = '2024-01-01') =>
  `insert into sale values (${id}, 1, ${units}, 2.5, '${on}')`

/** The quarantine of a table after the last batch, as text. */
async function open(shop: ShopSystem, table = 'fact_sale'): Promise<string[]> {
  const record = (await shop.records('processed')).at(-1)
  const rows = await readRefusedRows(shop, record, { table, what: 'open' })
  return rows.map(({ key, batch, operation, reason, column }) =>
    [...Object.values(key), batch, operation, reason, column].join(' '),
  )
}

/** Level and reasons of the log entries about quarantine, in order. */
function said({ entries }: ShopSystem): unknown[][] {
  return entries
    .filter((entry) => entry.event === 'rows_quarantined')
    .map(({ level, table, rows, reasons }) => [level, table, rows, reasons])
}

describe('checks that refuse', () => {
  it('send the rows that break them to quarantine under their name; null counts as met', async () => {
    await using shop = await createShop({
      checks: {
        fact_stock: [
          { name: 'counted_up', column: 'counted', holds: 'counted >= 0', severity: 'refuse' },
        ],
      },
    })
    await shop.sql.query(`insert into stock values (1, 1, 0), (2, 1, -1), (3, 1, null)`)
    const report = await shop.run()
    expect(report.quarantined).toBe(1)
    expect(await shop.query('select stock_id from fact_stock order by 1')).toEqual([
      { stock_id: 1 },
      { stock_id: 3 },
    ])
    const [record] = await shop.records('processed')
    const rows = await readRefusedRows(shop, record, { table: 'fact_stock', what: 'quarantine' })
    expect(rows).toEqual([
      {
        batch: 1,
        operation: 'insert',
        key: { stock_id: '2' },
        column: 'counted',
        reason: 'counted_up',
        content: { stock_id: '2', item_id: '1', counted: '-1' },
      },
    ])
    expect(await verify(shop.deps)).toMatchObject({ isEqual: true })
  })

  it('keep a dimension row as it was, until it is made again and accepted, or is gone', async () => {
    const name: Check = {
      name: 'named',
      column: 'item_name',
      holds: `item_name <> ''`,
      severity: 'refuse',
    }
    await using shop = await createShop({ checks: { dim_item: [name] } })
    await shop.run()
    await shop.sql.query(`update item set item_name = ''`)
    await shop.run()
    expect(await shop.query('select item_name from dim_item order by 1')).toEqual([
      { item_name: 'bowler' },
      { item_name: 'tote' },
    ])
    const both = ['1 2 update named item_name', '2 2 update named item_name']
    expect(await open(shop, 'dim_item')).toEqual(both)
    // A batch that touches none of its inputs leaves it alone.
    await shop.sql.query(`insert into stock values (1, 1, 1)`)
    await shop.run()
    expect(await open(shop, 'dim_item')).toEqual(both)
    await shop.sql.query(`update item set item_name = 'tote' where item_id = 1`)
    await shop.run()
    expect(await open(shop, 'dim_item')).toEqual(['2 4 update named item_name'])
    expect(await verify(shop.deps)).toMatchObject({ isEqual: true })
    await shop.sql.query(`delete from item where item_id = 2`)
    await shop.run()
    expect(await open(shop, 'dim_item')).toEqual([])
    expect(said(shop).map((words) => words[0])).toEqual(['alert', 'warn'])
  })

  it('and contracts make another generation, data tests do not', async () => {
    await using shop = await createShop()
    const names = new Set(
      await Promise.all(
        [
          {},
          { checks: CHECKS },
          { checks: { fact_sale: [{ ...SOLD, holds: 'units > 1' }] } },
          { checks: { fact_sale: [{ ...SOLD, severity: 'warn' as const }] } },
          { columns: { kind: { kind_id: 'integer', label: 'text' } } },
          {
            columns: { kind: { kind_id: 'integer', label: { type: 'text', formerly: ['name'] } } },
          },
          { tests: { none: 'select 1 from change_sale' } },
        ].map(async (options) => generationOf(await shop.changed(options))),
      ),
    )
    expect(names.size).toBe(6)
  })

  it('that are loosened let the refused version in at its place in history', async () => {
    await using shop = await createShop({ checks: CHECKS })
    await shop.sql.query(`${sale(1, 5)}; ${sale(2, 0)}`)
    await shop.run()
    await shop.sql.query('update sale set units = -1 where sale_id = 1')
    await shop.run()
    await shop.sql.query('update sale set units = 7')
    await shop.run()
    const versions = () =>
      shop.query(`select sale_record_id::int as id, sale_id as sale, units, batch_id::int as batch
        from fact_sale order by 1`)
    expect(await versions()).toEqual([
      { id: 1, sale: 1, units: 5, batch: 1 },
      { id: 2, sale: 1, units: 7, batch: 3 },
      { id: 3, sale: 2, units: 7, batch: 3 },
    ])
    const report = await run({ ...shop.deps, project: await shop.changed({}) })
    expect(report.failures).toEqual([])
    expect(await versions()).toEqual([
      { id: 1, sale: 1, units: 5, batch: 1 },
      { id: 2, sale: 2, units: 0, batch: 1 },
      { id: 3, sale: 1, units: -1, batch: 2 },
      { id: 4, sale: 1, units: 7, batch: 3 },
      { id: 5, sale: 2, units: 7, batch: 3 },
    ])
  })
})

describe('a row in quarantine', () => {
  it('leaves it when it is corrected, deleted, or back again', async () => {
    await using shop = await createShop({ checks: CHECKS })
    const { sql } = shop
    await sql.query([sale(1, 0), sale(2, 0), sale(3, 0), sale(4, 9)].join(';'))
    await shop.run()
    const at = (id: number, batch: number, operation: string) =>
      `${id} ${batch} ${operation} sold units`
    expect(await open(shop)).toEqual([at(1, 1, 'insert'), at(2, 1, 'insert'), at(3, 1, 'insert')])
    // If a row is refused again, the later version stays. A good row that turns bad is added.
    await sql.query(`update sale set units = -1 where sale_id in (1, 4)`)
    await shop.run()
    expect(await open(shop)).toEqual([
      at(1, 2, 'update'),
      at(2, 1, 'insert'),
      at(3, 1, 'insert'),
      at(4, 2, 'update'),
    ])
    // A batch for another table keeps the same file.
    const files = (await shop.records('processed')).at(-1)?.tables['fact_sale']?.open
    await sql.query(`insert into stock values (1, 1, 1)`)
    await shop.run()
    expect((await shop.records('processed')).at(-1)?.tables['fact_sale']?.open).toEqual(files)
    await sql.query(`
      update sale set units = 1 where sale_id = 1;
      delete from sale where sale_id in (2, 4)`)
    const report = await shop.run()
    // Number 2 was never there, and number 4 goes with its last good values.
    expect(report.quarantined).toBe(1)
    expect(await open(shop)).toEqual([at(3, 1, 'insert')])
    await sql.query(`delete from sale where sale_id = 3`)
    await shop.run()
    expect(await open(shop)).toEqual([])
    await sql.query(sale(3, 0))
    await shop.run()
    expect(await open(shop)).toEqual([at(3, 6, 'insert')])
    await sql.query(`delete from sale where sale_id = 3; ${sale(3, 5)}`)
    await shop.run()
    expect(await open(shop)).toEqual([])
    expect(await shop.query(`select sale_id, units from fact_sale_current order by 1`)).toEqual([
      { sale_id: 1, units: 1 },
      { sale_id: 3, units: 5 },
    ])
  })

  it('is logged as an alert if its reason is new, and as a warning after that', async () => {
    await using shop = await createShop({ checks: CHECKS })
    const steps = [
      [sale(1, 0), sale(2, 0)],
      [sale(3, 0)],
      [sale(4, null), sale(5, 0)],
      [`update sale set units = 1`],
      [sale(6, 0)],
    ]
    for (const step of steps) {
      await shop.sql.query(step.join(';'))
      await shop.run()
    }
    expect(said(shop)).toEqual([
      ['alert', 'fact_sale', 2, ['sold units']],
      ['warn', 'fact_sale', 1, ['sold units']],
      ['alert', 'fact_sale', 2, ['not_null units', 'sold units']],
      ['alert', 'fact_sale', 1, ['sold units']],
    ])
  })
})

describe('data tests', () => {
  const TESTS = {
    sold_more_than_counted: `
      select sale_id from change_sale join stock using (item_id) where units > counted;`,
    items_of_a_kind: `select kind_id from change_kind left join item using (kind_id) where item_id is null`,
  }

  it('count the rows that break them, in the batches that change what they read', async () => {
    await using shop = await createShop({ tests: TESTS })
    await shop.sql.query(`insert into stock values (1, 1, 5); ${sale(1, 6)}; ${sale(2, 5)}`)
    await shop.run()
    await shop.sql.query(`update stock set counted = 1`)
    await shop.run()
    await shop.sql.query(`insert into kind values (3, 'cap')`)
    await shop.run()
    await shop.sql.query(`${sale(3, 2)}; update kind set label = 'x' where kind_id = 1`)
    await shop.run()
    expect((await shop.records('processed')).map(({ tests }) => tests)).toEqual([
      { sold_more_than_counted: 1, items_of_a_kind: 0 },
      {},
      { items_of_a_kind: 1 },
      { sold_more_than_counted: 1, items_of_a_kind: 0 },
    ])
    const failed = shop.entries.filter(({ event }) => event === 'test_failed')
    expect(failed).toEqual(
      [
        { batch: 1, test: 'sold_more_than_counted', rows: 1 },
        { batch: 3, test: 'items_of_a_kind', rows: 1 },
        { batch: 4, test: 'sold_more_than_counted', rows: 1 },
      ].map((entry) => ({ event: 'test_failed', level: 'warn', ...entry })),
    )
    // Nothing is kept back for it.
    expect(await shop.query('select count(*)::int as n from fact_sale')).toEqual([{ n: 3 }])
  })

  it('that do not fit the source are refused by name', async () => {
    await using shop = await createShop({ tests: { odd: 'select colour from change_item' } })
    await expect(shop.run()).rejects.toMatchObject({
      code: 'TEST_INVALID',
      message: expect.stringMatching(/Test odd does not fit .*colour/),
    })
  })
})
