import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createDerived } from '../../../test/support/derived.ts'
import {
  besides,
  contentOf,
  expectAsFresh,
  inPlace,
  rebuild,
  withModel,
} from '../../../test/support/replaced.ts'
import type { TestSystem } from '../../../test/support/system.ts'
import type { Deps } from '../deps.ts'
import { extract } from '../extract/extract.ts'
import { run } from '../pipeline.ts'
import { generationOf } from '../project/generation.ts'
import { transform } from '../transform/transform.ts'
import { load } from './load.ts'

/** Two batches, loaded. */
async function createTwice(): Promise<TestSystem> {
  const system = await createDerived()
  await system.run()
  await system.sql.query('update sale set units = 7 where sale_id = 10')
  await system.run()
  return system
}

/** A further batch, which is not loaded yet. */
async function addBatch({ sql, deps }: TestSystem): Promise<void> {
  await sql.query(`insert into sale values (12, 2, 'B2', 9, 1.00, '2026-02-05', null)`)
  await extract(deps)
  await transform(deps)
}

function loud(deps: Deps): Deps {
  return withModel(deps, 'dim_customer', (model) => ({
    ...model,
    sql: 'select customer_id, code, upper(name) as name, city from customer',
  }))
}

const prepared = ({ entries }: TestSystem): number[] =>
  entries.flatMap((entry) => (entry.event === 'batch_prepared' ? [entry.batch] : []))

const ledger = async ({ query }: TestSystem): Promise<number[]> => {
  const rows = await query<{ id: number }>(
    'select batch_id::int as id from tidemark_ledger order by 1',
  )
  return rows.map(({ id }) => id)
}

describe('replaceContent() after a kill', () => {
  it('I4 I5 I8 goes on after it was killed at any statement', async () => {
    await using system = await createTwice()
    const before = await contentOf(system)
    let kills = 0
    const swapped = new Set<unknown>()
    for (let at = 1; ; at += 4) {
      const hook = async (statement: number): Promise<void> => {
        if (statement >= at) throw new Error('killed')
      }
      const outcome = await rebuild(system.deps, { hook }).catch(() => 'killed')
      expect(await contentOf(system), `killed at ${at}`).toEqual(before)
      const [row] = await system.query<{ id: number }>(`select to_regclass('fact_sale')::oid as id`)
      swapped.add(row?.id)
      if (outcome !== 'killed') break
      kills++
    }
    expect(kills).toBeGreaterThan(20)
    // Each batch was loaded once for each swap: a call that is killed after its swap begins again.
    const swaps = Array.from({ length: swapped.size - 1 }, () => [1, 2])
    expect(swaps.length).toBeGreaterThan(0)
    expect(prepared(system)).toEqual(swaps.flat())
    expect(inPlace(system)).toEqual([])
    expect(await besides(system)).toEqual([])
    await expectAsFresh(system, system.deps)
  })

  it('I8 loads a batch again that an attempt for another purpose has left', async () => {
    await using system = await createTwice()
    const dieAfterBatch = async (_: number, text: string): Promise<void> => {
      if (text.includes('virtualxid')) throw new Error('killed')
    }
    await expect(rebuild(system.deps, { hook: dieAfterBatch })).rejects.toThrow('killed')
    expect(await besides(system)).toEqual(['public next'])
    expect(await rebuild({ ...system.deps, version: 'another' })).toBe('replaced')
    expect(prepared(system)).toEqual([1, 2, 1, 2])
    await expect(rebuild(system.deps, { hook: dieAfterBatch })).rejects.toThrow('killed')
    expect(await rebuild(system.deps, { to: 1 })).toBe('replaced')
    expect(prepared(system).slice(4)).toEqual([1, 2, 1])
    expect(await ledger(system)).toEqual([1])
    await load(system.deps)
    await expectAsFresh(system, system.deps)
  })

  it('removes what a switch has left that nobody wants any more', async () => {
    await using system = await createTwice()
    const deps = loud(system.deps)
    await transform(deps)
    const hook = async (_: number, text: string): Promise<void> => {
      if (text.includes('virtualxid')) throw new Error('killed')
    }
    await expect(rebuild(deps, { hook })).rejects.toThrow('killed')
    expect(await besides(system)).toEqual(['public next'])
    await addBatch(system)
    await load(system.deps)
    expect(await besides(system)).toEqual([])
    await expectAsFresh(system, system.deps)
  })

  it('I8 stops at the deadline and goes on', async () => {
    await using system = await createTwice()
    const before = await contentOf(system)
    const late = { ...loud(system.deps), deadline: AbortSignal.abort() }
    await transform(late)
    await transform(late)
    expect(await load(late)).toEqual({ batches: [], lastBatch: 2, isCutShort: true })
    expect(await contentOf(system)).toEqual(before)
    expect(await load(late)).toEqual({ batches: [1, 2], lastBatch: 2, isCutShort: false })
    expect(prepared(system)).toEqual([1, 2])
    await expectAsFresh(system, loud(system.deps))
  })

  it('I14 refuses a log that is broken, before anything is replaced', async () => {
    await using system = await createTwice()
    const before = await contentOf(system)
    const path = join(
      system.folder,
      'processed',
      generationOf(system.deps.project),
      'batch/000000000001.json',
    )
    const record = await readFile(path, 'utf8')
    await writeFile(path, record.replace('"rows":2', '"rows":3'))
    await expect(rebuild(system.deps)).rejects.toMatchObject({ code: 'LAKE_DAMAGED' })
    expect(await contentOf(system)).toEqual(before)
    await writeFile(path, record)
    expect(await rebuild(system.deps)).toBe('replaced')
  })
})

describe('replaceContent() beside other runs', () => {
  const onceAt = (mark: string, work: () => Promise<unknown>) => {
    let isDone = false
    return async (_: number, text: string): Promise<void> => {
      if (isDone || !text.includes(mark)) return
      isDone = true
      await work()
    }
  }

  it('I4 I8 also loads a batch that another run loads meanwhile', async () => {
    await using system = await createTwice()
    await addBatch(system)
    const hook = onceAt('virtualxid', () => load(system.deps))
    expect(await rebuild(system.deps, { to: 2, hook })).toBe('replaced')
    expect(await ledger(system)).toEqual([1, 2, 3])
    expect(prepared(system)).toEqual([1, 2, 3])
    await expectAsFresh(system, system.deps)
  })

  it('I4 I8 also in place', async () => {
    await using system = await createTwice()
    await system.query('create view mine as select * from fact_sale')
    await addBatch(system)
    const hook = onceAt('create schema', () => load(system.deps))
    expect(await rebuild(system.deps, { to: 2, hook })).toBe('replaced')
    expect(inPlace(system)).toHaveLength(1)
    expect(await ledger(system)).toEqual([1, 2, 3])
    await expectAsFresh(system, system.deps)
  })

  it('I4 skips a switch if another run has gone on with the old generation', async () => {
    await using system = await createTwice()
    const deps = loud(system.deps)
    await transform(deps)
    await addBatch(system)
    const hook = onceAt('virtualxid', () => load(system.deps))
    expect(await rebuild(deps, { to: 2, hook })).toBe('skipped')
    await expectAsFresh(system, system.deps)
    expect(await besides(system)).toEqual([])
  })

  it('I4 I8 two calls at once, of a rebuild and of a switch', async () => {
    await using system = await createTwice()
    for (const deps of [system.deps, loud(system.deps)]) {
      await transform(deps)
      const outcomes = await Promise.all([rebuild(deps), rebuild(deps), rebuild(deps)])
      expect(outcomes).toContain('replaced')
      expect(inPlace(system)).toEqual([])
      await expectAsFresh(system, deps)
      expect(await besides(system)).toEqual([])
    }
  })

  it('I4 the one that comes late finds the work done', async () => {
    await using system = await createTwice()
    const hook = onceAt('tidemark_sums', () => rebuild(system.deps))
    expect(['replaced', 'skipped']).toContain(await rebuild(system.deps, { hook }))
    await expectAsFresh(system, system.deps)
    const atSwap = onceAt('virtualxid', () => rebuild(system.deps))
    expect(await rebuild(system.deps, { hook: atSwap })).toBe('skipped')
    await expectAsFresh(system, system.deps)
    expect(await besides(system)).toEqual([])
  })
})

/** The names of customers, the units and the number of batches: all of one generation, or wrong. */
const STATE = `select concat_ws(' ',
    (select string_agg(name, ',' order by name collate "C") from dim_customer),
    (select sum(units) from fact_sale_current), (select count(*) from fact_sale),
    (select count(*) from fact_sale_history), (select max(batch_id) from tidemark_status)) as state`

const OLD = 'Ada,Björk 8 3 3 2'
const NEW = 'ADA,BJÖRK 8 3 3 2'

describe('replaceContent() under readers', () => {
  it('I5 a reader sees the old content or the new, whole, in every kind of transaction', async () => {
    await using system = await createTwice()
    const deps = loud(system.deps)
    await transform(deps)
    const seen = new Set<string>()
    const over = new AbortController()
    const poll = async (begin: string): Promise<void> => {
      const reader = await system.warehouse.client()
      const read = async (): Promise<string> =>
        (await reader.query<{ state: string }>(STATE)).rows[0]?.state ?? ''
      while (!over.signal.aborted) {
        await reader.query(begin)
        if (begin.includes('repeatable')) {
          // The snapshot is taken before the tables are touched.
          await reader.query('select 1')
          await reader.query('select pg_sleep(0.02)')
          const [first, second] = [await read(), await read()]
          seen.add(first === second ? first : `${first}, then ${second}`)
        } else seen.add(await read())
        await reader.query('commit')
      }
    }
    const polls = [poll('begin'), poll('begin isolation level repeatable read read only')]
    await system.warehouse.query('select pg_sleep(0.2)')
    expect(await rebuild(deps)).toBe('replaced')
    await system.warehouse.query('select pg_sleep(0.2)')
    over.abort()
    await Promise.all(polls)
    expect([...seen].toSorted()).toEqual([NEW, OLD].toSorted())
    expect(inPlace(system)).toEqual([])
  })

  it('I5 a snapshot from before still shows the old content, which is replaced in place', async () => {
    await using system = await createTwice()
    const deps = loud(system.deps)
    await transform(deps)
    const reader = await system.warehouse.client()
    await reader.query('begin isolation level repeatable read; select 1')
    expect(await rebuild(deps)).toBe('replaced')
    expect(inPlace(system)).toEqual(['somebody is still reading by a snapshot from before'])
    expect((await reader.query(STATE)).rows).toEqual([{ state: OLD }])
    await reader.query('commit')
    expect((await reader.query(STATE)).rows).toEqual([{ state: NEW }])
    await expectAsFresh(system, deps)
  })

  it('I5 waits for an open query for a bounded time, and others behind it hardly', async () => {
    await using system = await createTwice()
    const deps = loud(system.deps)
    await transform(deps)
    const holder = await system.warehouse.client()
    await holder.query('begin; select * from fact_sale')
    const other = await system.warehouse.client()
    let longestMs = 0
    const over = new AbortController()
    const poll = async (): Promise<void> => {
      while (!over.signal.aborted) {
        const startedAt = performance.now()
        await other.query(STATE)
        longestMs = Math.max(longestMs, performance.now() - startedAt)
      }
    }
    const polling = poll()
    expect(await rebuild(deps)).toBe('replaced')
    over.abort()
    await polling
    expect(inPlace(system)).toEqual(['somebody is reading or has locked a table of the warehouse'])
    expect(longestMs).toBeLessThan(1500)
    await holder.query('commit')
    await expectAsFresh(system, deps)
  })

  it('I5 swaps once the open query has ended', async () => {
    await using system = await createTwice()
    const holder = await system.warehouse.client()
    await holder.query('begin; select * from fact_sale')
    const tries: string[] = []
    const hook = async (_: number, text: string): Promise<void> => {
      if (!text.startsWith('lock table') || !text.includes('access exclusive')) return
      tries.push(text)
      if (tries.length === 3) await holder.query('commit')
    }
    expect(await rebuild(system.deps, { hook })).toBe('replaced')
    expect(tries).toHaveLength(3)
    expect(inPlace(system)).toEqual([])
  })
})

describe('load()', () => {
  it('I8 a run switches and confirms as before, and the confirmation stays', async () => {
    await using system = await createTwice()
    await system.run()
    const confirmed = await system.query('select * from tidemark_confirmation')
    expect(confirmed).toHaveLength(1)
    expect(await rebuild(system.deps)).toBe('replaced')
    expect(await system.query('select * from tidemark_confirmation')).toEqual(confirmed)
    expect(await system.query('select delay from tidemark_batches')).toEqual([
      { delay: null },
      { delay: null },
    ])
    expect((await run(loud(system.deps))).failures).toEqual([])
    await expectAsFresh(system, loud(system.deps))
  })
})
