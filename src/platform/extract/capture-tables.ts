import { checkInterrupted, type Deps, isPastDeadline } from '../deps.ts'
import { beginBatch, type PendingBatch } from '../lake/batch.ts'
import type { SnapshotInfo, TableEntry } from '../lake/commit-record.ts'
import { DEFERRED } from '../lake/held.ts'
import { carryOver } from '../lake/table-entry.ts'
import { sideBySide } from '../io/side-by-side.ts'
import { isLockTimeout, LOCKED_BREACH } from '../source/lock.ts'
import { captureFirst, captureSince, captureWhole, type TableRead } from './capture-table.ts'
import { breachOf, deferTable, holdTable, logFailure } from './hold-table.ts'
import { isUntouched, type TableTask } from './plan-tables.ts'
import { namedRecord } from '../project/named-record.ts'

type TaskRead = TableTask &
  Omit<TableRead, 'previous' | 'shape' | 'contract'> & {
    readonly identity: SnapshotInfo
    readonly before: SnapshotInfo | undefined
  }

/** What all tables of a batch have in common. */
type CommonRead = Omit<TaskRead, keyof TableTask>

/**
 * Returns an entry for every table. Tables that the previous batch deferred begin first, then the
 * largest, so that none of them is left for the end alone. Tables are read side by side, one for
 * each thread that DuckDB may have, so that the server, this process and DuckDB all have work. At
 * least one table is read whatever the time, so that every call makes progress.
 */
export async function captureTables(
  deps: Deps,
  tasks: readonly TableTask[],
  common: CommonRead,
): Promise<Record<string, TableEntry>> {
  try {
    return await captureInOrder(deps, tasks, common)
  } finally {
    // The next user of this DuckDB has all threads. This can fail only together with the database.
    await common.batch.db.run(`set threads = ${deps.limits.threads}`).catch(() => {})
  }
}

async function captureInOrder(
  deps: Deps,
  tasks: readonly TableTask[],
  common: CommonRead,
): Promise<Record<string, TableEntry>> {
  const isDeferred = ({ previous }: TableTask) => previous?.held?.reason === DEFERRED
  const size = ({ shape }: TableTask) => shape?.sizeBytes ?? 0
  const inOrder = tasks.toSorted(
    (a, b) => Number(isDeferred(b)) - Number(isDeferred(a)) || size(b) - size(a),
  )
  const reads = tasks.filter((task) => !isUntouched(task)).length
  // If the whole batch fails, the tables under way stop at their next part.
  const failed = new AbortController()
  const beside = { ...deps, signal: failed.signal }
  const { batch } = common
  const logCaptured = (table: string, entry: TableEntry): [string, TableEntry] => {
    deps.log({ event: 'table_captured', batch: batch.number, table, ...entry.counts })
    return [table, entry]
  }
  // A conversion with numbered rows runs on one thread, while DuckDB's second thread would only spin
  // for work.
  if (reads > 1) await batch.db.run('set threads = 1')
  // What a table lacked beside others it may have alone.
  const again: ReadonlySet<string> = reads === 1 ? new Set(['memory_exceeded']) : SCARCE
  let wasRead = false
  const entries = await sideBySide(
    inOrder,
    { width: deps.limits.threads, onError: () => failed.abort() },
    async (task): Promise<[string, TableEntry] | TableTask> => {
      checkInterrupted(deps)
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
        return logCaptured(table, await captureOrHold(beside, read, again))
      } catch (error) {
        if (!again.has(breachOf(error)?.reason ?? '')) throw error
        return task
      }
    },
  )
  const captured = namedRecord<TableEntry>()
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

/**
 * Captures or holds a table while nothing else is read, with one thread, which needs about half the
 * memory.
 */
async function captureAlone(deps: Deps, read: TaskRead): Promise<TableEntry> {
  checkInterrupted(deps)
  const batch = await beginAnew(read.batch)
  await batch.db.run('set threads = 1')
  return await captureOrHold(deps, { ...read, batch })
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
