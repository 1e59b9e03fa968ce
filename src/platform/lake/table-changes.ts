import type { PendingBatch } from './batch.ts'
import { prepareChanges } from './change-file.ts'
import { extendState, prepareState } from './checkpoint.ts'
import type { FileRef, StateFile } from './commit-record.ts'
import type { LakeTable } from './table-state.ts'

/** A batch's changes to one table, uploaded. */
export interface TableChanges {
  /** This batch's change files. */
  readonly changes: FileRef[]
  /** The table as of this batch. */
  readonly state: StateFile[]
}

/**
 * Writes and uploads a table's changes, and a checkpoint if one is due. `changes` is a relation
 * with `rows` rows and `_operation`. `state` is the table after the batch before. `isRewritten`
 * forces a new base, even if nothing changed.
 */
export async function prepareTable(
  batch: PendingBatch,
  table: LakeTable,
  {
    changes,
    rows,
    state,
    isRewritten = false,
  }: {
    changes: string
    rows: number
    state: readonly StateFile[]
    isRewritten?: boolean
  },
): Promise<TableChanges> {
  const files = await prepareChanges(batch, table, { changes, rows })
  const extended = extendState(state, files)
  if (files.length === 0 && !isRewritten) return { changes: files, state: extended }
  const next = await prepareState(batch, table, { state: extended, force: isRewritten })
  return { changes: files, state: next }
}
