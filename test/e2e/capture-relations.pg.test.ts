import pg from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import { extract } from '../../src/platform/extract/extract.ts'
import type { SourceTable } from '../../src/platform/project/source-contract.ts'
import { bareProject } from '../support/bare-project.ts'
import { readChanges, readTable, type TextRow } from '../support/lake.ts'
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

/** Why the table is held, according to the newest batch. */
async function heldFor(): Promise<string | undefined> {
  return (await system.records()).at(-1)?.tables['thing']?.held?.reason
}

const UNENFORCED: readonly SourceTable[] = [{ name: 'thing', key: ['id'], keyIsUnenforced: true }]

describe('a partitioned table', () => {
  const EVENTS = `create table thing (id integer, kind text, primary key (id, kind)) partition by list (kind);
    create table thing_a partition of thing for values in ('a');
    create table thing_b (id integer not null, kind text not null, primary key (id, kind));
    insert into thing_b values (1, 'b'), (2, 'b');
    insert into thing values (1, 'a')`
  const tables = [{ name: 'thing', key: ['id', 'kind'] }]

  it('I1 captures the rows of an attached partition, although they are old', async () => {
    await open(EVENTS, tables)
    expect(await capture(`alter table thing attach partition thing_b for values in ('b')`)).toEqual(
      [
        { id: '1', kind: 'b', _operation: 'insert' },
        { id: '2', kind: 'b', _operation: 'insert' },
      ],
    )
  })

  it('I1 deletes the rows of a detached partition', async () => {
    await open(`${EVENTS}; alter table thing attach partition thing_b for values in ('b')`, tables)
    expect(await capture('alter table thing detach partition thing_b')).toEqual([
      { id: '1', kind: 'b', _operation: 'delete' },
      { id: '2', kind: 'b', _operation: 'delete' },
    ])
    expect(await lake()).toEqual([{ id: '1', kind: 'a' }])
  })

  it('I1 captures what changed within its partitions', async () => {
    await open(`${EVENTS}; alter table thing attach partition thing_b for values in ('b')`, tables)
    expect(await capture(`insert into thing values (3, 'b'); delete from thing_a`)).toEqual([
      { id: '1', kind: 'a', _operation: 'delete' },
      { id: '3', kind: 'b', _operation: 'insert' },
    ])
  })
})

describe('a relation that proves nothing by itself', () => {
  it('a view is compared whole every time, and I9 writes nothing if it is the same', async () => {
    await open(`create table base (id integer, name text); insert into base values (1, 'a'), (2, 'b');
      create view thing as select * from base where name <> 'hidden'`)
    expect(
      await capture(
        `update base set name = 'hidden' where id = 1; insert into base values (3, 'c')`,
      ),
    ).toEqual([
      { id: '1', name: 'a', _operation: 'delete' },
      { id: '3', name: 'c', _operation: 'insert' },
    ])
    expect((await extract(system.deps)).committed).toBe(false)
    expect(await capture('create or replace view thing as select * from base')).toEqual([
      { id: '1', name: 'hidden', _operation: 'insert' },
    ])
  })

  it('a materialized view follows its refreshes', async () => {
    await open(
      `create table base as select 1 as id; create materialized view thing as select id from base`,
    )
    expect(await capture('insert into base values (2)')).toEqual([])
    expect(await capture('refresh materialized view thing')).toEqual([
      { id: '2', _operation: 'insert' },
    ])
  })

  it('I1 a table under row security: rows that nobody touched come and go', async () => {
    await open(`create table allowed (id integer); insert into allowed values (1), (2);
      create table thing (id integer primary key); insert into thing values (1), (2), (3);
      alter table thing enable row level security;
      create policy chosen on thing for select using (id in (select id from allowed))`)
    expect(await lake()).toEqual([{ id: '1' }, { id: '2' }])
    expect(await capture('update allowed set id = 3 where id = 1')).toEqual([
      { id: '1', _operation: 'delete' },
      { id: '3', _operation: 'insert' },
    ])
  })

  it('a table without a primary key is captured by its declared key', async () => {
    await open(
      'create table thing (id integer, n integer); insert into thing values (1, 1), (2, 2)',
      UNENFORCED,
    )
    expect(
      await capture('update thing set n = 20 where id = 2; delete from thing where id = 1'),
    ).toEqual([
      { id: '1', n: '1', _operation: 'delete' },
      { id: '2', n: '20', _operation: 'update' },
    ])
  })

  it.each([
    ['twice in one batch', 'insert into thing values (3, 3), (3, 4)'],
    ['once more in a later batch', 'insert into thing values (1, 9)'],
    ['as null', 'insert into thing values (null, 1)'],
  ])('I6 a declared key that occurs %s holds the table', async (_, sql) => {
    await open(
      'create table thing (id integer, n integer); insert into thing values (1, 1), (2, 2)',
      UNENFORCED,
    )
    expect(await capture(sql)).toEqual([])
    expect(await heldFor()).toBe('key_not_unique')
    expect(
      await capture('delete from thing where n > 2 or id is null; insert into thing values (5, 5)'),
    ).toEqual([{ id: '5', n: '5', _operation: 'insert' }])
    expect(await heldFor()).toBeUndefined()
  })

  it('I6 a key that is unique in the parent only is checked over the children too', async () => {
    await open(`create table thing (id integer primary key); create table child () inherits (thing);
      insert into thing values (1); insert into child values (2)`)
    expect(await capture('insert into child values (1)')).toEqual([])
    expect(await heldFor()).toBe('key_not_unique')
  })

  it('a table whose key no constraint enforces is held, unless the contract allows it', async () => {
    await open('create table thing (id integer, n integer); insert into thing values (1, 1)')
    expect(await heldFor()).toBe('key_lost')
    const project = bareProject(UNENFORCED)
    const { record } = await extract({ ...system.deps, project })
    expect(await readChanges(system, record, 'thing')).toEqual([
      { id: '1', n: '1', _operation: 'insert' },
    ])
  })
})

describe('hostile names', () => {
  it('of tables, keys and columns are only names', async () => {
    const odd = `Odd "t'able"; --`
    const columns = [
      `Key "1"`,
      `'; drop table x; --`,
      '$1',
      'select',
      'É🙂',
      '%s {0}',
      'a\\b',
      'x'.repeat(63),
    ]
    const quoted = columns.map((name) => pg.escapeIdentifier(name))
    const [key = ''] = columns
    await open(
      `create table ${pg.escapeIdentifier(odd)} (${quoted.map((name) => `${name} text`).join(', ')},
         primary key (${quoted[0]}));
       insert into ${pg.escapeIdentifier(odd)} values (${columns.map((_, index) => index).join(', ')})`,
      [{ name: 'thing', relation: odd, key: [key] }],
    )
    const row = Object.fromEntries(columns.map((name, index) => [name, String(index)]))
    expect(await lake()).toEqual([row])
    expect(await capture(`update ${pg.escapeIdentifier(odd)} set ${quoted[1]} = 'new'`)).toEqual([
      { ...row, [columns[1] ?? '']: 'new', _operation: 'update' },
    ])
    expect(await capture(`delete from ${pg.escapeIdentifier(odd)}`)).toHaveLength(1)
  })
})
