import { describe, expect, it } from 'vitest'
import { run } from '../../src/platform/pipeline.ts'
import type { Check } from '../../src/platform/project/model.ts'
import { replay } from '../../src/platform/inspect/quarantine.ts'
import { readStatus } from '../../src/platform/inspect/status.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { readRefusedRows } from '../support/lake.ts'
import { createShop, type ShopSystem } from '../support/shop.ts'

const SOLD: Check = { name: 'sold', column: 'units', holds: 'units > 0 -- or nothing was' }
const PRICED: Check = { name: 'priced', column: 'price', holds: 'price >= 0' }
const NAMED: Check = { name: 'named', column: 'item_name', holds: `item_name <> ''` }

const sale = (id: number, units: number, price = 2.5) =>
  `insert into sale values (${id}, 1, ${units}, ${price}, '2024-01-01')`

const versions = (shop: ShopSystem) =>
  shop.query(`select sale_record_id::int as id, sale_id as sale, units, record_operation as op,
    batch_id::int as batch from fact_sale order by 1`)

/** What each processed batch says about a table's broken checks. */
async function warnings(shop: ShopSystem, table: string): Promise<unknown[]> {
  const records = await shop.records('processed')
  return records.map(({ tables }) => [tables[table]?.warnings, tables[table]?.warningsSoFar])
}

/** What was logged about broken checks. */
const said = ({ entries }: ShopSystem) => entries.filter(({ event }) => event === 'check_failed')

describe('checks that warn', () => {
  it('I7 count the versions that break them, batch by batch, and let each one in', async () => {
    await using shop = await createShop({ checks: { fact_sale: [SOLD, PRICED] } })
    await shop.sql.query([sale(1, 5), sale(2, 0)].join(';'))
    expect((await shop.run()).warnings).toEqual([{ table: 'fact_sale', check: 'sold', rows: 1 }])
    // One version breaks both.
    await shop.sql.query('update sale set units = -1, price = -0.01 where sale_id = 1')
    await shop.run()
    await shop.sql.query(`insert into stock values (1, 1, 0)`)
    expect((await shop.run()).warnings).toEqual([])
    await shop.sql.query('update sale set units = 3, price = 1')
    await shop.run()
    expect(await warnings(shop, 'fact_sale')).toEqual([
      [{ sold: 1 }, { sold: 1 }],
      [
        { sold: 1, priced: 1 },
        { sold: 2, priced: 1 },
      ],
      [undefined, { sold: 2, priced: 1 }],
      [undefined, { sold: 2, priced: 1 }],
    ])
    const entry = { event: 'check_failed', level: 'warn', table: 'fact_sale', rows: 1 }
    expect(said(shop)).toEqual([
      { ...entry, batch: 1, check: 'sold' },
      { ...entry, batch: 2, check: 'sold' },
      { ...entry, batch: 2, check: 'priced' },
    ])
    expect(await versions(shop)).toMatchObject([
      { sale: 1, units: 5 },
      { sale: 2, units: 0 },
      { sale: 1, units: -1 },
      { sale: 1, units: 3 },
      { sale: 2, units: 3 },
    ])
    const status = await readStatus(shop.deps, {
      reader: shop.deps.warehouse,
      promiseMs: 1,
      now: new Date(),
    })
    expect(status).toMatchObject({
      quarantined: 0,
      warnings: [
        { table: 'fact_sale', check: 'sold', rows: 0, total: 2 },
        { table: 'fact_sale', check: 'priced', rows: 0, total: 1 },
      ],
    })
    expect(await verify(shop.deps)).toMatchObject({ isEqual: true })
  })

  it('do not apply to a deletion whose last version broke one', async () => {
    await using shop = await createShop({ checks: { fact_sale: [SOLD] } })
    await shop.sql.query(sale(1, 0))
    await shop.run()
    await shop.sql.query('delete from sale')
    expect((await shop.run()).warnings).toEqual([])
    expect(await versions(shop)).toEqual([
      { id: 1, sale: 1, units: 0, op: 'insert', batch: 1 },
      { id: 2, sale: 1, units: 0, op: 'delete', batch: 2 },
    ])
    expect(await shop.query('select * from fact_sale_current')).toEqual([])
  })

  it('count the dimension rows that are published, not the rows that stay', async () => {
    await using shop = await createShop({ checks: { dim_item: [NAMED] } })
    await shop.sql.query(`update item set item_name = ''`)
    await shop.run()
    await shop.sql.query(`update item set note = 'red' where item_id = 1`)
    await shop.run()
    await shop.sql.query(`update item set item_name = 'cap' where item_id = 1`)
    await shop.run()
    expect(await warnings(shop, 'dim_item')).toEqual([
      [{ named: 2 }, { named: 2 }],
      [{ named: 1 }, { named: 3 }],
      [undefined, { named: 3 }],
    ])
    expect(
      await shop.query('select item_id as id, item_name as name from dim_item order by 1'),
    ).toEqual([
      { id: 1, name: 'cap' },
      { id: 2, name: '' },
    ])
    expect(await verify(shop.deps)).toMatchObject({ isEqual: true })
  })

  it('do not count a row that is refused', async () => {
    const lost: Check = { ...PRICED, severity: 'refuse' }
    await using shop = await createShop({ checks: { fact_sale: [SOLD, lost] } })
    await shop.sql.query([sale(1, 0, -1), sale(2, 0)].join(';'))
    const report = await shop.run()
    expect(report).toMatchObject({
      quarantined: 1,
      warnings: [{ table: 'fact_sale', check: 'sold', rows: 1 }],
    })
    const [record] = await shop.records('processed')
    const refused = await readRefusedRows(shop, record, { table: 'fact_sale', what: 'quarantine' })
    expect(refused).toMatchObject([{ key: { sale_id: '1' }, reason: 'priced', column: 'price' }])
    expect(await verify(shop.deps)).toMatchObject({ isEqual: true })
  })

  it('hold no table, however many rows break them', async () => {
    await using shop = await createShop({ checks: { fact_sale: [SOLD] } })
    await shop.sql.query(`
      insert into sale select n, 1, 0, 1, '2024-01-01' from generate_series(1, 500) as n`)
    const report = await shop.run()
    expect(report).toMatchObject({
      held: [],
      quarantined: 0,
      warnings: [{ table: 'fact_sale', check: 'sold', rows: 500 }],
    })
  })

  it('may be named like a member that every object inherits, and compare hostile text', async () => {
    const odd: Check = { name: 'constructor', column: 'note', holds: `note <> 'it''s "odd"; --'` }
    await using shop = await createShop({ checks: { dim_item: [odd] } })
    await shop.sql.query(`update item set note = 'it''s "odd"; --' where item_id = 1`)
    await shop.run()
    await shop.sql.query(`insert into stock values (1, 1, 0)`)
    await shop.run()
    const status = await readStatus(shop.deps, {
      reader: shop.deps.warehouse,
      promiseMs: 1,
      now: new Date(),
    })
    expect(status.warnings).toEqual([
      { table: 'dim_item', check: 'constructor', rows: 0, total: 1 },
    ])
    expect(JSON.stringify(said(shop))).not.toContain('odd')
  })
})

describe('a check that refused and now warns', () => {
  it('I7 lets what it refused in by replay, each version at its place in history', async () => {
    await using shop = await createShop({
      checks: { fact_sale: [{ ...SOLD, severity: 'refuse' }] },
    })
    await shop.sql.query(`${sale(1, 5)}; ${sale(2, 0)}`)
    await shop.run()
    await shop.sql.query('update sale set units = -1 where sale_id = 1')
    await shop.run()
    await shop.sql.query('update sale set units = 7 where sale_id = 1')
    await shop.run()
    expect(await versions(shop)).toMatchObject([
      { id: 1, sale: 1, units: 5, batch: 1 },
      { id: 2, sale: 1, units: 7, batch: 3 },
    ])
    const deps = { ...shop.deps, project: await shop.changed({ checks: { fact_sale: [SOLD] } }) }
    const { report, after } = await replay(deps)
    expect(report.failures).toEqual([])
    expect(report.warnings).toEqual([{ table: 'fact_sale', check: 'sold', rows: 2 }])
    expect(after).toBe(0)
    expect(await versions(shop)).toEqual([
      { id: 1, sale: 1, units: 5, op: 'insert', batch: 1 },
      { id: 2, sale: 2, units: 0, op: 'insert', batch: 1 },
      { id: 3, sale: 1, units: -1, op: 'update', batch: 2 },
      { id: 4, sale: 1, units: 7, op: 'update', batch: 3 },
    ])
    expect((await run(deps)).warnings).toEqual([])
    expect(await verify(deps)).toMatchObject({ isEqual: true })
  })
})
