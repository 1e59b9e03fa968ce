import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createDerived, CUSTOMER, DATES, derived, SALE } from '../../../test/support/derived.ts'
import { listKeys, withHook } from '../../../test/support/lake.ts'
import {
  aChangeFile,
  away,
  damage,
  dropSchema,
  editionOf,
  expectVerified,
  fill,
  hashesNow,
  hashesOf,
} from '../../../test/support/rebuilds.ts'
import { type TestSystem } from '../../../test/support/system.ts'
import { readContent } from '../../../test/support/warehouse-content.ts'
import { createMemory } from '../io/memory.ts'
import { planNextRun } from '../inspect/plan.ts'
import { sweep } from '../inspect/sweep.ts'
import { diskStore } from '../lake/store/disk-store.ts'
import { commitKey } from '../lake/zone.ts'
import { run } from '../pipeline.ts'
import { generationOf } from '../project/generation.ts'
import { rebuild } from './rebuild.ts'

describe('rebuild() of the warehouse', () => {
  it('I8 makes the same content and record ids again, in place and from nothing, source away', async () => {
    await using system = await createDerived()
    await fill(system)
    const before = await readContent(system.warehouse)
    const hashes = await hashesNow(system)
    expect(Object.keys(hashes).toSorted()).toEqual(
      ['dim_customer', 'dim_date', 'fact_sale', 'fact_sale_current'].toSorted(),
    )
    const again = await rebuild(away(system), { from: 'processed' })
    expect([again.batch, again.newest, hashesOf(again)]).toEqual([4, 4, hashes])
    expect(await readContent(system.warehouse)).toEqual(before)
    await dropSchema(system)
    expect(hashesOf(await rebuild(away(system), { from: 'processed' }))).toEqual(hashes)
    expect(await readContent(system.warehouse)).toEqual(before)
    await expectVerified(system)
    const progress = system.entries.filter(({ event }) => event === 'rebuild_progress')
    expect(progress.at(-1)).toMatchObject({ zone: 'warehouse', batch: 4, of: 4 })
  })

  it('I8 repairs a warehouse that somebody changed', async () => {
    await using system = await createDerived()
    await fill(system)
    const before = await readContent(system.warehouse)
    await system.warehouse.query(`
      update fact_sale set units = 99 where sale_id = 10;
      delete from fact_sale_current;
      update dim_customer set name = 'Eve';
      insert into dim_customer values (99, 'Z', 'Nobody', null)`)
    await rebuild(away(system), { from: 'processed' })
    expect(await readContent(system.warehouse)).toEqual(before)
    await expectVerified(system)
  })

  it('I8 stops at each batch, as the warehouse was then, and the next run goes on', async () => {
    await using system = await createDerived()
    const copies: Record<string, readonly string[]>[] = []
    await fill(system, async () => {
      copies.push(await readContent(system.warehouse))
    })
    for (const [index, copy] of [...copies.entries()].toReversed()) {
      const report = await rebuild(away(system), { from: 'processed', to: String(index + 1) })
      expect([report.batch, report.newest]).toEqual([index + 1, 4])
      expect(await readContent(system.warehouse)).toEqual(copy)
    }
    await dropSchema(system)
    await rebuild(away(system), { from: 'processed', to: '2' })
    expect(await readContent(system.warehouse)).toEqual(copies[1])
    const { loaded } = await system.run()
    expect(loaded?.batches).toEqual([3, 4])
    expect(await readContent(system.warehouse)).toEqual(copies[3])
    await expectVerified(system)
  })

  it.each(['0', '5', '-1', '2.5', 'two', '', '1e0'])(
    'refuses the batch %j, and names the newest one',
    async (to) => {
      await using system = await createDerived()
      await fill(system)
      await expect(rebuild(away(system), { from: 'processed', to })).rejects.toMatchObject({
        code: 'USAGE',
        message: expect.stringContaining('from 1 to 4'),
      })
    },
  )

  it('has nothing to make from an empty lake', async () => {
    await using system = await createDerived()
    const refused = { code: 'USAGE', hint: 'tidemark run' }
    await expect(rebuild(away(system), { from: 'processed' })).rejects.toMatchObject(refused)
    await expect(rebuild(away(system), { from: 'ingestion' })).rejects.toMatchObject(refused)
    expect(await readContent(system.warehouse)).toEqual({})
  })

  it('brings a change of a model', async () => {
    await using system = await createDerived()
    await fill(system)
    const project = derived([
      CUSTOMER,
      { ...SALE, sql: SALE.sql.toString().replace('units,', '(units * 2)::integer as units,') },
      DATES,
    ])
    const deps = { ...away(system), project }
    const report = await rebuild(deps, { from: 'processed' })
    expect(report.generation).toBe(generationOf(project))
    expect(await system.query('select units from fact_sale_current order by sale_id')).toEqual([
      { units: 10 },
      { units: 8 },
    ])
    const next = await run({ ...system.deps, project })
    expect([next.failures, next.loaded?.batches]).toEqual([[], []])
  })

  it('I5 shows a reader the old rows or the new ones, never others', async () => {
    await using system = await createDerived()
    await fill(system)
    const before = await system.query('select * from fact_sale order by 1')
    const done = new AbortController()
    const polled: unknown[] = []
    const poll = async () => {
      const reader = await system.warehouse.client()
      while (!done.signal.aborted) {
        const { rows } = await reader.query('select * from fact_sale order by 1')
        polled.push(rows)
      }
    }
    const polling = poll()
    for (const from of ['processed', 'ingestion'] as const) await rebuild(away(system), { from })
    done.abort()
    await polling
    expect(polled.length).toBeGreaterThan(3)
    for (const rows of polled) expect(rows).toEqual(before)
  })

  it('I14 refuses the warehouse of another lake', async () => {
    await using system = await createDerived()
    await using other = await createDerived()
    await fill(system)
    await other.run()
    const before = await readContent(system.warehouse)
    const deps = { ...other.deps, memory: createMemory(), warehouse: system.deps.warehouse }
    for (const from of ['processed', 'ingestion'] as const) {
      await expect(rebuild(deps, { from })).rejects.toMatchObject({
        code: expect.stringMatching(/^LAKE_(MIXED|BEHIND)$/),
      })
    }
    expect(await readContent(system.warehouse)).toEqual(before)
    expect((await listKeys(other.deps.processed)).filter((key) => key.includes('.2/'))).toEqual([])
  })
})

describe('rebuild() from the ingestion zone', () => {
  it('I3 I8 makes another edition beside the first, with the same content', async () => {
    await using system = await createDerived()
    await fill(system)
    const before = await readContent(system.warehouse)
    const hashes = await hashesNow(system)
    const objects = await listKeys(system.deps.processed)
    const report = await rebuild(away(system), { from: 'ingestion' })
    expect(report.generation).toBe(`${generationOf(system.deps.project)}.2`)
    expect(hashesOf(report)).toEqual(hashes)
    expect(await readContent(system.warehouse)).toEqual(before)
    expect(await listKeys(system.deps.processed)).toEqual(expect.arrayContaining(objects))
    // A process that ran before goes on in the new edition, also without the first one.
    await rm(editionOf(system), { recursive: true })
    await system.sql.query('update sale set units = 6 where sale_id = 10')
    const next = await system.run()
    expect([next.failures, next.loaded?.batches]).toEqual([[], [5]])
    expect(next.transformed?.generation).toBe(report.generation)
    await expectVerified(system)
    expect((await rebuild(away(system), { from: 'ingestion' })).generation).toMatch(/\.3$/)
    await expectVerified(system)
    const swept = await sweep(system.deps, { before: new Date(Date.now() + 60_000), remove: true })
    expect(swept.map(({ orphans }) => orphans)).toEqual([0, 0])
    await expectVerified(system)
  })

  it('I8 makes the first edition again if the processed zone is gone', async () => {
    await using system = await createDerived()
    await fill(system)
    const hashes = await hashesNow(system)
    await rm(join(system.folder, 'processed'), { recursive: true })
    const report = await rebuild(away(system), { from: 'ingestion' })
    expect([report.generation, hashesOf(report)]).toEqual([
      generationOf(system.deps.project),
      hashes,
    ])
    await expectVerified(system)
  })

  it('I8 makes the first edition again if the warehouse was loaded from one that is gone', async () => {
    await using system = await createDerived()
    await fill(system)
    const hashes = await hashesNow(system)
    await rebuild(away(system), { from: 'ingestion' })
    await rm(join(system.folder, 'processed'), { recursive: true })
    const { failures, loaded } = await system.run()
    expect([failures, loaded?.batches]).toEqual([[], [1, 2, 3, 4]])
    expect(await hashesNow(system)).toEqual(hashes)
    await expectVerified(system)
  })

  it.each([
    ['a commit record', (system: TestSystem) => join(editionOf(system), commitKey(2))],
    ['the newest commit record', (system: TestSystem) => join(editionOf(system), commitKey(4))],
    ['a change file', (system: TestSystem) => aChangeFile(editionOf(system))],
  ])('I8 gets past a damaged processed zone: %s', async (what, find) => {
    await using system = await createDerived()
    await fill(system)
    const hashes = await hashesNow(system)
    const before = await readContent(system.warehouse)
    const path = await find(system)
    await damage(path)
    await dropSchema(system)
    await expect(rebuild(away(system), { from: 'processed' })).rejects.toMatchObject({
      code: expect.stringMatching(/^LAKE_/),
    })
    const report = await rebuild(away(system), { from: 'ingestion' })
    expect([report.generation, hashesOf(report)]).toEqual([
      `${generationOf(system.deps.project)}.2`,
      hashes,
    ])
    expect(await readContent(system.warehouse)).toEqual(before)
    await expectVerified(system)
    expect(what).not.toBe('')
  })

  it('I8 gets past a processed zone that lost a commit record', async () => {
    await using system = await createDerived()
    await fill(system)
    const hashes = await hashesNow(system)
    await rm(join(editionOf(system), commitKey(1)))
    await expect(rebuild(away(system), { from: 'processed' })).rejects.toMatchObject({
      code: expect.stringMatching(/^LAKE_/),
    })
    expect(hashesOf(await rebuild(away(system), { from: 'ingestion' }))).toEqual(hashes)
    await expectVerified(system)
  })

  it.each([2, 4])('I14 refuses an ingestion zone whose batch %i is damaged', async (batch) => {
    await using system = await createDerived()
    await fill(system)
    const before = await readContent(system.warehouse)
    const objects = await listKeys(system.deps.processed)
    await damage(join(system.folder, 'ingestion', commitKey(batch)))
    for (const from of ['processed', 'ingestion'] as const) {
      await expect(rebuild(away(system), { from })).rejects.toMatchObject({
        code: expect.stringMatching(/^LAKE_/),
      })
    }
    expect(await readContent(system.warehouse)).toEqual(before)
    expect(await listKeys(system.deps.processed)).toEqual(objects)
  })

  it('I14 refuses a log whose chain is broken by a record of the same lake', async () => {
    await using system = await createDerived()
    await fill(system)
    const copy = join(system.folder, 'copy')
    await cp(join(system.folder, 'ingestion'), join(copy, 'ingestion'), { recursive: true })
    await cp(join(system.folder, 'processed'), join(copy, 'processed'), { recursive: true })
    const stores = {
      ingestion: diskStore(join(copy, 'ingestion')),
      processed: diskStore(join(copy, 'processed')),
    }
    const warehouse = { ...system.deps.warehouse, url: '' }
    const copied = { ...system.deps, ...stores, warehouse, memory: createMemory() }
    const sell = (units: number) =>
      system.sql.query('update sale set units = $1 where sale_id = 10', [units])
    await sell(6)
    expect((await run(copied)).extracted?.record?.batch).toBe(5)
    for (const units of [6, 7, 8]) {
      await sell(units)
      await system.run()
    }
    const hashes = await hashesNow(system)
    const before = await readContent(system.warehouse)
    const attempt = async (from: 'processed' | 'ingestion') => await rebuild(away(system), { from })

    const processed = editionOf(system)
    await cp(
      join(editionOf({ ...system, folder: copy }), commitKey(5)),
      join(processed, commitKey(5)),
    )
    await expect(attempt('processed')).rejects.toMatchObject({
      code: 'LAKE_BROKEN',
      message: expect.stringContaining('log of the processed zone is broken at batch 5'),
      hint: expect.stringContaining('tidemark rebuild --from ingestion'),
    })
    expect(hashesOf(await attempt('ingestion'))).toEqual(hashes)

    const objects = await listKeys(system.deps.processed)
    await cp(join(copy, 'ingestion', commitKey(5)), join(system.folder, 'ingestion', commitKey(5)))
    for (const from of ['processed', 'ingestion'] as const) {
      await expect(attempt(from)).rejects.toMatchObject({
        code: 'LAKE_BROKEN',
        message: expect.stringContaining('log of the ingestion zone is broken at batch 6'),
      })
    }
    expect(await readContent(system.warehouse)).toEqual(before)
    expect(await listKeys(system.deps.processed)).toEqual(objects)
  })

  it('I14 refuses an ingestion zone that ends before what was made from it', async () => {
    await using system = await createDerived()
    await fill(system)
    const objects = await listKeys(system.deps.processed)
    await rm(join(system.folder, 'ingestion', commitKey(4)))
    for (const from of ['processed', 'ingestion'] as const) {
      await expect(rebuild(away(system), { from })).rejects.toMatchObject({ code: 'LAKE_BEHIND' })
    }
    expect(await listKeys(system.deps.processed)).toEqual(objects)
  })

  it('I8 a run switches to an edition, whatever became of the one before', async () => {
    await using system = await createDerived()
    await fill(system)
    const hashes = await hashesNow(system)
    await damage(join(editionOf(system), commitKey(4)))
    await damage(join(editionOf(system), commitKey(2)))
    // Killed once the edition is complete, before the warehouse switches to it.
    const url = 'postgres://nobody@127.0.0.1:1/nowhere'
    const unloaded = { ...away(system), warehouse: { ...system.deps.warehouse, url } }
    await expect(rebuild(unloaded, { from: 'ingestion' })).rejects.toMatchObject({
      code: 'WAREHOUSE_UNREACHABLE',
    })
    const plan = await planNextRun(system.deps)
    expect(plan.generation).toMatchObject({
      batches: 4,
      why: ['the processed zone was made again'],
    })
    const { failures, loaded } = await run(system.deps)
    expect([failures, loaded?.batches]).toEqual([[], [1, 2, 3, 4]])
    expect(await hashesNow(system)).toEqual(hashes)
    await expectVerified(system)
  })

  it('I9 a quiet run looks once which edition is in force', async () => {
    await using system = await createDerived()
    await fill(system)
    for (const looks of [1, 2]) {
      const asked: string[] = []
      const counting = withHook(
        system.deps,
        (_call, key) => void (key.endsWith('/edition.json') && asked.push(key)),
        'processed',
      )
      expect((await run(counting)).loaded?.batches).toEqual([])
      expect(asked).toHaveLength(looks)
      await rebuild(system.deps, { from: 'ingestion' })
    }
  })

  it('ends the warehouse at a batch, and the processed zone at the end of the log', async () => {
    await using system = await createDerived()
    const copies: Record<string, readonly string[]>[] = []
    await fill(system, async () => {
      copies.push(await readContent(system.warehouse))
    })
    const report = await rebuild(away(system), { from: 'ingestion', to: '2' })
    expect([report.batch, report.newest]).toEqual([2, 4])
    expect(await readContent(system.warehouse)).toEqual(copies[1])
    const next = await system.run()
    expect([next.transformed?.batches, next.loaded?.batches]).toEqual([[], [3, 4]])
    await expectVerified(system)
  })
})
