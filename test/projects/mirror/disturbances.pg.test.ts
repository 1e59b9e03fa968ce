import { describe, expect, it } from 'vitest'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../../../src/platform/pipeline.ts'
import { createMemory } from '../../../src/platform/io/memory.ts'
import { withHook } from '../../support/lake.ts'
import { createMirror, expectEqual, runEqual, versionsOf } from '../../support/mirror.ts'
import { THREE, three } from '../../support/mirror-scenarios.ts'
import type { TestSystem } from '../../support/system.ts'

/** Expects the versions of `t` in `THREE`, and that everything is equal. */
async function expectThree(system: TestSystem, ...later: string[]): Promise<void> {
  await expectEqual(system)
  expect(await versionsOf(system, 't')).toEqual(three(...later)['t'])
}

describe('a mirror whose run is killed', () => {
  it.each(['ingestion', 'processed'] as const)(
    'I4 before any object of the %s zone, beside a new table: the next run ends as it should',
    async (zone) => {
      await using system = await createMirror(THREE)
      await system.run()
      const later: string[] = []
      for (let [nth, puts] = [1, 1]; puts + 1 >= nth; nth++) {
        await system.sql.query(`
          update t set v = 'v${nth}' where id = 1; create table n${nth} (id int primary key);
          insert into n${nth} values (${nth})`)
        later.push(`update 1,v${nth}`)
        puts = 0
        const hook = (call: string) => {
          if (call === 'get') return
          puts += 1
          if (puts === nth) throw new Error('killed')
        }
        const { failures } = await run(withHook(system.deps, hook, zone))
        expect(failures.length, `put ${nth} of ${puts}`).toBe(puts < nth ? 0 : 1)
        await system.run()
        expect(await versionsOf(system, `n${nth}`)).toEqual([`insert ${nth}`])
      }
      expect(later.length).toBeGreaterThan(3)
      await expectThree(system, ...later)
    },
  )

  it('I5 between capture and transform, and between derive and load', async () => {
    await using system = await createMirror(THREE)
    await system.run()
    await system.sql.query(`alter table t add w int; update t set w = 5 where id = 1`)
    await system.sql.query(`create table later (id int primary key); insert into later values (1)`)
    // The tables are there, and the batch is not.
    await system.query(`
      create function refuse() returns trigger language plpgsql as $$ begin raise 'killed'; end $$;
      create trigger refuse before insert on tidemark_ledger execute function refuse()`)
    const { failures } = await run(system.deps)
    expect(failures).toMatchObject([{ stage: 'load' }])
    expect(await system.query('select count(*)::int as rows from later')).toEqual([{ rows: 0 }])
    await system.sql.query(`insert into later values (2)`)
    expect((await run(system.deps)).failures).toMatchObject([{ stage: 'load' }])
    await system.query('drop trigger refuse on tidemark_ledger')
    await runEqual(system)
    expect(await versionsOf(system, 'later')).toEqual(['insert 1', 'insert 2'])
    expect(await versionsOf(system, 't', ['id', 'w'])).toEqual([
      'insert 1,∅',
      'insert 2,∅',
      'insert 3,∅',
      'update 1,5',
    ])
  })
})

describe('two runs of a mirror at once', () => {
  it('I4 make every version once, with a new table and a new column appearing', async () => {
    await using system = await createMirror(THREE)
    await system.run()
    const later: string[] = []
    for (let round = 1; round <= 3; round++) {
      await system.sql.query(`
        update t set v = 'v${round}' where id = 1; alter table t add c${round} int;
        create table n${round} (id int primary key); insert into n${round} values (1)`)
      later.push(`update 1,v${round}`)
      const other = { ...system.deps, memory: createMemory(), runId: 'other' }
      const reports = await Promise.all([run(system.deps), run(other)])
      expect(reports.flatMap(({ failures }) => failures)).toEqual([])
      expect(await versionsOf(system, `n${round}`)).toEqual(['insert 1'])
    }
    await expectEqual(system)
    const versions = await versionsOf(system, 't', ['id', 'v', 'moved'])
    expect(versions).toEqual(three(...later)['t'])
  })

  it('I4 both load first, when one waits for the other', async () => {
    await using system = await createMirror(THREE)
    const other = { ...system.deps, memory: createMemory(), runId: 'other' }
    const reports = await Promise.all([run(system.deps), run(other)])
    expect(reports.flatMap(({ failures }) => failures)).toEqual([])
    await expectThree(system)
  })
})

describe('a mirror with something out of order', () => {
  it('I13 a warehouse that is down: everything is captured, and loaded later', async () => {
    await using system = await createMirror(THREE)
    await system.run()
    const down = { ...system.deps.warehouse, url: 'postgresql://x@127.0.0.1:1/x' }
    for (const v of ['x', 'y']) {
      await system.sql.query(`update t set v = '${v}' where id = 1`)
      const { failures } = await run({ ...system.deps, warehouse: down })
      expect(failures).toMatchObject([{ stage: 'load', error: { code: 'WAREHOUSE_UNREACHABLE' } }])
    }
    await system.run()
    await expectThree(system, 'update 1,x', 'update 1,y')
  })

  it('I13 a source that is down: what was captured is still loaded', async () => {
    await using system = await createMirror(THREE)
    const withoutWarehouse = { ...system.deps.warehouse, url: 'postgresql://x@127.0.0.1:1/x' }
    await run({ ...system.deps, warehouse: withoutWarehouse })
    const source = { ...system.deps.source, url: 'postgresql://x@127.0.0.1:1/x' }
    const { failures, loaded } = await run({ ...system.deps, source })
    expect(failures).toMatchObject([{ stage: 'extract', error: { code: 'SOURCE_UNREACHABLE' } }])
    expect(loaded?.batches).toEqual([1])
    await expectThree(system)
  })

  it('I15 a table that somebody locks, and one that may not be read: each is held alone', async () => {
    await using system = await createMirror(`${THREE}
      create table locked (id int primary key); create table closed (id int primary key, secret text)`)
    await system.run()
    const reader = new URL(system.source.readerUrl).username
    const other = await system.source.client()
    await other.query('begin; lock table locked in access exclusive mode')
    await system.sql.query(`
      revoke select on closed from ${reader}; insert into closed values (1);
      update t set v = 'z' where id = 1`)
    expect((await system.run()).held).toMatchObject([
      { table: 'closed', reason: 'permission' },
      { table: 'locked', reason: 'locked' },
    ])
    expect((await versionsOf(system, 't')).at(-1)).toMatch(/^update 1,z/)
    await other.query('insert into locked values (5); commit')
    await system.sql.query(`grant select on closed to ${reader}`)
    await runEqual(system)
    expect(await versionsOf(system, 'locked')).toEqual(['insert 5'])
    expect(await versionsOf(system, 'closed')).toEqual(['insert 1,∅'])
  })

  it('I15 values that the lake cannot hold: the row is in quarantine, and then arrives', async () => {
    await using system = await createMirror(
      `create table t (id int primary key, n numeric(5,2)); insert into t select g, g from generate_series(1, 99) as g`,
    )
    await system.run()
    await system.sql.query(`update t set n = 'NaN' where id = 1; update t set n = 7 where id = 2`)
    expect(await system.run()).toMatchObject({ quarantined: 1, held: [] })
    await system.sql.query('update t set n = 8 where id = 1')
    await runEqual(system)
    expect((await versionsOf(system, 't')).slice(-2)).toEqual(['update 2,7.00', 'update 1,8.00'])
  })

  it('I14 a lake that has lost a file: verify says so, and a run writes nothing over it', async () => {
    await using system = await createMirror(THREE)
    await system.run()
    const folder = join(system.folder, 'ingestion')
    const files = await readdir(folder, { recursive: true })
    const record = files.find(
      (file) => /commit.*\.json$|\.json$/.test(file) && !file.includes('schema'),
    )
    await rm(join(folder, record ?? ''))
    await system.sql.query(`update t set v = 'z' where id = 1`)
    const { failures } = await run({ ...system.deps, memory: createMemory() })
    expect(failures[0]?.error).toMatchObject({ code: expect.stringMatching(/^LAKE_/) })
    expect(await versionsOf(system, 't')).toEqual(three()['t'])
  })
})

describe('a database that is mirrored into itself', () => {
  it('is refused if the warehouse would be a schema with its own tables, and nothing is written', async () => {
    await using system = await createMirror(THREE)
    const deps = { ...system.deps, warehouse: { ...system.deps.warehouse, url: system.source.url } }
    const { failures } = await run(deps)
    expect(failures).toMatchObject([{ stage: 'extract', error: { code: 'WAREHOUSE_IN_SOURCE' } }])
    expect(await system.records()).toEqual([])
    expect(await system.source.query(`select from pg_class where relname ~ '^tidemark'`)).toEqual(
      [],
    )
  })

  it('keeps its tables in a schema of its own, and not that schema', async () => {
    await using system = await createMirror(`${THREE} create schema own`)
    const { url } = system.source
    const warehouse = { ...system.deps.warehouse, url, schema: 'own' }
    // This user may read everything.
    const deps = { ...system.deps, source: { ...system.deps.source, url }, warehouse }
    for (const v of ['x', 'y']) {
      expect(await run(deps)).toMatchObject({ failures: [], held: [] })
      await system.sql.query(`update t set v = '${v}' where id = 1`)
    }
    await run(deps)
    expect(Object.keys((await system.records()).at(-1)?.tables ?? {})).toEqual(['t'])
    expect(
      await system.source.query(`select v from own.t_history where id = 1 order by version`),
    ).toEqual([{ v: 'a' }, { v: 'x' }, { v: 'y' }])
    expect((await run(deps)).extracted?.committed).toBe(false)
  })
})
