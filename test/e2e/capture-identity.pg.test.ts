import { afterEach, describe, expect, it } from 'vitest'
import { extract } from '../../src/platform/extract/extract.ts'
import { commitBatch, readExistingCommit } from '../../src/platform/lake/batch-log.ts'
import { ingestionZone } from '../../src/platform/deps.ts'
import { run } from '../../src/platform/pipeline.ts'
import type { SourceTable } from '../../src/platform/project/source-contract.ts'
import { openSnapshot } from '../../src/platform/source/snapshot.ts'
import { bareProject } from '../support/bare-project.ts'
import { once, readChanges, readTable, type TextRow, withHook } from '../support/lake.ts'
import { lastChanges } from '../support/small-totesys.ts'
import { createSystem, type TestSystem } from '../support/system.ts'

let system: TestSystem
afterEach(() => system[Symbol.asyncDispose]())

/** A separate source, created by some SQL, with a first batch. */
async function open(
  sql: string,
  tables: readonly SourceTable[] = [{ name: 'thing', key: ['id'] }],
) {
  system = await createSystem({ project: bareProject(tables), template: 'empty' })
  await system.sql.query(sql)
  await extract(system.deps)
  return system
}

async function capture(sql: string): Promise<TextRow[]> {
  await system.sql.query(sql)
  const { record, committed } = await extract(system.deps)
  return committed ? readChanges(system, record, 'thing') : []
}

async function lake(): Promise<TextRow[]> {
  return readTable(system, (await system.records()).at(-1), 'thing')
}

const THING = `create table thing (id integer primary key, name text);
  insert into thing select n, 'name ' || n from generate_series(1, 3) as n`

describe('a table that is altered', () => {
  it('dropped and made anew is compared whole: no version of what is the same', async () => {
    await open(THING)
    expect(await capture(`drop table thing; ${THING}`)).toEqual([])
    expect(system.entries).toContainEqual(
      expect.objectContaining({ event: 'table_compared_whole', table: 'thing' }),
    )
    expect(await capture(`update thing set name = 'new' where id = 2`)).toEqual([
      { id: '2', name: 'new', _operation: 'update' },
    ])
  })

  it('by a new column of nulls gives no version, and the column is captured from then on', async () => {
    await open(THING)
    expect(await capture('alter table thing add column note text')).toEqual([])
    expect(await capture(`update thing set note = 'n' where id = 1`)).toEqual([
      { id: '1', name: 'name 1', note: 'n', _operation: 'update' },
    ])
    expect(await lake()).toContainEqual({ id: '2', name: 'name 2', note: null })
  })

  it('by a new column with a volatile default gives a version of every row that now has a value', async () => {
    await open(THING)
    const changes = await capture(
      'alter table thing add column at double precision default random()',
    )
    expect(changes.map((row) => row['_operation'])).toEqual(['update', 'update', 'update'])
    const source = await system.source.query<{ at: number }>('select at from thing order by id')
    expect((await lake()).map((row) => Number(row['at']))).toEqual(source.map((row) => row.at))
  })

  it('from integer to bigint gives no version of values that are the same', async () => {
    await open(THING)
    expect(await capture('alter table thing alter id type bigint')).toEqual([])
    expect(await capture(`insert into thing values (9999999999, 'big')`)).toEqual([
      { id: '9999999999', name: 'big', _operation: 'insert' },
    ])
    expect(await lake()).toHaveLength(4)
  })

  it('from text to integer and back gives no version either', async () => {
    await open(
      `create table thing (id integer primary key, name text); insert into thing values (1, '7')`,
    )
    expect(await capture('alter table thing alter name type integer using name::integer')).toEqual(
      [],
    )
    expect(await capture('alter table thing alter name type text')).toEqual([])
    expect(await capture(`update thing set name = '07'`)).toEqual([
      { id: '1', name: '07', _operation: 'update' },
    ])
  })

  it('by a column put in the place of a dropped one of the same name and type', async () => {
    await open(THING)
    const changes = await capture(
      'alter table thing drop column name; alter table thing add column name text',
    )
    expect(changes.map((row) => row['name'])).toEqual([null, null, null])
  })

  it('by new or renamed labels of an enum, which touch no row', async () => {
    await open(`create type mood as enum ('ok', 'sad');
      create table thing (id integer primary key, now mood, all_of mood[]);
      insert into thing values (1, 'ok', '{sad,ok}'), (2, 'sad', null)`)
    expect(await capture(`alter type mood rename value 'sad' to 'blue'`)).toEqual([
      { id: '1', now: 'ok', all_of: '{blue,ok}', _operation: 'update' },
      { id: '2', now: 'blue', all_of: null, _operation: 'update' },
    ])
    expect(await capture(`alter type mood add value 'new'`)).toEqual([])
    expect(await capture(`insert into thing values (3, 'new')`)).toHaveLength(1)
  })

  it('by a new expression of a generated column, stored or not', async () => {
    await open(`create table thing (id integer primary key, n integer,
        twice integer generated always as (n * 2) virtual,
        thrice integer generated always as (n * 3) stored);
      insert into thing values (1, 10)`)
    expect(await lake()).toEqual([{ id: '1', n: '10', twice: '20', thrice: '30' }])
    expect(await capture('alter table thing alter twice set expression as (n * 22)')).toEqual([
      { id: '1', n: '10', twice: '220', thrice: '30', _operation: 'update' },
    ])
    expect(await capture('alter table thing alter thrice set expression as (n * 33)')).toEqual([
      { id: '1', n: '10', twice: '220', thrice: '330', _operation: 'update' },
    ])
  })

  it('while it is empty', async () => {
    await open('create table thing (id integer primary key)')
    expect(await capture('alter table thing add column name text')).toEqual([])
    expect(await capture(`insert into thing values (1, 'first')`)).toEqual([
      { id: '1', name: 'first', _operation: 'insert' },
    ])
    expect(await capture('delete from thing; alter table thing drop column name')).toEqual([
      { id: '1', _operation: 'delete' },
    ])
    expect(await lake()).toEqual([])
    expect(await capture('insert into thing values (2)')).toEqual([
      { id: '2', _operation: 'insert' },
    ])
    expect(await lake()).toEqual([{ id: '2' }])
  })
})

describe('a table that is rewritten while a batch is read', () => {
  it.each([
    ['truncated', 'truncate thing', 0],
    ['altered', 'alter table thing alter name type varchar(99) using (name::varchar(99))', 3],
    ['altered in place', `alter table thing alter id type bigint`, 3],
  ])('%s: nothing is taken for deleted, the batch is read again', async (_, sql, rows) => {
    await open(THING)
    await system.sql.query(`insert into thing values (4, 'four')`)
    const other = await system.source.client()
    const rewrite = once(
      (call) => call === 'get',
      () => other.query(sql),
    )
    const report = await run(withHook(system.deps, rewrite))
    expect(report.failures).toEqual([])
    expect(report.extracted?.record?.tables['thing']?.counts.deleted).toBe(rows === 0 ? 3 : 0)
    expect(await lake()).toHaveLength(rows === 0 ? 0 : 4)
  })
})

describe('another source', () => {
  it('after a restore or a failover is compared whole, and only differences are versions', async () => {
    await open(THING)
    const [first] = await system.records()
    if (first === undefined) throw new Error('no first batch')
    const content = { ...first, snapshot: { ...first.snapshot, systemId: 'another/1' } }
    await commitBatch(ingestionZone(system.deps), content, { previous: first })
    expect(await capture('delete from thing where id = 3')).toEqual([
      { id: '3', name: 'name 3', _operation: 'delete' },
    ])
    expect(system.entries).toContainEqual(
      expect.objectContaining({ why: 'the source is another cluster or database' }),
    )
    const now = await readExistingCommit(ingestionZone(system.deps), 3)
    expect(now.snapshot.systemId).toBe(first.snapshot.systemId)
    expect(await capture('select 1')).toEqual([])
  })

  it('I1 rows that were frozen since, and a clock that goes back, change nothing', async () => {
    await open(THING)
    await system.sql.query('vacuum freeze thing')
    expect(await capture(`update thing set name = 'warm' where id = 1`)).toHaveLength(1)
    await system.sql.query('vacuum freeze thing')
    expect(await capture('select 1')).toEqual([])
    expect(await capture('delete from thing where id = 2')).toEqual([
      { id: '2', name: 'name 2', _operation: 'delete' },
    ])
  })

  it('I1 rows that are older than the horizon but unknown cause a comparison of the whole table', async () => {
    await open(THING)
    const [first] = await system.records()
    const thing = first?.tables['thing']
    if (first === undefined || thing === undefined) throw new Error('no first batch')
    const forgetful = { ...thing, changes: [], state: [], rows: 0 }
    await system.sql.query('select pg_current_xact_id()')
    await using snapshot = await openSnapshot(system.deps.source)
    const { identity } = snapshot
    const content = {
      ...first,
      snapshot: { ...identity, xmin: identity.xmax },
      tables: { thing: forgetful },
    }
    await commitBatch(ingestionZone(system.deps), content, { previous: first })
    const changes = await capture(`insert into thing values (4, 'four')`)
    expect(changes.map((row) => [row['id'], row['_operation']])).toEqual([
      ['1', 'insert'],
      ['2', 'insert'],
      ['3', 'insert'],
      ['4', 'insert'],
    ])
    expect(system.entries).toContainEqual(
      expect.objectContaining({ why: 'rows older than the horizon appeared' }),
    )
  })

  it('I7 time in the log never runs backwards, even if the source sets its clock back', async () => {
    await open(THING)
    const [first] = await system.records()
    if (first === undefined) throw new Error('no first batch')
    const snapshot = { ...first.snapshot, takenAt: '2999-01-01T00:00:00.000000Z' }
    const content = { ...first, snapshot }
    await commitBatch(ingestionZone(system.deps), content, { previous: first })
    await capture('delete from thing')
    expect((await system.records()).at(-1)?.snapshot.takenAt).toBe(snapshot.takenAt)
  })
})

describe('empty tables', () => {
  it('are a batch, and their first rows are inserts', async () => {
    await open(
      'create table thing (id integer primary key); create table other (id integer primary key)',
      [
        { name: 'thing', key: ['id'] },
        { name: 'other', key: ['id'] },
      ],
    )
    expect(await lastChanges(system)).toEqual({})
    expect(await capture('insert into thing values (1)')).toEqual([
      { id: '1', _operation: 'insert' },
    ])
    expect(await capture('delete from thing')).toEqual([{ id: '1', _operation: 'delete' }])
    expect(await capture('insert into thing values (1)')).toEqual([
      { id: '1', _operation: 'insert' },
    ])
    expect(await lake()).toEqual([{ id: '1' }])
  })
})
