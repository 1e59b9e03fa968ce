import { rm } from 'node:fs/promises'
import { checkInterrupted, type Deps } from '../deps.ts'
import { codeOf, TidemarkError } from '../errors.ts'
import { duckLiteral } from '../io/sql.ts'
import type { PendingBatch } from '../lake/batch.ts'
import type { FileRef, SnapshotInfo, TableEntry } from '../lake/commit-record.ts'
import { convertRows } from '../lake/convert.ts'
import { DEFERRED } from '../lake/held.ts'
import type { Column } from '../lake/lake-type.ts'
import { readParquet } from '../lake/parquet.ts'
import { prepareQuarantine, rowText, selectRefused } from '../lake/quarantine/quarantine.ts'
import { carryOver, countRows, sumRows } from '../lake/table-entry.ts'
import type { LakeTable } from '../lake/table-state.ts'
import { type Breach, type BreachReason, findUnusableNames } from '../source/contract.ts'
import type { CopiedRows } from '../source/copy.ts'
import { planRead } from '../source/horizon.ts'
import { LOCKED } from '../source/lock.ts'
import type { SourceSnapshot } from '../source/source-snapshot.ts'
import type { TableShape } from '../source/table-shape.ts'

/** A table that cannot be captured in this batch, and the reason. */
export interface TableHold {
  readonly snapshot: SourceSnapshot
  readonly batch: PendingBatch
  /** The snapshot of the batch being prepared. */
  readonly identity: SnapshotInfo
  readonly name: string
  /** Undefined if the table cannot be read at all. */
  readonly shape: TableShape | undefined
  readonly breach: Breach
  readonly previous: TableEntry | undefined
  /** The snapshot of the previous batch. */
  readonly before: SnapshotInfo | undefined
}

/**
 * Breaches that appear only when a table is read, by error code. Their details hold no numbers,
 * because a new number would make every run report the breach again.
 */
const BREACHES: Readonly<Record<string, Breach>> = {
  KEY_NOT_UNIQUE: { reason: 'key_not_unique', detail: 'some rows share a key or have none' },
  KEY_NOT_EXACT: { reason: 'key_not_exact', detail: 'some keys have no exact form' },
  TOO_MANY_REJECTED: {
    reason: 'too_many_rejected',
    detail: 'too many rows hold values that have no exact form',
  },
  CAPTURE_INCOMPLETE: {
    reason: 'capture_incomplete',
    detail: 'some of its rows could not be read back after they were copied; please report this',
  },
  MEMORY_EXCEEDED: {
    reason: 'memory_exceeded',
    detail: 'it needs more memory than allowed: set TIDEMARK_MEMORY_MB to more',
  },
  SCRATCH_FULL: {
    reason: 'scratch_full',
    detail: 'the scratch folder is full: free some space, or set TIDEMARK_SCRATCH to another',
  },
  OPEN_FILES: {
    reason: 'open_files',
    detail: 'too many files are open: raise the limit, for instance with: ulimit -n 4096',
  },
}

/**
 * The rows are not the reason for these breaches. Archiving the rows would fail in the same way.
 */
const NOT_OF_ROWS: ReadonlySet<string> = new Set<BreachReason>([
  'unreadable',
  'capture_incomplete',
  'memory_exceeded',
  'scratch_full',
  'open_files',
])

/**
 * The breach for which an error holds one table. Undefined if the error concerns the whole batch.
 */
export function breachOf(error: unknown): Breach | undefined {
  if (!(error instanceof TidemarkError)) return undefined
  if (error.code !== 'TABLE_UNREADABLE') return BREACHES[error.code]
  const code = codeOf(error.cause)
  return { reason: 'unreadable', detail: `the source cannot read it: error ${code}` }
}

/**
 * Makes the entry of a table that breaks its contract. The table keeps its last captured state, and
 * the next capture continues from the same snapshot, so it brings everything that happened
 * meanwhile. The changed rows go to quarantine as text, each version once, although nobody can say
 * yet what they mean. (A row is missing from quarantine, but not from the next capture, if its
 * transaction was open during the last run.) Nothing is archived of a table that cannot be read.
 */
export async function holdTable(deps: Deps, hold: TableHold): Promise<TableEntry> {
  const { batch, identity, breach, previous, before } = hold
  const quarantine = await archiveIfReadable(deps, hold)
  const rows = sumRows(quarantine ?? [])
  const capturedTo = previous?.capturedTo ?? before
  return {
    ...carryOver(previous),
    counts: countRows({ read: rows, quarantined: rows }),
    quarantine: quarantine ?? [],
    held: {
      ...breach,
      since: previous?.held?.since ?? batch.number,
      sinceAt: previous?.held?.sinceAt ?? batch.takenAt,
    },
    capturedTo,
    archivedTo: quarantine === undefined ? previous?.archivedTo : identity,
  }
}

/** Puts the changed rows into quarantine. Returns undefined if they cannot be read. */
async function archiveIfReadable(deps: Deps, hold: TableHold): Promise<FileRef[] | undefined> {
  const { shape, breach, previous } = hold
  if (NOT_OF_ROWS.has(breach.reason)) return undefined
  if (shape === undefined) return []
  const isNew = previous?.held?.reason !== breach.reason || previous.held.detail !== breach.detail
  try {
    return await archiveRows(deps, { ...hold, shape, isNew })
  } catch (error) {
    if (breachOf(error) === undefined) throw error
    logFailure(deps, hold, error)
    await hold.batch.db.clear()
    return undefined
  }
}

/** Logs the full reason why one table could not be read. */
export function logFailure(
  { log }: Deps,
  { batch, name }: { batch: PendingBatch; name: string },
  error: unknown,
): void {
  if (!(error instanceof TidemarkError)) return
  const { code, message, hint } = error
  log({
    event: 'table_failed',
    level: 'warn',
    batch: batch.number,
    table: name,
    code,
    message,
    hint,
  })
}

/**
 * Makes the entry of a table for which no time was left. It is carried over, and the next batch
 * reads it.
 */
export function deferTable({
  batch,
  previous,
  before,
}: Pick<TableHold, 'batch' | 'previous' | 'before'>): TableEntry {
  const capturedTo = previous?.capturedTo ?? before
  return {
    ...carryOver(previous),
    held: previous?.held ?? {
      reason: DEFERRED,
      detail: 'there was no time left to read it; the next run reads it first',
      since: batch.number,
      sinceAt: batch.takenAt,
    },
    capturedTo,
  }
}

/**
 * Archives the rows that changed since they were last captured or archived, or all rows if that
 * cannot be told and the breach is new.
 */
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
  // A locked table cannot be read now.
  if (breach.reason === LOCKED) return []
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
  const count = (await snapshot.countTables([{ shape, age }])).get(shape.name)
  if (count instanceof TidemarkError) throw count
  if (age === 0 || count?.recent === 0) return []
  const copied = await snapshot.copyRecent(shape, { age, recentIn: count?.recentIn, folder })
  return await archive(batch, { shape, breach, copied, index: 0 })
}

/** The columns whose names the lake can hold beside each other. */
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
  for await (const copied of snapshot.copyWhole(shape, options)) {
    checkInterrupted(deps)
    files.push(...(await archive(batch, { shape, breach, copied, index: files.length })))
  }
  return files
}

/** Archives every value as the text that Postgres sent, whatever its type. */
async function archive(
  batch: PendingBatch,
  {
    shape,
    breach,
    copied,
    index,
  }: { shape: TableShape; breach: Breach; copied: CopiedRows; index: number },
): Promise<FileRef[]> {
  const columns = shape.columns.map(({ name }): Column => ({ name, type: 'VARCHAR' }))
  const table: LakeTable = { name: shape.name, key: [], columns }
  const { path, refused } = await convertRows(batch, table, { copied, firstOrdinal: 1 })
  const paths = refused === undefined ? [path] : [path, refused.path]
  const key = columns.filter(({ name }) => shape.key.includes(name))
  const rows = `(
    select columns(c -> c not in ('_reason', '_column')), ${duckLiteral(breach.reason)} as _reason,
      null as _column
    from ${readParquet(paths)})`
  const selected = selectRefused(rows, { key: rowText(key), columns })
  const files = await prepareQuarantine(batch, table, { refused: selected, index })
  for (const each of paths) await rm(each)
  return files
}
