import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestReader, type TestReader } from '../../../test/support/reader.ts'
import { createShop, type ShopSystem } from '../../../test/support/shop.ts'
import { ask, type AskedRows, type AskOptions, type AskRefusal } from './ask.ts'
import { createReader, type Reader } from './reader.ts'
import { readRelations } from './relations.ts'

const ENDLESS = 'select count(*) from generate_series(1, 1e6) as a, generate_series(1, 1e6) as b'

describe('ask()', () => {
  let shop: ShopSystem
  let role: TestReader
  let reader: Reader
  beforeAll(async () => {
    shop = await createShop()
    role = await createTestReader(shop)
    reader = createReader(role.warehouse)
    await shop.sql.query(`insert into sale values
      (1, 1, 2, 3.500, '2024-01-02', null, null), (2, 2, 5, 1, '2024-01-03', null, null)`)
    await shop.run()
  })
  afterAll(async () => {
    await reader[Symbol.asyncDispose]()
    await role[Symbol.asyncDispose]()
    await shop[Symbol.asyncDispose]()
  })

  const answered = async (sql: string, options?: AskOptions): Promise<AskedRows> => {
    const answer = await ask(reader, sql, options)
    if (!answer.isAnswered) throw new Error(`${answer.sqlState} ${answer.message}`)
    return answer
  }
  const refused = async (sql: string, options?: AskOptions): Promise<AskRefusal> => {
    const answer = await ask(reader, sql, options)
    if (answer.isAnswered) throw new Error(`answered: ${sql}`)
    return answer
  }
  /** The rows of the warehouse, as the loader sees them. */
  const state = () =>
    shop.query(`select (select json_agg(f order by sale_record_id) from fact_sale as f) as facts,
      (select json_agg(i order by item_id) from dim_item as i) as items,
      (select json_agg(l) from tidemark_ledger as l) as ledger,
      (select count(*) from pg_class) as relations`)
  /** Sessions of the role that are still on the server. */
  const sessions = async (): Promise<number> => {
    const [row] = await shop.query<{ n: number }>(
      'select count(*)::int as n from pg_stat_activity where usename = $1',
      [role.role],
    )
    return row?.n ?? 0
  }

  it('readRelations() lists what the role may read, a table without columns too', async () => {
    await shop.query(`grant select on tidemark_lock to ${role.role}`)
    await using own = createReader(role.warehouse)
    const relations = await own.read(readRelations)
    await shop.query(`revoke select on tidemark_lock from ${role.role}`)
    const named = new Map(relations.map(({ name, columns }) => [name, columns]))
    expect(named.get('tidemark_lock')).toEqual([])
    expect(named.get('dim_item')).toContainEqual(['item_id', 'integer'])
  })

  it.each([
    ['select sale_id, price from fact_sale_current order by 1', ['1', '3.500']],
    ['select sale_id, price from fact_sale_current order by 1; ', ['1', '3.500']],
    ['select 1, null -- that is all', ['1', null]],
    [`with x as (select 1 as a) select a, 'b' from x`, ['1', 'b']],
    [`values (true, '2024-01-02'::date)`, ['t', '2024-01-02']],
    ['table dim_item', ['1', 'tote', 'bag', null]],
    [`select ';', 'it''s' /* ; drop table dim_item; */`, [';', `it's`]],
  ])('answers %s', async (sql, row) => {
    expect((await answered(sql)).rows[0]).toEqual(row)
  })

  it('takes a question with its filters', async () => {
    const sql = `select sale_id, units from fact_sale_current where item_id = :'item'::int`
    expect((await answered(sql, { filters: { item: '2' } })).rows).toEqual([['2', '5']])
    expect((await answered(sql)).rows).toEqual([])
  })

  it.each([
    // A second statement, however it is hidden.
    ['select 1; select 2', '42601'],
    ['select 1; rollback; drop table fact_sale', '42601'],
    ['select 1; commit; delete from fact_sale', '42601'],
    ['select 1; --\ndelete from fact_sale', '42601'],
    ['select 1) ; delete from fact_sale; --', '42601'],
    ['-- nothing\n', '42601'],
    ['/* open', '42601'],
    [`select 'open`, '42601'],
    ['select "open', '42601'],
    ['select $$open', '42601'],
    [')', '42601'],
    ['select $1', /42P02|42P18|08P01/],
    // Another statement in place of a select.
    ['delete from fact_sale', '42601'],
    ['insert into dim_item values (9)', '42601'],
    ['update dim_item set note = null', '42601'],
    ['drop table fact_sale', '42601'],
    ['create temp table t (a int)', '42601'],
    ['create table t as select 1', '42601'],
    ['begin', '42601'],
    ['begin; commit', '42601'],
    ['commit', '42601'],
    ['rollback', '42601'],
    ['set role postgres', '42601'],
    ['reset role', '42601'],
    ['set transaction read write', '42601'],
    ['set statement_timeout = 0', '42601'],
    ['prepare p as delete from fact_sale', '42601'],
    ['execute p', '42601'],
    ['deallocate all', '42601'],
    ['discard all', '42601'],
    ['do $$ begin delete from fact_sale; end $$', '42601'],
    ['explain analyze insert into dim_item values (9)', '42601'],
    ['explain select 1', '42601'],
    [`copy (select 1) to program 'touch /tmp/owned'`, '42601'],
    ['copy fact_sale to stdout', '42601'],
    ['copy fact_sale from stdin', '42601'],
    ['notify tidemark', '42601'],
    ['listen tidemark', '42601'],
    ['vacuum', '42601'],
    ['lock table fact_sale', '42601'],
    ['declare other cursor with hold for select 1', '42601'],
    ['fetch all from tidemark_cursor', '42601'],
    ['call nothing()', '42601'],
    // A select that would write or lock.
    ['with gone as (delete from fact_sale returning *) select * from gone', '0A000'],
    ['with new as (insert into dim_item values (9) returning *) select * from new', '0A000'],
    ['select 1 into temp t', '42601'],
    ['select * from dim_item for update', /25006|42501/],
    [`select setval('s', 1) from (values (1)) as v`, '42501'],
    [`select lo_create(1)`, '42501'],
    [`select lo_export(1, '/tmp/owned')`, '42501'],
    [`select set_config('transaction_read_only', 'off', true)`, '42501'],
    [`select set_config('transaction_read_only', 'off', false)`, '42501'],
    // Functions whose effects no rollback undoes, or that affect others.
    [`select pg_logical_emit_message(false, 'a', repeat('x', 100))`, '42501'],
    [`select pg_logical_emit_message(true, 'a', 'x')`, '42501'],
    [`select lo_from_bytea(0, '')`, '42501'],
    [`select loread(lo_open(1, 131072), 1)`, '42501'],
    [`select pg_notify('tidemark', 'x')`, '42501'],
    ['select pg_export_snapshot()', '42501'],
    ['select pg_current_xact_id()', '42501'],
    ['select txid_current()', '42501'],
    [`select pg_advisory_lock(hashtextextended('tidemark public', 0)), pg_sleep(25)`, '42501'],
    ['select pg_try_advisory_xact_lock_shared(1, 2)', '42501'],
    ['select pg_advisory_unlock_all()', '42501'],
    ['select pg_cancel_backend(pid) from pg_stat_activity', '42501'],
    ['select pg_terminate_backend(pg_backend_pid())', '42501'],
    ['select setseed(0.5)', '42501'],
    ['select pg_stat_clear_snapshot()', '42501'],
    ['select pg_stat_force_next_flush()', '42501'],
    [`select * from ts_stat('select pg_notify(''a'', ''b'')::text::tsvector')`, '42501'],
    [`select database_to_xml(true, true, '')`, '42501'],
    [`select table_to_xml('dim_item', true, true, '')`, '42501'],
    // The same functions, however they are written.
    [`select PG_Notify('tidemark', 'x')`, '42501'],
    [`select "pg_notify"('tidemark', 'x')`, '42501'],
    [`select pg_catalog.pg_notify('tidemark', 'x')`, '42501'],
    [`select pg_catalog."pg_notify"('tidemark', 'x')`, '42501'],
    [`select pg_notify/**/('tidemark', 'x')`, '42501'],
    [`select pg_notify -- (\n ('tidemark', 'x')`, '42501'],
    [`select U&"pg\\005fnotify"('tidemark', 'x')`, '42501'],
    [`select u&"pg!005fnotify" uescape '!' ('tidemark', 'x')`, '42501'],
    [`select u&"!0070g_notify" uescape '!' ('tidemark', 'x')`, '42501'],
    [`select * from pg_notify('tidemark', 'x')`, '42501'],
    [`select * from rows from (pg_notify('tidemark', 'x'), generate_series(1, 2)) as r`, '42501'],
    [`select 1 from dim_item cross join lateral pg_notify('tidemark', item_name)`, '42501'],
    [`select count(pg_notify('tidemark', 'x')::text)`, '42501'],
    [`select cast(pg_notify('tidemark', 'x') as text)`, '42501'],
    [`select pg_notify('tidemark', 'x')::text || ''`, '42501'],
    [`values (pg_notify('tidemark', 'x')::text)`, '42501'],
    [`select 1 where pg_notify('tidemark', 'x') is not null`, '42501'],
    [`select 1 order by pg_notify('tidemark', 'x')::text`, '42501'],
    [`select 1 limit length(pg_notify('tidemark', 'x')::text)`, '42501'],
    [`select sum(1) over (order by pg_notify('tidemark', 'x')::text)`, '42501'],
    [`select coalesce((select array_agg(pg_notify('tidemark', 'x')::text)), '{}')`, '42501'],
    [`with n as materialized (select pg_notify('tidemark', 'x')) select 1 from n`, '42501'],
    [`select 'a'::text, $$pg_notify$$, '\\', pg_notify('tidemark', 'x')`, '42501'],
    [`select 'it\\'', pg_notify('tidemark', 'x'), '`, '42501'],
    [`select 1pg_notify('tidemark', 'x')`, '42501'],
    [`select pg_notify variadic (array['tidemark', 'x'])`, '42501'],
    // More rights.
    [`select set_config('role', 'postgres', false)`, '42501'],
    [`select set_config('session_authorization', 'postgres', false)`, '42501'],
    [`select pg_read_file('/etc/passwd')`, '42501'],
    [`select pg_ls_dir('/')`, '42501'],
    [`select * from pg_authid`, '42501'],
    [`select * from pg_shadow`, '42501'],
    ['select * from tidemark_ledger', '42501'],
    ['select * from tidemark_migration', '42501'],
    ['select * from tidemark_confirmation', '42501'],
    [`select query_to_xml('select pg_notify(''a'', ''b'')', true, true, '')`, '42501'],
    [`select xpath('/', query_to_xml('select 1', true, true, ''))`, '42501'],
    [`select cursor_to_xml('tidemark_cursor', 1, true, true, '')`, '42501'],
    [`select dblink_exec('dbname=postgres', 'drop table x')`, '42883'],
    [`select query_to_xml('delete from fact_sale', true, true, '')`, '42501'],
    ['select pg_reload_conf()', '42501'],
    ['select pg_switch_wal()', /42501|25006/],
    [
      `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres' limit 1`,
      '42501',
    ],
    // Statements that never end.
    ['select pg_sleep(1000)', '42501'],
    ['select pg_sleep(0.2) from generate_series(1, 1000)', '42501'],
    [`select pg_sleep_for('1 hour')`, '42501'],
    ['select count(*) from generate_series(1, 1e6) as a, generate_series(1, 1e6) as b', '57014'],
    [
      'with recursive r (n) as (select 1 union all select n + 1 from r where n > 0) select max(1) from r',
      '57014',
    ],
    [`select set_config('statement_timeout', '0', false)`, '42501'],
    [
      `select case when n = 1 then set_config('statement_timeout', '0', false) end
        from generate_series(1, 100) as n`,
      '42501',
    ],
    ['', '42601'],
    [' \n', '42601'],
    ['select 1\0; drop table fact_sale', '22P05'],
    [`select '${'x'.repeat(100_000)}'`, '54000'],
  ])('refuses %j', async (sql, sqlState) => {
    const before = await state()
    // Only a statement that would never end may use up its time.
    const refusal = await refused(sql, { timeoutMs: sqlState === '57014' ? 700 : 60_000 })
    expect(refusal.sqlState).toMatch(sqlState)
    expect(refusal.message).not.toBe('')
    expect(await state()).toEqual(before)
    expect((await answered('select 1')).rows).toEqual([['1']])
  })

  it('gives the position of an error in the statement as it was written', async () => {
    expect(await refused('select nothing from dim_item')).toMatchObject({
      sqlState: '42703',
      message: 'column "nothing" does not exist',
      position: 8,
    })
    expect((await refused(`select :'a', nothing`)).position).toBeUndefined()
    expect((await refused('select item_nam from dim_item')).hint).toMatch(/item_name/)
  })

  it('stops at the limit of rows, however many there are', async () => {
    const { rows, isTruncated } = await answered('select generate_series(1, 1e15::bigint)')
    expect([rows.length, isTruncated]).toEqual([1000, true])
    const exact = await answered('select g from generate_series(1, 50) as g', { maxRows: 50 })
    expect([exact.rows.length, exact.isTruncated]).toEqual([50, false])
    const cut = await answered('select g from generate_series(1, 51) as g', { maxRows: 50 })
    expect([cut.rows.length, cut.isTruncated]).toEqual([50, true])
  })

  it('stops at the limit of bytes, without receiving a huge row', async () => {
    const before = process.memoryUsage().rss
    expect(await refused(`select repeat('x', 100000000)`)).toMatchObject({ sqlState: '54000' })
    const wide = await answered(`select repeat('x', 10000) from generate_series(1, 900) as g`, {
      maxBytes: 1_000_000,
    })
    expect(wide.isTruncated).toBe(true)
    expect(wide.rows.length).toBeLessThan(200)
    const late = await answered(
      `select repeat('x', case when g = 120 then 100000000 else 1 end) from generate_series(1, 900) as g`,
    )
    expect([late.isTruncated, late.rows.length]).toEqual([true, 100])
    expect(process.memoryUsage().rss - before).toBeLessThan(80_000_000)
  })

  it('calls no acting function through a view, an operator, a cast, an aggregate or a truncated name', async () => {
    const long = `acting_${'x'.repeat(56)}`
    await shop.query(`
      create function acting(text) returns text language sql volatile as 'select $1';
      create function ${long}() returns text language sql volatile as $f$select 'x'$f$;
      create function "Acting ""odd"" one"() returns text language sql volatile as $f$select 'x'$f$;
      create function computing(text) returns text language sql immutable as 'select $1';
      create operator !!! (function = acting, rightarg = text);
      create function grow(text, text) returns text language sql volatile as 'select $1 || $2';
      create aggregate growing (text) (sfunc = grow, stype = text, initcond = '');
      create type boxed as (a int);
      create function box_it(text) returns boxed language sql volatile as 'select row(1)::boxed';
      create cast (text as boxed) with function box_it(text);
      create view telling as select pg_notify('tidemark', 'x')::text as told;
      create view "telling over" as select told || 'x' as told from telling;
      create view harmless as select computing('x') as x, random() as r;
      grant select on telling, "telling over", harmless to ${role.role}`)
    try {
      for (const sql of [
        `select acting('x')`,
        `select !!!'x'`,
        `select operator(public.!!!) 'x'`,
        `select growing(item_name) from dim_item`,
        `select 'x'::text::boxed`,
        `select ('x'::text).acting`,
        'table telling',
        'select told from public."telling over"',
        'select * from dim_item, lateral (table "telling over") as t',
        `select ${long}()`,
        `select ${long}xyz()`,
        `select "${long.toUpperCase()}"()`,
        `select "Acting ""odd"" one"()`,
      ]) {
        expect((await refused(sql)).sqlState, sql).toBe('42501')
      }
      expect((await answered('select x from harmless')).rows).toEqual([['x']])
      expect((await answered(`select computing('y')`)).rows).toEqual([['y']])
    } finally {
      await shop.query(`
        drop view harmless, "telling over", telling;
        drop cast (text as boxed);
        drop aggregate growing (text);
        drop operator !!! (none, text);
        drop function acting(text), ${long}(), "Acting ""odd"" one"(), computing(text), grow(text, text), box_it(text);
        drop type boxed`)
    }
  })

  it('accepts functions that only compute, whatever they are called', async () => {
    for (const sql of [
      `select now(), clock_timestamp() > now(), random() < 1, gen_random_uuid() is not null`,
      `select pg_size_pretty(pg_total_relation_size('dim_item')), version(), current_setting('timezone')`,
      `select count(*) from pg_stat_activity`,
      `select count(*) from information_schema.columns`,
      `select notify, sleep, lock from (values (1, 2, 3)) as pg (notify, sleep, lock)`,
      `select 'a "quoted" U & "b"', E'\\x41', U&'\\0041'`,
      `select * from dim_item tablesample bernoulli (100)`,
      `select * from dim_item tablesample system (100)`,
      `select 'system', 'trigger' as "plpgsql_call_handler"`,
      `select * from fact_sale_as_of(now())`,
      `select length('${'long_word_'.repeat(20)}')`,
    ]) {
      expect((await answered(sql)).isAnswered, sql).toBe(true)
    }
  })

  it('says which name is refused, and where it is', async () => {
    expect(await refused(`select 1, pg_notify('a', 'b')`)).toMatchObject({
      message: 'pg_notify may do more than read, so a question may not name it',
      position: 11,
    })
    const refusal = await refused(`select :'a', pg_notify('a', 'b')`, { filters: { a: 'x' } })
    expect(refusal.position).toBeUndefined()
    // A value is not part of the statement.
    expect((await answered(`select :'a'`, { filters: { a: 'pg_notify' } })).rows).toEqual([
      ['pg_notify'],
    ])
  })

  it('leaves nothing behind for the next statement', async () => {
    await answered('select 1')
    const { rows } = await answered(`select current_setting('timezone'), current_user::text,
      current_setting('statement_timeout') <> '0', current_setting('transaction_read_only'),
      to_regclass('dim_item')::text,
      (select count(*) from pg_prepared_statements where not from_sql is null and name <> '')`)
    expect(rows).toEqual([['UTC', role.role, 't', 'on', 'dim_item', '0']])
    await expect.poll(sessions).toBe(0)
  })

  it('stops on the server when the client has gone', async () => {
    const gone = new AbortController()
    const asking = ask(reader, ENDLESS, { signal: gone.signal, timeoutMs: 600_000 })
    await expect
      .poll(() =>
        shop.query(
          `select 1 as n from pg_stat_activity where usename = $1 and query like 'fetch forward 50%'`,
          [role.role],
        ),
      )
      .toHaveLength(1)
    gone.abort()
    expect(await asking).toMatchObject({ isAnswered: false, sqlState: '57014' })
    await expect.poll(sessions).toBe(0)
    const late = await ask(reader, ENDLESS, { signal: AbortSignal.abort() })
    expect(late.isAnswered).toBe(false)
  })

  it('accepts a limited number of statements at a time, and turns the next away', async () => {
    await using small = createReader(role.warehouse, { separate: 1, waitMs: 100 })
    const gone = new AbortController()
    const first = ask(small, ENDLESS, { signal: gone.signal, timeoutMs: 600_000 })
    await expect.poll(sessions).toBeGreaterThan(0)
    await expect(ask(small, 'select 1')).rejects.toMatchObject({ code: 'READER_BUSY' })
    gone.abort()
    await first
    expect((await ask(small, 'select 1')).isAnswered).toBe(true)
  })

  it('throws when the warehouse is away', async () => {
    const url = new URL(role.warehouse.url)
    url.port = '1'
    await using away = createReader({ ...role.warehouse, url: url.href })
    await expect(ask(away, 'select 1')).rejects.toMatchObject({ code: 'WAREHOUSE_UNREACHABLE' })
    await expect(away.read(async () => 1)).rejects.toMatchObject({ code: 'WAREHOUSE_UNREACHABLE' })
  })
})
