import { type Deps, ingestionZone, processedZone } from './deps.ts'
import { ConfigError, ContractError, type TidemarkError, TransientError } from './errors.ts'
import { checkEnd, placeOf, readCommit, readLastCommit } from './lake/batch-log.ts'
import type { CommitRecord } from './lake/commit-record.ts'
import type { Zone } from './lake/zone.ts'
import { generationOf } from './models/generation.ts'
import { findLedgerHead, type Loaded } from './warehouse/ledger.ts'
import { openWarehouse } from './warehouse/warehouse.ts'

/** The newest batch of each zone, `undefined` where it holds none. */
export interface Heads {
  readonly captured: CommitRecord | undefined
  /** From the generation that the current models make. */
  readonly transformed: CommitRecord | undefined
  /** The ingestion record that `transformed` was made from. */
  readonly origin?: CommitRecord
  /** The processed zone could not be reached. */
  readonly isAway?: boolean
}

export interface HeadsOptions {
  /** A batch known to exist in the ingestion zone: saves the search for the last one. */
  readonly lastKnown?: number
  /**
   * For a stage that adds to the ingestion zone. It goes on while the processed zone is
   * unreachable, since a change that is not captured now may never be seen again. Only the first
   * batch needs both.
   */
  readonly isCapturing?: boolean
}

/**
 * Reads the newest batch of both zones from their stores. Proves that the zones belong to one lake:
 * the processed zone was made from the ingestion records that are there (I14). Otherwise throws
 * `ContractError`: `LAKE_BEHIND` if the ingestion zone ends before the processed zone,
 * `LAKE_MIXED` if it holds other batches.
 */
export async function readHeads(
  deps: Deps,
  { lastKnown = 0, isCapturing = false }: HeadsOptions = {},
): Promise<Heads> {
  const ingestion = ingestionZone(deps)
  const processed = processedZone(deps, generationOf(deps.project))
  let transformed: CommitRecord | undefined
  try {
    transformed = await readLastCommit(processed)
  } catch (error) {
    const isAway = error instanceof TransientError || error instanceof ConfigError
    const captured = isCapturing && isAway ? await readLastCommit(ingestion, lastKnown) : undefined
    if (captured === undefined) throw error
    const { code, message } = error as TidemarkError
    deps.log({ event: 'processed_zone_away', level: 'warn', code, reason: message })
    return { captured, transformed: undefined, isAway: true }
  }
  const captured = await readLastCommit(ingestion, Math.max(lastKnown, transformed?.batch ?? 0))
  if (transformed === undefined) return { captured, transformed }
  if ((captured?.batch ?? 0) < transformed.batch) {
    throw new ContractError(
      `The ingestion zone ${placeOf(ingestion)} ends at batch ${captured?.batch ?? 0}, but the ` +
        `processed zone ${placeOf(processed)} was made from its batch ${transformed.batch}`,
      { code: 'LAKE_BEHIND', hint: WAY_BACK },
    )
  }
  const origin =
    captured?.batch === transformed.batch
      ? captured
      : await readCommit(ingestion, transformed.batch)
  if (origin === undefined || !isMadeFrom(transformed, origin)) {
    throw new ContractError(
      `The processed zone ${placeOf(processed)} was made from another lake: ` +
        `its batch ${transformed.batch} was not made from batch ${transformed.batch} of ${placeOf(ingestion)}`,
      { code: 'LAKE_MIXED', hint: WAY_BACK },
    )
  }
  return { captured, transformed, origin }
}

const WAY_BACK =
  'nothing was written; check TIDEMARK_INGESTION and TIDEMARK_PROCESSED, or restore the zone from a backup'

/**
 * Throws unless both logs end where they seem to end, with no record missing before a later one.
 * Then whatever is written next continues them (I14). See `checkEnd`.
 */
export async function checkEnds(
  deps: Deps,
  { captured, transformed, isAway = false }: Heads,
): Promise<void> {
  await checkEnd(ingestionZone(deps), captured)
  if (!isAway) await checkEnd(processedZone(deps, generationOf(deps.project)), transformed)
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

function notThere(
  zone: Zone,
  { batch, record }: { batch: number; record?: CommitRecord | undefined },
): ContractError {
  return new ContractError(
    `The warehouse was loaded from another lake: ${placeOf(zone)} has ` +
      `${record === undefined ? 'no batch' : 'another batch'} ${batch}`,
    {
      code: 'LAKE_MIXED',
      hint: 'nothing was written; check TIDEMARK_INGESTION and TIDEMARK_PROCESSED, restore the zones from a backup, or load into an empty TIDEMARK_WAREHOUSE_SCHEMA',
    },
  )
}

/**
 * Checked before the first batch of a lake is captured: throws `ContractError` (`LAKE_MIXED`) if
 * the warehouse already holds batches, because then the lake is not new but lost (I14). A warehouse
 * that cannot be reached, or that this stage may not read, is checked when it is loaded.
 */
export async function checkNeverLoaded(deps: Deps): Promise<void> {
  if (deps.warehouse.url === '') return
  try {
    await using warehouse = await openWarehouse({ ...deps.warehouse, attempts: 1 })
    const head = await findLedgerHead(warehouse)
    if (head !== undefined) throw notThere(ingestionZone(deps), { batch: head.batch })
  } catch (error) {
    if (!(error instanceof TransientError) && !(error instanceof ConfigError)) throw error
  }
}

/**
 * Whether the newest row of the ledger names this record: the processed record that was loaded, the
 * ingestion record behind it, or another processed record made from that.
 */
function isLoadedFrom(head: Loaded, record: CommitRecord): boolean {
  const known = [head.loadedFrom, head.capturedAs]
  if (known.every((checksum) => checksum === undefined)) {
    return record.snapshot.takenAt === head.snapshotAt
  }
  return (
    known.includes(record.checksum) ||
    (record.madeFrom !== undefined && record.madeFrom === head.capturedAs)
  )
}
