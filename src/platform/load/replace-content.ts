import { setTimeout as delay } from 'node:timers/promises'
import { type Deps, openScratchDb } from '../deps.ts'
import { ConflictError } from '../errors.ts'
import type { DuckDb } from '../io/duckdb.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { readCommit, readExistingCommit } from '../lake/batch-log.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import { knownProject, publishedProject } from '../lake/mirrored-project.ts'
import type { Zone } from '../lake/zone.ts'
import { generationOf, isNewerEdition } from '../project/generation.ts'
import {
  type Beside,
  isStillThere,
  prepareBeside,
  type Purpose,
  removeBeside,
} from '../warehouse/beside.ts'
import { type Loaded, readLoaded } from '../warehouse/ledger.ts'
import { applyMigrations, findFarReaching, isWhole } from '../warehouse/migrate.ts'
import {
  findObstacles,
  isRefusal,
  lockBeside,
  outwaitSnapshots,
  SwapRefused,
  swapIn,
} from '../warehouse/swap.ts'
import {
  inLockedTransaction,
  inTransaction,
  LOCK,
  type WarehouseClient,
} from '../warehouse/warehouse.ts'
import { derive, loadBatches, loadInput, readCheckedRecords, readSchemas } from './load-batches.ts'
import { replaceInPlace } from './replace-in-place.ts'

/** The content that the warehouse gets. */
export interface Replacement {
  /** The processed zone from which it is loaded. */
  readonly zone: Zone
  /** The generation that made the zone. */
  readonly generation: string
  /** The content is that of batch 1 to this one. */
  readonly lastBatch: number
  /** The newest row of the warehouse's ledger on which the caller has decided; undefined without one. */
  readonly head: Loaded | undefined
  /** Derived tables that are dropped, because only later batches bring them. Default: none. */
  readonly later?: ReadonlySet<string>
  /** Called after each batch that is loaded beside or in place. */
  readonly onBatch?: (batch: number, lastBatch: number) => void
}

/**
 * What `replaceContent` did. `unfinished`: the deadline came first. The next call goes on.
 */
export type ReplaceOutcome = 'replaced' | 'skipped' | 'unfinished'

/**
 * Makes the warehouse hold batches 1 to `lastBatch` of a generation, and nothing else from the lake.
 * Readers see the old content until the new stands, whole (I5), and wait at most for the moment of the
 * swap.
 *
 * The content is loaded into a schema beside the warehouse's, as into an empty warehouse, and then takes
 * the place of the old in one short transaction. Killed anywhere, or at the deadline, the next call with
 * the same purpose goes on where it stopped. If the swap would lose something that people have made on
 * the tables, or cannot be had, the content is replaced in place instead, in one long transaction that
 * starts again if it is killed. The event `replaced_in_place` says why.
 *
 * If another run has loaded later batches of the same generation meanwhile, they are loaded too. Skips
 * if another run has already replaced the content, has gone on loading another generation, or has loaded
 * a newer edition of this one.
 *
 * The warehouse must have been migrated. Throws `ContractError`, before anything is replaced, if the log
 * is broken (I14), and otherwise what `loadBatch` throws. Throws `ConflictError` if another run replaces
 * the content with something else.
 */
export async function replaceContent(
  deps: Deps,
  warehouse: WarehouseClient,
  replacement: Replacement,
): Promise<ReplaceOutcome> {
  const waitMs = deps.limits.lockWaitMs
  const last = await readExistingCommit(replacement.zone, replacement.lastBatch)
  await using db = await openScratchDb(deps)
  const work: Work = { deps, warehouse, replacement, last, db }
  const outcome = await replaceBeside(work)
  if (typeof outcome === 'string') {
    if (outcome !== 'unfinished') await removeBeside(warehouse, { waitMs })
    return outcome
  }
  const { generation, zone } = replacement
  deps.log({ event: 'replaced_in_place', level: 'warn', generation, why: outcome.refused })
  const project = await publishedProject(deps.project, zone, last)
  const replaced = await replaceInPlace(warehouse, {
    ...loadInput(deps, { zone, generation, db, project }),
    plan: (now) => planUpTo(replacement, now),
    later: replacement.later ?? NONE,
    schemas: await readSchemas(zone, last),
    records: (upTo) => withProgress(replacement, readCheckedRecords(deps, zone, upTo), upTo),
  })
  await removeBeside(warehouse, { waitMs })
  return replaced
}

const NONE: ReadonlySet<string> = new Set()

/** The records, each reported once it is applied. */
async function* withProgress(
  { onBatch }: Replacement,
  records: AsyncIterable<CommitRecord>,
  of: number,
): AsyncGenerator<CommitRecord> {
  for await (const record of records) {
    yield record
    onBatch?.(record.batch, of)
  }
}

interface Work {
  readonly deps: Deps
  readonly warehouse: WarehouseClient
  readonly replacement: Replacement
  /** The record of the last batch. */
  readonly last: CommitRecord
  readonly db: DuckDb
}

interface Refused {
  readonly refused: string
}

/**
 * Up to which batch the content goes, if the newest row of the ledger is `now`; undefined if another run
 * has done the work, or has gone on with another generation. Pure.
 */
export function planUpTo(
  { generation, lastBatch, head }: Omit<Replacement, 'zone'>,
  now: Loaded | undefined,
): number | undefined {
  const isAsBefore =
    now?.batch === head?.batch &&
    now?.generation === head?.generation &&
    now?.loadedFrom === head?.loadedFrom
  if (isAsBefore || now === undefined) return lastBatch
  if (isNewerEdition(now.generation, generation)) return undefined
  if (head !== undefined && head.generation !== generation) {
    return now.generation === generation || now.batch > lastBatch ? undefined : lastBatch
  }
  if (now.generation !== generation) return undefined
  return (head?.batch ?? 0) <= lastBatch ? Math.max(now.batch, lastBatch) : lastBatch
}

async function replaceBeside(work: Work): Promise<ReplaceOutcome | Refused> {
  const { deps, warehouse, replacement, last } = work
  const database = warehouse.warehouse
  const farReaching = findFarReaching(deps.project)
  if (farReaching !== undefined) {
    return { refused: `the migration ${farReaching} may reach beyond its schema` }
  }
  const purpose: Purpose = {
    generation: replacement.generation,
    zone: replacement.zone.prefix,
    lake: last.lake,
    version: deps.version,
  }
  const beside = await withPostgresErrors(database, () => prepare(work, purpose))
  if ('refused' in beside) return beside
  try {
    return await fillAndSwap(work, beside)
  } catch (error) {
    if (await withPostgresErrors(database, () => isStillThere(warehouse, beside))) throw error
    // Another call has swapped the content in, or has started afresh.
    const now = await withPostgresErrors(database, () => readLoaded(warehouse))
    if (now?.generation === replacement.generation && now.batch >= replacement.lastBatch) {
      return 'skipped'
    }
    throw new ConflictError(`Another run is replacing the content of ${database.title}`, {
      code: 'RUN_LOCKED',
      hint: 'nothing was changed; wait for it to end and run again',
      cause: error,
    })
  }
}

/** The schema beside, with nothing in it that was not loaded from batches of this purpose. */
async function prepare(
  { deps, warehouse, replacement }: Work,
  purpose: Purpose,
): Promise<Beside | Refused> {
  const { lockWaitMs: waitMs } = deps.limits
  const beside = await prepareBeside(warehouse, purpose, { waitMs })
  if ('refused' in beside) return beside
  const head = await readHead(beside)
  if (head === undefined) return beside
  const { zone, lastBatch } = replacement
  const record = head.batch > lastBatch ? undefined : await readCommit(zone, head.batch)
  if (record !== undefined && record.checksum === head.loadedFrom) return beside
  return await prepareBeside(warehouse, purpose, { waitMs, isAfresh: true })
}

async function readHead({ warehouse }: Beside): Promise<Loaded | undefined> {
  return await inTransaction(warehouse, async () => {
    const { rowCount } = await warehouse.client.query(
      `select 1 where to_regclass('tidemark_sums') is not null`,
    )
    return rowCount === 0 ? undefined : await readLoaded(warehouse)
  })
}

async function fillAndSwap(work: Work, beside: Beside): Promise<ReplaceOutcome | Refused> {
  const { replacement, last } = work
  const refused = (await migrateBeside(work, beside)) ?? (await findEarly(work, beside))
  if (refused !== undefined) return refused
  let upTo = last
  for (;;) {
    if (!(await fill(work, beside, upTo.batch))) return 'unfinished'
    const outcome = await swap(work, beside, upTo)
    if (typeof outcome !== 'number') return outcome
    upTo = await readExistingCommit(replacement.zone, outcome)
  }
}

/**
 * Applies the migrations beside. If the project's own cannot be applied to an empty schema, says so.
 */
async function migrateBeside(
  { deps, last, replacement }: Work,
  { warehouse }: Beside,
): Promise<Refused | undefined> {
  const project = await publishedProject(deps.project, replacement.zone, last)
  try {
    await inTransaction(warehouse, async () => {
      // The lock exists, unless another call has removed the schema: it must not be made again.
      await warehouse.client.query(`lock table ${LOCK} in exclusive mode`)
      if (!(await isWhole(warehouse, project))) await applyMigrations(warehouse, project)
    })
    return undefined
  } catch (error) {
    if (project.warehouse === undefined || !isRefusal(error)) throw error
    return { refused: `the migrations do not run in an empty schema: ${(error as Error).message}` }
  }
}

/**
 * Looks for obstacles before the first batch is loaded, so that no work is done in vain. Says nothing
 * if the newest batch has other tables than the first.
 */
async function findEarly(work: Work, beside: Beside): Promise<Refused | undefined> {
  const { deps, warehouse, replacement, last } = work
  const { zone } = replacement
  if ((await readHead(beside)) !== undefined) return undefined
  const first = await readExistingCommit(zone, 1)
  if (fingerprintsOf(first) !== fingerprintsOf(last)) return undefined
  const project = await publishedProject(deps.project, zone, first)
  const known = knownProject(project, first)
  await derive(deps, beside.warehouse, { zone, project: known, record: first, before: undefined })
  const found = await withPostgresErrors(warehouse.warehouse, () =>
    inTransaction(warehouse, () => findObstacles(warehouse, beside, project)),
  )
  return found.length === 0 ? undefined : { refused: found.join('; ') }
}

function fingerprintsOf({ tables }: CommitRecord): string {
  const found = Object.entries(tables).map(([table, { fingerprint }]) => `${table} ${fingerprint}`)
  return found.toSorted().join(', ')
}

/** Loads the batches beside. Returns whether all are loaded: the deadline may come first. */
async function fill(work: Work, beside: Beside, lastBatch: number): Promise<boolean> {
  const { deps, replacement, db } = work
  const { zone, generation } = replacement
  const head = await withPostgresErrors(beside.warehouse.warehouse, () => readHead(beside))
  const before = head && (await readExistingCommit(zone, head.batch))
  const loaded = await loadBatches(deps, beside.warehouse, {
    zone,
    generation,
    db,
    before,
    lastBatch,
    onLoaded(batch) {
      deps.log({ event: 'batch_prepared', batch, of: lastBatch, generation })
      replacement.onBatch?.(batch, lastBatch)
    },
  })
  return loaded >= lastBatch
}

const ATTEMPTS = 12
const PAUSE_MS = 400

/**
 * Swaps the content beside in, once it holds what it must. Returns a batch if there is a later one by now,
 * and why not if it cannot be done. While somebody is only reading, tries again for some seconds.
 */
async function swap(
  work: Work,
  beside: Beside,
  last: CommitRecord,
): Promise<'replaced' | 'skipped' | number | Refused> {
  const { deps, warehouse, replacement } = work
  const project = await publishedProject(deps.project, replacement.zone, last)
  return await withPostgresErrors(warehouse.warehouse, async () => {
    if (!(await outwaitSnapshots(warehouse))) {
      return { refused: 'somebody is still reading by a snapshot from before' }
    }
    for (let attempt = 1; ; attempt++) {
      try {
        return await inLockedTransaction(warehouse, deps.limits.lockWaitMs, async () => {
          const upTo = planUpTo(replacement, await readLoaded(warehouse))
          if (upTo === undefined) return 'skipped'
          if (upTo > last.batch) return upTo
          if ((await lockBeside(warehouse.client, beside)) !== last.batch) {
            throw new ConflictError('the schema beside has changed', { code: 'RUN_LOCKED' })
          }
          await swapIn(warehouse, beside, { project, later: replacement.later ?? NONE })
          return 'replaced'
        })
      } catch (error) {
        const isOurs = error instanceof SwapRefused
        if (isOurs && error.isPassing && attempt < ATTEMPTS) {
          await delay(PAUSE_MS)
          continue
        }
        if (!isOurs && !isRefusal(error)) throw error
        const { message, detail = message } = error as { message: string; detail?: string }
        return { refused: detail }
      }
    }
  })
}

/**
 * Removes a schema beside that an earlier call has left, and that no call can go on with: it was made for
 * another generation than the models' own.
 */
export async function removeUnwanted(deps: Deps, warehouse: WarehouseClient): Promise<void> {
  const generation = generationOf(deps.project)
  await withPostgresErrors(warehouse.warehouse, () =>
    removeBeside(warehouse, {
      waitMs: deps.limits.lockWaitMs,
      isWanted: (purpose) => purpose.generation === generation,
    }),
  )
}
