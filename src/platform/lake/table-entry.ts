import { type RowCounts, rowCounts, type TableEntry } from './commit-record.ts'

/** The rows of a table that a batch read, by outcome. A missing count is 0. */
export interface CountedRows {
  readonly read: number
  readonly inserted?: number
  readonly updated?: number
  readonly deleted?: number
  readonly quarantined?: number
  /**
   * Whether deletions count as rows read: they do in the processed zone, which reads them from the
   * ingestion zone.
   */
  readonly areDeletesRead?: boolean
}

/**
 * The counts of a table's entry. Every row that was read is accepted, unchanged or quarantined
 * (I10). Throws `TypeError` if more rows were accepted and quarantined than read.
 */
export function countRows({
  read,
  inserted = 0,
  updated = 0,
  deleted = 0,
  quarantined = 0,
  areDeletesRead = false,
}: CountedRows): RowCounts {
  const accepted = inserted + updated + (areDeletesRead ? deleted : 0)
  const unchanged = read - accepted - quarantined
  if (unchanged < 0) {
    throw new TypeError(`${read} rows were read, ${accepted} accepted, ${quarantined} quarantined`)
  }
  return rowCounts.parse({ read, accepted, inserted, updated, deleted, unchanged, quarantined })
}

/** The counts of a table from which no row was read. */
export const NO_ROWS: RowCounts = countRows({ read: 0 })

/** The number of changes that a batch adds to the log of a table. */
export function changedRows({
  inserted,
  updated,
  deleted,
}: Pick<RowCounts, 'inserted' | 'updated' | 'deleted'>): number {
  return inserted + updated + deleted
}

/** The number of rows in all files together. */
export function sumRows(files: readonly { readonly rows: number }[]): number {
  return files.reduce((sum, { rows }) => sum + rows, 0)
}

/**
 * Carries an entry over unchanged, without the fields that describe only the previous batch. Gives
 * an empty entry for a table that was never captured or made.
 */
export function carryOver({
  archived: _archived,
  changesSince: _changesSince,
  warnings: _warnings,
  ...entry
}: Partial<TableEntry> = {}): TableEntry {
  return { open: [], state: [], rows: 0, ...entry, counts: NO_ROWS, changes: [], quarantine: [] }
}
