import { describe, expect, it } from 'vitest'
import { verify } from '../../../src/platform/inspect/verify.ts'
import { isDifferent } from '../../../src/platform/inspect/verified-table.ts'
import { createMirror } from '../../support/mirror.ts'
import type { TestSystem } from '../../support/system.ts'

const SHOP = `
  create type mood as enum ('good', 'bad');
  create table customer (
    id int primary key, name text not null, email varchar(80), born date, mood mood,
    tags text[], spans int4range, balance numeric(12, 2), at timestamptz, key uuid, note jsonb
  );
  insert into customer values
    (1, 'Ann', 'ann@example.org', '1990-05-01', 'good', '{a,b}', '[1,5)', 10.50,
     '2024-01-01 00:00:00+00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": 1}'),
    (2, 'Bob', null, null, null, null, null, null, null, null, null);
  create schema sales;
  grant usage on schema sales to public;
  alter default privileges in schema sales grant select on tables to public;
  create table sales.orders (
    region text, number int, customer int references customer, version int, batch_id text,
    primary key (region, number)
  );
  insert into sales.orders values ('north', 1, 1, 7, 'x'), ('south', 1, 2, 1, null);
  create table log (line text, at timestamp);
  insert into log values ('a', '2024-01-01'), ('a', '2024-01-01'), ('b', null);`

/** The tables that a verification finds different; all of them must have been compared. */
async function differences(system: TestSystem): Promise<unknown[]> {
  const { tables, faults } = await verify(system.deps)
  const places = new Set(tables.map(({ where }) => where))
  expect(places).toEqual(new Set(['lake', 'warehouse', 'history']))
  return [...tables.filter((table) => isDifferent(table) || table.held !== undefined), ...faults]
}

describe('a mirror', () => {
  it('I6 keeps every table as it is, in its own types, without a project', async () => {
    await using system = await createMirror(SHOP)
    await system.run()
    expect(await system.query(`select * from customer_current order by id limit 1`)).toMatchObject([
      { record_id: '1', id: 1, name: 'Ann', balance: '10.50', tags: ['a', 'b'] },
    ])
    expect(
      await system.query(
        `select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
         where attrelid = 'customer'::regclass and attnum > 0 order by attnum`,
      ),
    ).toEqual([
      { name: 'record_id', type: 'bigint' },
      { name: 'id', type: 'integer' },
      { name: 'name', type: 'text' },
      { name: 'email', type: 'character varying(80)' },
      { name: 'born', type: 'date' },
      { name: 'mood', type: 'text' },
      { name: 'tags', type: 'text[]' },
      { name: 'spans', type: 'int4range' },
      { name: 'balance', type: 'numeric(12,2)' },
      { name: 'at', type: 'timestamp with time zone' },
      { name: 'key', type: 'uuid' },
      { name: 'note', type: 'jsonb' },
      { name: 'record_operation', type: 'text' },
      { name: 'recorded_at', type: 'timestamp with time zone' },
      { name: 'batch_id', type: 'bigint' },
    ])
    expect(await differences(system)).toEqual([])
  })

  it('lets columns of the source keep their names beside those of the history', async () => {
    await using system = await createMirror(SHOP)
    await system.run()
    await system.sql.query(`update sales.orders set version = 8 where region = 'north'`)
    await system.run()
    expect(
      await system.query(
        `select region, version, batch_id, tidemark_version, tidemark_batch_id, is_current
         from sales_orders_history where region = 'north' order by tidemark_version`,
      ),
    ).toEqual([
      {
        region: 'north',
        version: 7,
        batch_id: 'x',
        tidemark_version: '1',
        tidemark_batch_id: '1',
        is_current: false,
      },
      {
        region: 'north',
        version: 8,
        batch_id: 'x',
        tidemark_version: '2',
        tidemark_batch_id: '2',
        is_current: true,
      },
    ])
    expect(await differences(system)).toEqual([])
  })

  it('keeps a table without a key by content, with a count of equal rows', async () => {
    await using system = await createMirror(SHOP)
    await system.run()
    const rows = () =>
      system.query(`select line, row_count from log_current order by line, row_count`)
    expect(await rows()).toEqual([
      { line: 'a', row_count: '2' },
      { line: 'b', row_count: '1' },
    ])
    await system.sql.query(`
      delete from log where ctid = (select min(ctid) from log where line = 'a');
      update log set line = 'c' where line = 'b'`)
    await system.run()
    expect(await rows()).toEqual([
      { line: 'a', row_count: '1' },
      { line: 'c', row_count: '1' },
    ])
    expect(await differences(system)).toEqual([])
  })

  it('I9 writes nothing if nothing changed', async () => {
    await using system = await createMirror(SHOP)
    await system.run()
    const report = await system.run()
    expect(report.extracted?.committed).toBe(false)
  })

  it('follows columns that are added, widened, dropped and renamed, without versions of their own', async () => {
    await using system = await createMirror(SHOP)
    await system.run()
    await system.sql.query(`
      alter table customer add column phone text;
      alter table customer alter column id type bigint;
      alter table customer alter column balance type numeric(14, 3);
      alter table customer drop column born`)
    await system.run()
    expect(await system.query('select count(*)::int as n from customer')).toEqual([{ n: 2 }])
    await system.sql.query(`
      update customer set phone = '1' where id = 1;
      insert into customer (id, name) values (5000000000, 'Cy')`)
    await system.run()
    expect(
      await system.query(
        `select id, phone, born::text, balance, version from customer_history order by id, version`,
      ),
    ).toEqual([
      { id: '1', phone: null, born: '1990-05-01', balance: '10.500', version: '1' },
      { id: '1', phone: '1', born: null, balance: '10.500', version: '2' },
      { id: '2', phone: null, born: null, balance: null, version: '1' },
      { id: '5000000000', phone: null, born: null, balance: null, version: '1' },
    ])
    expect(await differences(system)).toEqual([])
  })

  it('captures a table that appears later, and holds one that is gone', async () => {
    await using system = await createMirror(SHOP)
    await system.run()
    await system.sql.query(`create table later (id int primary key); insert into later values (1)`)
    await system.run()
    expect(await system.query('select id from later_current')).toEqual([{ id: 1 }])
    await system.sql.query(`drop table later`)
    const report = await system.run()
    expect(report.held).toMatchObject([{ table: 'later', reason: 'table_missing' }])
    expect(await system.query('select id from later_current')).toEqual([{ id: 1 }])
  })

  it('keeps tables that are called like types of Postgres', async () => {
    await using system = await createMirror(`
      create table date (id int primary key, line text);
      create table line (id int primary key);
      insert into date values (1, 'a')`)
    expect((await system.run()).failures).toEqual([])
    await system.sql.query(`update date set line = 'b'`)
    expect((await system.run()).failures).toEqual([])
    expect(
      await system.query(`
        select b.line as before, n.line as now
        from date_as_of_batch(1) as b, date_as_of(now()) as n`),
    ).toEqual([{ before: 'a', now: 'b' }])
    expect(await differences(system)).toEqual([])
  })
})
