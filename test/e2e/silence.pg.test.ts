import { afterEach, describe, expect, it } from 'vitest'
import type { Deps } from '../../src/platform/deps.ts'
import { run } from '../../src/platform/pipeline.ts'
import { connect } from '../../src/platform/io/postgres.ts'
import { thingProject } from '../support/bare-project.ts'
import { type SilentProxy, startSilentProxy } from '../support/silent-proxy.ts'
import { createSystem, type TestSystem } from '../support/system.ts'

const opened: AsyncDisposable[] = []
afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each[Symbol.asyncDispose]()
})

interface Silenced {
  readonly system: TestSystem
  readonly deps: Deps
  /** Like `deps`, but with little patience for the silence of one of the databases. */
  readonly impatient: (which: 'source' | 'warehouse') => Deps
  readonly source: SilentProxy
  readonly warehouse: SilentProxy
}

const SILENCE_MS = 600

/** A whole Tidemark that reaches both databases through proxies that can go silent, after a batch. */
async function open(): Promise<Silenced> {
  const system = await createSystem({
    project: thingProject({ note: 'text' }),
    template: 'empty',
  })
  opened.push(system)
  await system.sql.query('create table thing (id integer primary key, note text)')
  const source = await startSilentProxy(system.deps.source.url)
  const warehouse = await startSilentProxy(system.deps.warehouse.url)
  opened.push(source, warehouse)
  const deps = {
    ...system.deps,
    source: { ...system.deps.source, url: source.through(system.deps.source.url) },
    warehouse: { ...system.deps.warehouse, url: warehouse.through(system.deps.warehouse.url) },
  }
  const impatient = (which: 'source' | 'warehouse') => ({
    ...deps,
    [which]: { ...deps[which], silenceMs: SILENCE_MS },
  })
  expect((await run(deps)).failures).toEqual([])
  return { system, deps, impatient, source, warehouse }
}

/** Rows of a few megabytes in total. */
const MANY = `insert into thing select n, repeat(md5(n::text), 50) from generate_series(1, 4000) as n`

async function expectRecovery({ deps, system, source, warehouse }: Silenced): Promise<void> {
  for (const proxy of [source, warehouse]) {
    proxy.setNew('pass')
  }
  const { failures } = await run(deps)
  expect(failures).toEqual([])
  const [found] = await system.query<{ rows: number }>(
    'select count(*)::int as rows from fact_thing_current',
  )
  const [wanted] = await system.source.query<{ rows: number }>(
    'select count(*)::int as rows from thing',
  )
  expect(found).toEqual(wanted)
}

function failuresOf(report: Awaited<ReturnType<typeof run>>): unknown[] {
  return report.failures.map(({ stage, error }) => [
    stage,
    (error as Error).name,
    (error as { code?: string }).code,
  ])
}

describe('a connection that accepts everything and passes nothing on', () => {
  it.each(['source', 'warehouse'] as const)(
    'I13 fails while connecting to the %s, in bounded time, and the next run works',
    async (which) => {
      const silenced = await open()
      await silenced.system.sql.query(MANY)
      silenced[which].setNew('swallow')
      const report = await run(silenced.impatient(which))
      const stage = which === 'source' ? 'extract' : 'load'
      const code = which === 'source' ? 'SOURCE_UNREACHABLE' : 'WAREHOUSE_UNREACHABLE'
      expect(failuresOf(report)).toEqual([[stage, 'TransientError', code]])
      await expectRecovery(silenced)
    },
  )

  // After the greetings, within the catalogue's answers, and within the rows.
  it.each([800, 4000, 20_000, 1_000_000, 3_000_000])(
    'I13 fails after %i bytes from the source, in bounded time, and the next run works',
    async (bytes) => {
      const silenced = await open()
      await silenced.system.sql.query(MANY)
      const silent = silenced.source.swallowAfter(bytes)
      const report = await run(silenced.impatient('source'))
      await silent
      expect(failuresOf(report)).toEqual([['extract', 'TransientError', 'SOURCE_UNREACHABLE']])
      await expectRecovery(silenced)
    },
  )

  it.each([800, 4000, 1_000_000, 3_000_000])(
    'I13 fails after %i bytes to and from the warehouse, in bounded time, and the next run works',
    async (bytes) => {
      const silenced = await open()
      await silenced.system.sql.query(MANY)
      const silent = silenced.warehouse.swallowAfter(bytes)
      const report = await run(silenced.impatient('warehouse'))
      await silent
      expect(failuresOf(report)).toEqual([['load', 'TransientError', 'WAREHOUSE_UNREACHABLE']])
      await expectRecovery(silenced)
    },
  )

  it('I13 fails if only open connections go silent: the server is asked what it is doing', async () => {
    const { impatient, source, system } = await open()
    await system.sql.query(MANY)
    await using connection = await connect({ ...impatient('source').source, attempts: 20 })
    source.setOpen('swallow')
    const asked = connection.client.query('select 1')
    await expect(asked).rejects.toThrow('timeout expired')
  })

  it('closes in bounded time', async () => {
    const { impatient, source } = await open()
    const connection = await connect({ ...impatient('source').source, attempts: 20 })
    source.setOpen('swallow')
    await expect(connection[Symbol.asyncDispose]()).resolves.toBeUndefined()
  })
})

describe('a statement that takes its time', () => {
  it('is left alone for as long as the server works on it', async () => {
    const { deps, source, system } = await open()
    // Time for the server to be asked and to answer, on a busy machine too.
    const silenceMs = 2000
    const asking = { ...deps.source, silenceMs, attempts: 20 }
    await system.sql.query(`
      create view slow as select id, pg_sleep(${(silenceMs * 3.2) / 1000})::text as note from thing;
      grant select on slow to public;
      insert into thing values (1, 'one')`)
    const tables = [{ name: 'thing', relation: 'slow', key: ['id'], keyIsUnenforced: true }]
    const project = { ...deps.project, source: { schema: 'public', tables } }
    const before = source.connections
    const report = await run({ ...deps, project, source: asking })
    expect(report.failures).toEqual([])
    expect(report.extracted?.record?.tables['thing']?.rows).toBe(1)
    // One connection for the run, the others to ask.
    expect(source.connections - before).toBeGreaterThan(2)
  })
})
