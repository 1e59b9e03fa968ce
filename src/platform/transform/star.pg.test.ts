import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readRefusedRows, type RefusedRow } from '../../../test/support/lake.ts'
import { createShop, type ShopSystem } from '../../../test/support/shop.ts'
import { ContractError } from '../errors.ts'
import { diskStore } from '../lake/store/disk-store.ts'
import { load } from '../load/load.ts'
import { run } from '../pipeline.ts'
import { generationOf } from '../project/generation.ts'
import { transform } from './transform.ts'

describe('dimensions', () => {
  it('I11 hold an inferred row in place of a missing row until the real one arrives', async () => {
    await using shop = await createShop()
    const { sql } = shop
    await sql.query(`insert into stock values (1, 77, 5)`)
    await shop.run()
    expect(await shop.query(`select * from dim_item where item_id = 77`)).toEqual([
      { item_id: 77, item_name: 'Unknown', label: 'Unknown', note: null },
    ])
    // An item whose kind is missing has no row of its own yet either.
    await sql.query(`insert into item values (77, 'beret', 3, null)`)
    await shop.run()
    expect(await itemNames(shop)).toEqual(['1 tote', '2 bowler', '77 Unknown'])
    await sql.query(`insert into kind values (3, 'felt')`)
    await shop.run()
    expect(await itemNames(shop)).toEqual(['1 tote', '2 bowler', '77 beret'])
    const [last] = (await shop.records('processed')).slice(-1)
    expect(last?.tables['dim_item']?.counts).toMatchObject({
      inserted: 0,
      updated: 1,
      unchanged: 0,
    })
  })

  it('I11 infer one row for a key that several facts name in several batches', async () => {
    await using shop = await createShop()
    await shop.sql.query(`
      insert into stock values (1, 77, 5), (2, 77, 6);
      insert into sale values (1, 77, 1, 2.5, '2024-01-01')`)
    await shop.run()
    await shop.sql.query(`insert into stock values (3, 77, 7)`)
    await shop.run()
    const inserted = (await shop.records('processed')).map(
      (record) => record.tables['dim_item']?.counts.inserted,
    )
    expect(inserted).toEqual([3, 0])
  })

  it('follow any of their inputs, publish only what differs, and keep what the source deleted', async () => {
    await using shop = await createShop()
    await shop.run()
    await shop.sql.query(`update kind set label = 'Bag' where kind_id = 1`)
    await shop.run()
    await shop.sql.query(`delete from item where item_id = 2`)
    await shop.run()
    expect(await shop.query(`select item_id, label from dim_item order by 1`)).toEqual([
      { item_id: 1, label: 'Bag' },
      { item_id: 2, label: 'hat' },
    ])
    const counts = (await shop.records('processed')).map(({ tables }) => tables['dim_item']?.counts)
    expect(counts).toMatchObject([
      { inserted: 2, updated: 0 },
      { inserted: 0, updated: 1, unchanged: 0 },
      { inserted: 0, updated: 0, deleted: 0, unchanged: 0 },
    ])
    // When the key returns, it is an update of the same row.
    await shop.sql.query(`insert into item values (2, 'boater', 2, null)`)
    await shop.run()
    expect(await itemNames(shop)).toEqual(['1 tote', '2 boater'])
  })

  it('send a row without a required value to quarantine and keep its last good state', async () => {
    await using shop = await createShop()
    await shop.run()
    await shop.sql.query(`update item set item_name = null where item_id = 1`)
    const report = await shop.run()
    expect(report.quarantined).toBe(1)
    expect(await itemNames(shop)).toEqual(['1 tote', '2 bowler'])
    expect(await quarantined(shop, 'dim_item')).toEqual([
      {
        batch: 2,
        operation: 'update',
        key: { item_id: '1' },
        column: 'item_name',
        reason: 'not_null',
        content: { item_id: '1', item_name: null, label: 'bag', note: null },
      },
    ])
  })

  it('refuse a model that gives a key twice', async () => {
    await using shop = await createShop({
      models: { dim_item: `select 1 as item_id, item_name, 'x' as label, note from item` },
    })
    await expect(shop.run()).rejects.toMatchObject({ code: 'KEY_NOT_UNIQUE' })
  })

  it('refuse a model for which no row could be inferred', async () => {
    await using shop = await createShop({
      models: { dim_item: `select item_id, item_name, 'x' as label, item_id as note from item` },
      nullable: { dim_item: [] },
    })
    await expect(shop.run()).rejects.toMatchObject({ code: 'MODEL_NOT_INFERABLE' })
  })

  it('grow the calendar by whole years, as facts name them', async () => {
    await using shop = await createShop()
    const years = () =>
      shop.query(`select extract(year from day)::int as year, count(*)::int as days
        from dim_day group by 1 order by 1`)
    await shop.sql.query(`insert into sale values (1, 1, 1, 2.5, '2024-06-10')`)
    await shop.run()
    expect(await years()).toEqual([{ year: 2024, days: 366 }])
    await shop.sql.query(`update sale set returned_on = '1999-12-31'`)
    await shop.run()
    await shop.sql.query(`update sale set units = 9`)
    await shop.run()
    expect(await years()).toEqual([
      { year: 1999, days: 365 },
      { year: 2024, days: 366 },
    ])
    const inserted = (await shop.records('processed')).map(
      (record) => record.tables['dim_day']?.counts.inserted,
    )
    expect(inserted).toEqual([366, 365, 0])
  })
})

describe('facts', () => {
  it('get ids without a gap although rows in the middle are quarantined, each with its reason', async () => {
    await using shop = await createShop()
    await shop.sql.query(`insert into sale values
      (1, 1, 1, 2.5, '2024-01-01'), (2, 1, 1, 2.5, 'TBC'), (3, 1, null, 2.5, '2024-01-01'),
      (4, 1, 1, 2.5, 'infinity'), (5, 1, 1, 2.5, '2024-01-02')`)
    const report = await shop.run()
    expect(report.quarantined).toBe(3)
    await shop.sql.query(`insert into sale values (6, 1, 1, 2.5, '2024-01-02')`)
    await shop.run()
    expect(
      await shop.query(`select sale_record_id::int as id, sale_id from fact_sale order by 1`),
    ).toEqual([
      { id: 1, sale_id: 1 },
      { id: 2, sale_id: 5 },
      { id: 3, sale_id: 6 },
    ])
    const refused = await quarantined(shop, 'fact_sale')
    expect(refused.map(({ key, reason, column }) => [key['sale_id'], reason, column])).toEqual([
      ['2', 'not_null', 'sold_on'],
      ['3', 'not_null', 'units'],
      ['4', 'not_a_day', 'sold_on'],
    ])
    expect(refused[0]).toMatchObject({ content: { sold_on: 'TBC' }, operation: 'insert' })
    const [first] = await shop.records('processed')
    expect(first?.tables['fact_sale']).toMatchObject({
      counts: { read: 5, accepted: 2, quarantined: 3 },
      records: 2,
    })
    expect(shop.entries).toContainEqual({
      event: 'rows_quarantined',
      level: 'alert',
      batch: 1,
      table: 'fact_sale',
      rows: 3,
      reasons: ['not_a_day sold_on', 'not_null sold_on', 'not_null units'],
    })
  })

  it('let a corrected row in, as the next version', async () => {
    await using shop = await createShop()
    await shop.sql.query(`insert into sale values (1, 1, 1, 2.5, 'TBC')`)
    await shop.run()
    await shop.sql.query(`update sale set sold_on = '2024-01-01'`)
    expect((await shop.run()).quarantined).toBe(0)
    expect(await shop.query(`select sale_id, record_operation from fact_sale_current`)).toEqual([
      { sale_id: 1, record_operation: 'update' },
    ])
  })

  it('I6 let no key outlive its deletion, even if its last values were refused', async () => {
    await using shop = await createShop()
    const { sql } = shop
    await sql.query(`insert into sale values (1, 1, 1, 2.5, '2024-01-01'), (2, 1, 1, 2.5, 'TBC')`)
    await shop.run()
    await sql.query(`update sale set units = 9 where sale_id = 1`)
    await shop.run()
    await sql.query(`update sale set sold_on = 'TBC', units = 10 where sale_id = 1`)
    await shop.run()
    const current = () => shop.query(`select sale_id, units from fact_sale_current order by 1`)
    expect(await current()).toEqual([{ sale_id: 1, units: 9 }])
    await sql.query(`insert into stock values (1, 1, 1)`)
    await shop.run()
    await sql.query(`delete from sale; insert into sale values (3, 1, 1, 2.5, '2024-01-01')`)
    const report = await shop.run()
    expect(await current()).toEqual([{ sale_id: 3, units: 1 }])
    // The other row was never published, so its deletion adds nothing.
    expect(report.quarantined).toBe(1)
    expect(
      await shop.query(`select sale_record_id::int as id, sale_id, units, record_operation as op
        from fact_sale where batch_id = 5 order by 1`),
    ).toEqual([
      { id: 3, sale_id: 1, units: 9, op: 'delete' },
      { id: 4, sale_id: 3, units: 1, op: 'insert' },
    ])
    expect((await quarantined(shop, 'fact_sale')).map(({ key }) => key['sale_id'])).toEqual(['2'])
    // A key that returns refused and is deleted again is not deleted twice.
    await sql.query(`insert into sale values (1, 1, 1, 2.5, 'TBC')`)
    await shop.run()
    await sql.query(`delete from sale where sale_id = 1`)
    expect((await shop.run()).quarantined).toBe(1)
    expect(await current()).toEqual([{ sale_id: 3, units: 1 }])
  })

  it('keep a null day that may be null, and refuse an infinite one', async () => {
    await using shop = await createShop()
    await shop.sql.query(`insert into sale values
      (1, 1, 1, 2.5, '2024-01-01', null), (2, 1, 1, 2.5, '2024-01-01', 'infinity'),
      (3, 1, 1, 2.5, '2024-01-01', '2024-01-05')`)
    const report = await shop.run()
    expect(await shop.query(`select sale_id from fact_sale order by 1`)).toEqual([
      { sale_id: 1 },
      { sale_id: 3 },
    ])
    expect(report.quarantined).toBe(1)
    expect(await quarantined(shop, 'fact_sale')).toEqual([
      expect.objectContaining({
        key: { sale_id: '2' },
        reason: 'not_a_day',
        column: 'returned_on',
      }),
    ])
  })

  it.each([
    ['leaves changes out', 'from change_stock where counted > 1', /2 rows for 4 changes/],
    ['joins one to many', 'from change_stock, (values (1), (2)) v (n)', /8 rows for 4 changes/],
    [
      'loses as many rows as it doubles',
      'from change_stock join (values (1, 1), (1, 2), (2, 0), (4, 0)) v (id, n) on id = stock_id',
      /4 rows for 4 changes/,
    ],
    [
      'gives two changes the same key',
      '- stock_id + 1 as stock_id',
      /1 keys \(stock_id\) more than one/,
    ],
  ])('refuse a model that %s', async (_, from, message) => {
    const columns = `item_id, counted, _operation, _captured_at, _ordinal`
    const select = from.startsWith('from')
      ? `select stock_id, ${columns} ${from}`
      : `select stock_id ${from}, ${columns} from change_stock`
    await using shop = await createShop({ models: { fact_stock: select } })
    await shop.sql.query(`insert into stock values (1, 1, 1), (2, 1, 2), (3, 1, 0), (4, 2, 4)`)
    await expect(shop.run()).rejects.toMatchObject({
      code: 'MODEL_ROWS',
      message: expect.stringMatching(message),
    })
    expect(await shop.records('processed')).toEqual([])
  })

  it('I11 refuse a calendar that lacks a day they name, before anything is published', async () => {
    await using shop = await createShop({
      models: {
        dim_day: `select distinct date_id as day from named_date where year(date_id) > 2000`,
      },
    })
    await shop.sql.query(`insert into sale values (1, 1, 1, 2.5, '2024-01-01', '1999-12-31')`)
    await expect(shop.run()).rejects.toMatchObject({
      code: 'TEST_FAILED',
      message: expect.stringMatching(
        /fact_sale names 1 rows by returned_on that dim_day does not have/,
      ),
    })
    expect(await shop.records('processed')).toEqual([])
  })

  it('carry every text, json and decimal to the last character', async () => {
    await using shop = await createShop()
    const hostile = ['', 'NULL', '\\N', '\\.', 'a\tb\nc\rd\\e', `O'K"$$;--`, '🛍 08841', ' 1e5 ']
    for (const [index, text] of hostile.entries()) {
      await shop.sql.query(`insert into item values ($1, $2, 1, $2)`, [100 + index, text])
      await shop.sql.query(
        `insert into sale values ($1, $1, 1, 999999999.999, '2024-01-01', null, $2)`,
        [100 + index, JSON.stringify({ text })],
      )
    }
    await shop.run()
    const items = await shop.query<{ item_name: string; note: string }>(
      `select item_name, note from dim_item where item_id >= 100 order by item_id`,
    )
    expect(items).toEqual(hostile.map((text) => ({ item_name: text, note: text })))
    const sales = await shop.query(
      `select extra ->> 'text' as text, price::text from fact_sale order by sale_id`,
    )
    expect(sales).toEqual(hostile.map((text) => ({ text, price: '999999999.999' })))
  })
})

describe('models', () => {
  it('may end with a comment or a semicolon', async () => {
    await using shop = await createShop({
      models: {
        fact_stock: `select stock_id, item_id, counted, _operation, _captured_at, _ordinal
          from change_stock -- every one`,
        dim_item: `select item_id, item_name, 'x' as label, note from item;\n`,
      },
    })
    await shop.sql.query(`insert into stock values (1, 1, 1)`)
    await shop.run()
    expect(await shop.query(`select stock_id from fact_stock`)).toEqual([{ stock_id: 1 }])
  })

  it('that name a column missing from the source are refused by name', async () => {
    await using shop = await createShop({ models: { dim_item: `select colour from item` } })
    const error: unknown = await shop.run().catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ContractError)
    expect(error).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringMatching(/Model dim_item does not fit .*"?colour"?/),
    })
  })

  it('that fail on a value are refused by a message without the value', async () => {
    await using shop = await createShop({
      models: {
        dim_item: `select item_id, item_name, 'x' as label, note::integer::varchar as note from item`,
      },
    })
    const error: unknown = await shop.run().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'MODEL_CAST' })
    expect(String(error)).not.toContain('black')
  })

  it('see a table that was declared later as empty before the batch that captured it', async () => {
    await using shop = await createShop()
    const tables = shop.project.source.tables.filter(({ name }) => name !== 'kind')
    const models = { dim_item: `select item_id, item_name, 'x' as label, note from item` }
    const before = await shop.changed({ models })
    const early = { ...shop.deps, project: { ...before, source: { ...before.source, tables } } }
    await shop.sql.query(`insert into stock values (1, 1, 1)`)
    expect((await run(early)).failures).toEqual([])
    expect((await run(shop.deps)).failures).toEqual([])
    expect(await itemNames(shop)).toEqual(['1 tote', '2 bowler'])
    expect(await shop.query(`select distinct label from dim_item order by 1`)).toEqual([
      { label: 'bag' },
      { label: 'hat' },
    ])
  })
})

describe('generations', () => {
  it('I8 a changed model is rebuilt from the lake with the source stopped, ids and all', async () => {
    await using shop = await createShop()
    await makeHistory(shop)
    const before = await dump(shop)
    const project = await shop.changed({
      models: {
        dim_item: `select item_id, upper(item_name) as item_name, label, note
        from item join kind using (kind_id) where item_id <> 2`,
      },
    })
    expect(generationOf(project)).not.toBe(generationOf(shop.project))
    await shop.source.drop()
    const report = await run({ ...shop.deps, project })
    expect(report.failures.map(({ stage }) => stage)).toEqual(['extract'])
    expect(report.loaded).toMatchObject({ batches: [1, 2, 3], lastBatch: 3 })
    const after = await dump(shop)
    expect({ ...after, dim_item: undefined }).toEqual({ ...before, dim_item: undefined })
    // Rows that only the old generation had are gone, unless a fact names them.
    expect(await itemNames(shop)).toEqual(['1 TOTE', '2 Unknown', '77 Unknown'])
    expect(shop.entries).toContainEqual(expect.objectContaining({ event: 'generation_switched' }))
  })

  it('I8 the processed zone and the warehouse are rebuilt from the lake alone, with the same rows', async () => {
    await using shop = await createShop()
    await makeHistory(shop)
    const before = await dump(shop)
    await shop.source.drop()
    await rm(join(shop.folder, 'processed'), { recursive: true })
    await shop.query(`drop schema public cascade`)
    const report = await run(shop.deps)
    expect(report.loaded?.batches).toEqual([1, 2, 3])
    expect(await dump(shop)).toEqual(before)
  })

  it('transform() twice at once makes each batch once', async () => {
    await using shop = await createShop()
    await shop.sql.query(`insert into stock values (1, 1, 1)`)
    await run({ ...shop.deps, processed: diskStore(join(shop.folder, 'elsewhere')) })
    const [one, other] = await Promise.all([transform(shop.deps), transform(shop.deps)])
    expect([one.batches, other.batches]).toEqual([[1], [1]])
    expect(await shop.records('processed')).toHaveLength(1)
    expect(await transform(shop.deps)).toMatchObject({ batches: [] })
  })

  it('transform() and load() have nothing to do in an empty lake', async () => {
    await using shop = await createShop()
    expect(await transform(shop.deps)).toMatchObject({ batches: [], quarantined: 0 })
    expect(await load(shop.deps)).toEqual({ batches: [], lastBatch: 0, isCutShort: false })
  })
})

/** Three batches: inserts, an update with an inferred row, a delete. */
async function makeHistory(shop: ShopSystem): Promise<void> {
  await shop.sql.query(`
    insert into sale values
      (1, 1, 1, 2.5, '2024-01-01', null), (2, 2, 1, 2.5, 'TBC', null),
      (3, 2, 3, 0.001, '2024-01-01', '2025-01-01');
    insert into stock values (1, 1, 5), (2, 2, 6)`)
  await shop.run()
  await shop.sql.query(
    `update stock set item_id = 77 where stock_id = 1; update sale set units = 8`,
  )
  await shop.run()
  await shop.sql.query(`delete from sale where sale_id = 1; update item set note = 'new'`)
  await shop.run()
}

/** Every row of every star table as text, in a fixed order. */
async function dump({ query, project }: ShopSystem): Promise<Record<string, unknown>> {
  const tables = project.models.flatMap(({ kind, table }) =>
    kind === 'fact' ? [table, `${table}_current`, `${table}_history`] : [table],
  )
  const found: Record<string, unknown> = {}
  for (const table of tables) {
    found[table] = await query(`select t::text from ${table} as t order by 1`)
  }
  return found
}

async function itemNames({ query }: ShopSystem): Promise<string[]> {
  const rows = await query<{ item: string }>(
    `select item_id || ' ' || item_name as item from dim_item order by item_id`,
  )
  return rows.map(({ item }) => item)
}

/** The rows of a table that the last batch to refuse any put into quarantine. */
async function quarantined(shop: ShopSystem, table: string): Promise<RefusedRow[]> {
  const records = await shop.records('processed')
  const last = records.findLast(({ tables }) => (tables[table]?.quarantine.length ?? 0) > 0)
  return await readRefusedRows(shop, last, { table, what: 'quarantine' })
}
