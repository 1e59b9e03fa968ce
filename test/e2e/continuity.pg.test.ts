import { cp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TidemarkError, TransientError } from '../../src/platform/errors.ts'
import { diskStore } from '../../src/platform/lake/store/disk-store.ts'
import { commitKey } from '../../src/platform/lake/zone.ts'
import { generationOf } from '../../src/platform/project/generation.ts'
import { collect, load, run, transform } from '../../src/platform/pipeline.ts'
import { readStatus, type Status } from '../../src/platform/inspect/status.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { listKeys } from '../support/lake.ts'
import {
  currentOrders,
  expectFaithful,
  insertOrders,
  orderHistory,
  seedTotesys,
} from '../support/small-totesys.ts'
import {
  createSystem,
  type PreparedSystem,
  prepareSystem,
  type TestSystem,
} from '../support/system.ts'

const prepared = new Map<number, PreparedSystem>()
let system: TestSystem
afterEach(() => system[Symbol.asyncDispose]())
afterAll(async () => {
  for (const each of prepared.values()) await each[Symbol.asyncDispose]()
})

/** Opens a system that has loaded a number of batches. Each after the first adds a version of order 1. */
async function openAt(batch: number): Promise<void> {
  const made = prepared.get(batch) ?? prepareSystem((fresh) => runUpTo(batch, fresh))
  prepared.set(batch, made)
  system = await made.open()
  // Finds nothing to do, but makes this process remember the log as if it had written it.
  await system.run()
}

async function runUpTo(batch: number, { sql, run: runOnce }: TestSystem): Promise<void> {
  await seedTotesys(sql)
  await runOnce()
  for (let number = 2; number <= batch; number++) {
    await sql.query(`update sales_order set units_sold = ${number * 100} where sales_order_id = 1`)
    await runOnce()
  }
}

const folderOf = (zone: string) => join(system.folder, zone)
const ingested = (batch: number) => join(folderOf('ingestion'), commitKey(batch))
const transformed = (batch: number) =>
  join(folderOf('processed'), generationOf(system.deps.project), commitKey(batch))

/** The zones as a new process sees them, without memory. */
function forget(): void {
  const store = (zone: string) => diskStore(folderOf(zone))
  const deps = { ...system.deps, ingestion: store('ingestion'), processed: store('processed') }
  system = { ...system, deps }
}

/** The whole state: the objects of both zones, and the rows of the warehouse. */
async function everything(): Promise<unknown> {
  return {
    ingestion: await listKeys(system.deps.ingestion),
    processed: await listKeys(system.deps.processed),
    ledger: await system.query('select batch_id, loaded_at from tidemark_ledger order by 1'),
    confirmed: await system.query('select batch_id, confirmed_at from tidemark_confirmation'),
    facts: await system.query('select count(*) from fact_sales_order'),
  }
}

/**
 * The code and message with which three runs fail, and whether anything was written all the same.
 * Each run has a change to capture and must not write.
 */
async function refusedRuns(): Promise<{ code: string; said: string; wrote: boolean }> {
  const before = await everything()
  const said = new Set<string>()
  let code = ''
  for (let attempt = 0; attempt < 3; attempt++) {
    await system.sql.query(
      'update sales_order set units_sold = units_sold + 1 where sales_order_id = 2',
    )
    const error = (await run(system.deps)).failures[0]?.error
    if (!(error instanceof TidemarkError)) throw error ?? new Error('the run did not fail')
    code = error.code
    said.add(`${error.message} (${error.hint})`)
  }
  const wrote = JSON.stringify(await everything()) !== JSON.stringify(before)
  return { code, said: [...said].join('; '), wrote }
}

function status(deps = system.deps): Promise<Status> {
  return readStatus(deps, { reader: deps.warehouse, promiseMs: 60_000, now: new Date() })
}

/**
 * The system as seen by somebody who gets a late answer from the ingestion zone: `work` is done after
 * the first look for the object with this key, before its result is known.
 */
function lateAt(key: string, work: () => Promise<void>): TestSystem['deps'] {
  let isFirst = true
  const get = async (wanted: string) => {
    const found = await system.deps.ingestion.get(wanted)
    if (wanted === key && isFirst) {
      isFirst = false
      await work()
    }
    return found
  }
  return { ...system.deps, ingestion: { ...system.deps.ingestion, get } }
}

/** An error that names these parts and says, correctly, that nothing was written. */
function refusal(code: string, ...names: readonly string[]): unknown {
  const pattern = [...names, 'nothing was written'].map((name) => escape(name)).join('.*')
  return { code, said: expect.stringMatching(new RegExp(pattern)), wrote: false }
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

const AWAY = new TransientError('The bucket did not answer', { code: 'LAKE_BUSY' })

describe('an ingestion zone that is not the one the processed zone was made from', () => {
  beforeEach(() => openAt(4))

  it('I14 removed: the run stops, names both zones, and writes nothing', async () => {
    await rename(folderOf('ingestion'), folderOf('away'))
    expect(await refusedRuns()).toEqual(
      refusal(
        'LAKE_BEHIND',
        folderOf('ingestion'),
        'ends at batch 0',
        folderOf('processed'),
        'its batch 4',
      ),
    )
    await rename(folderOf('away'), folderOf('ingestion'))
    await system.run()
    await expectFaithful(system)
    expect(await orderHistory(system, 1)).toEqual([
      'insert 10',
      'update 200',
      'update 300',
      'update 400',
    ])
  })

  it('I14 another system’s: the run stops, and writes nothing', async () => {
    await using other = await createSystem()
    await seedTotesys(other.sql)
    await other.run()
    for (let number = 2; number <= 6; number++) {
      await other.sql.query(
        `update sales_order set units_sold = ${number} where sales_order_id = 3`,
      )
      await other.run()
    }
    await rename(folderOf('ingestion'), folderOf('away'))
    await cp(join(other.folder, 'ingestion'), folderOf('ingestion'), { recursive: true })
    expect(await refusedRuns()).toEqual(
      refusal('LAKE_MIXED', folderOf('processed'), folderOf('ingestion')),
    )
  })

  it('I14 a backup one batch older: the run stops, and writes nothing', async () => {
    await rm(ingested(4))
    expect(await refusedRuns()).toEqual(refusal('LAKE_BEHIND', 'ends at batch 3', 'its batch 4'))
  })

  it('is captured on while the processed zone is away, and transformed once it is back', async () => {
    const away = { ...system.deps.processed, get: () => Promise.reject(AWAY) }
    const deps = { ...system.deps, processed: away }
    await system.sql.query(insertOrders([[4, 40]]))
    const { failures, extracted } = await run(deps)
    expect(extracted?.committed).toBe(true)
    expect(failures.map(({ stage }) => stage)).toEqual(['transform', 'load'])
    expect(system.entries).toContainEqual(expect.objectContaining({ event: 'processed_zone_away' }))
    expect((await system.run()).loaded?.batches).toEqual([5])
    await expectFaithful(system)
    // But a new log is not begun without it.
    const empty = { ...deps, ingestion: diskStore(folderOf('empty')) }
    expect((await run(empty)).failures[0]).toMatchObject({ stage: 'extract', error: AWAY })
    expect(await listKeys(empty.ingestion)).toEqual([])
  })

  it('I14 every stage by itself refuses it, and so does status', async () => {
    await rm(ingested(4))
    for (const stage of [collect, transform]) {
      await expect(stage(system.deps)).rejects.toMatchObject({ code: 'LAKE_BEHIND' })
    }
    await expect(status()).rejects.toMatchObject({ code: 'LAKE_BEHIND' })
    await expect(verify(system.deps)).rejects.toMatchObject({ code: 'LAKE_BEHIND' })
  })
})

describe('a processed zone that is not the one the warehouse was loaded from', () => {
  beforeEach(() => openAt(3))

  it('I14 another system’s: nothing is captured, transformed or loaded', async () => {
    await using other = await createSystem()
    await seedTotesys(other.sql)
    await other.run()
    await rm(folderOf('processed'), { recursive: true })
    await cp(join(other.folder, 'processed'), folderOf('processed'), { recursive: true })
    expect(await refusedRuns()).toEqual(
      refusal('LAKE_MIXED', folderOf('processed'), folderOf('ingestion')),
    )
  })

  it('I8 removed: it is made again from the ingestion zone, and the warehouse goes on', async () => {
    await rm(folderOf('processed'), { recursive: true })
    await system.sql.query('update sales_order set units_sold = 7 where sales_order_id = 2')
    const report = await system.run()
    expect(report.transformed?.batches).toEqual([1, 2, 3, 4])
    expect(report.loaded?.batches).toEqual([4])
    await expectFaithful(system)
  })

  it('I14 removed together with the ingestion zone: a loaded warehouse keeps a new log from beginning', async () => {
    await rm(folderOf('processed'), { recursive: true })
    await rm(folderOf('ingestion'), { recursive: true })
    await expect(status()).rejects.toMatchObject({ code: 'LAKE_BEHIND' })
    expect(await refusedRuns()).toEqual(
      refusal('LAKE_BEHIND', folderOf('ingestion'), 'at batch 0', 'to batch 3'),
    )
  })

  it('I14 put back from an older backup together with the ingestion zone: nothing is captured', async () => {
    await rm(ingested(3))
    await rm(transformed(3))
    forget()
    await expect(status()).rejects.toMatchObject({ code: 'LAKE_BEHIND' })
    expect(await refusedRuns()).toEqual(
      refusal('LAKE_BEHIND', folderOf('ingestion'), 'ends at batch 2', 'up to batch 3'),
    )
  })

  it('I14 another system’s together with the ingestion zone: nothing is captured', async () => {
    await using other = await createSystem()
    await seedTotesys(other.sql)
    for (let number = 1; number <= 4; number++) {
      await other.sql.query(
        `update sales_order set units_sold = ${number} where sales_order_id = 3`,
      )
      await other.run()
    }
    for (const zone of ['ingestion', 'processed']) {
      await rm(folderOf(zone), { recursive: true })
      await cp(join(other.folder, zone), folderOf(zone), { recursive: true })
    }
    forget()
    await expect(status()).rejects.toMatchObject({ code: 'LAKE_MIXED' })
    expect(await refusedRuns()).toEqual(
      refusal('LAKE_MIXED', folderOf('ingestion'), 'another batch 3'),
    )
  })

  it('I14 with a hole that no look beyond the end finds: status refuses it as a run does', async () => {
    for (let number = 4; number <= 18; number++) {
      await system.sql.query(
        `update sales_order set units_sold = ${number} where sales_order_id = 1`,
      )
      await system.run()
    }
    for (let number = 4; number <= 18; number++) {
      if (number < 18) await rm(ingested(number))
      await rm(transformed(number))
    }
    forget()
    await expect(status()).rejects.toMatchObject({ code: 'LAKE_BEHIND' })
    expect(await refusedRuns()).toEqual(
      refusal('LAKE_BEHIND', folderOf('ingestion'), 'ends at batch 3', 'up to batch 18'),
    )
  })

  it('I14 from a new lake that was begun beside it: load refuses it, though the numbers match', async () => {
    const warehouse = { ...system.deps.warehouse, schema: 'other' }
    await rm(folderOf('processed'), { recursive: true })
    await rm(folderOf('ingestion'), { recursive: true })
    for (let number = 1; number <= 4; number++) {
      await system.sql.query(
        `update sales_order set units_sold = ${number} where sales_order_id = 3`,
      )
      expect((await run({ ...system.deps, warehouse })).failures).toEqual([])
    }
    await expect(load(system.deps)).rejects.toMatchObject({
      code: 'LAKE_MIXED',
      message: expect.stringMatching(/another batch 3/),
    })
  })
})

describe('a warehouse', () => {
  it('I4 put back from an older backup is loaded up to date', async () => {
    await openAt(2)
    const backup = await system.query<{ sql: string }>(
      `select format('delete from %I where batch_id > 2', t) as sql
       from unnest(array['fact_sales_order', 'fact_sales_order_current', 'tidemark_ledger',
           'tidemark_confirmation']) as t`,
    )
    const rows = await system.query(
      'select * from fact_sales_order_current where sales_order_id = 1',
    )
    await system.sql.query('update sales_order set units_sold = 300 where sales_order_id = 1')
    await system.run()
    for (const { sql } of backup) await system.query(sql)
    expect(await currentOrders(system)).not.toHaveProperty('1')
    expect(rows).toHaveLength(1)
    await system.run()
    expect(await orderHistory(system, 1)).toContain('update 300')
    await expectFaithful(system)
  })

  it.each([1, 2, 3])(
    'that %i runs have loaded since status read the zones is not another lake',
    async (runs) => {
      await openAt(2)
      const late = lateAt(commitKey(3), async () => {
        for (let number = 1; number <= runs; number++) {
          await system.sql.query(insertOrders([[3 + number, 40]]))
          await system.run()
        }
      })
      expect(await status(late)).toMatchObject({
        batches: { ingestion: 2 + runs, processed: 2 + runs, warehouse: 2 + runs },
      })
      expect(system.entries).toContainEqual(
        expect.objectContaining({ event: 'status_again', code: 'BATCH_TAKEN' }),
      )
    },
  )

  it('that another run has loaded since the zones were read is not another lake', async () => {
    await openAt(2)
    await system.sql.query(insertOrders([[4, 40]]))
    const late = lateAt(commitKey(3), async () => {
      await system.run()
      await system.sql.query(insertOrders([[5, 50]]))
    })
    expect((await run(late)).failures).toEqual([])
    expect(system.entries).toContainEqual(
      expect.objectContaining({ event: 'extract_again', code: 'BATCH_TAKEN' }),
    )
    await system.run()
    await expectFaithful(system)
  })

  it.each([
    ['before records had checksums', 'lake = null, loaded_from = null, captured_as = null'],
    ['from a record that names no other', 'lake = null, captured_as = null'],
  ])('loaded %s goes on with the next batch', async (_, set) => {
    await openAt(2)
    await system.query(`update tidemark_ledger set ${set}`)
    await system.sql.query(insertOrders([[4, 40]]))
    expect((await system.run()).loaded?.batches).toEqual([3])
    const [head] = await system.query<{ loaded_from: string; captured_as: string; lake: string }>(
      'select loaded_from, captured_as, lake::text from tidemark_ledger where batch_id = 3',
    )
    const [captured, made] = [(await system.records())[2], (await system.records('processed'))[2]]
    expect(head).toEqual({
      loaded_from: made?.checksum,
      captured_as: captured?.checksum,
      lake: captured?.lake,
    })
  })
})

describe('a changed or missing commit record', () => {
  beforeEach(() => openAt(8))

  it.each([1, 2, 3, 4, 7])(
    'I14 the one of batch %i removed: the run stops, names it, and writes nothing',
    async (lost) => {
      await rm(ingested(lost))
      forget()
      expect(await refusedRuns()).toEqual(
        refusal('LAKE_OBJECT_MISSING', `${commitKey(lost)} is missing`),
      )
    },
  )

  it('I14 the first one removed with the processed zone: no new log is begun', async () => {
    await rm(ingested(1))
    await rm(folderOf('processed'), { recursive: true })
    forget()
    expect(await refusedRuns()).toEqual(refusal('LAKE_GAP', `${commitKey(1)} is missing`))
  })

  it('I14 removed from the middle, it stops the stage that reads it, and is named', async () => {
    await rm(ingested(5))
    await rm(folderOf('processed'), { recursive: true })
    await expect(transform(system.deps)).rejects.toMatchObject({
      code: 'LAKE_OBJECT_MISSING',
      message: expect.stringContaining(commitKey(5)),
    })
  })

  it('I14 one digit of the newest snapshot changed: the record is damaged, nothing is taken for news', async () => {
    const text = await readFile(ingested(8), 'utf8')
    const moved = text.replace(
      /"xmin":"(\d+)"/,
      (_, xmin: string) => `"xmin":"${Number(xmin) + 2000}"`,
    )
    expect(moved).not.toBe(text)
    await writeFile(ingested(8), moved)
    expect(await refusedRuns()).toEqual(refusal('LAKE_DAMAGED', commitKey(8), 'checksum'))
    await writeFile(ingested(8), text)
    await system.run()
    await expectFaithful(system)
  })

  it('I14 a count of record ids changed in the processed zone: the record is damaged', async () => {
    const text = await readFile(transformed(8), 'utf8')
    const moved = text.replace(
      /"records":(\d+)/,
      (_, count: string) => `"records":${Number(count) + 1}`,
    )
    expect(moved).not.toBe(text)
    await writeFile(transformed(8), moved)
    expect(await refusedRuns()).toEqual(refusal('LAKE_DAMAGED', commitKey(8), 'checksum'))
  })

  it('I14 the newest processed record removed: the batch is made again as it was', async () => {
    const before = await system.query('select * from fact_sales_order order by sales_record_id')
    await rm(transformed(8))
    const report = await system.run()
    expect(report.transformed?.batches).toEqual([8])
    expect(await system.query('select * from fact_sales_order order by sales_record_id')).toEqual(
      before,
    )
  })

  it('I14 a record of the ingestion zone put in place of a later one is refused', async () => {
    await writeFile(ingested(8), await readFile(ingested(7)))
    expect(await refusedRuns()).toEqual(refusal('LAKE_DAMAGED', commitKey(8), 'batch 7'))
  })
})

it('I14 every record of both zones names the one before, and a processed one what it was made from', async () => {
  await openAt(3)
  const captured = await system.records()
  const made = await system.records('processed')
  for (const log of [captured, made]) {
    for (const [index, record] of log.entries()) {
      expect(record.previousChecksum).toBe(log[index - 1]?.checksum)
      expect(record.lake).toBe(captured[0]?.lake)
    }
  }
  expect(made.map(({ madeFrom }) => madeFrom)).toEqual(captured.map(({ checksum }) => checksum))
})

it('a changed row in one of eleven tables writes four objects of less than 8 kB together', async () => {
  await openAt(2)
  const sizes: number[] = []
  for (let batch = 3; batch <= 22; batch++) {
    const before = new Set((await listObjects()).map(({ key }) => key))
    await system.sql.query(
      `update sales_order set units_sold = ${batch * 100} where sales_order_id = 1`,
    )
    const { extracted } = await system.run()
    const made = (await listObjects()).filter(({ key }) => !before.has(key))
    // Change files that have piled up are merged into one now and then.
    const changes = made.filter(({ key }) => !key.includes('checkpoint/'))
    expect(made.length - changes.length).toBeLessThanOrEqual(1)
    expect(changes).toHaveLength(4)
    // Open transactions of other tests on the shared server cause more comparisons, and unchanged
    // rows are counted too.
    const others = Object.entries(extracted?.record?.tables ?? {}).filter(
      ([name, { counts }]) => name !== 'sales_order' && counts.read > 0,
    )
    const size = changes.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    if (others.length === 0) sizes.push(size)
    expect(size).toBeLessThan(8000 + others.length * 400)
  }
  expect(sizes.every((size) => size < 8000)).toBe(true)
})

async function listObjects(): Promise<{ key: string; sizeBytes: number }[]> {
  const objects: { key: string; sizeBytes: number }[] = []
  for (const zone of ['ingestion', 'processed'] as const) {
    for await (const { key, sizeBytes } of system.deps[zone].list('')) {
      objects.push({ key: `${zone}/${key}`, sizeBytes })
    }
  }
  return objects
}
