import { rm } from 'node:fs/promises'
import { type Deps } from './deps.ts'
import { convertRows, type PendingBatch } from './lake/capture.ts'
import {
  type FileRef,
  NO_ROWS,
  type SnapshotInfo,
  standStill,
  type TableEntry,
  sumRows,
} from './lake/commit-record.ts'
import type { Column } from './lake/lake-type.ts'
import { prepareQuarantine, rowText, selectRefused } from './lake/quarantine.ts'
import { type LakeTable, readParquet } from './lake/table-state.ts'
import { type Breach, findUnusableNames } from './source/contract.ts'
import { copyRecent, copyWhole, countRows } from './source/copy.ts'
import { planRead } from './source/horizon.ts'
import { LOCKED } from './source/lock.ts'
import type { SourceSnapshot } from './source/snapshot.ts'
import type { TableShape } from './source/tables.ts'
import { duckLiteral } from './sql.ts'

export interface TableHold {
  readonly snapshot: SourceSnapshot
  readonly batch: PendingBatch
  /** The snapshot of the batch being prepared. */
  readonly identity: SnapshotInfo
  readonly name: string
  /** Undefined where nothing can be read. */
  readonly shape: TableShape | undefined
  readonly breach: Breach
  readonly previous: TableEntry | undefined
  /** The snapshot of the batch before. */
  readonly before: SnapshotInfo | undefined
}

/**
 * The entry of a table that breaks its contract: it stays as it was last captured, and so does the
 * snapshot from which its next capture goes on, which brings whatever happened meanwhile. What can
 * be read of the rows that changed goes to quarantine as text, once: every version that a run saw
 * is kept, though nobody can say yet what it means. (A row committed late, whose transaction was
 * open when the last run looked, is missing there and in nothing else.)
 */
export async function holdTable(deps: Deps, hold: TableHold): Promise<TableEntry> {
  const { batch, identity, breach, previous, before, shape } = hold
  const isNew = previous?.held?.reason !== breach.reason || previous.held.detail !== breach.detail
  const quarantine = shape === undefined ? [] : await archiveRows(deps, { ...hold, shape, isNew })
  const rows = sumRows(quarantine)
  const capturedTo = previous?.capturedTo ?? before
  return {
    ...standStill(previous),
    counts: { ...NO_ROWS, read: rows, quarantined: rows },
    quarantine,
    held: {
      ...breach,
      since: previous?.held?.since ?? batch.number,
      sinceAt: previous?.held?.sinceAt ?? batch.takenAt,
    },
    ...(capturedTo === undefined ? {} : { capturedTo }),
    archivedTo: identity,
  }
}

/** Why a table that was not read for want of time stands still. */
export const DEFERRED = 'deferred'

/** The entry of a table that is left for the next batch for want of time: as it was. */
export function deferTable({
  batch,
  previous,
  before,
}: Pick<TableHold, 'batch' | 'previous' | 'before'>): TableEntry {
  const capturedTo = previous?.capturedTo ?? before
  return {
    ...standStill(previous),
    held: previous?.held ?? {
      reason: DEFERRED,
      detail: 'there was no time left to read it; the next run does',
      since: batch.number,
      sinceAt: batch.takenAt,
    },
    ...(capturedTo === undefined ? {} : { capturedTo }),
  }
}

async function archiveRows(
  deps: Deps,
  {
    snapshot,
    batch,
    identity,
    shape: read,
    breach,
    previous,
    before,
    isNew,
  }: TableHold & { readonly shape: TableShape; readonly isNew: boolean },
): Promise<FileRef[]> {
  // A row too large to be read is too large here as well, and a locked table is locked.
  if (breach.reason === 'row_too_large' || breach.reason === LOCKED) return []
  const shape = { ...read, columns: nameable(read.columns) }
  const folder = batch.db.scratchDir
  const since = previous?.archivedTo ?? previous?.capturedTo ?? before
  const plan = planRead(
    identity,
    shape,
    since && { snapshot: since, fingerprint: shape.fingerprint },
  )
  if (plan.how !== 'since')
    return isNew ? await archiveAll(deps, { snapshot, batch, shape, breach }) : []
  const age =
    previous?.archivedTo === undefined
      ? plan.age
      : Number(BigInt(identity.xmax) - BigInt(previous.archivedTo.xmax))
  const counts = await countRows(snapshot, [{ shape, age }])
  if (age === 0 || counts.get(shape.name)?.recent === 0) return []
  const copied = await copyRecent(snapshot, shape, { age, folder })
  return await archive(batch, { shape, breach, copied, index: 0 })
}

/** The columns whose names can stand beside one another in the lake. */
function nameable(columns: TableShape['columns']): TableShape['columns'] {
  const unusable = new Set(findUnusableNames(columns.map(({ name }) => name)))
  return columns.filter(({ name }) => !unusable.has(name))
}

async function archiveAll(
  deps: Deps,
  {
    snapshot,
    batch,
    shape,
    breach,
  }: Pick<TableHold, 'snapshot' | 'batch' | 'breach'> & { shape: TableShape },
): Promise<FileRef[]> {
  const files: FileRef[] = []
  const options = { folder: batch.db.scratchDir, connections: deps.limits.connections }
  for await (const copied of copyWhole(snapshot, shape, options)) {
    files.push(...(await archive(batch, { shape, breach, copied, index: files.length })))
  }
  return files
}

/** Every value as the text Postgres sent, whatever its type. */
async function archive(
  batch: PendingBatch,
  {
    shape,
    breach,
    copied,
    index,
  }: { shape: TableShape; breach: Breach; copied: { path: string; rows: number }; index: number },
): Promise<FileRef[]> {
  const columns = shape.columns.map(({ name }): Column => ({ name, type: 'VARCHAR' }))
  const table: LakeTable = { name: shape.name, key: [], columns }
  const { path } = await convertRows(batch, table, { copied, firstOrdinal: 1 })
  const key = columns.filter(({ name }) => shape.key.includes(name))
  const rows = `(select *, ${duckLiteral(breach.reason)} as _reason, null as _column from ${readParquet([path])})`
  const refused = selectRefused(rows, { key: rowText(key), columns })
  const files = await prepareQuarantine(batch, table, { refused, index })
  await rm(path)
  return files
}
