import { afterEach, describe, expect, it } from 'vitest'
import type { Deps } from '../../../src/platform/deps.ts'
import { run } from '../../../src/platform/pipeline.ts'
import { verify } from '../../../src/platform/inspect/verify.ts'
import { makeHostile } from '../../support/hostile-settings.ts'
import { createMirror, versionsOf } from '../../support/mirror.ts'
import { isPoolerMissing, startPooler } from '../../support/pooler.ts'
import { catchUp, type SourceServer, startSource } from '../../support/source-server.ts'
import type { TestSystem } from '../../support/system.ts'

const THINGS = `
  create table thing (id integer primary key, name text);
  create table note (line text);
  insert into thing values (1, 'a'), (2, 'b'), (3, 'c');
  insert into note values ('x'), ('x')`

const opened: AsyncDisposable[] = []
afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each[Symbol.asyncDispose]()
})

/** A mirror of a server of its own. */
async function open(): Promise<{ source: SourceServer; system: TestSystem; deps: Deps }> {
  const source = await startSource()
  opened.push(source)
  await source.sql(THINGS)
  const system = await createMirror('')
  opened.push(system)
  return { source, system, deps: { ...system.deps, source: source.database } }
}

/** Expects the warehouse to have the server's rows, by our own select and by verify. */
async function expectMirrored(system: TestSystem, deps: Deps, source: SourceServer): Promise<void> {
  const things = 'select id, name from'
  expect(await system.query(`${things} thing_current order by id`)).toEqual(
    await source.sql(`${things} thing order by id`),
  )
  const notes = await source.sql(
    'select line, count(*)::int as rows from note group by 1 order by 1',
  )
  expect(
    await system.query('select line, row_count::int as rows from note_current order by 1'),
  ).toEqual(notes)
  const { tables, faults } = await verify(deps)
  expect([...tables.flatMap(({ difference }) => difference.keys), ...faults]).toEqual([])
}

describe('a mirror of a server', () => {
  it('I14 that was put back as an older copy has what the copy has, as changes', async () => {
    const { source, system, deps } = await open()
    await run(deps)
    const copy = await source.copy()
    await source.sql(`
      update thing set name = 'lost' where id = 1;
      delete from thing where id = 3;
      delete from note`)
    await run(deps)
    await source.putBack(copy)
    for (let n = 1; n <= 30; n++) await source.sql('select pg_current_xact_id()')
    await source.sql(`update thing set name = 'kept' where id = 2`)
    expect((await run(deps)).failures).toEqual([])
    await expectMirrored(system, deps, source)
    expect(await versionsOf(system, 'thing', ['id', 'name'])).toEqual([
      'insert 1,a',
      'insert 2,b',
      'insert 3,c',
      'update 1,lost',
      'delete 3,c',
      'update 1,a',
      'update 2,kept',
      'insert 3,c',
    ])
  })

  it('I13 that is a standby waits for what is not replayed, and never goes back', async () => {
    const { source, system, deps } = await open()
    const standby = await source.follow(await source.copy())
    opened.push(standby)
    const reading = { ...deps, source: standby.database }
    await catchUp(standby, source)
    await run(reading)
    await standby.sql('select pg_wal_replay_pause()')
    await source.sql(`update thing set name = 'later' where id = 1; insert into note values ('y')`)
    expect((await run(reading)).extracted?.committed).toBe(false)
    await standby.sql('select pg_wal_replay_resume()')
    await catchUp(standby, source)
    await run(reading)
    await expectMirrored(system, reading, standby)
    expect(await versionsOf(system, 'thing', ['id', 'name'])).toEqual([
      'insert 1,a',
      'insert 2,b',
      'insert 3,c',
      'update 1,later',
    ])
  })

  it.skipIf(isPoolerMissing())(
    'I6 behind a pooler with hostile settings keeps every value exact',
    async () => {
      const system = await createMirror(`
        create table t (id int primary key, i interval, f float8, b bytea, m money, d date, t timestamptz);
        insert into t values (1, '1 day 02:00', 0.1::float8 + 0.2, '\\x5c00ff', 1234.56, '2024-02-01',
          '2024-02-01 12:00:00.123456+00')`)
      opened.push(system)
      const selected = `select i::text, f::text, encode(b, 'hex') as b, d::text, t::text from`
      const wanted = await system.source.query(`${selected} t`)
      await makeHostile(system.source)
      await makeHostile(system.warehouse)
      const { source, warehouse } = system.deps
      const pooler = await startPooler(source.url, warehouse.url)
      opened.push(pooler)
      const deps = {
        ...system.deps,
        source: { ...source, url: pooler.through(source.url) },
        warehouse: { ...warehouse, url: pooler.through(warehouse.url) },
      }
      expect((await run(deps)).failures).toEqual([])
      await system.sql.query(`update t set f = 1e-300`)
      expect((await run(deps)).failures).toEqual([])
      expect(await system.query(`${selected} t order by 1`)).toEqual([
        ...wanted,
        { ...wanted[0], f: '1e-300' },
      ])
      const { tables, faults } = await verify(deps)
      expect([...tables.flatMap(({ difference }) => difference.keys), ...faults]).toEqual([])
    },
  )
})
