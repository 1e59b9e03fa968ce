import { open as openFile, rm } from 'node:fs/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { examine } from '../../src/platform/inspect/doctor.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { extract } from '../../src/platform/extract/extract.ts'
import { bareProject } from '../support/bare-project.ts'
import { readTable } from '../support/lake.ts'
import { createSystem, type TestSystem } from '../support/system.ts'

// A table that the server cannot read is held alone; all other tables go on in the same batch.

let system: TestSystem
afterEach(() => system[Symbol.asyncDispose]())

async function open(sql: string): Promise<void> {
  const project = bareProject([
    { name: 'thing', key: ['id'] },
    { name: 'other', key: ['id'] },
  ])
  system = await createSystem({ project, template: 'empty' })
  await system.sql.query(`
    create table other (id integer primary key); insert into other values (1); ${sql}`)
}

const lake = async (table: string) =>
  (await readTable(system, (await system.records()).at(-1), table)).map(({ id }) => id)

/** One run: `thing` is held for the error, `other` is captured. */
async function expectHeld(sqlState: string): Promise<void> {
  expect((await extract(system.deps)).held).toEqual([
    {
      table: 'thing',
      reason: 'unreadable',
      detail: `the source cannot read it: error ${sqlState}`,
    },
  ])
}

/** A function that raises a server error, and a view over it. */
const failing = (sqlState: string) => `
  create table base (id integer, note text); insert into base values (1, 'secret');
  create function fail(text) returns text language plpgsql as
    $$ begin raise exception 'what is in it: %', $1 using errcode = '${sqlState}'; end $$;
  create view thing as select id, fail(note) as note from base`

describe('a table that the server cannot read', () => {
  it.each([
    ['a division by zero in its view', '22012'],
    ['data that is damaged', 'XX001'],
    ['an index that is damaged', 'XX002'],
    ['a limit of the server', '54000'],
    ['a function that is gone', '42883'],
    ['a table behind it that is gone', '42P01'],
    ['a right that its owner lost', '42501'],
    ['memory the server lacks', '53200'],
    ['a statement that was cancelled', '57014'],
    ['a view that writes', '25006'],
    ['a password behind it that is refused', '28P01'],
    ['a server behind it that shuts down', '57P01'],
  ])('I15 is held alone for %s', async (_, sqlState) => {
    await open(failing(sqlState))
    await expectHeld(sqlState)
    expect(await lake('other')).toEqual(['1'])
    const said = system.entries.filter(({ level }) => level !== undefined)
    expect(said).toMatchObject([
      { event: 'table_failed', table: 'thing', code: 'TABLE_UNREADABLE' },
      { event: 'table_held', level: 'alert', table: 'thing' },
    ])
    expect(JSON.stringify(said)).not.toContain('secret')
    // While it lasts, it is not reported or alerted again.
    await expectHeld(sqlState)
    expect(await system.records()).toHaveLength(1)
    await system.sql.query('insert into other values (2)')
    await expectHeld(sqlState)
    expect(await lake('other')).toEqual(['1', '2'])
    expect(system.entries.filter(({ event }) => event === 'table_held')).toHaveLength(1)
    await system.sql.query('create or replace view thing as select id, note from base')
    expect((await extract(system.deps)).held).toEqual([])
    expect(await lake('thing')).toEqual(['1'])
  })

  it.each([
    ['a division by zero', '22012'],
    ['a function that is gone', '42883'],
    ['a statement that was cancelled', '57014'],
    ['a password behind it that is refused', '28000'],
    ['a view that writes', '25006'],
    ['a server behind it that shuts down', '57P03'],
  ])('I15 is held alone for %s that shows when its read is planned', async (_, sqlState) => {
    await open(`${failing(sqlState)};
      create function never() returns boolean language plpgsql immutable as
        $$ begin perform fail('x'); return true; end $$;
      alter function never() set search_path = public;
      create or replace view thing as select id, note from base where never()`)
    await expectHeld(sqlState)
    expect(await lake('other')).toEqual(['1'])
    await system.sql.query('create or replace view thing as select id, note from base')
    expect((await extract(system.deps)).held).toEqual([])
    expect(await lake('thing')).toEqual(['1'])
  })

  it('examine() names it whenever its error shows, and goes on', async () => {
    await open(`${failing('22012')};
      create function never() returns boolean language plpgsql immutable as
        $$ begin return 1 / 0 = 1; end $$`)
    for (const view of [
      'select id, public.fail(note) as note from base',
      'select id from base where never()',
      'select id, 1 / (id - 1) as part from base',
    ]) {
      await system.sql.query(`drop view thing; create view thing as ${view}`)
      const findings = await examine(system.deps)
      const table = findings.find(({ what }) => what === 'table thing')
      expect(table, view).toMatchObject({ ok: false })
      expect(table?.detail).toContain('22012')
      expect(findings.filter(({ ok }) => !ok)).toEqual([table])
    }
  })

  it('I15 is held alone for a foreign server that is away', async () => {
    await open(`
      create extension postgres_fdw;
      create server away foreign data wrapper postgres_fdw options (host '127.0.0.1', port '1');
      create user mapping for public server away options (user 'nobody', password 'x');
      create foreign table thing (id integer) server away`)
    await expectHeld('08001')
    expect(await lake('other')).toEqual(['1'])
  })

  it('I15 is held alone if its file is gone, and all others are still counted', async () => {
    await open(`create table thing (id integer primary key); insert into thing values (1)`)
    await extract(system.deps)
    const [found] = await system.source.query<{ path: string }>(
      `select current_setting('data_directory') || '/' || pg_relation_filepath('thing') as path`,
    )
    await system.sql.query('checkpoint')
    await rm(found?.path ?? '')
    await system.sql.query('insert into other values (2)')
    await expectHeld('58P01')
    expect(await lake('other')).toEqual(['1', '2'])
    expect(await lake('thing')).toEqual(['1'])
    await system.sql.query('drop table thing; create table thing (id integer primary key)')
    await system.sql.query('insert into thing values (1), (2)')
    expect((await extract(system.deps)).held).toEqual([])
    expect(await lake('thing')).toEqual(['1', '2'])
  })

  it('I15 is held alone for damage in one of the parts that are read at the same time', async () => {
    await open(`
      create table thing (id integer primary key, filler text) with (fillfactor = 10);
      insert into thing select i, repeat('x', 400) from generate_series(1, 10000) i`)
    const [found] = await system.source.query<{ path: string; pages: number }>(
      `select current_setting('data_directory') || '/' || pg_relation_filepath('thing') as path,
         pg_relation_size('thing') / 8192 as pages`,
    )
    expect(Number(found?.pages)).toBeGreaterThan(4096)
    // Pages leave the server's memory, so that it reads them from the file again.
    await system.sql.query('checkpoint; create extension pg_buffercache')
    await system.sql.query(`select pg_buffercache_evict(bufferid) from pg_buffercache
      where relfilenode = pg_relation_filenode('thing')`)
    await using file = await openFile(found?.path ?? '', 'r+')
    await file.write(Buffer.alloc(8192, 0xab), 0, 8192, 4500 * 8192)
    await expectHeld('XX001')
    expect(await lake('other')).toEqual(['1'])
  })
})

describe('a table for which this machine lacks something', () => {
  const wide = (columns: number) =>
    `create table thing (id integer primary key, ${Array.from({ length: columns }, (_, i) => `c${i} text`).join(', ')});
     insert into thing (id) values (1), (2)`

  it('I15 is held alone when it needs more memory than allowed, and the setting is named', async () => {
    await open(wide(1500))
    const { held } = await extract(system.deps)
    expect(held).toEqual([
      {
        table: 'thing',
        reason: 'memory_exceeded',
        detail: 'it needs more memory than allowed: set TIDEMARK_MEMORY_MB to more',
      },
    ])
    expect(await lake('other')).toEqual(['1'])
    expect(system.entries).toContainEqual(
      expect.objectContaining({
        event: 'table_failed',
        code: 'MEMORY_EXCEEDED',
        hint: 'set TIDEMARK_MEMORY_MB to more, for instance 768',
      }),
    )
    // With that setting, it goes on where it stopped.
    const limits = { ...system.deps.limits, memoryLimitMb: 2048 }
    const { record, held: none } = await extract({ ...system.deps, limits })
    expect(none).toEqual([])
    expect(record?.tables['thing']?.counts).toMatchObject({ read: 2, inserted: 2 })
    expect(await verify({ ...system.deps, limits })).toMatchObject({ isEqual: true })
  })

  it('I12 is captured in the default memory with 200 columns, however many rows it has', async () => {
    await open(wide(200))
    const columns = Array.from({ length: 200 }, (_, i) => `'value ' || id % (${i} + 7)`)
    await system.sql.query(`
      insert into thing select id, ${columns.join(', ')} from generate_series(3, 20000) as id`)
    expect((await extract(system.deps)).held).toEqual([])
    await system.sql.query(`update thing set c7 = 'other' where id <= 1000`)
    const { held, record } = await extract(system.deps)
    expect(held).toEqual([])
    expect(record?.tables['thing']?.counts).toMatchObject({ updated: 1000 })
  })
})
