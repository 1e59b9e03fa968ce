import { afterEach, describe, expect, it } from 'vitest'
import { extract } from '../../src/platform/extract/extract.ts'
import { openSnapshot } from '../../src/platform/source/snapshot.ts'
import { readTables } from '../../src/platform/source/tables.ts'
import { bareProject } from '../support/bare-project.ts'
import { readChanges, readTable, type TextRow } from '../support/lake.ts'
import { startSource } from '../support/source-server.ts'
import { createSystem, type TestSystem } from '../support/system.ts'

const opened: AsyncDisposable[] = []
afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each[Symbol.asyncDispose]()
})
let system: TestSystem

/** A separate source, created by some SQL, with a first batch. */
async function open(sql: string) {
  system = await createSystem({
    project: bareProject([{ name: 'thing', key: ['id'] }]),
    template: 'empty',
  })
  opened.push(system)
  await system.sql.query(sql)
  await extract(system.deps)
}

async function capture(sql: string): Promise<TextRow[]> {
  await system.sql.query(sql)
  const { record, committed } = await extract(system.deps)
  return committed ? readChanges(system, record, 'thing') : []
}

async function isVersioned(): Promise<boolean | undefined> {
  await using snapshot = await openSnapshot(system.deps.source)
  const [found] = await readTables(snapshot, system.deps.project.source)
  return found?.shape?.hasXmin
}

describe('rows that change without a transaction id', () => {
  it('I1 in a table that was set unlogged are compared every time, and are missed after a crash', async () => {
    const source = await startSource()
    opened.push(source)
    await source.sql(`create table thing (id integer primary key);
      insert into thing select generate_series(1, 20)`)
    await open('create table thing (id integer primary key)')
    const deps = { ...system.deps, source: source.database }
    await extract(deps)
    await source.sql('alter table thing set unlogged')
    // From here on the record says so, and no later run takes a quiet server for a quiet table.
    const { record } = await extract(deps)
    expect(record?.tables['thing']).toMatchObject({ unversioned: true, changes: [] })
    expect(await extract(deps)).toMatchObject({ committed: false })

    const { pid } = source.postgres
    process.kill(pid, 'SIGQUIT')
    await source.stop()
    await source.start()
    expect(await source.sql('select 1 from thing')).toEqual([])
    await extract(deps)
    expect(await readTable(system, (await system.records()).at(-1), 'thing')).toEqual([])
  })

  it.each([
    ['an unlogged table', 'create unlogged table thing (id integer primary key)'],
    [
      'a partition that is unlogged',
      `create table thing (id integer primary key) partition by range (id);
       create table thing_1 partition of thing for values from (0) to (9);
       create unlogged table thing_2 partition of thing for values from (9) to (99)`,
    ],
    [
      'a child that is unlogged',
      `create table thing (id integer primary key);
       create unlogged table child () inherits (thing)`,
    ],
    ['a table of role names', 'create table thing (id integer primary key, ref regrole)'],
    ['a table of rights', 'create table thing (id integer primary key, ref aclitem[])'],
    [
      'a table of type names, within a composite type within an array',
      `create type pair as (a text, b regtype); create domain pairs as pair[];
       create table thing (id integer primary key, ref pairs)`,
    ],
  ])('I1 in %s are compared every time', async (_, sql) => {
    await open(sql)
    expect(await isVersioned()).toBe(false)
    expect((await system.records())[0]?.tables['thing']?.unversioned).toBe(true)
  })

  it('I1 and hold the name of another table follow a rename of that table', async () => {
    await open(`create table named (id integer);
      create table thing (id integer primary key, ref regclass, refs regclass[]);
      insert into thing values (1, 'named', '{named}'), (2, null, null)`)
    expect(await capture('alter table named rename to renamed')).toEqual([
      { id: '1', ref: 'public.renamed', refs: '{public.renamed}', _operation: 'update' },
    ])
    expect(
      await capture('create schema elsewhere; alter table renamed set schema elsewhere'),
    ).toEqual([
      { id: '1', ref: 'elsewhere.renamed', refs: '{elsewhere.renamed}', _operation: 'update' },
    ])
  })

  it('are not in an ordinary table', async () => {
    await open(`create type mood as enum ('ok'); create type pair as (a integer, b mood[]);
      create table thing (id integer primary key, a pair, b oid, c name, d tsvector, e point, f int4range)`)
    expect(await isVersioned()).toBe(true)
  })
})

describe('a type that a value is made of, however deep', () => {
  const MOOD = `create type mood as enum ('ok', 'sad')`

  it.each([
    ['in an array of a domain', 'create domain felt as mood', 'felt[]', '{ok,sad}', '{ok,blue}'],
    ['in a domain over an array', 'create domain felt as mood[]', 'felt', '{sad}', '{blue}'],
    [
      'in a domain over a domain',
      'create domain a as mood; create domain b as a',
      'b',
      'sad',
      'blue',
    ],
    ['in a range', 'create type felt as range (subtype = mood)', 'felt', '[ok,sad]', '[ok,blue]'],
    [
      'in a multirange',
      'create type felt as range (subtype = mood)',
      'felt_multirange',
      '{[sad,sad]}',
      '{[blue,blue]}',
    ],
    [
      'in a composite type within another, in an array',
      'create domain d as mood; create type a as (m d); create type b as (n int, a a[])',
      'b[]',
      '{"(1,\\"{(sad)}\\")"}',
      '{"(1,\\"{(blue)}\\")"}',
    ],
    ['in the rows of a table', 'create table felt (id int, m mood)', 'felt', '(1,sad)', '(1,blue)'],
  ])(
    'I1 a label renamed %s is a version of the rows that hold it',
    async (_, types, type, text, renamed) => {
      await open(`${MOOD}; ${types};
      create table thing (id integer primary key, v ${type});
      insert into thing values (1, '${text}'), (2, null)`)
      expect(await capture(`alter type mood rename value 'sad' to 'blue'`)).toEqual([
        { id: '1', v: renamed, _operation: 'update' },
      ])
      expect(await capture('select 1')).toEqual([])
    },
  )

  it.each([
    ['added', 'add attribute c text', '(1,2,)'],
    ['dropped', 'drop attribute b', '(1)'],
  ])(
    'I1 an attribute %s is a version of the rows that hold a value',
    async (_, alteration, text) => {
      await open(`create type pair as (a integer, b integer); create type pairs as (p pair);
      create table thing (id integer primary key, v pair, w pairs);
      insert into thing values (1, '(1,2)', '("(1,2)")'), (2, null, null)`)
      const [change] = await capture(`alter type pair ${alteration}`)
      expect(change).toMatchObject({ id: '1', v: text, _operation: 'update' })
    },
  )
})
