import { withPostgresErrors } from '../io/postgres-errors.ts'
import type { WarehouseClient } from '../warehouse/warehouse.ts'

/** A batch in the ledger. Times are ISO 8601 UTC. */
export interface LedgerBatch {
  readonly batch: number
  readonly generation: string
  readonly snapshotAt: string
  readonly loadedAt: string
  /**
   * Milliseconds from the source's snapshot (source clock) to the load (warehouse clock); at least
   * 0.
   */
  readonly lagMs: number
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
      Record<'batch' | 'generation' | 'run_id' | 'snapshot_at' | 'loaded_at' | 'lag_ms', string>
    >(
      `select
          batch_id::text as batch,
          generation,
          run_id,
          to_char(snapshot_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as snapshot_at,
          to_char(loaded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as loaded_at,
          greatest(0, extract(epoch from loaded_at - snapshot_at) * 1000)::numeric(20,0)::text as lag_ms
       from tidemark_batches
       where $2::bigint is null or batch_id = $2
       order by batch_id desc
       limit $1`,
      [count, batch ?? null],
    ),
  )
  return rows.map((row) => ({
    batch: Number(row.batch),
    generation: row.generation,
    snapshotAt: row.snapshot_at,
    loadedAt: row.loaded_at,
    lagMs: Number(row.lag_ms),
    runId: row.run_id,
  }))
}
