import { type Client, withPostgresErrors } from '../postgres.ts'
import type { WarehouseClient } from './warehouse.ts'

/** The newest loaded batch, and how far the warehouse is proven complete. Times are ISO 8601 UTC. */
export interface LedgerHead {
  readonly batch: number
  readonly generation: string
  readonly snapshotAt: string
  readonly loadedAt: string
  /** Snapshot of the newest loaded batch, or of a later run that found nothing newer. */
  readonly completeTo: string
}

/** The newest loaded batch, `undefined` in an empty warehouse. The reader role may ask. */
export async function readLedgerHead({
  client,
  warehouse,
}: WarehouseClient): Promise<LedgerHead | undefined> {
  const { rows } = await withPostgresErrors(warehouse, () =>
    client.query<
      { batch: string; generation: string } & Record<
        'snapshot_at' | 'loaded_at' | 'complete_to',
        string
      >
    >(`
      select
          batch_id::text as batch,
          generation,
          to_char(snapshot_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as snapshot_at,
          to_char(loaded_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as loaded_at,
          to_char(complete_to, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as complete_to
      from tidemark_status`),
  )
  const [row] = rows
  if (row === undefined) return undefined
  return {
    batch: Number(row.batch),
    generation: row.generation,
    snapshotAt: row.snapshot_at,
    loadedAt: row.loaded_at,
    completeTo: row.complete_to,
  }
}

/**
 * Records that the source held nothing newer than `batch` at `takenAt` (source clock). Never
 * moves backwards, whoever else confirms at the same time.
 */
export async function confirmUnchanged(
  { client, warehouse }: WarehouseClient,
  { batch, takenAt }: { batch: number; takenAt: string },
): Promise<void> {
  await withPostgresErrors(warehouse, () =>
    client.query(
      `insert into tidemark_confirmation as c (batch_id, confirmed_at) values ($1, $2)
       on conflict (is_only_row) do update
       set batch_id = excluded.batch_id, confirmed_at = excluded.confirmed_at
       where (c.batch_id, c.confirmed_at) < (excluded.batch_id, excluded.confirmed_at)`,
      [batch, takenAt],
    ),
  )
}

/** Batch and generation of the newest ledger row, read inside the load transaction. */
export async function readLoaded(
  client: Client,
): Promise<{ batch: number; generation: string } | undefined> {
  const { rows } = await client.query<{ batch: string; generation: string }>(
    'select batch_id::text as batch, generation from tidemark_ledger order by batch_id desc limit 1',
  )
  const [row] = rows
  return row && { batch: Number(row.batch), generation: row.generation }
}
