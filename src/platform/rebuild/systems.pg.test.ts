import { mkdir, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createDerived } from '../../../test/support/derived.ts'
import { createMirror } from '../../../test/support/mirror.ts'
import {
  away,
  damage,
  dropSchema,
  editionOf,
  expectVerified,
  fill,
  hashesNow,
  hashesOf,
} from '../../../test/support/rebuilds.ts'
import { createSystem } from '../../../test/support/system.ts'
import { insertOrders, seedTotesys } from '../../../test/support/small-totesys.ts'
import { createShop } from '../../../test/support/shop.ts'
import { readContent } from '../../../test/support/warehouse-content.ts'
import { commitKey } from '../lake/zone.ts'
import { run } from '../pipeline.ts'
import { diskDrop } from '../source/drop.ts'
import { rebuild } from './rebuild.ts'

describe('rebuild() of other systems', () => {
  it('I8 hashes a lake without a warehouse as the warehouse that is loaded from it', async () => {
    await using system = await createDerived()
    await fill(system)
    const hashes = await hashesNow(system)
    const deps = { ...away(system), warehouse: { ...system.deps.warehouse, url: '' } }
    const report = await rebuild(deps, { from: 'ingestion' })
    expect([report.batch, hashesOf(report)]).toEqual([4, hashes])
    await expect(rebuild(deps, { from: 'processed' })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('only a lake'),
    })
    await expect(rebuild(deps, { from: 'ingestion', to: '2' })).rejects.toMatchObject({
      code: 'USAGE',
    })
  })

  it('I8 makes a mirror again, each of its batches and tables', async () => {
    await using system = await createMirror(`
      create table first (id int primary key, name text);
      insert into first values (1, 'one'), (2, 'two')`)
    const copies: Record<string, readonly string[]>[] = []
    for (const change of [
      'select 1',
      `create table second (id int primary key, at timestamptz, amount numeric);
       insert into second values (1, '2026-01-02 03:04:05.678901+00', 1.50), (2, null, 'NaN')`,
      `alter table first add column size float8; update first set size = 0.1 where id = 1`,
      `delete from first where id = 2; update second set amount = 2`,
      `create table plain (word text); insert into plain values ('same'), ('same'), (null)`,
    ]) {
      await system.sql.query(change)
      await system.run()
      copies.push(await readContent(system.warehouse))
    }
    const hashes = await hashesNow(system)
    expect(hashesOf(await rebuild(away(system), { from: 'processed' }))).toEqual(hashes)
    expect(await readContent(system.warehouse)).toEqual(copies[4])
    for (const to of [4, 3, 2, 1]) {
      await rebuild(away(system), { from: 'processed', to: String(to) })
      expect(await readContent(system.warehouse)).toEqual(copies[to - 1])
    }
    await system.run()
    expect(await readContent(system.warehouse)).toEqual(copies[4])
    await damage(join(editionOf(system), commitKey(5)))
    expect(hashesOf(await rebuild(away(system), { from: 'ingestion' }))).toEqual(hashes)
    await dropSchema(system)
    expect(hashesOf(await rebuild(away(system), { from: 'processed' }))).toEqual(hashes)
    expect(await readContent(system.warehouse)).toEqual(copies[4])
    await expectVerified(system)
    const lakeOnly = { ...away(system), warehouse: { ...system.deps.warehouse, url: '' } }
    expect(hashesOf(await rebuild(lakeOnly, { from: 'ingestion' }))).toEqual(hashes)
  })

  it('I8 makes migrated tables, sums, deletions and quarantine again', async () => {
    await using system = await createSystem()
    await seedTotesys(system.sql)
    await system.run()
    await system.sql.query(insertOrders([[4, 40]]))
    await system.run()
    await system.sql.query(`
      delete from sales_order where sales_order_id = 2;
      update sales_order set units_sold = 11 where sales_order_id = 1;
      update sales_order set agreed_payment_date = '2024-02-30' where sales_order_id = 3`)
    const { quarantined } = await system.run()
    expect(quarantined).toBe(1)
    await system.sql.query(`update address set city = 'York' where address_id = 1`)
    await system.run()
    const before = await readContent(system.warehouse)
    const hashes = await hashesNow(system)
    expect(hashesOf(await rebuild(away(system), { from: 'processed' }))).toEqual(hashes)
    expect(await readContent(system.warehouse)).toEqual(before)
    await dropSchema(system)
    expect(hashesOf(await rebuild(away(system), { from: 'ingestion' }))).toEqual(hashes)
    expect(await readContent(system.warehouse)).toEqual(before)
    await expectVerified(system)
  })
})

describe('rebuild() of a lake with feeds', () => {
  it('I8 makes rows from files again, with what was refused, without the files', async () => {
    await using shop = await createShop({ hasPrices: true })
    const folder = join(shop.folder, 'drop', 'price')
    await mkdir(folder, { recursive: true })
    const deps = { ...shop.deps, feeds: { drop: diskDrop(join(shop.folder, 'drop')) } }
    expect((await run(deps)).failures).toEqual([])
    const earlier = new Date(Date.now() - 5000)
    for (const [name, text] of [
      ['a.csv', 'item_id,day,price\n1,2026-11-20,9.99\n2,2026-11-21,wrong\n'],
      ['b.csv', 'item_id,day,price\n1,2026-11-20,8.50\n2,2026-11-21,2\n'],
    ] as const) {
      await writeFile(join(folder, name), text)
      await utimes(join(folder, name), earlier, earlier)
      const report = await run(deps)
      expect([report.failures, report.collected?.files]).toEqual([[], 1])
    }
    const before = await readContent(shop.warehouse)
    const hashes = await hashesNow(shop)
    expect(before['fact_price']).toHaveLength(3)
    await rm(folder, { recursive: true })
    await dropSchema(shop)
    expect(hashesOf(await rebuild(away(shop), { from: 'ingestion' }))).toEqual(hashes)
    expect(await readContent(shop.warehouse)).toEqual(before)
    await expectVerified(shop)
  })
})
