import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ingestionZone } from '../../src/platform/deps.ts'
import { openDuckDb } from '../../src/platform/io/duckdb.ts'
import type { CommitRecord } from '../../src/platform/lake/commit-record.ts'
import { readRefused } from '../../src/platform/lake/quarantine/quarantine.ts'
import { commitKey, openFiles } from '../../src/platform/lake/zone.ts'
import { run } from '../../src/platform/pipeline.ts'
import type { Project } from '../../src/platform/project/project.ts'
import { totesys } from '../../src/totesys/totesys.ts'
import { folderOf } from '../support/bare-project.ts'
import { once, withHook } from '../support/lake.ts'
import {
  currentOrders,
  expectFaithful,
  insertOrders,
  lastChanges,
  orderHistory,
  seedTotesys,
} from '../support/small-totesys.ts'
import { createSystem, prepareSystem, type TestSystem } from '../support/system.ts'

const loaded = prepareSystem(async (fresh) => {
  await seedTotesys(fresh.sql)
  await fresh.run()
})
let system: TestSystem
afterEach(() => system[Symbol.asyncDispose]())
afterAll(() => loaded[Symbol.asyncDispose]())

async function openLoaded(): Promise<void> {
  system = await loaded.open()
}

async function openSeeded(): Promise<void> {
  system = await createSystem()
  await seedTotesys(system.sql)
}

const reader = () => new URL(system.deps.source.url).username
const events = (name: string) => system.entries.filter(({ event }) => event === name)
const entryOf = async (table: string) => (await system.records()).at(-1)?.tables[table]

/** What a batch put into a table's quarantine. */
async function refusedRows(
  record: CommitRecord | undefined,
  table: string,
): Promise<{ reason: string; key: string; content: string }[]> {
  await using db = await openDuckDb({ scratchDir: system.folder })
  const paths = await openFiles(ingestionZone(system.deps), record?.tables[table]?.quarantine ?? [])
  return await db.rows(
    `select _reason as reason, _key as key, _content as content from ${readRefused(paths)} order by _ordinal`,
  )
}

describe('a table that breaks its contract', () => {
  beforeEach(openLoaded)

  it.each([
    [
      'permission',
      'the right to read it revoked',
      () => `revoke select on sales_order from ${reader()}`,
      () => `grant select on sales_order to ${reader()}`,
    ],
    [
      'permission',
      'the right to one column missing',
      () => `revoke select on sales_order from ${reader()};
        grant select (sales_order_id, created_at) on sales_order to ${reader()}`,
      () => `grant select on sales_order to ${reader()}`,
    ],
    [
      'table_missing',
      'another name',
      () => 'alter table sales_order rename to orders',
      () => 'alter table orders rename to sales_order',
    ],
    [
      'key_missing',
      'its key renamed',
      () => 'alter table sales_order rename sales_order_id to id',
      () => 'alter table sales_order rename id to sales_order_id',
    ],
    [
      'column_missing',
      'a column renamed',
      () => 'alter table sales_order rename units_sold to units',
      () => 'alter table sales_order rename units to units_sold',
    ],
    [
      'column_missing',
      'a column dropped',
      () => `create table kept as select sales_order_id as id, unit_price from sales_order;
        alter table sales_order drop unit_price`,
      () => `alter table sales_order add unit_price numeric(10,2);
        update sales_order set unit_price = coalesce((select unit_price from kept where id = sales_order_id), 2.50)`,
    ],
    [
      'column_narrowed',
      'a narrower type',
      () => 'alter table sales_order alter units_sold type smallint',
      () => 'alter table sales_order alter units_sold type integer',
    ],
    [
      'column_narrowed',
      'another type',
      () =>
        'alter table sales_order alter agreed_payment_date type date using agreed_payment_date::date',
      () => 'alter table sales_order alter agreed_payment_date type text',
    ],
    [
      'key_lost',
      'no primary key any more',
      () => 'alter table sales_order drop constraint sales_order_pkey cascade',
      () => 'alter table sales_order add primary key (sales_order_id)',
    ],
    [
      'column_name',
      'a column that the lake cannot name',
      () => 'alter table sales_order add "_Batch" integer',
      () => 'alter table sales_order drop "_Batch"',
    ],
    [
      'column_name',
      'two columns that differ in case',
      () => 'alter table sales_order add "UNITS_SOLD" integer',
      () => 'alter table sales_order drop "UNITS_SOLD"',
    ],
  ])(
    'I1 (%s: %s) is held alone, and catches up once it is fixed',
    async (reason, _, harm, mend) => {
      const before = (await system.records()).at(-1)
      // In one transaction: rows of the table, its schema, rows of another table.
      await system.sql.query(`begin; ${insertOrders([[4, 40]])};
      update sales_order set agreed_delivery_date = '2024-05-05' where sales_order_id = 1;
      ${harm()}; update payment set paid = true; commit`)
      const report = await system.run()
      expect(report.held).toEqual([{ table: 'sales_order', reason, detail: expect.any(String) }])
      expect(await lastChanges(system)).toEqual({ payment: { updated: 1 } })
      expect(await currentOrders(system)).toEqual({ 1: 10, 2: 20, 3: 30 })
      const held = await entryOf('sales_order')
      expect(held).toMatchObject({
        changes: [],
        state: before?.tables['sales_order']?.state,
        fingerprint: before?.tables['sales_order']?.fingerprint,
        capturedTo: before?.snapshot,
        held: { reason, since: 2 },
      })

      // Nothing is new, so nothing is written, but the hold is still reported.
      const again = await system.run()
      expect(again.extracted?.committed).toBe(false)
      expect(again.held).toHaveLength(1)
      // Other tables go on, and nothing is reported twice.
      await system.sql.query(`update design set design_name = 'Wasp'`)
      expect((await system.run()).held).toHaveLength(1)
      expect(await lastChanges(system)).toEqual({ design: { updated: 1 } })
      expect(events('table_held')).toHaveLength(1)
      expect(events('table_held')[0]).toMatchObject({
        level: 'alert',
        table: 'sales_order',
        reason,
      })

      await system.sql.query(mend())
      const mended = await system.run()
      expect(mended.held).toEqual([])
      expect(await currentOrders(system)).toEqual({ 1: 10, 2: 20, 3: 30, 4: 40 })
      expect(await orderHistory(system, 4)).toEqual(['insert 40'])
      await expectFaithful(system)
      expect(await entryOf('sales_order')).not.toHaveProperty('held')
      expect(await entryOf('sales_order')).not.toHaveProperty('capturedTo')
      expect(events('table_released')).toHaveLength(1)
      expect((await system.run()).extracted?.committed).toBe(false)
    },
  )

  it('keeps what can be read of each changed row in quarantine, once, as it was', async () => {
    await system.sql.query('alter table sales_order rename units_sold to units')
    await system.sql.query('update sales_order set units = 11 where sales_order_id = 1')
    await system.run()
    // If other transactions were open, earlier rows are read again.
    const first = (await refusedRows((await system.records()).at(-1), 'sales_order')).find(
      ({ key }) => key === '{"sales_order_id":"1"}',
    )
    expect(first?.reason).toBe('column_missing')
    expect(JSON.parse(first?.content ?? '')).toMatchObject({ units: '11', unit_price: '2.50' })
    const { read = 0, quarantined } = (await entryOf('sales_order'))?.counts ?? {}
    expect(read).toBeGreaterThan(0)
    expect(quarantined).toBe(read)

    await system.sql.query('update sales_order set units = 12 where sales_order_id = 1')
    await system.run()
    const rows = await refusedRows((await system.records()).at(-1), 'sales_order')
    expect(rows.map(({ content }) => JSON.parse(content).units)).toEqual(['12'])
    // An operator has to fix none of these rows.
    expect((await entryOf('sales_order'))?.open).toEqual([])
    await system.sql.query('alter table sales_order rename units to units_sold')
    await system.run()
    expect(await orderHistory(system, 1)).toEqual(['insert 10', 'update 12'])
  })

  it('is reported again when it breaks in another way', async () => {
    await system.sql.query('alter table sales_order rename units_sold to units')
    await system.run()
    await system.sql.query(`revoke select on sales_order from ${reader()}`)
    expect((await system.run()).held).toMatchObject([{ reason: 'permission' }])
    expect(events('table_held')).toMatchObject([
      { reason: 'column_missing' },
      { reason: 'permission' },
    ])
    expect((await entryOf('sales_order'))?.held).toMatchObject({ since: 2, reason: 'permission' })
  })

  it('I11 leaves its dimension as it was; facts that name a row it lacks get an inferred one', async () => {
    await system.sql.query(`alter table counterparty rename counterparty_legal_name to name;
      insert into counterparty (counterparty_id, name, legal_address_id, created_at, last_updated)
        values (9, 'New', 1, now(), now());
      ${insertOrders([[4, 40]])}; update sales_order set counterparty_id = 9 where sales_order_id = 4`)
    await system.run()
    const names = () =>
      system.query(
        `select counterparty_legal_name as name from dim_counterparty order by counterparty_id`,
      )
    expect(await names()).toEqual([{ name: 'Acme' }, { name: 'Bolt' }, { name: 'Unknown' }])
    await system.sql.query('alter table counterparty rename name to counterparty_legal_name')
    await system.run()
    expect(await names()).toEqual([{ name: 'Acme' }, { name: 'Bolt' }, { name: 'New' }])
  })

  it('can be fixed by the contract: a former name keeps the values and makes no version', async () => {
    await system.sql.query('alter table sales_order rename units_sold to units')
    await system.run()
    await system.sql.query('update sales_order set units = 11 where sales_order_id = 1')
    const project = renamed()
    const report = await run({ ...system.deps, project })
    expect(report.failures).toEqual([])
    expect(report.held).toEqual([])
    // A new contract makes a new generation, from the same lake.
    expect(await orderHistory(system, 1)).toEqual(['insert 10', 'update 11'])
    expect(await orderHistory(system, 2)).toEqual(['insert 20'])
    expect((await entryOf('sales_order'))?.counts).toMatchObject({ updated: 1, unchanged: 2 })
  })
})

/** Totesys, whose source now calls units_sold `units`. For the model it is the same column. */
function renamed(): Project {
  const tables = totesys.source.tables.map((table) => {
    if (table.name !== 'sales_order') return table
    const { units_sold: type = '', ...columns } = table.columns as Record<string, string>
    return { ...table, columns: { ...columns, units: { type, formerly: ['units_sold'] } } }
  })
  const models = totesys.models.map((model) => {
    const sql = readFileSync(model.sql, 'utf8').replace('change.units_sold', 'change.units')
    return model.table === 'fact_sales_order'
      ? { ...model, sql: new URL('fact.sql', folderOf({ 'fact.sql': sql })) }
      : model
  })
  return { ...totesys, source: { ...totesys.source, tables }, models, tests: [] }
}

describe('a source that changes within its contract', () => {
  beforeEach(openLoaded)

  it.each([
    ['a new column', `alter table sales_order add note text; update sales_order set note = 'n'`],
    ['a new column with a default', `alter table sales_order add note text not null default 'n'`],
    ['a wider whole number', 'alter table sales_order alter units_sold type bigint'],
    ['a wider decimal', 'alter table sales_order alter unit_price type numeric(14,4)'],
    ['a wider text', 'alter table currency alter currency_code type text'],
    ['a new default', 'alter table sales_order alter units_sold set default 7'],
    ['a column made nullable', 'alter table sales_order alter units_sold drop not null'],
    [
      'a new label of an enum',
      `alter type "PaymentTypeName" add value 'GIFT'`,
      `insert into payment_type values (2, 'GIFT', now(), now())`,
    ],
    [
      'another order of its columns',
      `alter table sales_order add later integer;
       update sales_order set later = units_sold;
       alter table sales_order drop units_sold; alter table sales_order rename later to units_sold;
       alter table sales_order alter units_sold set not null`,
    ],
  ])('%s: nothing is held, everything goes on', async (_, ...sql) => {
    for (const part of sql) await system.sql.query(part)
    await system.sql.query(
      `insert into sales_order (sales_order_id, created_at, last_updated, design_id, staff_id, counterparty_id,
         units_sold, unit_price, currency_id, agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id)
       values (4, now(), now(), 1, 1, 1, 40, 2.5, 1, '2024-02-01', '2024-02-02', 1)`,
    )
    const report = await system.run()
    expect(report.held).toEqual([])
    expect(report.quarantined).toBe(0)
    expect(await currentOrders(system)).toEqual({ 1: 10, 2: 20, 3: 30, 4: 40 })
    await expectFaithful(system)
    expect(events('table_held')).toEqual([])
  })
})

describe('a source with more than its contract names', () => {
  beforeEach(openSeeded)

  it('reports new columns, and tables that no contract names', async () => {
    await system.run()
    await system.sql.query(`alter table sales_order add note text;
      create table "new; table" (id integer); ${insertOrders([[4, 40]]).replace("'2024-02-02', 1)", "'2024-02-02', 1, null)")}`)
    await system.run()
    expect(events('shape_changed')).toMatchObject([{ table: 'sales_order', added: ['note'] }])
    expect(events('table_ignored')).toMatchObject([
      { relation: 'public._prisma_migrations' },
      { relation: 'public.new; table' },
    ])
    await system.sql.query(`update design set design_name = 'Wasp'`)
    await system.run()
    expect(events('table_ignored')).toHaveLength(2)
  })
})

describe('a source that is altered while it is read', () => {
  beforeEach(openSeeded)

  it('I2 is read again, with its new schema', async () => {
    // The snapshot is taken, and no table is locked yet.
    const alter = once(
      (call) => call === 'get',
      () => system.sql.query('alter table payment rename paid to settled'),
    )
    const report = await run(withHook(system.deps, alter))
    expect(report.failures).toEqual([])
    expect(report.held).toMatchObject([{ table: 'payment', reason: 'column_missing' }])
    expect(events('extract_again')).toMatchObject([{ code: 'SOURCE_ALTERED' }])
    expect(await system.records()).toHaveLength(1)
    expect(await currentOrders(system)).toEqual({ 1: 10, 2: 20, 3: 30 })
    await system.sql.query('alter table payment rename settled to paid')
    await system.run()
    await expectFaithful(system)
  })

  it('I13 is reported as the cause if it never stops', async () => {
    // Once the table is locked for reading, an `alter table` would wait for us.
    await system.sql.query(`set lock_timeout = '200ms'`)
    let [from, to] = ['paid', 'settled']
    const hostile = withHook(system.deps, async (call, key) => {
      if (call !== 'get' || key !== commitKey(1)) return
      const altered = await system.sql.query(`alter table payment rename ${from} to ${to}`).then(
        () => true,
        () => false,
      )
      if (altered) [from, to] = [to, from]
    })
    const report = await run(hostile)
    // Held or failed, but never a batch that mixes two schemas.
    const codes = report.failures.map(({ error }) => (error as { code: string }).code)
    expect([...codes, ...report.held.map(({ reason }) => reason)]).toHaveLength(1)
  })
})

describe('a table held since the first batch', () => {
  beforeEach(openSeeded)

  it('I11 is empty for the models, and comes whole when it is fixed', async () => {
    await system.sql.query('alter table sales_order rename units_sold to units')
    const report = await system.run()
    expect(report.held).toMatchObject([{ table: 'sales_order' }])
    expect(await entryOf('sales_order')).toMatchObject({
      rows: 0,
      state: [],
      counts: { quarantined: 3 },
    })
    expect(await currentOrders(system)).toEqual({})
    expect(await system.query('select payment_id from fact_payment_current')).toHaveLength(1)
    await system.sql.query('alter table sales_order rename units to units_sold')
    await system.run()
    expect(await currentOrders(system)).toEqual({ 1: 10, 2: 20, 3: 30 })
    await expectFaithful(system)
  })
})
