import type { PendingBatch } from '../lake/batch.ts'
import type { ProcessedEntry } from '../lake/commit-record.ts'
import {
  prepareOpen,
  prepareQuarantine,
  type RefusalReason,
} from '../lake/quarantine/quarantine.ts'
import { sumRows } from '../lake/table-entry.ts'
import { countChanges } from './count-changes.ts'
import type { SourceView } from './source-files.ts'
import type { SourceChanges } from './source-view.ts'

/** The quarantine of a source table's changes whose values do not fit the table's contract. */
export interface RefusedChanges {
  readonly entry: ProcessedEntry
  readonly reasons: readonly RefusalReason[]
}

/**
 * Puts the changes that do not fit the contract into quarantine, under the source table's name.
 * Returns undefined if nothing had to be converted and nothing is in quarantine.
 */
export async function prepareRefused(
  batch: PendingBatch,
  view: SourceView,
  { changes, before }: { changes: SourceChanges; before: ProcessedEntry | undefined },
): Promise<RefusedChanges | undefined> {
  const earlier = before?.open ?? []
  if (!view.isContract || (changes.isExact && earlier.length === 0)) return undefined
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
  const { open, reasons } = await prepareOpen(batch, view, {
    before: earlier,
    refused: quarantine,
    released: `(select _key from ${all} where _fault is null or _operation = 'delete')`,
  })
  const counts = await countChanges(batch.db, {
    from: seen,
    operation: '_operation',
    quarantined: sumRows(quarantine),
  })
  return { reasons, entry: { counts, changes: [], quarantine, open, state: [], rows: 0 } }
}
