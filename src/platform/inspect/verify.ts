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
import { planScope, type VerifyOptions } from './verify-scope.ts'
import { verifyWarehouse } from './verify-warehouse.ts'

export interface VerifyReport {
  readonly batch: number
  /** Moment of the snapshot all three were compared at (source clock). */
  readonly snapshotAt: string
  readonly tables: readonly VerifiedTable[]
  /** Breaks in the chain of commit records, and between it and the ledger. */
  readonly faults: readonly LogFault[]
  readonly isEqual: boolean
}

/**
 * Compares source, lake and warehouse at one snapshot, value by value (I6): the tables of the
 * source with the lake, the current rows with what the models make of the source, every version and
 * every dimension row in the warehouse with the processed zone (I7), and the chain of records with
 * the ledger (I14). Checksums are compared first, and rows only where those differ.
 *
 * Brings lake and warehouse up to that snapshot first, like a run, and keeps the snapshot open
 * meanwhile, so the proof holds on a living source. A table that is held is not compared with the
 * source, and models read what the lake has of it. Differences are reported, not thrown. Throws
 * what a run throws if a stage cannot work, and `ConfigError` for an unknown table.
 */
export async function verify(deps: Deps, options: VerifyOptions = {}): Promise<VerifyReport> {
  // Another run may move lake or warehouse past the snapshot; then a newer one is needed.
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
  // Opened late: a server may end a session that has been idle while the lake was compared.
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
