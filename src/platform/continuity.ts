import {
  type Deps,
  hasWarehouse,
  inForce,
  ingestionZone,
  lookUpEdition,
  processedZone,
} from './deps.ts'
import {
  ConfigError,
  ConflictError,
  ContractError,
  TidemarkError,
  TransientError,
} from './errors.ts'
import { withPostgresErrors } from './io/postgres-errors.ts'
import { retry } from './io/retry.ts'
import {
  checkEnd,
  checkNotTaken,
  describeZone,
  readCommit,
  readLastCommit,
} from './lake/batch-log.ts'
import type { CommitRecord } from './lake/commit-record.ts'
import type { Zone } from './lake/zone.ts'
import { generationOf, isNewerEdition, parseGeneration } from './project/generation.ts'
import { findLoaded, type Loaded } from './warehouse/ledger.ts'
import { checkOwned } from './warehouse/migrate.ts'
import { openWarehouse } from './warehouse/warehouse.ts'

/** The newest batch of each zone; undefined if the zone is empty. */
export interface Heads {
  readonly captured: CommitRecord | undefined
  /** From the generation that the current models make. */
  readonly transformed: CommitRecord | undefined
  /** The ingestion record that `transformed` was made from. */
  readonly origin?: CommitRecord
  /** Where `transformed` is; undefined if the processed zone could not be reached. */
  readonly processed?: Zone
  /** The processed zone could not be reached. */
  readonly isAway?: boolean
}

export interface HeadsOptions {
  /**
   * A batch that the ingestion zone is known to hold. The search for the last batch starts there.
   */
  readonly lastKnown?: number
  /**
   * Set by a stage that adds to the ingestion zone. It goes on while the processed zone is
   * unreachable, because a change that is not captured now may be lost for good. Only the first
   * batch needs both zones.
   */
  readonly isCapturing?: boolean
}

/**
 * Reads the newest batch of both zones from their stores, and proves that the zones belong to one
 * lake: the processed zone was made from the ingestion records that are there (I14). Throws
 * `ContractError` otherwise: `LAKE_BEHIND` if the ingestion zone ends before the processed zone,
 * `LAKE_MIXED` if it holds other batches. Throws `ConfigError` if the simulated source would
 * continue the lake of another database, or the reverse.
 */
export async function readHeads(
  deps: Deps,
  { lastKnown = 0, isCapturing = false }: HeadsOptions = {},
): Promise<Heads> {
  const ingestion = ingestionZone(deps)
  let processed: Zone
  let transformed: CommitRecord | undefined
  try {
    processed = processedZone(deps, generationOf((await inForce(deps)).project))
    transformed = await readLastCommit(processed)
  } catch (error) {
    const isAway = error instanceof TransientError || error instanceof ConfigError
    const captured = isCapturing && isAway ? await readLastCommit(ingestion, lastKnown) : undefined
    if (captured === undefined) throw error
    checkNotMixed(deps, captured)
    const { code, message } = error as TidemarkError
    deps.log({ event: 'processed_zone_away', level: 'warn', code, reason: message })
    return { captured, transformed: undefined, isAway: true }
  }
  const captured = await readLastCommit(ingestion, Math.max(lastKnown, transformed?.batch ?? 0))
  checkNotMixed(deps, captured)
  if (transformed === undefined) return { captured, transformed, processed }
  if ((captured?.batch ?? 0) < transformed.batch) {
    throw new ContractError(
      `The ingestion zone ${describeZone(ingestion)} ends at batch ${captured?.batch ?? 0}, but the ` +
        `processed zone ${describeZone(processed)} was made from its batch ${transformed.batch}`,
      { code: 'LAKE_BEHIND', hint: WAY_BACK },
    )
  }
  const origin =
    captured?.batch === transformed.batch
      ? captured
      : await readCommit(ingestion, transformed.batch)
  if (origin === undefined || !isMadeFrom(transformed, origin)) {
    throw new ContractError(
      `The processed zone ${describeZone(processed)} was made from another lake: ` +
        `its batch ${transformed.batch} was not made from batch ${transformed.batch} of ${describeZone(ingestion)}`,
      { code: 'LAKE_MIXED', hint: WAY_BACK },
    )
  }
  return { captured, transformed, origin, processed }
}

const WAREHOUSE_WAY_BACK =
  'nothing was written; check TIDEMARK_INGESTION and TIDEMARK_PROCESSED, restore the zones from a backup, or load into an empty TIDEMARK_WAREHOUSE_SCHEMA'

const WAY_BACK =
  'nothing was written; check TIDEMARK_INGESTION and TIDEMARK_PROCESSED, or restore the zone from a backup'

/**
 * Throws `ConfigError` if a missing setting would let the simulated source continue the lake of
 * another database, or the reverse (I14). `record` is the newest one in either zone. Another
 * cluster alone does not stop a run, because a failover looks the same.
 */
export function checkNotMixed(
  { simulation }: Pick<Deps, 'simulation'>,
  record: CommitRecord | undefined,
): void {
  const systemId = record?.snapshot.systemId ?? ''
  if (simulation === undefined || systemId === '') return
  if (systemId.startsWith(`${simulation.systemId}/`) === simulation.isSource) return
  throw simulation.isSource
    ? new ConfigError(
        'The lake was captured from another database, but no setting names a database, so the simulated one would be mixed into it',
        {
          code: 'LAKE_NOT_SIMULATED',
          hint: 'nothing was written; set TIDEMARK_SOURCE_URL and TIDEMARK_WAREHOUSE_URL, or set TIDEMARK_HOME to another folder for the simulated one',
        },
      )
    : new ConfigError(
        'The lake was captured from the simulated database on this machine; another database must not be mixed into it',
        {
          code: 'LAKE_SIMULATED',
          hint: 'nothing was written; set TIDEMARK_HOME to another folder, for instance TIDEMARK_HOME=.tidemark-own',
        },
      )
}

/**
 * Throws unless both logs end where they seem to end, with no record missing before a later one.
 * Then the next write continues them (I14). See `checkEnd`.
 */
export async function checkEnds(
  deps: Deps,
  { captured, transformed, processed }: Heads,
): Promise<void> {
  await checkEnd(ingestionZone(deps), captured)
  if (processed !== undefined) await checkEnd(processed, transformed)
}

/**
 * Whether a processed batch was made from this ingestion batch. A record of format 1 does not name
 * the record it was made from, so the times of the snapshots are compared instead.
 */
function isMadeFrom(transformed: CommitRecord, captured: CommitRecord): boolean {
  return transformed.madeFrom === undefined
    ? transformed.snapshot.takenAt === captured.snapshot.takenAt
    : transformed.madeFrom === captured.checksum
}

/**
 * Throws `ContractError` (`LAKE_MIXED`) unless the warehouse's newest batch was loaded from this
 * lake (I14). `record` is the record with that number in `zone`, which may be either zone.
 */
export function checkLoaded(
  head: Loaded,
  { zone, record }: { zone: Zone; record: CommitRecord | undefined },
): void {
  if (record !== undefined && isLoadedFrom(head, record)) return
  throw notThere(zone, { batch: head.batch, record })
}

/**
 * Throws `ConflictError` (`EDITION_NEWER`) if the warehouse holds a newer edition than these deps,
 * which looked theirs up before that edition began. So no process puts an older edition back. An
 * edition that is gone from the processed zone counts for nothing. `generation` is from the ledger.
 */
export async function checkEdition(deps: Deps, generation: string): Promise<void> {
  if (!isNewerEdition(generation, generationOf(deps.project))) return
  if ((await lookUpEdition(deps)) < parseGeneration(generation).edition) return
  throw editionNewer(generation)
}

/** The error for a load of an edition while the warehouse holds a newer one. */
export function editionNewer(generation: string): ConflictError {
  return new ConflictError(`The warehouse holds the edition ${generation}, which is newer`, {
    code: 'EDITION_NEWER',
    hint: 'nothing was changed; run again: the next run goes on with that edition',
  })
}

function notThere(
  zone: Zone,
  { batch, record }: { batch: number; record?: CommitRecord | undefined },
): ContractError {
  return new ContractError(
    `The warehouse was loaded from another lake: ${describeZone(zone)} has ` +
      `${record === undefined ? 'no batch' : 'another batch'} ${batch}`,
    {
      code: 'LAKE_MIXED',
      hint: WAREHOUSE_WAY_BACK,
    },
  )
}

/**
 * Checks, before a batch is captured, that the warehouse was loaded from this lake. Zones that were
 * lost, swapped or restored together match each other, and only the warehouse shows it (I14).
 * Throws what `checkLoadedFrom` throws. If the warehouse cannot be reached, or this stage may not
 * read it, `load` checks it later.
 */
export async function checkWarehouse(
  deps: Deps,
  captured: CommitRecord | undefined,
): Promise<void> {
  if (!hasWarehouse(deps)) return
  let head: Loaded | undefined
  try {
    await using warehouse = await openWarehouse({ ...deps.warehouse, attempts: 1 })
    head = await findLoaded(warehouse)
  } catch (error) {
    if (!(error instanceof TransientError) && !(error instanceof ConfigError)) throw error
  }
  if (head === undefined) return
  await checkLoadedFrom(deps, captured, head)
}

/**
 * Checks, before the first batch of this project is captured, that the warehouse is not another
 * project's. Throws `ConfigError` (`PROJECT_MIXED`) if it is. If the warehouse cannot be reached, or this
 * stage may not read it, `load` checks it later.
 */
export async function checkProjectOfWarehouse(
  deps: Deps,
  { transformed, isAway }: Heads,
): Promise<void> {
  // A project that has transformed a batch was checked before.
  if (!hasWarehouse(deps) || transformed !== undefined || isAway === true) return
  try {
    await using warehouse = await openWarehouse({ ...deps.warehouse, attempts: 1 })
    await withPostgresErrors(deps.warehouse, () => checkOwned(warehouse, deps.project))
  } catch (error) {
    const isOurs = error instanceof ConfigError && error.code === 'PROJECT_MIXED'
    const isAbsent = error instanceof TransientError || error instanceof ConfigError
    if (isOurs || !isAbsent) throw error
  }
}

/**
 * Throws `ContractError` if the warehouse's newest batch was loaded from another lake (`LAKE_MIXED`)
 * or is later than the ingestion zone's end (`LAKE_BEHIND`) (I14). `captured` is the newest record
 * that was read from the zone. Throws `ConflictError` if another run has added a batch since.
 */
export async function checkLoadedFrom(
  deps: Deps,
  captured: CommitRecord | undefined,
  head: Loaded,
): Promise<void> {
  const zone = ingestionZone(deps)
  const last = captured?.batch ?? 0
  if (last < head.batch) {
    // Another run may have captured and loaded it since the zone was read.
    await checkNotTaken(zone, last + 1)
    throw new ContractError(
      `The ingestion zone ${describeZone(zone)} ends at batch ${last}, but the warehouse ` +
        `was loaded up to batch ${head.batch}`,
      { code: 'LAKE_BEHIND', hint: WAREHOUSE_WAY_BACK },
    )
  }
  const record = last === head.batch ? captured : await readCommit(zone, head.batch)
  checkLoaded(head, { zone, record })
}

/**
 * Whether the warehouse's newest batch was made from this record. The ledger names a record of the
 * loaded generation itself, and any other record by the ingestion record it was made from. Before
 * format 2 nothing names that record, so the times of the snapshots are compared.
 */
function isLoadedFrom(head: Loaded, record: CommitRecord): boolean {
  const { loadedFrom, capturedAs } = head
  if (record.checksum === loadedFrom) return true
  if (capturedAs === undefined) return record.snapshot.takenAt === head.snapshotAt
  return record.checksum === capturedAs || record.madeFrom === capturedAs
}

/** How many times a stage runs before it reports a conflict. */
const CONFLICT_ATTEMPTS = 5

/**
 * Runs `work`, and repeats it after a `ConflictError`: another run has changed the lake, the
 * warehouse or the source, so `work` must begin by reading their state. Logs each repetition as
 * `event`.
 */
export async function retryConflicts<T>(
  { log }: Pick<Deps, 'log'>,
  event: 'extract_again' | 'collect_again' | 'transform_again' | 'verify_again' | 'status_again',
  work: () => Promise<T>,
): Promise<T> {
  const isPassing = (error: unknown): error is ConflictError => error instanceof ConflictError
  return await retry(work, {
    attempts: CONFLICT_ATTEMPTS,
    isPassing,
    onRetry: (error, attempt) => {
      if (isPassing(error)) log({ event, attempt, code: error.code })
    },
  })
}
