import pg from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import { examine } from '../../src/platform/inspect/doctor.ts'
import type { Deps } from '../../src/platform/deps.ts'
import { extract } from '../../src/platform/extract/extract.ts'
import { createConnectionPool } from '../../src/platform/io/connection-pool.ts'
import { run } from '../../src/platform/pipeline.ts'
import { ask } from '../../src/platform/presentation/ask.ts'
import { createReader } from '../../src/platform/presentation/reader.ts'
import { createSavedQuestions } from '../../src/platform/presentation/saved-questions.ts'
import { openSnapshot } from '../../src/platform/source/snapshot.ts'
import { readStatus } from '../../src/platform/inspect/status.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { bareProject, thingProject } from '../support/bare-project.ts'
import { createDatabase } from '../support/database.ts'
import { findLeft, makeHostile } from '../support/hostile-settings.ts'
import { readTable } from '../support/lake.ts'
import { isPoolerMissing, startPooler } from '../support/pooler.ts'
import { createTestReader } from '../support/reader.ts'
import { createTestSaver } from '../support/saver.ts'
import { createSystem, type SystemOptions, type TestSystem } from '../support/system.ts'

const opened: AsyncDisposable[] = []
afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each[Symbol.asyncDispose]()
})

interface Pooled {
  readonly system: TestSystem
  readonly deps: Deps
}

/** A whole Tidemark that reaches both hostile databases through a pooler. */
async function open(sql: string, options: SystemOptions): Promise<Pooled> {
  const system = await createSystem({ template: 'empty', ...options })
  opened.push(system)
  await system.sql.query(sql)
  await makeHostile(system.source)
  await makeHostile(system.warehouse)
  const { source, warehouse } = system.deps
  const pooler = await startPooler(source.url, warehouse.url)
  opened.push(pooler)
  const deps = {
    ...system.deps,
    source: { ...source, url: pooler.through(source.url) },
    warehouse: { ...warehouse, url: pooler.through(warehouse.url), schema: 'Stérne ✓' },
  }
  return { system, deps }
}

/** Sets, prepares and locks something in the session that all clients of the pool share. */
async function prepareSession(url: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await client.query(`
      set search_path = app;
      set work_mem = '12MB';
      prepare shared as select 1;
      select pg_advisory_lock(7)`)
  } finally {
    await client.end()
  }
}

const THING = `
  create table thing (id integer primary key, i interval, f float8, b bytea, m money, d date,
      t timestamptz, x xml, a text[], n text);
  insert into thing values
      (1, '1 day 02:00', 0.1::float8 + 0.2, '\\x5c00ff', 1234.56, '2024-02-01',
       '2024-02-01 12:00:00.123456+00', '<a/>', '{"NULL",NULL,a}', 'Zoë ✓')`

const COLUMNS = {
  i: 'interval',
  f: 'double precision',
  b: 'bytea',
  m: 'money',
  d: 'date',
  t: 'timestamp with time zone',
  x: 'xml',
  a: 'text[]',
  n: 'text',
}

describe.skipIf(isPoolerMissing())(
  'a pooler that gives each transaction another server connection',
  () => {
    it('I6 changes no value and no limit, and its other clients find nothing changed', async () => {
      const { deps, system } = await open(THING, { project: thingProject(COLUMNS) })
      const urls = [deps.source.url, deps.warehouse.url]
      const before = await Promise.all(urls.map(findLeft))
      const first = await run(deps)
      expect(first.failures).toEqual([])
      expect(first).toMatchObject({ held: [], quarantined: 0, loaded: { batches: [1] } })
      const made = await readTable(system, first.extracted?.record, 'thing')
      expect(made).toEqual([
        {
          id: '1',
          i: '1 day 02:00:00',
          f: '0.30000000000000004',
          b: '\\x5C\\x00\\xFF',
          m: '$1,234.56',
          d: '2024-02-01',
          t: expect.stringContaining('12:00:00.123456'),
          x: '<a/>',
          a: '{"NULL",NULL,a}',
          n: 'Zoë ✓',
        },
      ])
      // Nothing is in the schema that comes first in other search paths.
      const [schemas] = await system.warehouse.query<{ names: string[] }>(
        `select array_agg(distinct relnamespace::regnamespace::text) as names from pg_class
       where relkind = 'r' and relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema')`,
      )
      expect(schemas?.names).toEqual(['"Stérne ✓"'])
      await system.sql.query(`set transform_null_equals = off; update thing set n = 'other'`)
      expect((await run(deps)).loaded?.batches).toEqual([2])
      expect((await run(deps)).extracted?.committed).toBe(false)
      const { isEqual } = await verify(deps)
      expect(isEqual).toBe(true)
      const status = await readStatus(deps, {
        reader: deps.warehouse,
        promiseMs: 60_000,
        now: new Date(),
      })
      expect(status).toMatchObject({ batches: { warehouse: 2 }, isFresh: true })
      expect((await examine(deps)).filter(({ ok }) => !ok)).toEqual([])
      expect(await Promise.all(urls.map(findLeft))).toEqual(before)
    })

    it('keeps connections open between runs, and takes nothing from its other clients', async () => {
      const { deps, system } = await open(THING, { project: thingProject(COLUMNS) })
      await using pool = createConnectionPool()
      const source = { ...deps.source, pool }
      const warehouse = { ...deps.warehouse, pool }
      const urls = [source.url, warehouse.url]
      // As a pooler does for each session that it opens, on behalf of all its clients.
      await Promise.all(urls.map(prepareSession))
      const before = await Promise.all(urls.map(findLeft))
      for (const note of ['first', 'second']) {
        await system.sql.query(`set transform_null_equals = off; update thing set n = '${note}'`)
        expect((await run({ ...deps, source, warehouse })).failures).toEqual([])
      }
      expect(await Promise.all(urls.map(findLeft))).toEqual(before)
    })

    it('I15 lets work take its time, whatever the time limits of roles and databases', async () => {
      const { deps, system } = await open(
        `create table thing (id integer primary key, note text);
       create view slow as select id, pg_sleep(0.9)::text || note as note from thing;
       grant select on slow to public;
       insert into thing select n, 'note' from generate_series(1, 3) as n`,
        {
          project: {
            ...thingProject({ note: 'text' }),
            source: {
              schema: 'public',
              tables: [{ name: 'thing', relation: 'slow', key: ['id'], keyIsUnenforced: true }],
            },
          },
        },
      )
      expect((await run(deps)).failures).toEqual([])
      await system.warehouse.query(`
      create function wait() returns trigger language plpgsql as
      'begin perform pg_sleep(0.9); return new; end';
      create trigger slow before insert on "Stérne ✓".fact_thing
      for each row execute function wait()`)
      await system.sql.query(`update thing set note = 'other'`)
      const { failures, loaded } = await run(deps)
      expect(failures).toEqual([])
      expect(loaded?.batches).toEqual([2])
    })

    it('I15 holds no table because of how identifiers are quoted or money is printed', async () => {
      const { deps, system } = await open(
        'create table thing (id integer primary key, name text, paid money)',
        {
          project: bareProject([
            { name: 'thing', key: ['id'], columns: { id: 'integer', name: 'text', paid: 'money' } },
          ]),
        },
      )
      const { username } = new URL(system.source.readerUrl)
      await system.sql.query(`alter role ${username} set quote_all_identifiers = on`)
      expect((await extract(deps)).held).toEqual([])
      await using snapshot = await openSnapshot(deps.source)
      const { rows } = await snapshot.client.query('show lc_monetary')
      expect(rows).toEqual([{ lc_monetary: 'C' }])
    })

    it('reads a large table with the one connection there is', async () => {
      const { deps, system } = await open(
        `create table thing (id integer primary key, name text);
       insert into thing select n, repeat(md5(n::text), 12) from generate_series(1, 100000) as n`,
        { project: bareProject([{ name: 'thing', key: ['id'] }]) },
      )
      const { record } = await extract(deps)
      expect(record?.tables['thing']?.rows).toBe(100_000)
      expect(await system.source.query('select 1 from thing')).toHaveLength(100_000)
    })

    it('serves readers, whose statements leave nothing behind and can be stopped', async () => {
      const { deps, system } = await open(
        'create table thing (id integer primary key, note text)',
        {
          project: thingProject({ note: 'text' }),
        },
      )
      expect((await run(deps)).failures).toEqual([])
      const direct = {
        ...system,
        deps: { ...deps, warehouse: { ...deps.warehouse, url: system.warehouse.url } },
      }
      await using role = await createTestReader(direct)
      await using pooler = await startPooler(role.warehouse.url)
      const url = pooler.through(role.warehouse.url)
      const before = await findLeft(url)
      await using reader = createReader({ ...role.warehouse, url })
      const answer = await ask(reader, 'select count(*) from fact_thing_current')
      expect(answer).toMatchObject({ isAnswered: true, rows: [['0']] })
      const stopped = await ask(
        reader,
        'select count(*) from generate_series(1, 100000) as a, generate_series(1, 100000) as b',
        { timeoutMs: 300 },
      )
      expect(stopped).toMatchObject({ isAnswered: false, sqlState: '57014' })
      await reader.read(({ client }) =>
        client.query(
          `select set_config('search_path', 'public', true), set_config('timezone', 'EST', true)`,
        ),
      )
      expect(
        await reader.read(async ({ client }) => (await client.query('show timezone')).rows),
      ).toEqual([{ TimeZone: 'UTC' }])
      expect(await findLeft(url)).toEqual(before)
    })

    it('keeps saved questions, and its other clients find nothing changed', async () => {
      await using database = await createDatabase({ template: 'empty' })
      await makeHostile(database)
      await using saver = await createTestSaver(database)
      // The database's default leads to no schema at all.
      await database.query(`alter role ${saver.role} set search_path = "$user"`)
      await using pooler = await startPooler(saver.url)
      const url = pooler.through(saver.url)
      const before = await findLeft(url)
      await using saved = createSavedQuestions({ url })
      const question = {
        name: 'late',
        title: String.raw`Zoë ✓ \d`,
        sql: String.raw`select '\d'`,
        filters: { from: '2026-01-01' },
        chart: 'lines',
        author: 'ann',
      } as const
      expect(await Promise.all([saved.save(question), saved.list()])).toMatchObject(['saved', {}])
      expect(await saved.addToPage('bob', 'late')).toBe('added')
      const [found] = await saved.pageOf('bob')
      expect(found).toEqual({ ...question, savedAt: found?.savedAt })
      expect(Math.abs(Date.parse(found?.savedAt ?? '') - Date.now())).toBeLessThan(3_600_000)
      expect(await findLeft(url)).toEqual(before)
    })
  },
)
