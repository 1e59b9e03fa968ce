import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestReader, type TestReader } from '../../../test/support/reader.ts'
import { createShop, type ShopSystem } from '../../../test/support/shop.ts'
import { type AskedRows, type AskOptions, type AskRefusal, ask } from './ask.ts'
import { createReader, type Reader } from './reader.ts'

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
  /** The rows of the stars, as the loader sees them. */
  const state = () =>
    shop.query(`select (select json_agg(f order by sale_record_id) from fact_sale as f) as facts,
      (select json_agg(i order by item_id) from dim_item as i) as items,
      (select json_agg(l) from tidemark_ledger as l) as ledger,
      (select count(*) from pg_class) as relations`)
  /** Sessions of the role that still are on the server. */
  const sessions = async (): Promise<number> => {
    const [row] = await shop.query<{ n: number }>(
      'select count(*)::int as n from pg_stat_activity where usename = $1',
      [role.role],
    )
    return row?.n ?? 0
  }

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

  it('takes a saved question with its filters', async () => {
    const sql = `select sale_id, units from fact_sale_current where item_id = :'item'::int`
    expect((await answered(sql, { filters: { item: '2' } })).rows).toEqual([['2', '5']])
    expect((await answered(sql)).rows).toEqual([])
  })

  it.each([
    // A second statement, however it is dressed.
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
    [`select setval('s', 1) from (values (1)) as v`, /42P01/],
    [`select lo_create(1)`, /25006|42501/],
    [`select lo_export(1, '/tmp/owned')`, /42501|25006/],
    [`select set_config('transaction_read_only', 'off', true)`, /25001|25006|42501/],
    [`select set_config('transaction_read_only', 'off', false)`, /25001|25006|42501/],
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
    [`select dblink_exec('dbname=postgres', 'drop table x')`, '42883'],
    [`select query_to_xml('delete from fact_sale', true, true, '')`, '0A000'],
    ['select pg_reload_conf()', '42501'],
    ['select pg_switch_wal()', /42501|25006/],
    [
      `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres' limit 1`,
      '42501',
    ],
    // What never ends.
    ['select pg_sleep(1000)', '57014'],
    ['select pg_sleep(0.2) from generate_series(1, 1000)', '57014'],
    ['select count(*) from generate_series(1, 1e6) as a, generate_series(1, 1e6) as b', '57014'],
    [
      'with recursive r (n) as (select 1 union all select n + 1 from r where n > 0) select max(1) from r',
      '57014',
    ],
    [`select set_config('statement_timeout', '0', false), pg_sleep(1000)`, '57014'],
    [
      `select case when n = 1 then set_config('statement_timeout', '0', false)
        when n > 60 then pg_sleep(1000)::text end from generate_series(1, 100) as n`,
      '57014',
    ],
    ['', '42601'],
    [' \n', '42601'],
    ['select 1\0; drop table fact_sale', '22P05'],
    [`select '${'x'.repeat(100_000)}'`, '54000'],
  ])('refuses %j', async (sql, sqlState) => {
    const before = await state()
    const refusal = await refused(sql, { timeoutMs: 700 })
    expect(refusal.sqlState).toMatch(sqlState)
    expect(refusal.message).not.toBe('')
    expect(await state()).toEqual(before)
    expect((await answered('select 1')).rows).toEqual([['1']])
  })

  it('says where the fault is in the statement as it was written', async () => {
    expect(await refused('select nothing from dim_item')).toMatchObject({
      sqlState: '42703',
      message: 'column "nothing" does not exist',
      position: 8,
    })
    expect((await refused(`select :'a', nothing`)).position).toBeUndefined()
    expect((await refused('select item_nam from dim_item')).hint).toMatch(/item_name/)
  })

  it('stops at the rows it may return, from however many', async () => {
    const { rows, isTruncated } = await answered('select generate_series(1, 1e15::bigint)')
    expect([rows.length, isTruncated]).toEqual([1000, true])
    const exact = await answered('select g from generate_series(1, 50) as g', { maxRows: 50 })
    expect([exact.rows.length, exact.isTruncated]).toEqual([50, false])
    const cut = await answered('select g from generate_series(1, 51) as g', { maxRows: 50 })
    expect([cut.rows.length, cut.isTruncated]).toEqual([50, true])
  })

  it('stops at the bytes it may receive, without taking in a huge row', async () => {
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

  it('leaves nothing behind for whoever comes next', async () => {
    await answered(`select set_config('search_path', 'pg_catalog', false),
      set_config('timezone', 'Asia/Tokyo', false), set_config('tidemark.left', 'behind', false),
      pg_advisory_lock(4242), pg_notify('tidemark', 'x')`)
    const { rows } = await answered(`select current_setting('timezone'), current_user::text,
      current_setting('tidemark.left', true), current_setting('statement_timeout') <> '0',
      current_setting('transaction_read_only'), to_regclass('dim_item')::text,
      (select count(*) from pg_prepared_statements where not from_sql is null and name <> '')`)
    expect(rows).toEqual([['UTC', role.role, null, 't', 'on', 'dim_item', '0']])
    await expect
      .poll(() =>
        shop.query(`select 1 as held from pg_locks where locktype = 'advisory' and objid = 4242`),
      )
      .toEqual([])
    await expect.poll(sessions).toBe(0)
  })

  it('stops on the server when whoever asked has gone', async () => {
    const gone = new AbortController()
    const asking = ask(reader, 'select pg_sleep(1000)', { signal: gone.signal, timeoutMs: 60_000 })
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
    const late = await ask(reader, 'select pg_sleep(1000)', { signal: AbortSignal.abort() })
    expect(late.isAnswered).toBe(false)
  })

  it('a statement that ends its own connections ends nothing else', async () => {
    expect((await refused('select pg_terminate_backend(pg_backend_pid())')).sqlState).toBe('57P01')
    const kill = `select pg_terminate_backend(pid) from pg_stat_activity
      where usename = current_user and pid <> pg_backend_pid()`
    expect(await reader.read(async () => 'before')).toBe('before')
    await answered(kill)
    const one = await reader.read(async ({ client }) => (await client.query('select 1 as n')).rows)
    expect(one).toEqual([{ n: 1 }])
  })

  it('takes only so many at a time, and turns the next away', async () => {
    await using small = createReader(role.warehouse, { separate: 1, waitMs: 100 })
    const gone = new AbortController()
    const first = ask(small, 'select pg_sleep(1000)', { signal: gone.signal })
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
