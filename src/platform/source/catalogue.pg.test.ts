import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../test/support/database.ts'
import type { CatalogueColumn, CatalogueTable } from '../project/catalogue-table.ts'
import { readCatalogue } from './catalogue.ts'
import { openSnapshot } from './snapshot.ts'

async function read(url: string): Promise<CatalogueTable[]> {
  const database = { title: 'the source', code: 'SOURCE', url, attempts: 1 } as const
  await using snapshot = await openSnapshot(database)
  return await readCatalogue(snapshot)
}

function places(tables: readonly CatalogueTable[]): string[] {
  return tables.map(({ schema, relation }) => `${schema}.${relation}`)
}

describe('readCatalogue()', () => {
  let test: TestDatabase
  let tables: readonly CatalogueTable[]

  beforeAll(async () => {
    test = await createDatabase({ template: 'empty' })
    await test.query(`
      create schema sales; create schema closed;
      grant usage on schema sales to public;
      create type mood as enum ('calm', 'cross');
      create domain mode as mood;
      create domain amount as numeric(10, 3);
      create domain price as amount check (value > 0);
      create table plain (
        id integer primary key, name text not null, at timestamp(3)[], feeling mood, gone text,
        price price, mode mode
      );
      alter table plain drop column gone;
      comment on table plain is 'Plain things';
      comment on column plain.name is 'What people call it';
      insert into plain select n, 'x' from generate_series(1, 40) as n;
      create table sales.keyed (a integer not null, b integer not null, c integer not null, d integer);
      create unique index z_one on sales.keyed (c);
      create unique index a_two on sales.keyed (a, b);
      create unique index a_null on sales.keyed (d);
      create unique index a_part on sales.keyed (b) where b > 0;
      create unique index a_expression on sales.keyed ((a + b));
      create table sales.replicated (a integer not null, b integer not null);
      create unique index one on sales.replicated (a);
      create unique index two on sales.replicated (b, a);
      alter table sales.replicated replica identity using index two;
      create table composite (b integer, a integer, c integer, primary key (b, a) include (c));
      create table keyless (id integer);
      create table parted (id integer, day date, primary key (id, day)) partition by range (day);
      create table parted_1 partition of parted for values from ('2024-01-01') to ('2025-01-01');
      insert into parted select n, '2024-05-05' from generate_series(1, 9) as n;
      create table parent (id integer primary key);
      create table child (extra text) inherits (parent);
      create view seen as select id from plain;
      create materialized view stored as select id from plain;
      create foreign data wrapper nowhere;
      create server elsewhere foreign data wrapper nowhere;
      create foreign table far (id integer) server elsewhere;
      create table "Odd ""na.me" ("a b" integer primary key);
      create table refers (
        id integer primary key,
        plain_id integer references plain,
        y integer, x integer,
        part_id integer, part_day date,
        foreign key (y, x) references composite (b, a),
        foreign key (part_id, part_day) references parted
      );
      create table hidden (id integer primary key, secret text);
      revoke all on hidden from ${test.name}_reader;
      create table half (id integer primary key, code text unique not null, secret text);
      revoke all on half from ${test.name}_reader;
      grant select (code) on half to ${test.name}_reader;
      create table closed.inside (id integer primary key);
      grant select on all tables in schema sales, closed to ${test.name}_reader;
      create unlogged table unlogged (id integer primary key);
      create temporary table passing (id integer);
      analyze`)
    tables = await read(test.readerUrl)
  })
  afterAll(() => test.drop())

  const find = (relation: string): CatalogueTable => {
    const found = tables.find((table) => table.relation === relation)
    if (found === undefined) throw new Error(`there is no ${relation}`)
    return found
  }

  it('finds everything with rows, and leaves partitions and temporary tables out', () => {
    expect(places(tables)).toEqual([
      'closed.inside',
      'public.Odd "na.me',
      'public.child',
      'public.composite',
      'public.far',
      'public.half',
      'public.hidden',
      'public.keyless',
      'public.parent',
      'public.parted',
      'public.plain',
      'public.refers',
      'public.seen',
      'public.stored',
      'public.unlogged',
      'sales.keyed',
      'sales.replicated',
    ])
  })

  const column = (name: string, type: string, change: Partial<CatalogueColumn> = {}) => ({
    name,
    type,
    baseType: type,
    isEnum: false,
    nullable: true,
    isReadable: true,
    comment: undefined,
    ...change,
  })

  it('describes a table, its columns and its size', () => {
    expect(find('plain')).toEqual({
      schema: 'public',
      relation: 'plain',
      kind: 'table',
      isReadable: true,
      columns: [
        column('id', 'integer', { nullable: false }),
        column('name', 'text', { nullable: false, comment: 'What people call it' }),
        column('at', 'timestamp(3) without time zone[]'),
        column('feeling', 'public.mood', { isEnum: true }),
        column('price', 'public.price', { baseType: 'numeric(10,3)' }),
        column('mode', 'public.mode', { baseType: 'public.mood', isEnum: true }),
      ],
      key: ['id'],
      keyFrom: 'primary key',
      comment: 'Plain things',
      foreignKeys: [],
      rows: 40,
      bytes: 8192,
    })
  })

  it('counts the rows of the partitions', () => {
    expect(find('parted')).toMatchObject({ rows: 9, bytes: 8192 })
    expect(find('child')).toMatchObject({ rows: 0, bytes: 0 })
    expect(find('seen').rows).toBeUndefined()
  })

  it.each([
    ['plain', 'table'],
    ['parted', 'partitioned'],
    ['seen', 'view'],
    ['stored', 'materialized view'],
    ['far', 'foreign table'],
  ])('knows that %s is a %s', (relation, kind) => {
    expect(find(relation).kind).toBe(kind)
  })

  it.each([
    ['composite', ['b', 'a'], 'primary key'],
    ['parted', ['id', 'day'], 'primary key'],
    ['Odd "na.me', ['a b'], 'primary key'],
    ['keyed', ['c'], 'unique index'],
    ['replicated', ['b', 'a'], 'unique index'],
    ['half', ['code'], 'unique index'],
    ['keyless', undefined, undefined],
    ['parent', undefined, undefined],
    ['seen', undefined, undefined],
    ['hidden', undefined, undefined],
  ])('gives %s the key %j from its %s', (relation, key, from) => {
    expect(find(relation)).toMatchObject({ key, keyFrom: from })
  })

  it('knows what this user may read', () => {
    const closed = tables.filter(({ isReadable }) => !isReadable)
    expect(places(closed)).toEqual(['closed.inside', 'public.hidden'])
    expect(find('half').columns.map(({ name, isReadable }) => [name, isReadable])).toEqual([
      ['id', false],
      ['code', true],
      ['secret', false],
    ])
    expect(find('inside').columns.map(({ isReadable }) => isReadable)).toEqual([false])
  })

  it('lists each foreign key once, its columns beside those that they refer to', () => {
    expect(find('refers').foreignKeys).toEqual([
      {
        columns: ['plain_id'],
        refersTo: { schema: 'public', relation: 'plain', columns: ['id'] },
      },
      {
        columns: ['y', 'x'],
        refersTo: { schema: 'public', relation: 'composite', columns: ['b', 'a'] },
      },
      {
        columns: ['part_id', 'part_day'],
        refersTo: { schema: 'public', relation: 'parted', columns: ['id', 'day'] },
      },
    ])
  })

  it('waits for nobody’s lock', async () => {
    const client = await test.client()
    await client.query('begin; lock table plain in access exclusive mode')
    try {
      expect(places(await read(test.readerUrl))).toEqual(places(tables))
    } finally {
      await client.query('rollback')
    }
  })

  it('takes no unique index whose column was not null only for newer rows', async () => {
    await using own = await createDatabase({ template: 'empty' })
    await own.query(`
      create table late (id integer);
      insert into late values (null);
      create unique index on late (id);
      alter table late add constraint late_id not null id not valid`)
    expect((await read(own.readerUrl))[0]).toMatchObject({ relation: 'late', key: undefined })
  })

  it('leaves out the tables of an extension', async () => {
    await using own = await createDatabase({ template: 'empty' })
    await own.query(`
      create table settings (id integer primary key);
      create table kept (id integer primary key);
      alter extension plpgsql add table settings`)
    expect(places(await read(own.readerUrl))).toEqual(['public.kept'])
  })
})

describe('readCatalogue() where a definition is not UTF-8', () => {
  it('loses only what cannot be read', async () => {
    await using own = await createDatabase({ template: 'empty', encoding: 'SQL_ASCII' })
    const client = await own.client()
    await client.query(`set client_encoding to 'SQL_ASCII'`)
    await client.query(`
      create table fine (id integer primary key);
      create table "größe" (id integer primary key);
      create table remarked (id integer primary key);
      create table worded (id integer primary key);
      do $$ begin
        execute convert_from('\\x637265617465207461626c6520226df6786520222028696420696e7465676572290a', 'SQL_ASCII');
        execute format('alter table worded add column %I text', convert_from('\\xe4', 'SQL_ASCII'));
        execute format('comment on table remarked is %L', convert_from('\\xe4', 'SQL_ASCII'));
      end $$;
      grant select on all tables in schema public to ${own.name}_reader`)
    const found = await read(own.readerUrl)
    expect(found.map(({ relation, isReadable, key }) => [relation, isReadable, key ?? []])).toEqual(
      [
        ['fine', true, ['id']],
        ['größe', true, ['id']],
        ['m\\366xe ', false, []],
        ['remarked', true, ['id']],
        ['worded', false, []],
      ],
    )
  })

  it('has nothing to say about an empty database', async () => {
    await using own = await createDatabase({ template: 'empty' })
    expect(await read(own.readerUrl)).toEqual([])
  })
})
