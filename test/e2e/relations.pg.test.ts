import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { captureFeed } from '../../src/platform/collect/capture-feed.ts'
import { findOffered } from '../../src/platform/collect/offers.ts'
import { readTakenVersions } from '../../src/platform/collect/taken-files.ts'
import { type Deps, ingestionZone, processedZone } from '../../src/platform/deps.ts'
import { captureWhole } from '../../src/platform/extract/capture-table.ts'
import { extract } from '../../src/platform/extract/extract.ts'
import { verifyLake } from '../../src/platform/inspect/verify-lake.ts'
import { verifyModels } from '../../src/platform/inspect/verify-models.ts'
import { planScope } from '../../src/platform/inspect/verify-scope.ts'
import { beginVerifying, verifyHistories } from '../../src/platform/inspect/verify-warehouse.ts'
import { type DuckDb, openDuckDb } from '../../src/platform/io/duckdb.ts'
import { createTurns } from '../../src/platform/io/in-turn.ts'
import { beginBatch } from '../../src/platform/lake/batch.ts'
import type { CommitRecord } from '../../src/platform/lake/commit-record.ts'
import type { Check } from '../../src/platform/project/model.ts'
import { generationOf } from '../../src/platform/project/generation.ts'
import { filesOf } from '../../src/platform/project/source-contract.ts'
import { diskDrop } from '../../src/platform/source/drop.ts'
import { openSource, type SourceSnapshot } from '../../src/platform/source/source-snapshot.ts'
import { prepareStar } from '../../src/platform/transform/star.ts'
import { openWarehouse } from '../../src/platform/warehouse/warehouse.ts'
import { failEachStatement, listRelations } from '../support/failing-duckdb.ts'
import { createShop, PRICES, type ShopSystem } from '../support/shop.ts'

const SALE = {
  sale_id: 'integer',
  item_id: 'integer',
  units: 'integer',
  price: 'numeric(12,3)',
  sold_on: 'text',
  returned_on: 'date',
  extra: 'jsonb',
}
const SOLD: Check = { name: 'sold', column: 'units', holds: 'units > 0', severity: 'refuse' }
const NAMED: Check = {
  name: 'named',
  column: 'item_name',
  holds: `item_name <> ''`,
  severity: 'refuse',
}

let shop: ShopSystem
let db: DuckDb

beforeAll(async () => {
  shop = await createShop({
    columns: { sale: SALE },
    checks: { fact_sale: [SOLD], dim_item: [NAMED] },
    tests: { free: 'select * from change_sale where price = 0' },
    hasPrices: true,
  })
  db = await openDuckDb({ scratchDir: shop.folder })
})

afterAll(async () => {
  await db[Symbol.asyncDispose]()
  await shop[Symbol.asyncDispose]()
})

async function change(sql: string): Promise<CommitRecord> {
  await shop.sql.query(sql)
  const { record } = await extract(shop.deps)
  if (record === undefined) throw new TypeError('nothing was captured')
  return record
}

/** A table of the source, as it is captured after the last batch. */
async function readSale(snapshot: SourceSnapshot, { project }: Deps) {
  const found = await snapshot.readTables(project.source)
  const shape = found.find(({ table }) => table.name === 'sale')?.shape
  if (shape === undefined) throw new TypeError('the shop has sales')
  return shape
}

describe('a stage that fails at any statement leaves no relation in DuckDB', () => {
  it('prepareStar()', async () => {
    await shop.sql.query(`
      insert into sale select i, 1, i, 2.5, '2024-01-01' from generate_series(1, 8) as i;
      insert into item values (3, 'cap', 2, null)`)
    await shop.run()
    // Some values no longer fit the contract, and others break a check.
    await shop.sql.query(`
      alter table sale alter column units type bigint;
      update sale set units = 2147483648 where sale_id = 2;
      update sale set units = -1 where sale_id = 3;
      update item set item_name = '' where item_id = 3`)
    await shop.run()
    const before = (await shop.records('ingestion')).at(-1)
    const previous = (await shop.records('processed')).at(-1)
    // Both kinds of rows are deleted: their deletions must be restored from earlier batches.
    const record = await change(`
      delete from sale where sale_id in (2, 3);
      insert into sale values (9, 2, 2147483648, 1, '2024-01-01'), (10, 7, 1, 1, '2024-01-02');
      update item set item_name = 'bag' where item_id = 1;
      insert into item values (4, '', 2, null)`)
    const { project, limits } = shop.deps
    const zone = processedZone(shop.deps, generationOf(project))
    const { failed, left } = await failEachStatement(db, async (failing) => {
      const place = { number: record.batch, takenAt: record.snapshot.takenAt }
      await prepareStar(beginBatch(failing, { zone, ...place }), {
        project,
        ingestion: ingestionZone(shop.deps),
        record,
        latest: record,
        before,
        previous,
        limits,
      })
    })
    expect(left).toEqual([])
    expect(failed).toBeGreaterThan(60)
    await shop.run()
  })

  it('captureWhole()', async () => {
    // The lake has no exact form for NaN in a bounded numeric.
    const last = await change(`insert into sale values (20, 1, 1, 'NaN', '2024-01-01')`)
    await shop.run()
    const previous = last.tables['sale']
    if (previous === undefined) throw new TypeError('sales were captured')
    await shop.sql.query(`
      delete from sale where sale_id = 1;
      insert into sale values (21, 1, 1, 'NaN', '2024-01-01'), (22, 1, 1, 2, '2024-01-01')`)
    await using snapshot = await openSource(shop.deps.source)
    const shape = await readSale(snapshot, shop.deps)
    const capture = async (deps: Deps, into: DuckDb): Promise<void> => {
      const place = { number: last.batch + 1, takenAt: snapshot.identity.takenAt }
      const batch = beginBatch(into, { zone: ingestionZone(deps), ...place })
      const confirmDeletes = new Set<string>()
      const read = { snapshot, batch, shape, contract: undefined, previous, confirmDeletes }
      await captureWhole(deps, { ...read, force: false })
    }
    const { failed, left } = await failEachStatement(db, (failing) => capture(shop.deps, failing))
    expect(left).toEqual([])
    expect(failed).toBeGreaterThan(10)

    // The same if a table is held because of its own rows: the other tables go on in this database.
    const strict = { ...shop.deps.limits, quarantineRows: 0, quarantineShare: 0 }
    const held = capture({ ...shop.deps, limits: strict }, db)
    await expect(held).rejects.toMatchObject({ code: 'TOO_MANY_REJECTED' })
    expect(await listRelations(db)).toEqual([])
  })

  it('captureFeed()', async () => {
    const folder = join(shop.folder, 'drop')
    const deps: Deps = { ...shop.deps, feeds: { drop: diskDrop(folder) } }
    const last = (await shop.records('ingestion')).at(-1)
    const lines = (price: number): string =>
      [1, 1, 2, 0]
        .map((item, index) => {
          const day = item === 0 ? 'no day' : '2026-11-20'
          return `${JSON.stringify({ item_id: item, day, price: price + index })}\n`
        })
        .join('')
    const path = join(folder, 'price/a.jsonl')
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, lines(1))
    await utimes(path, new Date(0), new Date(0))
    const { failed, left } = await failEachStatement(db, async (failing) => {
      const zone = ingestionZone(deps)
      const known = await readTakenVersions(
        { db: failing, zone },
        PRICES,
        last?.tables[filesOf('price')],
      )
      const collectedAt = '2026-11-20T10:00:00.000Z'
      const options = { feed: PRICES, folder: shop.folder, known, collectedAt }
      const { files } = await findOffered(deps, options)
      expect(files).toHaveLength(1)
      const place = { number: (last?.batch ?? 0) + 1, takenAt: collectedAt }
      await captureFeed(deps, beginBatch(failing, { zone, ...place }), {
        feed: PRICES,
        files,
        previous: last?.tables['price'],
        previousFiles: last?.tables[filesOf('price')],
      })
    })
    expect(left).toEqual([])
    expect(failed).toBeGreaterThan(10)
  })

  it('verifyLake(), verifyHistories() and verifyModels()', async () => {
    await shop.run()
    await using snapshot = await openSource(shop.deps.source)
    const record = (await shop.records('ingestion')).at(-1)
    if (record === undefined) throw new TypeError('batches were captured')
    const { failed, left } = await failEachStatement(db, async (failing) => {
      const scope = await planScope(shop.deps, { db: failing, memory: shop.deps.memory }, {})
      await using opened = await openWarehouse(shop.deps.warehouse)
      await beginVerifying(opened, record)
      await using turns = createTurns()
      const warehouse = { ...opened, inTurn: turns.inTurn }
      const check = { db: failing, warehouse, snapshot, record, held: [], scope }
      await using lake = await verifyLake(shop.deps, check)
      const histories = verifyHistories(shop.deps, check)
      await histories
      await verifyModels(shop.deps, { ...check, refused: lake.refused, histories })
    })
    expect(left).toEqual([])
    expect(failed).toBeGreaterThan(50)
  })
})
