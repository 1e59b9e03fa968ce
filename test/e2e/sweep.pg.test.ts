import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { commitKey } from '../../src/platform/lake/zone.ts'
import { run } from '../../src/platform/pipeline.ts'
import { sweep } from '../../src/platform/inspect/sweep.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { tidemark } from '../support/command.ts'
import { listKeys, withHook } from '../support/lake.ts'
import { expectFaithful, insertOrders, seedTotesys } from '../support/small-totesys.ts'
import { prepareSystem, type TestSystem } from '../support/system.ts'
import { TOTESYS_PROJECT } from '../support/totesys-project.ts'

const prepared = prepareSystem(async (system) => {
  await seedTotesys(system.sql)
  await system.run()
})
let system: TestSystem
beforeEach(async () => {
  system = await prepared.open()
})
afterEach(() => system[Symbol.asyncDispose]())
afterAll(() => prepared[Symbol.asyncDispose]())

const later = () => new Date(Date.now() + 60_000)

async function allKeys(): Promise<string[]> {
  const { ingestion, processed } = system.deps
  return [...(await listKeys(ingestion)), ...(await listKeys(processed))]
}

/** A run that is killed before its commit record, whose files are left. */
async function leaveOrphans(): Promise<void> {
  await system.sql.query('update sales_order set units_sold = units_sold + 1')
  const killed = withHook(system.deps, (call, key) => {
    if (call === 'put' && key.startsWith('batch/')) throw new Error('killed')
  })
  expect((await run(killed)).failures).toHaveLength(1)
}

describe('sweep()', () => {
  it('finds nothing if every run was completed', async () => {
    await system.sql.query(insertOrders([[4, 40]]))
    await system.run()
    expect(await sweep(system.deps, { before: later(), remove: true })).toMatchObject([
      { zone: 'ingestion', orphans: 0, removed: 0 },
      { zone: 'processed', orphans: 0, removed: 0 },
    ])
  })

  it('finds what killed runs left, and removes exactly that when it is asked to', async () => {
    const whole = await allKeys()
    await leaveOrphans()
    const left = await allKeys()
    expect(left.length).toBe(whole.length + 1)
    const [counted] = await sweep(system.deps, { before: later(), remove: false })
    expect(counted).toMatchObject({ orphans: 1, removed: 0 })
    expect(counted?.orphanBytes).toBeGreaterThan(1000)
    expect(await allKeys()).toEqual(left)

    await sweep(system.deps, { before: later(), remove: true })
    expect(await allKeys()).toEqual(whole)
    await system.run()
    await expectFaithful(system)
    expect((await verify(system.deps)).isEqual).toBe(true)
  })

  it('finds the orphans under a batch number that a later run took', async () => {
    await leaveOrphans()
    await system.run()
    const [found] = await sweep(system.deps, { before: later(), remove: true })
    expect(found).toMatchObject({ orphans: 1, removed: 1 })
    await expectFaithful(system)
    expect((await verify(system.deps)).isEqual).toBe(true)
  })

  it('keeps every file that a long history names: checkpoints, quarantine, older generations', async () => {
    for (let batch = 2; batch <= 40; batch++) {
      const units = batch % 5 === 0 ? -1 : batch
      await system.sql.query(
        `update sales_order set units_sold = ${units} where sales_order_id = 1`,
      )
      await system.run()
    }
    const before = await allKeys()
    expect(before.some((key) => key.startsWith('checkpoint/'))).toBe(true)
    const swept = await sweep(system.deps, { before: later(), remove: true })
    expect(swept.map(({ removed }) => removed)).toEqual([0, 0])
    expect(await allKeys()).toEqual(before)
  })

  it('leaves alone recent objects and files that are not ours', async () => {
    await leaveOrphans()
    const folder = join(system.folder, 'ingestion')
    await writeFile(join(folder, 'README.txt'), 'for people')
    await mkdir(join(folder, 'theirs'))
    await writeFile(join(folder, 'theirs', 'part-0.parquet'), 'not a file of the log')
    const before = await allKeys()
    await sweep(system.deps, { before: new Date(Date.now() - 3_600_000), remove: true })
    expect(await allKeys()).toEqual(before)
    await sweep(system.deps, { before: later(), remove: true })
    expect(await allKeys()).toEqual(expect.arrayContaining(['README.txt', 'theirs/part-0.parquet']))
  })

  it('removes uploads that were cut off on disk', async () => {
    const staging = join(system.folder, 'ingestion', '.staging')
    await writeFile(join(staging, 'cut-off'), Buffer.alloc(5000))
    const [found] = await sweep(system.deps, { before: later(), remove: true })
    expect(found).toMatchObject({ orphans: 1, orphanBytes: 5000, removed: 1 })
  })

  it('I14 removes nothing from a lake with a gap', async () => {
    await system.sql.query(insertOrders([[4, 40]]))
    await system.run()
    await leaveOrphans()
    await rm(join(system.folder, 'ingestion', commitKey(1)))
    const before = await allKeys()
    await expect(sweep(system.deps, { before: later(), remove: true })).rejects.toMatchObject({
      code: 'LAKE_OBJECT_MISSING',
    })
    expect(await allKeys()).toEqual(before)
  })
})

it('tidemark lake sweep says what it found, what to type, and takes an age in hours', async () => {
  await leaveOrphans()
  const env = {
    TIDEMARK_PROJECT: TOTESYS_PROJECT,
    TIDEMARK_SOURCE_URL: system.deps.source.url,
    TIDEMARK_WAREHOUSE_URL: system.deps.warehouse.url,
    TIDEMARK_HOME: system.folder,
  }
  const { code, out, events } = await tidemark(['lake', 'sweep', '--json'], { env })
  expect([code, out]).toEqual([0, expect.any(String)])
  expect(events).toMatchObject([
    { event: 'zone_swept', zone: 'ingestion', orphans: 0 },
    { event: 'zone_swept', zone: 'processed', orphans: 0 },
    { event: 'lake_swept', removed: 0, left: 0, exit: 0 },
  ])
  expect((await tidemark(['lake', 'sweep'], { env })).out).toContain('No orphan older than 24 h')
  const wrong = await tidemark(['lake', 'sweep', '--older-than', '0.5'], { env })
  expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('1 or more')])
})
