import { retryConflicts } from '../continuity.ts'
import { type Deps, openScratchDb } from '../deps.ts'
import { extractSnapshot } from '../extract/extract.ts'
import { load } from '../load/load.ts'
import { openSnapshot } from '../source/snapshot.ts'
import { transform } from '../transform/transform.ts'
import { openWarehouse } from '../warehouse/warehouse.ts'
import type { VerifiedTable } from './verified-table.ts'
import { verifyLake } from './verify-lake.ts'
import type { LogFault } from './verify-log.ts'
import { checkScope, planScope, type VerifyOptions } from './verify-scope.ts'
import { verifyWarehouse } from './verify-warehouse.ts'

/** The result of a verification. */
export interface VerifyReport {
  readonly batch: number
  /** Time of the snapshot at which source, lake and warehouse were compared (source clock). */
  readonly snapshotAt: string
  readonly tables: readonly VerifiedTable[]
  /** Breaks in the chain of commit records, or between the chain and the ledger. */
  readonly faults: readonly LogFault[]
  readonly isEqual: boolean
}

/**
 * Compares source, lake and warehouse at one snapshot, value by value (I6): the source tables with
 * the lake; the current rows with the rows that the models make from the source; every version and
 * every dimension row in the warehouse with the processed zone (I7); and the chain of records with
 * the ledger (I14). Checksums are compared first, and rows only if those differ.
 *
 * First brings lake and warehouse up to that snapshot, like a run, and keeps the snapshot open
 * meanwhile, so the proof holds while the source changes. A table that is held is not compared with
 * the source; models read its state in the lake. Differences are returned, not thrown. May be
 * repeated. Throws what a run throws if a stage cannot work. Throws `ConfigError`
 * (`UNKNOWN_TABLE`) for an unknown table before it reads or writes anything.
 */
export async function verify(deps: Deps, options: VerifyOptions = {}): Promise<VerifyReport> {
  checkScope(deps.project, options)
  // If another run moves lake or warehouse past the snapshot, a newer snapshot is needed.
  return await retryConflicts(deps, 'verify_again', () => verifyOnce(deps, options))
}

async function verifyOnce(deps: Deps, options: VerifyOptions): Promise<VerifyReport> {
  await using snapshot = await openSnapshot(deps.source)
  const { record } = await extractSnapshot(deps, snapshot)
  if (record === undefined) throw new TypeError('an extract into an empty lake commits a batch')
  const { held } = await transform(deps)
  await load(deps)

  await using db = await openScratchDb(deps)
  const scope = await planScope(deps, { db, memory: deps.memory }, options)
  await using lake = await verifyLake(deps, { db, snapshot, record, scope })
  // Opened late, because a server may end a session that is idle while the lake is compared.
  await using warehouse = await openWarehouse(deps.warehouse)
  const star = await verifyWarehouse(deps, {
    db,
    warehouse,
    record,
    held,
    refused: lake.refused,
    scope,
  })
  const tables = [...lake.verified, ...star.verified]
  const isEqual = tables.every(({ difference: d }) => d.missing + d.extra + d.different === 0)
  return {
    batch: record.batch,
    snapshotAt: snapshot.identity.takenAt,
    tables,
    faults: star.faults,
    isEqual: isEqual && star.faults.length === 0,
  }
}
