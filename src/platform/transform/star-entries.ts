import type { PendingBatch } from '../lake/batch.ts'
import type { ProcessedEntry } from '../lake/commit-record.ts'
import { extendState, prepareState } from '../lake/checkpoint.ts'
import { prepareTable } from '../lake/table-changes.ts'
import { changedRows } from '../lake/table-entry.ts'
import type { Fact } from '../project/model.ts'
import type { DimensionChanges } from './dimension.ts'
import { type FactVersions, prepareFact } from './fact.ts'
import { addBroken, type Broken } from './rules.ts'

/** The entry of a fact, whose files this uploads. */
export async function factEntry(
  batch: PendingBatch,
  {
    model,
    versions,
    before,
  }: { model: Fact; versions: FactVersions; before: ProcessedEntry | undefined },
): Promise<ProcessedEntry> {
  const { table, counts, quarantine, open, records, held, changesSince, warnings } = versions
  const changes = await prepareFact(batch, model, versions)
  const state = extendState(before?.state ?? [], changes)
  return {
    counts,
    changes,
    quarantine,
    open,
    state: table === undefined ? [] : await prepareState(batch, table, { state }),
    rows: records,
    records,
    held,
    changesSince,
    ...warningFields(warnings, before),
  }
}

/** The entry of a dimension, whose files this uploads. */
export async function dimensionEntry(
  batch: PendingBatch,
  { table, changes, counts, quarantine, open, held, warnings }: DimensionChanges,
  before: ProcessedEntry | undefined,
): Promise<ProcessedEntry> {
  return {
    ...(await prepareTable(batch, table, {
      changes,
      rows: changedRows(counts),
      state: before?.state ?? [],
    })),
    counts,
    quarantine,
    open,
    rows: (before?.rows ?? 0) + counts.inserted,
    held,
    ...warningFields(warnings, before),
  }
}

/** The fields of an entry about broken checks; missing if no check was ever broken. */
function warningFields(
  warnings: Broken,
  before: ProcessedEntry | undefined,
): Pick<ProcessedEntry, 'warnings' | 'warningsSoFar'> {
  const soFar = addBroken([before?.warningsSoFar ?? {}, warnings])
  return { warnings: unlessEmpty(warnings), warningsSoFar: unlessEmpty(soFar) }
}

function unlessEmpty(broken: Broken): Record<string, number> | undefined {
  return Object.keys(broken).length === 0 ? undefined : broken
}
