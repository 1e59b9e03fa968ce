import type { PendingBatch } from '../lake/batch.ts'
import { sumRows, type TableEntry } from '../lake/commit-record.ts'
import { type Fault, prepareOpen, prepareQuarantine } from '../lake/quarantine/quarantine.ts'
import type { SourceView } from './source-files.ts'
import type { SourceChanges } from './source-view.ts'

/** What becomes of a source table's changes whose values do not fit its contract. */
export interface UnfitChanges {
  readonly entry: TableEntry
  readonly faults: readonly Fault[]
}

/**
 * Puts the changes that are left out for their values into quarantine, under the source table's
 * name. `undefined` where there is nothing to say: nothing had to be converted, and nothing is open.
 */
export async function prepareUnfit(
  batch: PendingBatch,
  view: SourceView,
  { changes, before }: { changes: SourceChanges; before: TableEntry | undefined },
): Promise<UnfitChanges | undefined> {
  const open = before?.open ?? []
  if (!view.isContract || (changes.isExact && open.length === 0)) return undefined
  const { db } = batch
  const { all, seen } = changes
  const quarantine = changes.isExact
    ? []
    : await prepareQuarantine(batch, view, {
        refused: `
          select _batch, _captured_at, _ordinal, _operation, _key,
              _fault as _column, 'cast' as _reason, _content
          from ${all} as a
          where _fault is not null and _ordinal not in (select _ordinal from ${seen} as s)`,
      })
  const outcome = await prepareOpen(batch, view, {
    before: open,
    refused: quarantine,
    settled: `(select _key from ${all} where _fault is null or _operation = 'delete')`,
  })
  const [found] = await db.rows<Record<'insert' | 'update' | 'delete', bigint>>(`
    select
        count(*) filter (where _operation = 'insert') as "insert",
        count(*) filter (where _operation = 'update') as "update",
        count(*) filter (where _operation = 'delete') as "delete"
    from ${seen}`)
  const [inserted, updated, deleted] = [found?.insert, found?.update, found?.delete].map(Number)
  const quarantined = sumRows(quarantine)
  const accepted = (inserted ?? 0) + (updated ?? 0) + (deleted ?? 0)
  return {
    faults: outcome.faults,
    entry: {
      counts: {
        read: accepted + quarantined,
        accepted,
        unchanged: 0,
        quarantined,
        inserted: inserted ?? 0,
        updated: updated ?? 0,
        deleted: deleted ?? 0,
      },
      changes: [],
      quarantine,
      open: outcome.open,
      state: [],
      rows: 0,
    },
  }
}
