import { describe, expect, it } from 'vitest'
import { createDerived } from '../../../test/support/derived.ts'
import { once, withHook } from '../../../test/support/lake.ts'
import {
  dropSchema,
  away,
  expectVerified,
  fill,
  hashesNow,
  hashesOf,
} from '../../../test/support/rebuilds.ts'
import { readContent } from '../../../test/support/warehouse-content.ts'
import type { Deps } from '../deps.ts'
import { commitKey } from '../lake/zone.ts'
import { TidemarkError } from '../errors.ts'
import type { LogEntry } from '../log.ts'
import { run } from '../pipeline.ts'
import { generationOf } from '../project/generation.ts'
import { rebuild } from './rebuild.ts'

/** An error as a killed process leaves things behind. */
class Killed extends TidemarkError {
  constructor() {
    super('killed', { code: 'KILLED' })
  }
}

describe('rebuild() that is killed, or not alone', () => {
  it('I4 I8 goes on after a kill at each object it creates', async () => {
    await using system = await createDerived()
    await fill(system)
    const hashes = await hashesNow(system)
    let kills = 0
    for (let edition = 2; edition < 40; edition++) {
      // The object at which it is killed is another one each time.
      let left = edition - 2
      const killed = withHook(
        away(system),
        (call) => {
          if (call !== 'get' && left-- === 0) throw new Killed()
        },
        'processed',
      )
      const outcome = await rebuild(killed, { from: 'ingestion' }).catch((error: unknown) => error)
      if (!(outcome instanceof Killed)) break
      kills += 1
      // Some go on by a rebuild, the others by a run.
      if (edition % 2 === 0) await rebuild(away(system), { from: 'ingestion' })
      else await system.run()
      expect(await hashesNow(system)).toEqual(hashes)
    }
    expect(kills).toBeGreaterThan(15)
    await expectVerified(system)
  })

  it('I4 makes one edition if two rebuild at once', async () => {
    await using system = await createDerived()
    await fill(system)
    const hashes = await hashesNow(system)
    const both = await Promise.all([1, 2].map(() => rebuild(away(system), { from: 'ingestion' })))
    for (const report of both) expect(hashesOf(report)).toEqual(hashes)
    await expectVerified(system)
    const two = await Promise.all([1, 2].map(() => rebuild(away(system), { from: 'processed' })))
    for (const report of two) expect(hashesOf(report)).toEqual(hashes)
    await expectVerified(system)
  })

  it('I4 a run that began in the older edition never puts it back', async () => {
    await using system = await createDerived()
    await fill(system)
    await system.sql.query('update sale set units = 7 where sale_id = 10')
    // While the run transforms into the first edition, a rebuild makes the second and loads it.
    const deps = withHook(
      system.deps,
      once(
        (call, key) => call === 'put' && key.endsWith(commitKey(5)),
        () => rebuild(away(system), { from: 'ingestion' }),
      ),
      'processed',
    )
    const report = await run(deps)
    expect(report.failures).toEqual([])
    expect(await system.query('select distinct generation from tidemark_ledger')).toEqual([
      { generation: `${generationOf(system.deps.project)}.2` },
    ])
    expect(system.entries.map(({ event }) => event)).toContain('load_again')
    await expectVerified(system)
  })

  it('I4 loads what a run adds while it rebuilds', async () => {
    await using system = await createDerived()
    await fill(system)
    await system.sql.query('update sale set units = 7 where sale_id = 10')
    const deps = withHook(
      away(system),
      once(
        (call, key) => call === 'get' && key.endsWith(`.2/${commitKey(4)}`),
        () => system.run(),
      ),
      'processed',
    )
    const report = await rebuild(deps, { from: 'ingestion' })
    expect([report.batch, report.newest]).toEqual([5, 5])
    await system.run()
    await expectVerified(system)
  })

  it('stops when asked, and goes on when called again', async () => {
    await using system = await createDerived()
    await fill(system)
    const hashes = await hashesNow(system)
    const stop = new AbortController()
    const deps = {
      ...withHook(
        away(system),
        once(
          (call, key) => call === 'put' && key.endsWith(`.2/${commitKey(2)}`),
          async () => stop.abort(),
        ),
        'processed',
      ),
      signal: stop.signal,
    }
    await expect(rebuild(deps, { from: 'ingestion' })).rejects.toMatchObject({
      code: 'INTERRUPTED',
    })
    const report = await rebuild(away(system), { from: 'ingestion' })
    expect([report.generation, hashesOf(report)]).toEqual([
      `${generationOf(system.deps.project)}.2`,
      hashes,
    ])
  })
})

/** A log that throws at one of the entries. */
function killedAt(deps: Deps, isIt: (entry: LogEntry) => boolean): Deps {
  return {
    ...deps,
    log(entry) {
      deps.log(entry)
      if (isIt(entry)) throw new Killed()
    },
  }
}

describe('rebuild() that is killed while it loads', () => {
  it('I4 I5 I8 keeps the old rows in place, and leaves whole batches in an empty warehouse', async () => {
    await using system = await createDerived()
    await fill(system)
    const before = await readContent(system.warehouse)
    const isSecond = (entry: LogEntry) =>
      entry.event === 'rebuild_progress' && entry.zone === 'warehouse' && entry.batch === 2
    const killed = () => killedAt(away(system), isSecond)
    await expect(rebuild(killed(), { from: 'processed' })).rejects.toThrow(Killed)
    expect(await readContent(system.warehouse)).toEqual(before)
    await dropSchema(system)
    await expect(rebuild(killed(), { from: 'processed' })).rejects.toThrow(Killed)
    expect(await system.query('select batch_id::int as batch from tidemark_ledger')).toEqual([
      { batch: 1 },
      { batch: 2 },
    ])
    await rebuild(away(system), { from: 'processed' })
    expect(await readContent(system.warehouse)).toEqual(before)
    await dropSchema(system)
    await expect(rebuild(killed(), { from: 'ingestion' })).rejects.toThrow(Killed)
    expect((await system.run()).loaded?.batches).toEqual([3, 4])
    expect(await readContent(system.warehouse)).toEqual(before)
    await expectVerified(system)
  })
})
