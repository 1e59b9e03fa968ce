import type { TableEntry } from './commit-record.ts'

/** A table that is held, or whose deletions are held. */
export interface HeldTable {
  readonly table: string
  /**
   * `mass_deletion`: its deletions wait for the operator. `deferred`: it waits for the next run.
   * Any other reason: the whole table waits, see `Breach`.
   */
  readonly reason: string
  /** One sentence for people. */
  readonly detail: string
}

/** The tables of a batch that are held, and those whose deletions are held. */
export function listHeld(tables: Record<string, TableEntry>): HeldTable[] {
  return Object.entries(tables).flatMap(([table, { held, heldDeletes, rows }]): HeldTable[] => {
    if (held !== undefined) return [{ table, reason: held.reason, detail: held.detail }]
    if (heldDeletes === undefined) return []
    const detail = `${heldDeletes} of ${rows} rows are gone from the source`
    return [{ table, reason: 'mass_deletion', detail }]
  })
}

/** The reason of a hold if there was no time left to read the table. */
export const DEFERRED = 'deferred'
