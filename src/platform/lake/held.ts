import type { TableEntry } from './commit-record.ts'

/** A table of which something is not let through. */
export interface HeldTable {
  readonly table: string
  /**
   * `mass_deletion`: its deletions wait for the operator; `deferred`: it waits for the next run.
   * Else all of it waits, see `Breach`.
   */
  readonly reason: string
  /** One sentence for people. */
  readonly detail: string
}

/** The tables of a batch of which something is not let through. */
export function listHeld(tables: Record<string, TableEntry>): HeldTable[] {
  return Object.entries(tables).flatMap(([table, { held, heldDeletes, rows }]): HeldTable[] => {
    if (held !== undefined) return [{ table, reason: held.reason, detail: held.detail }]
    if (heldDeletes === undefined) return []
    const detail = `${heldDeletes} of ${rows} rows are gone from the source`
    return [{ table, reason: 'mass_deletion', detail }]
  })
}

/** Why a table that was not read for want of time stands still. */
export const DEFERRED = 'deferred'
