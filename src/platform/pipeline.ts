import { collect, type CollectOutcome } from './collect/collect.ts'
import { retryConflicts } from './continuity.ts'
import {
  type Deps,
  hasWarehouse,
  inForce,
  ingestionZone,
  lookUpEdition,
  processedZone,
  sharingEdition,
} from './deps.ts'
import { ConfigError, ConflictError, ContractError } from './errors.ts'
import { extract, type ExtractOptions, type ExtractOutcome } from './extract/extract.ts'
import { readCommit } from './lake/batch-log.ts'
import type { CommitRecord } from './lake/commit-record.ts'
import type { HeldTable } from './lake/held.ts'
import { load, loadInto, type LoadOutcome } from './load/load.ts'
import { generationOf, withEdition } from './project/generation.ts'
import { transform, type TransformOutcome, type Warning } from './transform/transform.ts'
import { readLongestDelay } from './warehouse/delays.ts'
import { confirmUnchanged, readLedgerHead } from './warehouse/ledger.ts'
import { openWarehouse } from './warehouse/warehouse.ts'

export { collect, extract, load, transform }

/** The stages of a run, in their order. */
export type Stage = 'extract' | 'collect' | 'transform' | 'load'

/** A stage that failed, and its error. */
export interface StageFailure {
  readonly stage: Stage
  readonly error: unknown
}

/**
 * The outcome of one run. A stage that failed is undefined here and listed in `failures`; the run
 * is complete only if there are no failures (I13).
 */
export interface RunReport {
  readonly runId: string
  readonly extracted: ExtractOutcome | undefined
  readonly collected: CollectOutcome | undefined
  readonly transformed: TransformOutcome | undefined
  readonly loaded: LoadOutcome | undefined
  readonly failures: readonly StageFailure[]
  readonly held: readonly HeldTable[]
  readonly quarantined: number
  /** Rows that were published although they break a check. */
  readonly warnings: readonly Warning[]
  /**
   * The warehouse holds everything that was committed to the source before this time (source clock,
   * ISO 8601). It is older than this run if a stage failed, and undefined if the warehouse is empty
   * or unreachable. Without a warehouse, the same of the lake.
   */
  readonly completeTo: string | undefined
  /**
   * Each change that this run loaded was visible at most so many milliseconds after its commit.
   * Undefined if nothing was loaded, or if that is unknown, as for a first batch.
   */
  readonly delayMs: number | undefined
  readonly durationMs: number
}

/**
 * One run: extract → collect → transform → load; without a warehouse, it ends with the lake. Each stage catches up on all that is pending, in
 * order. A stage that fails does not stop the others: while the warehouse is down, changes are
 * still captured and transformed, and while the source is down, captured changes are still loaded.
 * May be repeated and run twice at once. Throws nothing for a stage that fails: `failures` holds
 * its error.
 */
export async function run(given: Deps, options: ExtractOptions = {}): Promise<RunReport> {
  const startedAt = performance.now()
  const failures: StageFailure[] = []
  const attempt = async <T>(stage: Stage, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work()
    } catch (error) {
      failures.push({ stage, error })
      return undefined
    }
  }

  // Looked up while the source connects.
  const shared = sharingEdition(given)
  const extracted = await attempt('extract', () => extractUncontested(shared, options))
  // If that failed, each of the other stages asks again, and fails if it needs it.
  const deps = await inForce(shared).catch(() => given)
  // Nothing may be written into what belongs to others.
  if (failures.some(isForeign)) return nothingDone(deps, { failures, startedAt })
  const collected = await attempt('collect', () =>
    collect(deps, { lastKnown: extracted?.record?.batch ?? 0 }),
  )
  const transformed = await attempt('transform', () => transform(deps))
  const unchanged = findUnchanged(extracted, collected)
  const loaded = hasWarehouse(deps)
    ? await attempt('load', async () => {
        // A first run that captured nothing makes no tables either.
        if (failures.length > 0 && (await isNothingCaptured(deps))) return undefined
        return await loadInForce(deps, unchanged)
      })
    : undefined
  const captured = collected?.record ?? extracted?.record
  if (failures.length === 0 && hasWarehouse(deps)) {
    await attempt('load', () => checkAllLoaded({ captured, transformed, loaded: loaded?.outcome }))
  }

  return {
    runId: deps.runId,
    extracted,
    collected,
    transformed,
    loaded: loaded?.outcome,
    failures,
    held: [...(extracted?.held ?? []), ...(transformed?.held ?? [])],
    quarantined:
      (extracted?.quarantined ?? 0) +
      (collected?.quarantined ?? 0) +
      (transformed?.quarantined ?? 0),
    warnings: transformed?.warnings ?? [],
    completeTo: hasWarehouse(deps) ? loaded?.completeTo : extracted?.completeTo,
    delayMs: loaded?.delayMs,
    durationMs: Math.round(performance.now() - startedAt),
  }
}

async function isNothingCaptured(deps: Deps): Promise<boolean> {
  return (await readCommit(ingestionZone(deps), 1)) === undefined
}

/** Whether the warehouse would be in a place that belongs to others. */
function isForeign({ error }: StageFailure): boolean {
  const codes = ['PROJECT_MIXED', 'WAREHOUSE_IN_SOURCE']
  return error instanceof ConfigError && codes.includes(error.code)
}

function nothingDone(
  { runId }: Deps,
  { failures, startedAt }: { failures: readonly StageFailure[]; startedAt: number },
): RunReport {
  return {
    runId,
    extracted: undefined,
    collected: undefined,
    transformed: undefined,
    loaded: undefined,
    failures,
    held: [],
    quarantined: 0,
    warnings: [],
    completeTo: undefined,
    delayMs: undefined,
    durationMs: Math.round(performance.now() - startedAt),
  }
}

/**
 * Runs `extract`, the first stage of a run, and repeats it after a conflict: another run took the
 * batch number, or the source changed while it was read.
 */
export async function extractUncontested(
  deps: Deps,
  options: ExtractOptions = {},
): Promise<ExtractOutcome> {
  try {
    return await retryConflicts(deps, 'extract_again', () => extract(deps, options))
  } catch (error) {
    // If it persists, it was not a race. The cause explains it better.
    const isPersistent = error instanceof ConflictError && error.code === 'SOURCE_ALTERED'
    throw isPersistent ? error.cause : error
  }
}

/** Throws unless everything captured is in the warehouse, or the deadline came first (I13). */
async function checkAllLoaded({
  captured,
  transformed,
  loaded,
}: {
  captured: CommitRecord | undefined
  transformed: TransformOutcome | undefined
  loaded: LoadOutcome | undefined
}): Promise<void> {
  const isCutShort = transformed?.isCutShort === true || loaded?.isCutShort === true
  const missing = (captured?.batch ?? 0) - (loaded?.lastBatch ?? 0)
  if (missing <= 0 || isCutShort) return
  throw new ContractError(
    `Batch ${captured?.batch} is captured, but the warehouse ends at batch ${loaded?.lastBatch}`,
    { code: 'NOT_LOADED', hint: 'tidemark doctor' },
  )
}

/** Proof from an extract: at `takenAt` (source clock) the source was as `batch` left it. */
export interface Unchanged {
  readonly batch: number
  readonly takenAt: string
}

/**
 * Proves that the source is unchanged since its last batch; undefined if something changed or is
 * held. A batch of feeds that follows directly holds no changes of the database, so the proof then
 * names that batch.
 */
export function findUnchanged(
  extracted: ExtractOutcome | undefined,
  collected?: CollectOutcome,
): Unchanged | undefined {
  if (extracted?.record === undefined || extracted.committed || extracted.held.length > 0) {
    return undefined
  }
  const { batch } = extracted.record
  const next = collected?.committed === true ? collected.record?.batch : undefined
  return { batch: next === batch + 1 ? next : batch, takenAt: extracted.completeTo }
}

/**
 * The batch that the models made from a batch of the ingestion zone; undefined while it is pending.
 */
export async function readTransformed(
  deps: Deps,
  { batch }: CommitRecord,
): Promise<CommitRecord | undefined> {
  const { project } = await inForce(deps)
  return await readCommit(processedZone(deps, generationOf(project)), batch)
}

/** The last stage of a run: what was loaded, and what the ledger says afterwards. */
export interface LoadedAndConfirmed {
  readonly outcome: LoadOutcome
  readonly completeTo: string | undefined
  /** The longest delay of the loaded batches, in milliseconds, if any is known. */
  readonly delayMs: number | undefined
}

/**
 * Like `loadAndConfirm`. If another process has begun a newer edition since this run did, and has
 * loaded it, goes on with that one.
 */
async function loadInForce(
  deps: Deps,
  unchanged: Unchanged | undefined,
): Promise<LoadedAndConfirmed> {
  try {
    return await loadAndConfirm(deps, unchanged)
  } catch (error) {
    if (!(error instanceof ConflictError) || error.code !== 'EDITION_NEWER') throw error
    deps.log({ event: 'load_again', code: error.code })
    const project = withEdition(deps.project, await lookUpEdition(deps))
    await transform({ ...deps, project })
    return await loadAndConfirm({ ...deps, project }, unchanged)
  }
}

/**
 * The last stage of a run. Loads as `load` does, then confirms that the source is unchanged if the
 * warehouse holds that batch.
 */
export async function loadAndConfirm(
  deps: Deps,
  unchanged: Unchanged | undefined,
): Promise<LoadedAndConfirmed> {
  await using warehouse = await openWarehouse(deps.warehouse)
  const outcome = await loadInto(deps, warehouse)
  const head =
    unchanged !== undefined && outcome.lastBatch === unchanged.batch
      ? await confirmUnchanged(warehouse, unchanged)
      : await readLedgerHead(warehouse)
  const [first] = outcome.batches
  const delayMs =
    first === undefined
      ? undefined
      : await readLongestDelay(warehouse, { first, last: outcome.lastBatch })
  return { outcome, completeTo: head?.completeTo, delayMs }
}
