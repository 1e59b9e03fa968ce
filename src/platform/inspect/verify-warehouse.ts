import { type Deps, processedZone } from '../deps.ts'
import { ConflictError } from '../errors.ts'
import type { DuckDb } from '../io/duckdb.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { NO_TIME_LIMITS } from '../io/session.ts'
import { readCommit } from '../lake/batch-log.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import type { HeldTable } from '../lake/held.ts'
import { generationOf } from '../project/generation.ts'
import type { Model } from '../project/model.ts'
import { readLedgerHead } from '../warehouse/ledger.ts'
import { beginReading, type WarehouseClient } from '../warehouse/warehouse.ts'
import type { SharedWarehouse } from './shared-warehouse.ts'
import type { VerifiedTable } from './verified-table.ts'
import {
  beginDimension,
  beginVersions,
  type BegunComparison,
  type CurrentRows,
} from './verify-history.ts'
import { type LogFault, verifyLog } from './verify-log.ts'
import type { Scope } from './verify-scope.ts'

/** The places to compare, and the batch at which they are compared. */
export interface WarehouseCheck {
  readonly db: DuckDb
  readonly warehouse: SharedWarehouse
  /** The ingestion record at which lake and warehouse are compared. */
  readonly record: CommitRecord
  readonly held: readonly HeldTable[]
  readonly scope: Scope
  /** Number of batches whose versions are compared at a time. Default 500. */
  readonly batchesAtOnce?: number
}

/**
 * Begins the transaction in which the warehouse is compared. Throws `ConflictError`
 * (`VERIFY_OVERTAKEN`) if the warehouse is not at the batch of `record`.
 */
export async function beginVerifying(
  warehouse: WarehouseClient,
  record: CommitRecord,
): Promise<void> {
  await withPostgresErrors(warehouse.warehouse, () => beginReading(warehouse, NO_TIME_LIMITS))
  const head = await readLedgerHead(warehouse)
  if (head?.batch === record.batch) return
  throw new ConflictError(
    `The warehouse is at batch ${head?.batch ?? 0}, the snapshot at batch ${record.batch}`,
    {
      code: 'VERIFY_OVERTAKEN',
      hint: 'another run loaded a batch meanwhile; run tidemark verify again',
    },
  )
}

/** The result of comparing the warehouse with the processed zone. */
export interface VerifiedHistories {
  readonly verified: readonly VerifiedTable[]
  readonly faults: readonly LogFault[]
  /** By table, see `ComparedHistory`. */
  readonly current: ReadonlyMap<string, CurrentRows>
}

/**
 * Compares every version in the warehouse with the processed zone, and the chain with the ledger.
 * The warehouse must be open, see `beginVerifying`. Read-only.
 */
export async function verifyHistories(
  deps: Deps,
  { db, warehouse, record, scope, batchesAtOnce = 500 }: WarehouseCheck,
): Promise<VerifiedHistories> {
  const verified: VerifiedTable[] = []
  const current = new Map<string, CurrentRows>()
  if (scope.histories.length === 0) return { verified, faults: [], current }
  const { faults, files } = await verifyLog(deps, warehouse, record.batch)
  const zone = processedZone(deps, generationOf(deps.project))
  const transformed = await readCommit(zone, record.batch)
  if (transformed === undefined) return { verified, faults, current }
  const check = { db, warehouse, record: transformed, files, batchesAtOnce }
  // Send all statements first, so that the warehouse works while DuckDB does.
  const begun: { readonly model: Model; readonly compare: BegunComparison }[] = []
  for (const model of scope.histories) {
    const compare =
      model.kind === 'fact'
        ? await beginVersions(deps, check, model)
        : await beginDimension(deps, check, model)
    begun.push({ model, compare })
  }
  for (const {
    model: { table },
    compare,
  } of begun) {
    const { current: rows, ...compared } = await compare()
    if (rows !== undefined) current.set(table, rows)
    verified.push({ table, where: 'history', quarantined: 0, ...compared })
    deps.log({ event: 'table_verified', where: 'history', table, rows: compared.rows })
  }
  return { verified, faults, current }
}
