import { afterEach, describe, expect, it } from 'vitest'
import { extract } from '../../src/platform/extract/extract.ts'
import type { TableEntry } from '../../src/platform/lake/commit-record.ts'
import { findEntry, readQuarantine, replay } from '../../src/platform/inspect/quarantine.ts'
import { bareProject } from '../support/bare-project.ts'
import { listKeys, readChanges, readTable, type TextRow } from '../support/lake.ts'
import { createSystem, type TestSystem } from '../support/system.ts'

// NaN is the value that no bounded decimal of the lake can hold.

let system: TestSystem
afterEach(() => system[Symbol.asyncDispose]())

const THING = `create table thing (id integer primary key, price numeric(10,2), note text)`

async function open(sql: string): Promise<void> {
  const project = bareProject([{ name: 'thing', key: ['id'] }])
  system = await createSystem({ project, template: 'empty' })
  await system.sql.query(sql)
  await extract(system.deps)
}

/** The changes of a batch, or nothing if none was committed. */
async function capture(sql: string): Promise<TextRow[]> {
  await system.sql.query(sql)
  const { record, committed } = await extract(system.deps)
  return committed ? readChanges(system, record, 'thing') : []
}

async function entry(): Promise<TableEntry | undefined> {
  const found = (await system.records()).at(-1)?.tables['thing']
  if (found === undefined) return undefined
  const { read, accepted, unchanged, quarantined } = found.counts
  expect(accepted + unchanged + quarantined).toBe(read)
  return found
}

const lake = async () => readTable(system, (await system.records()).at(-1), 'thing')
const inQuarantine = async () =>
  (await readQuarantine(system.deps, { limit: 100 })).entries.map(({ key, column, content }) => [
    key['id'],
    column,
    content['price'],
  ])

describe('a value that has no exact form', () => {
  it('I6 I10 goes to quarantine in the first batch, all other rows go on', async () => {
    await open(
      `${THING}; insert into thing values (1, 1.5, 'a'), (2, 'NaN', E'b\\t\\\\'), (3, 3, 'c')`,
    )
    expect(await lake()).toMatchObject([{ id: '1' }, { id: '3' }])
    expect(await entry()).toMatchObject({
      counts: { read: 3, accepted: 2, inserted: 2, quarantined: 1 },
      rows: 2,
      withheld: 1,
    })
    const { entries, total } = await readQuarantine(system.deps, { limit: 9 })
    expect(total).toBe(1)
    expect(entries).toMatchObject([
      {
        zone: 'ingestion',
        table: 'thing',
        batch: 1,
        key: { id: '2' },
        reason: 'value_not_exact',
        column: 'price',
        content: { id: '2', price: 'NaN', note: 'b\t\\' },
      },
    ])
    expect(await findEntry(system.deps, entries[0]?.id ?? '')).toEqual(entries[0])
    await expect(findEntry(system.deps, '1.thing.99')).rejects.toMatchObject({
      code: 'UNKNOWN_ENTRY',
    })
  })

  it('I9 is not reported again in later runs', async () => {
    await open(`${THING}; insert into thing values (1, 1.5, 'a'), (2, 'NaN', 'b')`)
    const keys = await listKeys(system.deps.ingestion)
    expect((await extract(system.deps)).committed).toBe(false)
    expect(await listKeys(system.deps.ingestion)).toEqual(keys)
    // The count proof still holds, without reading the keys.
    expect(await capture(`insert into thing values (3, 3, 'c')`)).toHaveLength(1)
    expect(await entry()).toMatchObject({
      counts: { accepted: 1, quarantined: 0 },
      rows: 2,
      withheld: 1,
    })
    expect(await inQuarantine()).toEqual([['2', 'price', 'NaN']])
  })

  it('is accepted once it is corrected, and its row leaves quarantine', async () => {
    await open(`${THING}; insert into thing values (1, 1.5, 'a'), (2, 'NaN', 'b')`)
    expect(await capture('update thing set price = 2 where id = 2')).toEqual([
      { id: '2', price: '2.00', note: 'b', _operation: 'insert' },
    ])
    expect(await inQuarantine()).toEqual([])
    expect(await entry()).toMatchObject({ open: [], rows: 2 })
    expect(await entry()).not.toHaveProperty('withheld')
  })

  it('leaves the last exact version current if the row was captured before', async () => {
    await open(`${THING}; insert into thing values (1, 1.5, 'a'), (2, 2, 'b')`)
    expect(await capture(`update thing set price = 'NaN' where id = 2`)).toEqual([])
    expect(await lake()).toMatchObject([{ id: '1' }, { id: '2', price: '2.00' }])
    expect(await entry()).not.toHaveProperty('withheld')
    expect(await inQuarantine()).toEqual([['2', 'price', 'NaN']])
    // Refused again, it replaces its older entry.
    expect(await capture(`update thing set note = 'c' where id = 2`)).toEqual([])
    const { entries } = await readQuarantine(system.deps, { limit: 9 })
    expect(entries).toMatchObject([{ batch: 3, content: { note: 'c' } }])
    expect(await capture('delete from thing where id = 2')).toEqual([
      { id: '2', price: '2.00', note: 'b', _operation: 'delete' },
    ])
    expect(await inQuarantine()).toEqual([])
  })

  it('I1 of a row never captured leaves quarantine when the row is deleted', async () => {
    await open(`${THING}; insert into thing values (1, 1.5, 'a'), (2, 'NaN', 'b'), (3, 'NaN', 'c')`)
    expect(await capture('delete from thing where id <> 3')).toEqual([
      { id: '1', price: '1.50', note: 'a', _operation: 'delete' },
    ])
    expect(await inQuarantine()).toEqual([['3', 'price', 'NaN']])
    expect(await entry()).toMatchObject({ rows: 0, withheld: 1 })
    // One row goes and another comes, so the count alone would not show it.
    expect(await capture(`delete from thing; insert into thing values (4, 4, 'd')`)).toHaveLength(1)
    expect(await inQuarantine()).toEqual([])
  })

  it('I9 is unchanged where a relation is compared whole every time', async () => {
    await open(`create table base (id integer, price numeric(10,2), note text);
      insert into base values (1, 1, 'a'), (2, 'NaN', 'b'); create view thing as select * from base`)
    expect((await extract(system.deps)).committed).toBe(false)
    await capture(`update base set note = 'c'`)
    expect(await entry()).toMatchObject({ counts: { read: 2, updated: 1, quarantined: 1 } })
    await capture(`update base set note = 'd' where id = 1`)
    expect(await entry()).toMatchObject({ counts: { read: 2, updated: 1, unchanged: 1 } })
    await capture(`delete from base where id = 2`)
    expect(await inQuarantine()).toEqual([])
    expect(await entry()).not.toHaveProperty('withheld')
  })

  it('survives a new schema of the table', async () => {
    await open(`${THING}; insert into thing values (1, 1.5, 'a'), (2, 'NaN', 'b')`)
    await capture('alter table thing add more text')
    expect(await inQuarantine()).toEqual([['2', 'price', 'NaN']])
    expect(await entry()).toMatchObject({ rows: 1, withheld: 1 })
    // An unconstrained numeric is kept as text, and so holds it.
    expect(await capture('alter table thing alter price type numeric')).toMatchObject([
      { id: '2', price: 'NaN' },
    ])
    expect(await inQuarantine()).toEqual([])
  })

  it('alerts once per new reason, without the value', async () => {
    await open(`create table thing (id integer primary key, price numeric(10,2), at timestamp);
      insert into thing values (1, 'NaN', null)`)
    await capture(`insert into thing values (2, 'NaN', null)`)
    await capture(`insert into thing values (3, 1, '294276-12-31 23:59:59.999999')`)
    await capture(`insert into thing values (4, 1, '290000-12-31 23:59:59')`)
    const said = system.entries.filter(({ event }) => event === 'rows_quarantined')
    expect(said[0]).toMatchObject({ level: 'alert', table: 'thing', rows: 1 })
    expect(said[1]).toMatchObject({ level: 'warn' })
    expect(JSON.stringify(said)).not.toMatch(/NaN|294276/)
  })

  it('I10 of too many rows holds the table instead', async () => {
    await open(`${THING}; insert into thing select n, n from generate_series(1, 200) as n`)
    await system.sql.query(`update thing set price = 'NaN' where id <= 50`)
    const { held } = await extract(system.deps)
    expect(held).toEqual([])
    await system.sql.query(`update thing set price = 'NaN' where id <= 190`)
    expect((await extract(system.deps)).held).toMatchObject([
      { table: 'thing', reason: 'too_many_rejected' },
    ])
    await system.sql.query(`update thing set price = -id`)
    expect((await extract(system.deps)).held).toEqual([])
    expect(await entry()).toMatchObject({ counts: { updated: 200 }, rows: 200, open: [] })
  })

  it('in a key holds the table, because such a row has no name', async () => {
    await open(`create table thing (id numeric(10,2) primary key); insert into thing values (1)`)
    await system.sql.query(`insert into thing values ('NaN')`)
    expect((await extract(system.deps)).held).toMatchObject([{ reason: 'key_not_exact' }])
    await system.sql.query(`delete from thing where id = 'NaN'; insert into thing values (2)`)
    expect(await capture('select 1')).toMatchObject([{ id: '2.00', _operation: 'insert' }])
  })

  it('I6 is recognized by keys of every type', async () => {
    const key = ['d', 't', 'b', 'tz', 'f', 'u']
    const project = bareProject([{ name: 'thing', key }])
    system = await createSystem({ project, template: 'empty' })
    await system.sql
      .query(`create table thing (d date, t text, b bytea, tz timestamptz, f float8, u uuid,
        price numeric(10,2), primary key (${key.join(', ')}));
      insert into thing values ('0044-03-15 BC', E'a"\\\t''', '\\x00ff', '0044-03-15 12:00:00.5+00 BC',
        0.1, 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'NaN')`)
    await extract(system.deps)
    expect((await extract(system.deps)).committed).toBe(false)
    expect(await capture('update thing set price = 1')).toMatchObject([{ _operation: 'insert' }])
    expect(await entry()).toMatchObject({ open: [], rows: 1 })
    await capture(`update thing set price = 'NaN'`)
    expect(await entry()).toMatchObject({ rows: 1, open: [{ rows: 1 }] })
    expect(await capture('delete from thing')).toMatchObject([{ _operation: 'delete' }])
    expect(await entry()).toMatchObject({ open: [], rows: 0 })
  })
})

describe('replay()', () => {
  it('reads the rows in quarantine from the source again, and says what is left', async () => {
    await open(`${THING}; insert into thing values (1, 'NaN', 'a'), (2, 2, 'b')`)
    const { before, after, report } = await replay(system.deps)
    expect({ before, after, failures: report.failures }).toEqual({
      before: 1,
      after: 1,
      failures: [],
    })
    await system.sql.query('update thing set price = 1')
    expect(await replay(system.deps)).toMatchObject({ before: 1, after: 0 })
  })
})
