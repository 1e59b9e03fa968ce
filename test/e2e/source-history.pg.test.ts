import { afterEach, describe, expect, it } from 'vitest'
import { findOtherHistory } from '../../src/platform/source/horizon.ts'
import { openSource } from '../../src/platform/source/source-snapshot.ts'
import type { Deps } from '../../src/platform/deps.ts'
import { extract, extractSnapshot } from '../../src/platform/extract/extract.ts'
import { run } from '../../src/platform/pipeline.ts'
import { bareProject, thingProject } from '../support/bare-project.ts'
import { readTable, type TextRow } from '../support/lake.ts'
import { catchUp, type SourceServer, startSource } from '../support/source-server.ts'
import { createSystem, type TestSystem } from '../support/system.ts'

const THINGS = `
  create table thing (id integer primary key, name text);
  create table other (id integer primary key);
  insert into thing select n, 'name ' || n from generate_series(1, 20) as n;
  insert into other values (1)`

const opened: AsyncDisposable[] = []
afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each[Symbol.asyncDispose]()
})

async function open(settings: Record<string, string> = {}) {
  const source = await startSource(settings)
  opened.push(source)
  await source.sql(THINGS)
  const project = bareProject([
    { name: 'thing', key: ['id'] },
    { name: 'other', key: ['id'] },
  ])
  const system = await createSystem({ project, template: 'empty' })
  opened.push(system)
  return { source, system }
}

function reading({ deps }: TestSystem, { database }: SourceServer): Deps {
  return { ...deps, source: database }
}

/** What the lake has, as of the last batch. */
async function lake(system: TestSystem): Promise<TextRow[]> {
  return readTable(system, (await system.records()).at(-1), 'thing')
}

async function rows({ sql }: SourceServer): Promise<TextRow[]> {
  return await sql<TextRow>('select t.id::text, t.name from thing as t order by t.id')
}

/** Why tables were compared whole since the last call. */
function reasons({ entries }: TestSystem): unknown[] {
  const found = entries.filter((entry) => entry.event === 'table_compared_whole')
  entries.length = 0
  return found.map(({ table, why }) => [table, why])
}

/** How often each table was scanned so far. A session that has ended has reported all of its scans. */
async function scans({ sql }: SourceServer): Promise<Record<string, number>> {
  await expect
    .poll(() => sql(`select 1 from pg_stat_activity where application_name like 'tidemark%'`))
    .toEqual([])
  const found = await sql<{ table: string; scans: number }>(`
    select relname as "table", (seq_scan + coalesce(idx_scan, 0))::integer as scans
    from pg_stat_user_tables`)
  return Object.fromEntries(found.map((row) => [row.table, row.scans]))
}

describe('a source that may have another history', () => {
  it('I14 a copy put back that has overtaken every counter is compared whole, once', async () => {
    const { source, system } = await open()
    await extract(reading(system, source))
    const copy = await source.copy()
    await source.sql(`
      update thing set name = 'lost' where id <= 3;
      delete from thing where id = 20;
      insert into thing values (100, 'lost too')`)
    await extract(reading(system, source))
    await source.putBack(copy)
    for (let n = 1; n <= 30; n++) await source.sql(`insert into other values (${100 + n})`)
    await source.sql(`update thing set name = 'kept' where id = 7`)
    expect(reasons(system)).toEqual([])

    const { committed } = await extract(reading(system, source))
    expect(committed).toBe(true)
    expect(await lake(system)).toEqual(await rows(source))
    const why = 'the source was restarted since the last batch'
    expect(reasons(system)).toEqual([
      ['thing', why],
      ['other', why],
    ])
    await source.sql(`update thing set name = 'next' where id = 8`)
    await extract(reading(system, source))
    expect(await lake(system)).toEqual(await rows(source))
    expect(reasons(system)).toEqual([])
  })

  it('I14 a start that changed nothing costs one comparison and a batch, then nothing', async () => {
    const { source, system } = await open()
    const copy = await source.copy()
    await source.putBack(copy)
    const first = await extract(reading(system, source))
    expect(first.committed).toBe(true)
    await source.putBack(copy)
    const second = await extract(reading(system, source))
    expect(second).toMatchObject({ committed: true, record: { batch: 2 } })
    expect(second.record?.tables['thing']?.changes).toEqual([])
    expect(reasons(system)).toHaveLength(2)
    expect(await extract(reading(system, source))).toMatchObject({ committed: false })
    expect(reasons(system)).toEqual([])
  })

  it('I14 the comparison after a start reads each table once', async () => {
    const { source, system } = await open()
    await extract(reading(system, source))
    await source.putBack(await source.copy())
    const before = await scans(source)
    await extract(reading(system, source))
    expect(reasons(system)).toHaveLength(2)
    expect(await scans(source)).toEqual({
      thing: (before['thing'] ?? 0) + 1,
      other: (before['other'] ?? 0) + 1,
    })
  })

  it('I14 transactions lost in a crash that the server survives are found, though others took their ids', async () => {
    const { source, system } = await open({
      synchronous_commit: 'off',
      wal_writer_delay: '10000',
    })
    await extract(reading(system, source))
    await source.sql('checkpoint')
    await source.sql(`update thing set name = 'lost' where id <= 3`)
    await extract(reading(system, source))
    const crash = source.sql('select pg_sleep(600) as victim').catch(() => {})
    let pid: number | undefined
    while (pid === undefined) {
      const [found] = await source.sql<{ pid: number }>(
        `select pid from pg_stat_activity where query like '%victim' and pid <> pg_backend_pid()`,
      )
      pid = found?.pid
    }
    const started = await source.sql('select pg_postmaster_start_time()')
    const counting = 'select stats_reset from pg_stat_bgwriter'
    const [before] = await source.sql<{ stats_reset: Date }>(counting)
    process.kill(pid, 'SIGKILL')
    await crash
    for (let isOver = false; !isOver;) {
      const [now] = await source.sql<{ stats_reset: Date }>(counting).catch(() => [])
      isOver = now !== undefined && now.stats_reset > (before?.stats_reset ?? now.stats_reset)
    }
    expect(await source.sql('select pg_postmaster_start_time()')).toEqual(started)
    for (let n = 1; n <= 30; n++) await source.sql(`insert into other values (${100 + n})`)

    await extract(reading(system, source))
    expect(await lake(system)).toEqual(await rows(source))
    expect(reasons(system)).toHaveLength(2)
    await extract(reading(system, source))
    expect(reasons(system)).toEqual([])
  })

  it('I14 a promoted standby is on its own timeline at once', async () => {
    const { source, system } = await open()
    const standby = await source.follow(await source.copy())
    await catchUp(standby, source)
    const deps = reading(system, standby)
    await extract(deps)
    const { identity: before } = await using(openSource(deps.source))
    await standby.sql('select pg_promote()')
    const { identity: now } = await using(openSource(deps.source))
    expect([before.timeline, now.timeline]).toEqual([1, 2])
    expect(findOtherHistory(now, before)).toMatch(/timeline/)
    await standby.sql(`delete from thing where id = 1`)
    await extract(deps)
    expect(reasons(system)).toHaveLength(2)
    expect(await lake(system)).toEqual(await rows(standby))
  })
})

describe('a source that is a standby', () => {
  it('I13 is complete up to its replayed position, and its lag grows while replay is paused', async () => {
    const { source, system } = await open()
    const standby = await source.follow(await source.copy())
    const project = thingProject({ name: 'text' })
    const deps = { ...reading(system, standby), project }
    await source.sql(`insert into thing values (21, 'replayed')`)
    await catchUp(standby, source)
    const first = await run(deps)
    expect(first.failures).toEqual([])
    const [commit] = await standby.sql<{ at: Date }>('select pg_last_xact_replay_timestamp() as at')
    expect(Date.parse(first.completeTo ?? '')).toBeLessThanOrEqual(commit?.at.getTime() ?? 0)

    await standby.sql('select pg_wal_replay_pause()')
    const [update] = await source.sql<{ at: Date }>(
      `update thing set name = 'not replayed' where id = 1 returning clock_timestamp() as at`,
    )
    const second = await run(deps)
    expect(second.failures).toEqual([])
    expect(second.extracted).toMatchObject({ committed: false, held: [] })
    expect(second.completeTo).toBe(first.completeTo)
    expect(Date.parse(second.completeTo ?? '')).toBeLessThan(update?.at.getTime() ?? 0)

    await standby.sql('select pg_wal_replay_resume()')
    await catchUp(standby, source)
    const third = await run(deps)
    expect(third.extracted?.record?.tables['thing']?.counts.updated).toBe(1)
    expect(Date.parse(third.completeTo ?? '')).toBeGreaterThanOrEqual(update?.at.getTime() ?? 0)
    expect(reasons(system)).toEqual([])
  })

  it('I15 has no rows of an unlogged table, which is held alone', async () => {
    const { source, system } = await open()
    await source.sql('alter table other set unlogged')
    const standby = await source.follow(await source.copy())
    await catchUp(standby, source)
    const { held } = await extract(reading(system, standby))
    expect(held).toMatchObject([{ table: 'other', reason: 'not_on_standby' }])
    expect(await lake(system)).toEqual(await rows(source))
  })

  it('I14 that is behind the last batch is refused, with both positions, and writes nothing', async () => {
    const { source, system } = await open()
    const late = await source.follow(await source.copy(), { recovery_min_apply_delay: '1h' })
    const standby = await source.follow(await source.copy())
    for (const name of ['111', '222']) {
      await source.sql(`update thing set name = '${name}' where id = 1`)
      await catchUp(standby, source)
      await extract(reading(system, standby))
    }
    const [batch] = (await system.records()).slice(-1)
    const deps = reading(system, late)
    const [position] = await late.sql<{ wal: string }>(
      'select pg_last_wal_replay_lsn()::text as wal',
    )
    {
      await using snapshot = await openSource(deps.source, { behindWaitMs: 300 })
      await expect(extractSnapshot(deps, snapshot)).rejects.toMatchObject({
        name: 'TransientError',
        code: 'SOURCE_BEHIND',
        message: expect.stringMatching(
          new RegExp(`replayed up to ${position?.wal};.* read at ${batch?.snapshot.wal}$`),
        ),
      })
    }
    expect(await system.records()).toHaveLength(2)

    // It catches up while the run waits.
    const extracted = extract(deps)
    await late.sql('alter system reset recovery_min_apply_delay')
    await late.sql('select pg_reload_conf()')
    await extracted
    expect(await lake(system)).toEqual(await rows(source))
    const records = await system.records()
    expect(records.map(({ tables }) => tables['thing']?.counts.updated ?? 0)).toEqual([0, 1, 0])
  })

  it('I14 that is behind its primary, which was read before, is waited for', async () => {
    const { source, system } = await open()
    const standby = await source.follow(await source.copy())
    await catchUp(standby, source)
    await standby.sql('select pg_wal_replay_pause()')
    await source.sql(`update thing set name = 'new' where id = 1`)
    await extract(reading(system, source))
    const extracted = extract(reading(system, standby))
    await standby.sql('select pg_wal_replay_resume()')
    await extracted
    expect(await lake(system)).toEqual(await rows(source))
    expect(reasons(system)).toEqual([
      ['thing', 'the source was a primary and is a standby now'],
      ['other', 'the source was a primary and is a standby now'],
    ])
  })
})

async function using<T extends AsyncDisposable>(opening: Promise<T>): Promise<T> {
  const made = await opening
  await made[Symbol.asyncDispose]()
  return made
}
