import { checkEnds, checkWarehouse, readHeads } from '../continuity.ts'
import {
  checkInterrupted,
  type Deps,
  ingestionZone,
  isPastDeadline,
  openScratchDb,
} from '../deps.ts'
import { ConfigError, ConflictError, ContractError } from '../errors.ts'
import { commitBatch } from '../lake/batch-log.ts'
import { beginBatch, type PendingBatch } from '../lake/batch.ts'
import type { CommitRecord, SnapshotInfo, TableEntry } from '../lake/commit-record.ts'
import { DEFERRED, type HeldTable, listHeld } from '../lake/held.ts'
import { carryOver } from '../lake/table-entry.ts'
import { checkProject } from '../project/check-project.ts'
import { checkKnown, sourceTables } from '../project/known-table.ts'
import { filesOf, type SourceContract } from '../project/source-contract.ts'
import { sideBySide } from '../side-by-side.ts'
import { isLockTimeout, LOCKED_BREACH } from '../source/lock.ts'
import { openSnapshot, type SourceSnapshot } from '../source/snapshot.ts'
import { checkNotRewritten, readUnlisted } from '../source/tables.ts'
import { captureFirst, captureSince, captureWhole, type TableRead } from './capture-table.ts'
import { breachOf, deferTable, holdTable, logFailure } from './hold-table.ts'
import {
  contractOf,
  isUntouched,
  isWorthABatch,
  nothingCanHaveChanged,
  planTables,
  type TableTask,
} from './plan-tables.ts'
import { archiveShape, reportHeld, reportIgnored } from './report-tables.ts'

export interface ExtractOptions {
  /** Tables whose mass deletion the operator has confirmed. */
  readonly confirmDeletes?: ReadonlySet<string>
  /** Tables to compare whole in any case, so that their rows in quarantine get another chance. */
  readonly recapture?: ReadonlySet<string>
  /**
   * A batch that the ingestion zone is known to hold. The search for the last batch starts there.
   */
  readonly lastKnown?: number
}

/** What one call of `extract` found and committed. */
export interface ExtractOutcome {
  /** The newest batch, committed by this call or before; `undefined` in an empty lake. */
  readonly record: CommitRecord | undefined
  /**
   * Whether this call committed `record`. If not, the call has proven that nothing changed (I13).
   */
  readonly committed: boolean
  /**
   * The ingestion zone holds everything that was committed to the source before this time (source
   * clock, ISO 8601).
   */
  readonly completeTo: string
  readonly held: readonly HeldTable[]
  /** Rows that this call put into quarantine, without the rows of held tables. */
  readonly quarantined: number
}

/**
 * Captures everything that changed in the source since the last batch, as one new batch (I1, I2). A
 * table that breaks its contract is held, and all others go on (I15). After the deadline, tables
 * that are not read yet are left for the next call. Writes nothing if nothing changed (I9). Before
 * it reads a table it proves that it continues the log (I14), see `readHeads`. May be repeated and
 * run twice at once: if two runs prepare the same batch number, one commits and the other throws
 * `ConflictError`. Throws `ConfigError` (`UNKNOWN_TABLE`), before it reads anything, if deletions
 * are confirmed for a table that does not exist.
 */
export async function extract(deps: Deps, options: ExtractOptions = {}): Promise<ExtractOutcome> {
  for (const table of options.confirmDeletes ?? []) {
    checkKnown(table, sourceTables(deps.project))
  }
  await using snapshot = await openSnapshot(deps.source)
  return await extractSnapshot(deps, snapshot, options)
}

/** Like `extract`, in a snapshot that the caller has opened and may read further afterwards. */
export async function extractSnapshot(
  deps: Deps,
  snapshot: SourceSnapshot,
  { confirmDeletes = new Set(), recapture = new Set(), lastKnown = 0 }: ExtractOptions = {},
): Promise<ExtractOutcome> {
  checkProject(deps.project)
  const zone = ingestionZone(deps)
  const heads = await readHeads(deps, { lastKnown, isCapturing: true })
  const last = heads.captured
  if (last !== undefined) await snapshot.reach(last.snapshot)
  const identity = { ...snapshot.identity, takenAt: notBefore(last, snapshot.identity.takenAt) }
  const completeTo = identity.takenAt
  const unchanged = { record: last, committed: false, completeTo, quarantined: 0 }
  const mayBeQuiet = recapture.size === 0
  if (last !== undefined && mayBeQuiet && nothingCanHaveChanged(deps, snapshot, last)) {
    return { ...unchanged, held: [] }
  }
  try {
    const tasks = await planTables(deps, snapshot, { last, recapture })
    if (last !== undefined && tasks.every(isUntouched)) {
      await checkNotRewritten(snapshot, deps.project.source)
      return { ...unchanged, held: [] }
    }

    await checkEnds(deps, heads)
    await checkWarehouse(deps, last)
    await using db = await openScratchDb(deps)
    const number = (last?.batch ?? 0) + 1
    const batch = beginBatch(db, { zone, number, takenAt: identity.takenAt })
    const captured = await captureTables(deps, tasks, {
      snapshot,
      batch,
      confirmDeletes,
      identity,
      before: last?.snapshot,
    })
    await checkNotRewritten(snapshot, deps.project.source)
    const tables = { ...captured, ...carryFeeds(deps.project.source, last) }
    const held = listHeld(tables)
    reportHeld(deps, { tables, last })

    if (!isWorthABatch(tables, { last, snapshot, tasks })) return { ...unchanged, held }
    for (const task of tasks) {
      await archiveShape(deps, zone, { ...task, entry: tables[task.table.name] })
    }
    const ignored = await readUnlisted(snapshot, deps.project.source)
    reportIgnored(deps, { ignored, last })
    checkInterrupted(deps)
    const content = {
      snapshot: identity,
      tables,
      ignored,
      contract: contractOf(deps.project.source),
      writer: { version: deps.version, runId: deps.runId },
    }
    const record = await commitBatch(zone, content, { previous: last })
    return { record, committed: true, completeTo, held, quarantined: countRefused(tables) }
  } catch (error) {
    throw asSourceChange(error)
  }
}

/** Carries the entries of feeds over unchanged: only `collect` changes them. */
function carryFeeds(
  { feeds = [] }: SourceContract,
  last: CommitRecord | undefined,
): Record<string, TableEntry> {
  const names = feeds.flatMap(({ name }) => [name, filesOf(name)])
  return Object.fromEntries(
    names.flatMap((name) => {
      const entry = last?.tables[name]
      return entry === undefined ? [] : [[name, carryOver(entry)]]
    }),
  )
}

/** Rows put into quarantine one by one, without the archived rows of held tables. */
function countRefused(tables: Record<string, TableEntry>): number {
  return Object.values(tables).reduce(
    (sum, { held, counts }) => sum + (held === undefined ? counts.quarantined : 0),
    0,
  )
}

/**
 * Turns an error about a missing or forbidden relation into `ConflictError`. The snapshot's
 * catalogue still has the relation, so the source changed while it was read. The next snapshot
 * shows the change.
 */
function asSourceChange(error: unknown): unknown {
  const isChange =
    (error instanceof ContractError && error.code === 'SOURCE_SCHEMA') ||
    (error instanceof ConfigError && error.code === 'SOURCE_PERMISSION')
  if (!isChange) return error
  return new ConflictError('The source changed while it was read', {
    code: 'SOURCE_ALTERED',
    hint: error.hint ?? 'run it again; nothing was half-published',
    cause: error,
  })
}

/** Keeps time in the log from running backwards if the source's clock is set back. */
function notBefore(last: CommitRecord | undefined, takenAt: string): string {
  return last !== undefined && last.snapshot.takenAt > takenAt ? last.snapshot.takenAt : takenAt
}

type TaskRead = TableTask &
  Omit<TableRead, 'previous' | 'shape' | 'contract'> & {
    readonly identity: SnapshotInfo
    readonly before: SnapshotInfo | undefined
  }

/**
 * Returns an entry for every table, in the order in which they begin: tables that the previous batch
 * deferred come first. Tables are read side by side, so that the server, this process and DuckDB all
 * have work (two at a time: a first extract took 0.6 of the time). At least one table is read
 * whatever the time, so that every call makes progress.
 */
async function captureTables(
  deps: Deps,
  tasks: readonly TableTask[],
  common: Omit<TaskRead, keyof TableTask>,
): Promise<Record<string, TableEntry>> {
  const isDeferred = ({ previous }: TableTask) => previous?.held?.reason === DEFERRED
  const inOrder = [...tasks.filter(isDeferred), ...tasks.filter((task) => !isDeferred(task))]
  const reads = tasks.filter((task) => !isUntouched(task)).length
  // If the whole batch fails, the tables under way stop too.
  const failed = new AbortController()
  const stopped = [failed.signal, ...(deps.signal === undefined ? [] : [deps.signal])]
  const sides = { ...deps, signal: AbortSignal.any(stopped) }
  const { batch } = common
  const logCaptured = (table: string, entry: TableEntry): [string, TableEntry] => {
    deps.log({ event: 'table_captured', batch: batch.number, table, ...entry.counts })
    return [table, entry]
  }
  // What a table lacked beside others it may have alone. DuckDB needs half the memory with one
  // thread.
  const again: ReadonlySet<string> = reads === 1 ? new Set(['memory_exceeded']) : SCARCE
  let wasRead = false
  const entries = await sideBySide(
    inOrder,
    { width: deps.limits.threads, onError: () => failed.abort() },
    async (task): Promise<[string, TableEntry] | TableTask> => {
      checkInterrupted(sides)
      const table = task.table.name
      if (isUntouched(task)) return logCaptured(table, carryOver(task.previous))
      if (wasRead && isPastDeadline(deps)) {
        deps.log({ event: 'table_deferred', level: 'warn', batch: batch.number, table })
        return [table, deferTable({ ...common, ...task })]
      }
      wasRead = true
      await using db = await batch.db.session()
      try {
        const read = { ...common, ...task, batch: { ...batch, db } }
        return logCaptured(table, await captureOrHold(sides, read, again))
      } catch (error) {
        if (!again.has(breachOf(error)?.reason ?? '')) throw error
        return task
      }
    },
  )
  const captured: Record<string, TableEntry> = {}
  for (const entry of entries) {
    const [table, found] = Array.isArray(entry)
      ? entry
      : logCaptured(entry.table.name, await captureAlone(deps, { ...common, ...entry }))
    captured[table] = found
  }
  return captured
}

/** Reasons for a breach that lie in something that all tables share. */
const SCARCE: ReadonlySet<string> = new Set(['memory_exceeded', 'scratch_full', 'open_files'])

/** Captures or holds a table while nothing else is read, with one thread. */
async function captureAlone(deps: Deps, read: TaskRead): Promise<TableEntry> {
  checkInterrupted(deps)
  const batch = await beginAnew(read.batch)
  await batch.db.run('set threads = 1')
  try {
    return await captureOrHold(deps, { ...read, batch })
  } finally {
    await batch.db.run(`set threads = ${deps.limits.threads}`)
  }
}

/**
 * Captures a table, or holds it if its columns or its rows break the contract (I15). Throws the
 * breaches that are worth another attempt, by their reasons in `again`.
 */
async function captureOrHold(
  deps: Deps,
  read: TaskRead,
  again: ReadonlySet<string> = new Set(),
): Promise<TableEntry> {
  const hold = { ...read, name: read.table.name }
  if (read.breach !== undefined) return await holdTable(deps, { ...hold, breach: read.breach })
  try {
    return await captureTable(deps, read)
  } catch (error) {
    const breach = isLockTimeout(error) ? LOCKED_BREACH : breachOf(error)
    if (breach === undefined || again.has(breach.reason)) throw error
    logFailure(deps, hold, error)
    return await holdTable(deps, { ...hold, breach, batch: await beginAnew(read.batch) })
  }
}

/**
 * Starts another attempt at a table. Removes the files that the failed attempt left, and gives
 * objects new names, because stored objects are never changed (I3).
 */
async function beginAnew(batch: PendingBatch): Promise<PendingBatch> {
  await batch.db.clear()
  return beginBatch(batch.db, batch)
}

/** Captures a table in the way that was planned for it. */
async function captureTable(deps: Deps, read: TaskRead): Promise<TableEntry> {
  const { plan, previous, count, shape } = read
  if (shape === undefined || plan === undefined) {
    throw new TypeError(`table ${read.table.name} was not planned`)
  }
  const known = { shape, contract: read.table.columns }
  if (plan.how === 'first' || previous === undefined)
    return captureFirst(deps, { ...read, ...known })
  if (plan.how === 'whole') {
    const force = previous.fingerprint !== shape.fingerprint
    return captureWhole(deps, { ...read, ...known, previous, force })
  }
  if (count === undefined) throw new TypeError(`table ${shape.name} was not counted`)
  return captureSince(deps, { ...read, ...known, previous, age: plan.age, count })
}
