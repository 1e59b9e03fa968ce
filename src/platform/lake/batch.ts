import { randomBytes } from 'node:crypto'
import type { DuckDb } from '../io/duckdb.ts'
import { duckLiteral } from '../io/sql.ts'
import type { Zone } from './zone.ts'

/**
 * The batch that is being prepared. Nothing of it exists for readers until its commit record does.
 */
export interface PendingBatch {
  readonly zone: Zone
  readonly db: DuckDb
  readonly number: number
  /** Part of every file name, so that a retry never meets the orphans of an earlier attempt. */
  readonly attempt: string
  /** ISO 8601 UTC; becomes `_captured_at`. */
  readonly takenAt: string
}

/**
 * Begins a batch that is prepared in `db`, under names that no other attempt uses. Writes nothing.
 */
export function beginBatch(
  db: DuckDb,
  place: Pick<PendingBatch, 'zone' | 'number' | 'takenAt'>,
): PendingBatch {
  return { ...place, db, attempt: randomBytes(4).toString('hex') }
}

/** The part of a batch that each of its rows carries. */
export type Stamp = Pick<PendingBatch, 'db' | 'number' | 'takenAt'>

/** SQL of `_batch` and `_captured_at` of a batch's rows. */
export function stamp({ number, takenAt }: Stamp): string {
  return `${number}::bigint as _batch, ${duckLiteral(takenAt)}::timestamptz as _captured_at`
}
