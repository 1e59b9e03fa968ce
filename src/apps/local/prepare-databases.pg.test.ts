import * as fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readReaderExcess } from '../../../test/support/reader.ts'
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.ts'
import { fillTotesys } from '../../../test/support/totesys-source/fill.ts'
import { createSavedQuestions } from '../../platform/presentation/saved-questions.ts'
import { prepareDatabases, type PreparedDatabases } from './prepare-databases.ts'
import { simulatedSource as source } from '../../totesys/living/simulated-source.ts'

// Its names are fixed, so it has a cluster to itself.
describe('prepareDatabases()', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tidemark-prepare-'))
  fs.chmodSync(folder, 0o711)
  const passwordsFile = path.join(folder, 'passwords.json')
  let postgres: EmbeddedPostgres
  let prepared: PreparedDatabases
  beforeAll(async () => {
    const settings = { fsync: 'off', shared_buffers: '16MB' }
    postgres = await startEmbeddedPostgres({ dataDir: path.join(folder, 'postgres'), settings })
    prepared = await prepareDatabases(postgres, { source, passwordsFile })
  })
  afterAll(async () => {
    await postgres.stop()
    fs.rmSync(folder, { recursive: true, force: true })
  })

  async function query(url: string, ...statements: string[]): Promise<unknown[]> {
    const client = new pg.Client(url)
    await client.connect()
    try {
      let rows: unknown[] = []
      for (const sql of statements) ({ rows } = await client.query(sql))
      return rows
    } finally {
      await client.end()
    }
  }

  it('lets the source role read every table, later ones included, and do nothing else', async () => {
    const { sourceUrl, adminUrl } = prepared
    await query(adminUrl, 'create table later as select 1 as one')
    expect(await query(sourceUrl, 'table later')).toEqual([{ one: 1 }])
    expect(await query(sourceUrl, 'table sales_order')).toEqual([])
    await query(adminUrl, 'drop table later')
    for (const sql of [
      `insert into department (department_name, last_updated) values ('x', now())`,
      'update design set design_name = design_name',
      'delete from payment',
      'truncate payment',
      'create table mine (id int)',
      'create temporary table mine (id int)',
      'create schema mine',
      'begin; lock table payment in share mode',
      `select nextval('payment_payment_id_seq')`,
    ]) {
      await expect(query(sourceUrl, sql), sql).rejects.toMatchObject({ code: '42501' })
    }
    for (const database of ['warehouse', 'postgres', 'template1']) {
      const url = sourceUrl.replace(/totesys$/, database)
      await expect(query(url, 'select'), database).rejects.toMatchObject({ code: '42501' })
    }
  })

  it('lets the loader own the warehouse, and pass reading on', async () => {
    const { warehouseUrl, readerUrl } = prepared
    await expect(query(readerUrl, 'create table t ()')).rejects.toMatchObject({ code: '42501' })
    await query(
      warehouseUrl,
      'create schema marts',
      'create table fact as select 1 as one',
      'grant usage on schema public to tidemark_reader',
    )
    await expect(query(readerUrl, 'table fact')).rejects.toMatchObject({ code: '42501' })
    await query(warehouseUrl, 'grant select on fact to tidemark_reader')
    expect(await query(readerUrl, 'table fact')).toEqual([{ one: 1 }])
    await expect(query(readerUrl, 'create temp table t ()')).rejects.toMatchObject({
      code: '42501',
    })
    await expect(query(warehouseUrl, 'create role another')).rejects.toMatchObject({
      code: '42501',
    })
    const url = warehouseUrl.replace(/warehouse$/, 'totesys')
    await expect(query(url, 'select')).rejects.toMatchObject({ code: '42501' })
    const rights = `select rolname from pg_roles where rolname like 'tidemark%'
      and (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls)`
    expect(await query(prepared.adminUrl, rights)).toEqual([])
  })

  it('lets the saver keep questions, and see nothing else; nobody else sees those', async () => {
    const { saverUrl, readerUrl, warehouseUrl } = prepared
    await using saved = createSavedQuestions({ url: saverUrl })
    const question = { name: 'late', title: 'Late', sql: 'select 1', filters: {} }
    expect(await saved.save({ ...question, chart: 'auto', author: 'local' })).toBe('saved')
    expect(await saved.addToPage('local', 'late')).toBe('added')
    expect(await saved.pageOf('local')).toMatchObject([question])
    expect(await saved.remove('late', 'local')).toBe(true)
    await query(warehouseUrl, 'create table if not exists public.fact as select 1 as one')
    for (const sql of [
      'table public.fact',
      'create table public.mine ()',
      'create schema mine',
      'create temporary table mine ()',
      'select pg_sleep(0)',
    ]) {
      await expect(query(saverUrl, sql), sql).rejects.toMatchObject({ code: '42501' })
    }
    for (const url of [readerUrl, warehouseUrl]) {
      for (const sql of ['table tidemark_saver.saved_question', 'drop schema tidemark_saver']) {
        await expect(query(url, sql), sql).rejects.toMatchObject({ code: '42501' })
      }
    }
    const elsewhere = saverUrl.replace(/warehouse$/, 'totesys')
    await expect(query(elsewhere, 'select')).rejects.toMatchObject({ code: '42501' })
  })

  it('bounds the disk that a query of the reader may take, which the reader cannot lift', async () => {
    const rows = await query(prepared.readerUrl, 'show temp_file_limit')
    expect(rows).toEqual([{ temp_file_limit: '1GB' }])
    await expect(query(prepared.readerUrl, 'set temp_file_limit = -1')).rejects.toThrow(
      /permission denied/,
    )
  })

  it('keeps functions that act from the reader, and lets the loader run them', async () => {
    const { readerUrl, warehouseUrl } = prepared
    const reader = {
      title: 'the warehouse',
      code: 'WAREHOUSE',
      url: readerUrl,
      schema: 'public',
    }
    expect(await readReaderExcess(reader)).toEqual([])
    for (const call of [
      `pg_logical_emit_message(false, 'a', repeat('x', 100))`,
      'lo_create(0)',
      `pg_notify('a', 'b')`,
      'pg_export_snapshot()',
      'pg_advisory_lock(1)',
      'pg_sleep(0)',
      'pg_terminate_backend(0)',
      `query_to_xml('select 1', true, true, '')`,
    ]) {
      await expect(query(readerUrl, `select ${call}`), call).rejects.toMatchObject({
        code: '42501',
      })
      await query(warehouseUrl, `begin; select ${call}; rollback`)
    }
    // What a reader and its tools need still works.
    await query(
      readerUrl,
      'select now(), random(), gen_random_uuid(), version(), pg_is_in_recovery()',
      'select * from information_schema.tables',
      'select pg_cancel_backend(0)',
    )
    await query(
      warehouseUrl,
      'create table parent (id int primary key, n int)',
      'create table child (id serial primary key, parent int references parent on delete cascade)',
      `create function f() returns int language plpgsql as 'begin return 1; end'`,
      'insert into parent values (1, f()); insert into child (parent) values (1); delete from parent',
      'drop function f; drop table child, parent',
    )
  })

  it('may be repeated, and keeps rows and passwords', async () => {
    const client = new pg.Client(prepared.adminUrl)
    await client.connect()
    const until = new Date('2024-08-21T14:30:00Z')
    await fillTotesys(client, { seed: 1, salesOrders: 10, until })
    await client.end()
    const again = await prepareDatabases(postgres, { source, passwordsFile })
    expect(again).toEqual(prepared)
    const rows = await query(again.sourceUrl, 'select count(*)::int as n from sales_order')
    expect(rows).toEqual([{ n: 10 }])
    expect(fs.statSync(passwordsFile).mode & 0o777).toBe(0o600)
  })

  it('completes the passwords of an earlier version, and keeps those it had', async () => {
    const { tidemark_saver, ...earlier } = JSON.parse(
      fs.readFileSync(passwordsFile, 'utf8'),
    ) as Record<string, string>
    await query(prepared.saverUrl, 'create table if not exists kept ()')
    fs.writeFileSync(passwordsFile, JSON.stringify({ ...earlier, later_role: 'x' }), {
      mode: 0o600,
    })
    const again = await prepareDatabases(postgres, { source, passwordsFile })
    const { saverUrl, ...others } = again
    expect(prepared).toMatchObject(others)
    expect(saverUrl).not.toBe(prepared.saverUrl)
    expect(await query(saverUrl, 'table kept')).toEqual([])
    const completed = JSON.parse(fs.readFileSync(passwordsFile, 'utf8')) as Record<string, string>
    expect(completed).toEqual({
      ...earlier,
      later_role: 'x',
      tidemark_saver: new URL(saverUrl).password,
    })
    expect(completed['tidemark_saver']).not.toBe(tidemark_saver)
    expect(fs.statSync(passwordsFile).mode & 0o777).toBe(0o600)
    expect(fs.readdirSync(folder).toSorted()).toEqual(['passwords.json', 'postgres'])
    // The home is then as if this version had made it.
    expect(await prepareDatabases(postgres, { source, passwordsFile })).toEqual(again)
    prepared = again
  })

  it('sets new passwords when the file is gone, and refuses one it cannot use', async () => {
    fs.rmSync(passwordsFile)
    const again = await prepareDatabases(postgres, { source, passwordsFile })
    expect(again.sourceUrl).not.toBe(prepared.sourceUrl)
    expect(await query(again.sourceUrl, 'select 1 as one')).toEqual([{ one: 1 }])
    for (const text of ['{', '', 'null', '[]', '"x"', '{"tidemark_source": 1}']) {
      fs.writeFileSync(passwordsFile, text)
      await expect(prepareDatabases(postgres, { source, passwordsFile })).rejects.toMatchObject({
        code: 'PASSWORDS_FILE',
      })
    }
    const nowhere = { source, passwordsFile: path.join(folder, 'absent', 'passwords.json') }
    await expect(prepareDatabases(postgres, nowhere)).rejects.toThrow('ENOENT')
  })
})
