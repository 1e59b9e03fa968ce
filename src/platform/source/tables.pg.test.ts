import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../test/support/database.ts'
import type { Database } from '../io/database.ts'
import type { SourceTable } from '../project/source-contract.ts'
import { openSnapshot } from './snapshot.ts'
import type { TableShape } from './table-shape.ts'
import { checkNotRewritten, readTables, type SourceState } from './tables.ts'

let test: TestDatabase
let database: Database

beforeAll(async () => {
  test = await createDatabase({ template: 'empty' })
  database = { title: 'the source', code: 'SOURCE', url: test.readerUrl, attempts: 1 }
  await test.query(`
    create schema other; grant usage on schema other to public;
    create domain amount as numeric(10,3);
    create domain price as amount check (value > 0);
    create table plain (id integer primary key, name text not null, p price, at timestamp(3), g integer);
    alter table plain drop column g;
    create table keyless (id integer, code text not null);
    create unique index on keyless (id);
    create table partial (id integer not null);
    create unique index on partial (id) where id > 0;
    create table composite (a integer, b integer, c integer, primary key (a, b) include (c));
    create table "Sélect ""me""" ("a b" integer primary key, "group" text);
    create table other.plain (id bigint primary key);
    grant select on other.plain to public;
    create view seen as select * from plain;
    create materialized view stored as select id from plain;
    create table parted (id integer primary key) partition by range (id);
    create table parted_1 partition of parted for values from (0) to (9);
    create table parent (id integer primary key);
    create table child () inherits (parent);
    create table guarded (id integer primary key);
    alter table guarded enable row level security;
    create index not_a_table on plain (name)`)
})

afterAll(() => test.drop())

async function states(...tables: SourceTable[]): Promise<SourceState[]> {
  await using snapshot = await openSnapshot(database)
  return await readTables(snapshot, { schema: 'public', tables })
}

async function shapes(...tables: SourceTable[]): Promise<TableShape[]> {
  return (await states(...tables)).flatMap(({ shape: found }) => found ?? [])
}

async function shape(table: SourceTable): Promise<TableShape> {
  const [found] = await shapes(table)
  if (found === undefined) throw new Error('no shape')
  return found
}

describe('readTables()', () => {
  it('returns columns in order, with domains resolved and without dropped ones', async () => {
    expect(await shape({ name: 'plain', key: ['id'] })).toMatchObject({
      name: 'plain',
      relation: '"public"."plain"',
      hasXmin: true,
      hasCtidRanges: true,
      keyIsUnique: true,
      columns: [
        { name: 'id', type: 'integer', baseType: 'integer', nullable: false },
        { name: 'name', type: 'text', baseType: 'text', nullable: false },
        { name: 'p', type: 'public.price', baseType: 'numeric(10,3)', nullable: true },
        {
          name: 'at',
          type: 'timestamp(3) without time zone',
          baseType: 'timestamp(3) without time zone',
          nullable: true,
        },
      ],
    })
  })

  it('keeps the contract’s order and tells schemas apart', async () => {
    const found = await shapes(
      { name: 'theirs', key: ['id'], schema: 'other', relation: 'plain' },
      { name: 'plain', key: ['id'] },
    )
    expect(found.map(({ name, relation, columns }) => [name, relation, columns[0]?.type])).toEqual([
      ['theirs', '"other"."plain"', 'bigint'],
      ['plain', '"public"."plain"', 'integer'],
    ])
  })

  it('quotes any name', async () => {
    const found = await shape({ name: 'odd', key: ['a b'], relation: 'Sélect "me"' })
    expect(found.relation).toBe('"public"."Sélect ""me"""')
    expect(found.columns.map(({ name }) => name)).toEqual(['a b', 'group'])
  })

  it.each([
    ['plain', ['id'], true],
    ['plain', ['id', 'name'], true],
    ['plain', ['name'], false],
    ['keyless', ['id'], false],
    ['partial', ['id'], false],
    ['composite', ['a', 'b'], true],
    ['composite', ['a'], false],
    ['parted', ['id'], true],
    ['parent', ['id'], false],
    ['seen', ['id'], false],
  ])('knows for %s whether the key %j is proven unique: %s', async (name, key, isUnique) => {
    expect((await shape({ name, key })).keyIsUnique).toBe(isUnique)
  })

  it.each([
    ['plain', true, true],
    ['seen', false, false],
    ['stored', true, true],
    ['parted', true, false],
    ['parent', true, false],
    ['guarded', false, true],
  ])(
    'of %s knows whether ids and pages can be trusted: %s, %s',
    async (name, hasXmin, hasCtidRanges) => {
      expect(await shape({ name, key: ['id'] })).toMatchObject({ hasXmin, hasCtidRanges })
    },
  )

  it('returns the same fingerprint while only rows change', async () => {
    const before = await shape({ name: 'plain', key: ['id'] })
    await test.query(`insert into plain values (1, 'a'); analyze plain; create index on plain (at)`)
    expect((await shape({ name: 'plain', key: ['id'] })).fingerprint).toBe(before.fingerprint)
  })

  it.each([
    ['alter table parted_1 rename to parted_one', 'parted', true],
    ['create table parted_2 partition of parted for values from (9) to (99)', 'parted', false],
    ['alter table plain rename name to title', 'plain', false],
    ['alter table plain alter title drop not null', 'plain', false],
  ])('after %s', async (sql, name, isSame) => {
    const before = await shape({ name, key: ['id'] })
    await test.query(sql)
    expect((await shape({ name, key: ['id'] })).fingerprint === before.fingerprint).toBe(isSame)
  })

  it('returns defaults, generated columns and the labels of enums in their order', async () => {
    await test.query(`
      create type mood as enum ('sad', 'glad');
      alter type mood add value 'so-so' before 'glad';
      create domain temper as mood;
      create table detailed (
          id integer generated always as identity primary key,
          a text not null default 'it''s',
          b integer generated always as (id * 2) stored,
          c mood default 'sad',
          d mood[],
          e temper,
          f integer[]
      )`)
    const { columns } = await shape({ name: 'detailed', key: ['id'] })
    const labels = ['sad', 'so-so', 'glad']
    expect(
      columns.map((column) => [column.name, column.default, column.generated, column.labels]),
    ).toEqual([
      ['id', null, false, null],
      ['a', `'it''s'::text`, false, null],
      ['b', '(id * 2)', true, null],
      ['c', `'sad'::public.mood`, false, labels],
      ['d', null, false, labels],
      ['e', null, false, labels],
      ['f', null, false, null],
    ])
  })

  it.each([
    ['a function', 'alter table defaulted alter a drop default; drop function one()'],
    ['a type', 'alter table defaulted drop b; drop type tint'],
  ])('goes on if %s that a default used is dropped after the snapshot', async (_, sql) => {
    await test.query(`
      create function one() returns integer language sql as 'select 1';
      create type tint as enum ('red');
      create table defaulted (id integer primary key, a integer default one(), b tint default 'red')`)
    const before = await shape({ name: 'defaulted', key: ['id'] })
    expect(before.columns.map((column) => column.default)).toEqual([
      null,
      'public.one()',
      `'red'::public.tint`,
    ])
    {
      await using snapshot = await openSnapshot(database)
      await test.query(sql)
      const tables = [{ name: 'defaulted', key: ['id'] }]
      const [state] = await readTables(snapshot, { schema: 'public', tables })
      expect(state?.shape?.columns).toHaveLength(3)
    }
    await test.query(
      'drop table defaulted; drop function if exists one(); drop type if exists tint',
    )
  })

  it('I9 leaves them out of the fingerprint, so that older lakes are not compared whole', async () => {
    await test.query(`
      create type size as enum ('s', 'm');
      create table pinned (
          id integer primary key,
          gone text,
          size size not null default 'm',
          twice integer generated always as (id * 2) stored
      );
      alter table pinned drop column gone`)
    const [row] = await test.query<{ oid: string }>(`select 'pinned'::regclass::oid::text as oid`)
    const column = (name: string, type: string, nullable: boolean) => ({
      name,
      type,
      baseType: type,
      nullable,
    })
    const identity = [
      row?.oid,
      'r',
      [
        column('id', 'integer', false),
        column('size', 'public.size', false),
        column('twice', 'integer', true),
      ],
      [
        [1, [], null],
        [3, ['s', 'm'], null],
        [4, [], '(id * 2)'],
      ],
      [],
      ['id'],
    ]
    const expected = createHash('sha256').update(JSON.stringify(identity)).digest('hex')
    const { fingerprint } = await shape({ name: 'pinned', key: ['id'] })
    expect(fingerprint).toBe(expected.slice(0, 16))
    await test.query(`alter table pinned alter size set default 's'`)
    expect((await shape({ name: 'pinned', key: ['id'] })).fingerprint).toBe(fingerprint)
  })

  it.each([
    [{ name: 'absent', key: ['id'] }, 'table_missing', 'there is no table public.absent'],
    [
      { name: 'plain', key: ['id'], schema: 'none' },
      'table_missing',
      'there is no table none.plain',
    ],
    [{ name: 'not_a_table', key: ['id'] }, 'table_missing', 'no table public.not_a_table'],
    [{ name: 'plain', key: ['id', 'gone'] }, 'key_missing', 'its key column gone is gone'],
  ])('says why %j cannot be captured', async (table, reason, detail) => {
    const [, state] = await states({ name: 'parted', key: ['id'] }, table)
    expect(state?.breach).toEqual({ reason, detail: expect.stringContaining(detail) })
  })

  it('throws if no table exists, because this is another database', async () => {
    await expect(states({ name: 'absent', key: ['id'] })).rejects.toMatchObject({
      name: 'ContractError',
      code: 'SOURCE_TABLE_MISSING',
      message: expect.stringContaining('there is no table public.absent'),
    })
  })
})

describe('checkNotRewritten()', () => {
  // A read of a partitioned table uses the partitions of now, whatever its snapshot shows.
  it.each([
    ['detached', 'alter table parted detach partition parted_2'],
    ['attached', 'alter table parted attach partition parted_2 for values from (9) to (99)'],
  ])('I2 names a table of which a partition was %s after the snapshot', async (_, sql) => {
    await using snapshot = await openSnapshot(database)
    await test.query(sql)
    await expect(checkNotRewritten(snapshot, contract)).rejects.toMatchObject({
      code: 'SOURCE_REWRITTEN',
      message: expect.stringContaining('Table parted '),
    })
  })

  const contract = {
    schema: 'public',
    tables: [
      { name: 'stored', key: ['id'] },
      { name: 'parted', key: ['id'] },
    ],
  }

  it('passes if only rows changed, whatever happened to other tables', async () => {
    await using snapshot = await openSnapshot(database)
    await test.query('insert into parted values (1)')
    await test.query('vacuum full keyless')
    await expect(checkNotRewritten(snapshot, contract)).resolves.toBeUndefined()
  })

  it.each([
    ['a partition', 'truncate parted', 'parted_2'],
    ['a materialized view', 'refresh materialized view stored', 'stored'],
  ])('names %s that got new storage after the snapshot', async (_, sql, name) => {
    await using snapshot = await openSnapshot(database)
    await test.query(sql)
    await expect(checkNotRewritten(snapshot, contract)).rejects.toMatchObject({
      name: 'ConflictError',
      code: 'SOURCE_REWRITTEN',
      message: expect.stringContaining(name),
    })
  })
})
