import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openScratchDb } from '../../src/platform/deps.ts'
import { createTurns } from '../../src/platform/io/in-turn.ts'
import { commitKey } from '../../src/platform/lake/zone.ts'
import { generationOf } from '../../src/platform/project/generation.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { type VerifiedTable } from '../../src/platform/inspect/verified-table.ts'
import { planScope } from '../../src/platform/inspect/verify-scope.ts'
import {
  beginVerifying,
  type VerifiedHistories,
  verifyHistories,
} from '../../src/platform/inspect/verify-warehouse.ts'
import { openWarehouse } from '../../src/platform/warehouse/warehouse.ts'
import { thingProject } from '../support/bare-project.ts'
import { createShop } from '../support/shop.ts'
import { fillTotesys } from '../support/small-totesys.ts'
import { listKeys } from '../support/lake.ts'
import { createSystem, prepareSystem, type TestSystem } from '../support/system.ts'

const prepared = prepareSystem(fillTotesys)
let system: TestSystem
beforeEach(async () => {
  system = await prepared.open()
})
afterEach(() => system[Symbol.asyncDispose]())
afterAll(() => prepared[Symbol.asyncDispose]())

/** The differences that verify finds, by table. */
async function differences(
  table?: string,
): Promise<(Pick<VerifiedTable, 'table' | 'where'> & Partial<VerifiedTable['difference']>)[]> {
  const { tables } = await verify(system.deps, { table })
  return tables.flatMap(({ table: name, where, difference: { keys: _keys, ...counts } }) => {
    const some = Object.entries(counts).filter(([, rows]) => rows > 0)
    return some.length === 0 ? [] : [{ table: name, where, ...Object.fromEntries(some) }]
  })
}

/** The warehouse as its owner, who may do what no run does. */
const tamper = (sql: string) => system.query(sql)

it('I7 verify() compares every version and every dimension row, and finds them equal', async () => {
  const report = await verify(system.deps)
  expect(report).toMatchObject({ isEqual: true, faults: [] })
  const rows = report.tables.filter(({ where }) => where === 'history')
  expect(rows).toHaveLength(system.deps.project.models.length)
  expect(rows.find(({ table }) => table === 'fact_sales_order')?.rows).toBe(5)
})

describe('verify() finds in the warehouse', () => {
  it.each<[string, string, object[]]>([
    [
      'an old version that was changed',
      `update fact_sales_order set units_sold = 9 where record_operation = 'insert' and sales_order_id = 1`,
      [
        { table: 'fact_sales_order_revisions', where: 'revisions', different: 1 },
        { table: 'fact_sales_order', where: 'history', different: 1 },
      ],
    ],
    [
      'an old version that is gone',
      `delete from fact_sales_order where record_operation = 'insert' and sales_order_id = 1`,
      [
        { table: 'fact_sales_order_revisions', where: 'revisions', extra: 1 },
        { table: 'fact_sales_order', where: 'history', missing: 1 },
      ],
    ],
    [
      'the moment of a version that was changed',
      `update fact_sales_order set recorded_at = recorded_at - interval '1 day' where batch_id = 1
       and sales_order_id = 1`,
      [
        { table: 'fact_sales_order_revisions', where: 'revisions', different: 1 },
        { table: 'fact_sales_order', where: 'history', different: 1 },
      ],
    ],
    [
      'an extra version',
      `insert into fact_sales_order
       select (jsonb_populate_record(f, '{"sales_record_id": 0}')).* from fact_sales_order as f
       where batch_id = 1 and sales_order_id = 1`,
      [
        { table: 'fact_sales_order_revisions', where: 'revisions', missing: 1 },
        { table: 'fact_sales_order', where: 'history', extra: 1 },
      ],
    ],
    [
      'a deletion that was taken back',
      `update fact_sales_order set record_operation = 'update' where record_operation = 'delete'`,
      [
        { table: 'fact_sales_order', where: 'warehouse', different: 1 },
        { table: 'fact_sales_order', where: 'history', different: 1 },
      ],
    ],
    [
      'a sum that was changed',
      `update fact_sales_order_by_staff set amount = amount + 0.01
       where ctid = (select min(ctid) from fact_sales_order_by_staff)`,
      [{ table: 'fact_sales_order_by_staff', where: 'sums', different: 1 }],
    ],
    [
      'a missing sum and an extra one',
      `update fact_payment_by_due set payment_date = date '1999-01-01'
       where ctid = (select min(ctid) from fact_payment_by_due)`,
      [{ table: 'fact_payment_by_due', where: 'sums', missing: 1, extra: 1 }],
    ],
    [
      'a revision that was changed',
      `update fact_sales_order_revisions set before_units_sold = before_units_sold + 1
       where sales_record_id = (select min(sales_record_id) from fact_sales_order_revisions)`,
      [{ table: 'fact_sales_order_revisions', where: 'revisions', different: 1 }],
    ],
    [
      'an extra dimension row',
      `insert into dim_design values (99, 'None', '/home', 'none.json')`,
      [{ table: 'dim_design', where: 'history', extra: 1 }],
    ],
    [
      'a dimension row that was changed',
      `update dim_staff set last_name = 'Lovelace'`,
      [
        { table: 'dim_staff', where: 'warehouse', different: 1 },
        { table: 'dim_staff', where: 'history', different: 1 },
      ],
    ],
    [
      'a dimension row that is gone',
      `delete from dim_location where location_id = 2`,
      [
        { table: 'dim_location', where: 'warehouse', missing: 1 },
        { table: 'dim_location', where: 'history', missing: 1 },
      ],
    ],
    [
      'a current row that is gone',
      `delete from fact_payment_current`,
      [{ table: 'fact_payment', where: 'warehouse', missing: 1, different: 1 }],
    ],
    [
      'a current row that is an older version',
      `delete from fact_sales_order_current where sales_order_id = 1;
       insert into fact_sales_order_current
       select * from fact_sales_order where batch_id = 1 and sales_order_id = 1`,
      // It differs from the model's row. It and the newest version differ from each other.
      [{ table: 'fact_sales_order', where: 'warehouse', different: 3 }],
    ],
    [
      'a current row that was deleted',
      `insert into fact_sales_order_current
       select * from fact_sales_order where batch_id = 1 and sales_order_id = 3`,
      [{ table: 'fact_sales_order', where: 'warehouse', extra: 1, different: 1 }],
    ],
    [
      'the moment of a current row that was changed',
      `update fact_payment_current set recorded_at = recorded_at - interval '1 day'`,
      [{ table: 'fact_payment', where: 'warehouse', different: 2 }],
    ],
  ])('%s', async (_, sql, found) => {
    await tamper(sql)
    expect(await differences()).toEqual(found)
  })

  it('the key of each row that differs, and its columns, but no value', async () => {
    await tamper(
      `update fact_sales_order set units_sold = 987654 where batch_id = 1 and sales_order_id = 1`,
    )
    const { tables } = await verify(system.deps)
    const fact = tables.find(
      ({ table, where }) => table === 'fact_sales_order' && where === 'history',
    )
    expect(fact?.difference.keys).toEqual([
      { kind: 'different', key: 'sales_record_id=1', columns: ['units_sold'] },
    ])
    expect(JSON.stringify(tables)).not.toContain('987654')
  })
})

describe('verify() finds in the ledger', () => {
  it.each([
    [
      'a row that is missing',
      `delete from tidemark_ledger where batch_id = 2`,
      2,
      /row is missing/,
    ],
    [
      'a row with another snapshot time',
      `update tidemark_ledger set snapshot_at = snapshot_at - interval '1 hour' where batch_id = 1`,
      1,
      /snapshot time/,
    ],
    [
      'a row from another lake',
      `update tidemark_ledger set loaded_from = repeat('0', 64), captured_as = repeat('0', 64) where batch_id = 2`,
      2,
      /another record/,
    ],
    [
      'other counts',
      `update tidemark_ledger set row_counts = jsonb_set(row_counts, '{fact_payment,inserted}', '7') where batch_id = 1`,
      1,
      /counts of fact_payment/,
    ],
  ])('%s', async (_, sql, batch, detail) => {
    await tamper(sql)
    const { isEqual, faults } = await verify(system.deps)
    expect(isEqual).toBe(false)
    expect(faults).toEqual([
      { place: 'ledger', batch, detail: expect.stringMatching(detail) as string },
    ])
  })
})

describe('verify() walks the whole chain', () => {
  const folder = (zone: 'ingestion' | 'processed') =>
    zone === 'ingestion'
      ? join(system.folder, zone)
      : join(system.folder, zone, generationOf(system.deps.project))

  it.each(['ingestion', 'processed'] as const)(
    'I14 and finds a record of the %s zone that was changed long ago',
    async (zone) => {
      await system.sql.query('update sales_order set units_sold = 12 where sales_order_id = 1')
      await system.run()
      const path = join(folder(zone), commitKey(2))
      const text = await readFile(path, 'utf8')
      await writeFile(path, text.replace('"updated":1', '"updated":2'))
      const { isEqual, faults } = await verify(system.deps)
      expect(isEqual).toBe(false)
      expect(faults).toEqual([
        { place: zone, batch: 2, detail: expect.stringContaining(commitKey(2)) as string },
      ])
    },
  )

  it('I14 and finds one that is gone', async () => {
    // With nothing to do: this process knows where the log ends.
    await system.run()
    await rm(join(folder('processed'), commitKey(1)))
    const { faults } = await verify(system.deps)
    expect(faults[0]).toMatchObject({ place: 'processed', batch: 1 })
  })
})

describe('verify() of one table', () => {
  it('compares a source table with the lake and nothing else', async () => {
    const { tables } = await verify(system.deps, { table: 'sales_order' })
    expect(tables.map(({ table, where }) => [table, where])).toEqual([['sales_order', 'lake']])
  })

  it('compares a star table, its history and what it is made from', async () => {
    const { tables, isEqual } = await verify(system.deps, { table: 'dim_staff' })
    expect(tables.map(({ table, where }) => [table, where])).toEqual([
      ['department', 'lake'],
      ['staff', 'lake'],
      ['dim_staff', 'warehouse'],
      ['dim_staff', 'history'],
    ])
    expect(isEqual).toBe(true)
    await tamper(`update dim_staff set last_name = 'Lovelace'; delete from fact_payment_current`)
    expect(await differences('dim_staff')).toHaveLength(2)
    expect(await differences('fact_payment')).toHaveLength(1)
    expect(await differences('fact_sales_order')).toEqual([])
  })

  it('compares a calendar with what was published', async () => {
    expect(await differences('dim_date')).toEqual([])
    await tamper(`update dim_date set day_name = 'Funday' where date_id = '2024-02-01'`)
    expect(await differences('dim_date')).toMatchObject([{ where: 'history', different: 1 }])
  })

  it('refuses an unknown table before it captures anything', async () => {
    await system.sql.query(`update staff set last_name = 'Lovelace'`)
    const before = await listKeys(system.deps.ingestion)
    await expect(verify(system.deps, { table: 'nothing' })).rejects.toMatchObject({
      name: 'ConfigError',
      code: 'UNKNOWN_TABLE',
    })
    expect(await listKeys(system.deps.ingestion)).toEqual(before)
  })
})

it('I6 verify() compares a fact that has a column called present', async () => {
  await using shop = await createShop({
    migrations: { '002_present.sql': 'alter table fact_stock add column present boolean' },
    models: {
      fact_stock: `select stock_id, item_id, counted, true as present,
        _operation, _captured_at, _ordinal from change_stock`,
    },
  })
  await shop.sql.query('insert into stock values (1, 1, 5), (2, 1, 6)')
  await shop.run()
  await shop.query('update fact_stock_current set counted = 9 where stock_id = 1')
  const { tables } = await verify(shop.deps)
  const fact = tables.find(({ table, where }) => table === 'fact_stock' && where === 'warehouse')
  // Once against the model, once against the history from either side.
  expect(fact?.difference.different).toBe(3)
})

it('I12 verify() copies nothing where the checksums are equal', async () => {
  // Sums and revisions are compared inside the warehouse.
  const inside = new Set(['sums', 'revisions'])
  const copied = async () =>
    (await verify(system.deps)).tables.filter(
      ({ by, where }) => by === 'rows' && !inside.has(where),
    )
  expect(await copied()).toEqual([])
  await tamper(`update dim_design set design_name = 'Wasp'`)
  const byRows = await copied()
  expect(byRows.map(({ table, where }) => [table, where])).toEqual([
    ['dim_design', 'warehouse'],
    ['dim_design', 'history'],
  ])
})

describe('verifyHistories() over several parts of a history', () => {
  async function compareInParts(): Promise<VerifiedHistories> {
    const { deps } = system
    await using db = await openScratchDb(deps)
    const record = (await system.records('ingestion')).at(-1)
    if (record === undefined) throw new TypeError('batches were captured')
    const scope = await planScope(deps, { db, memory: deps.memory }, {})
    await using warehouse = await openWarehouse(deps.warehouse)
    await beginVerifying(warehouse, record)
    await using turns = createTurns()
    const shared = { ...warehouse, inTurn: turns.inTurn }
    const check = { db, warehouse: shared, record, held: [], scope, batchesAtOnce: 1 }
    return await verifyHistories(deps, check)
  }

  it('proves which versions are the current ones', async () => {
    const { verified, current } = await compareInParts()
    expect(verified.find(({ table }) => table === 'fact_sales_order')).toMatchObject({
      rows: 5,
      by: 'checksum',
    })
    // One of three orders was deleted.
    expect(current.get('fact_sales_order')?.rows).toBe(2)
    const filled = verified.filter(({ rows }) => rows > 0).map(({ table }) => table)
    expect([...current.keys()].toSorted()).toEqual(filled.toSorted())
    expect(filled).toHaveLength(11)
  })

  it('proves nothing about current rows if one of them is an older version', async () => {
    await tamper(`
      delete from fact_sales_order_current where sales_order_id = 1;
      insert into fact_sales_order_current
      select * from fact_sales_order where batch_id = 1 and sales_order_id = 1`)
    const { verified, current } = await compareInParts()
    expect(verified.find(({ table }) => table === 'fact_sales_order')?.by).toBe('checksum')
    expect(current.has('fact_sales_order')).toBe(false)
    expect(current.has('fact_payment')).toBe(true)
  })
})

it('verify() compares rows with a float that the two databases print differently', async () => {
  await using odd = await createSystem({
    template: 'empty',
    project: thingProject({ ratio: 'double precision', taken: 'timestamptz', raw: 'bytea' }),
  })
  await odd.sql.query(`
    create table thing (id integer primary key, ratio double precision, taken timestamptz, raw bytea);
    insert into thing values (1, 21149097027079632, now(), '\\x00ff'), (2, 1e300, '0044-03-15 BC', null),
        (3, 'NaN', 'infinity', ''), (4, null, null, '\\x5c')`)
  const report = await verify(odd.deps)
  expect(report.isEqual).toBe(true)
  expect(report.tables.map(({ by }) => by)).toContain('rows')
})
