import { readFileSync } from 'node:fs'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import type { WarehouseClient } from '../warehouse/warehouse.ts'

const BATCHES = readFileSync(new URL('./ledger-batches.sql', import.meta.url), 'utf8')

/** A batch in the ledger. Times are ISO 8601 UTC. */
export interface LedgerBatch {
  readonly batch: number
  readonly generation: string
  readonly snapshotAt: string
  readonly loadedAt: string
  /**
   * Milliseconds from the source's snapshot (source clock) to the load (warehouse clock); at least
   * 0. Undefined if the snapshot is dated by the clock of a simulated source.
   */
  readonly lagMs: number | undefined
  readonly runId: string
}

/**
 * The newest batches in the ledger, newest first, at most `count`; with `batch`, only that batch.
 * The reader role may ask.
 */
export async function readLedgerBatches(
  { client, warehouse }: WarehouseClient,
  { count, batch }: { count: number; batch?: number },
): Promise<LedgerBatch[]> {
  const { rows } = await withPostgresErrors(warehouse, () =>
    client.query<
      Record<'batch' | 'generation' | 'run_id' | 'snapshot_at' | 'loaded_at', string> & {
        lag_ms: string | null
      }
    >(BATCHES, [count, batch ?? null]),
  )
  return rows.map((row) => ({
    batch: Number(row.batch),
    generation: row.generation,
    snapshotAt: row.snapshot_at,
    loadedAt: row.loaded_at,
    lagMs: row.lag_ms === null ? undefined : Number(row.lag_ms),
    runId: row.run_id,
  }))
}
