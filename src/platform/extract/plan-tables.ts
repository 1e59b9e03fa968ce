import { createHash } from 'node:crypto'
import type { Deps } from '../deps.ts'
import { ContractError } from '../errors.ts'
import type { CommitRecord, FileRef, TableEntry } from '../lake/commit-record.ts'
import type { SourceContract, SourceTable } from '../project/source-contract.ts'
import type { Breach } from '../source/contract.ts'
import { countTables, type TableCount } from '../source/copy.ts'
import { findOtherHistory, isQuiet, planRead, type ReadPlan } from '../source/horizon.ts'
import type { SourceSnapshot } from '../source/snapshot.ts'
import { readTables, type TableShape } from '../source/tables.ts'
import { breachOf } from './hold-table.ts'

/** Whether no look at the tables is needed: no transaction since, and nothing that waits. */
export function nothingCanHaveChanged(
  deps: Deps,
  snapshot: SourceSnapshot,
  last: CommitRecord,
): boolean {
  return (
    isQuiet(snapshot.identity, last.snapshot) &&
    last.contract === contractOf(deps.project.source) &&
    Object.values(last.tables).every(
      ({ held, heldDeletes, unversioned }) =>
        held === undefined && heldDeletes === undefined && unversioned !== true,
    )
  )
}

/** Changes with what is required of the source. */
export function contractOf(contract: SourceContract): string {
  return createHash('sha256').update(JSON.stringify(contract)).digest('hex').slice(0, 16)
}

/** What one batch is to do about one table. */
export interface TableTask {
  readonly table: SourceTable
  readonly shape: TableShape | undefined
  readonly breach: Breach | undefined
  readonly plan: ReadPlan | undefined
  readonly previous: TableEntry | undefined
  readonly count: TableCount | undefined
}

/** Plans how each table is read, and counts those that a count can prove unchanged. */
export async function planTables(
  deps: Deps,
  snapshot: SourceSnapshot,
  { last, recapture }: { last: CommitRecord | undefined; recapture: ReadonlySet<string> },
): Promise<TableTask[]> {
  const states = await readTables(snapshot, deps.project.source)
  const planned = states.map((state) => {
    const previous = last?.tables[state.table.name]
    const { shape, breach } = state
    if (shape === undefined || breach !== undefined) return { ...state, previous, plan: undefined }
    const since = previous?.capturedTo ?? last?.snapshot
    const before = since && { snapshot: since, fingerprint: previous?.fingerprint }
    const plan: ReadPlan =
      recapture.has(shape.name) && previous !== undefined
        ? { how: 'whole', why: 'its rows in quarantine are read again' }
        : planRead(snapshot.identity, shape, before)
    return { ...state, previous, plan }
  })
  for (const { table, shape, plan } of planned) {
    if (plan?.how === 'whole' && shape?.hasXmin === true) {
      deps.log({ event: 'table_compared_whole', level: 'warn', table: table.name, why: plan.why })
    }
  }
  const counts = await countTables(
    snapshot,
    planned.flatMap(({ shape, plan }) =>
      shape !== undefined && plan?.how === 'since' ? [{ shape, age: plan.age }] : [],
    ),
  )
  return planned.map((task) => {
    const count = counts.get(task.table.name)
    if (!(count instanceof ContractError)) return { ...task, count }
    return { ...task, breach: breachOf(count), count: undefined }
  })
}

/** No row at or after the horizon, and as many rows as were captured: nothing came, nothing went. */
export function isUntouched({ plan, count, previous }: TableTask): boolean {
  return (
    plan?.how === 'since' &&
    plan.age < FAR_HORIZON &&
    previous !== undefined &&
    previous.held === undefined &&
    count?.recent === 0 &&
    count.rows === previous.rows + (previous.withheld ?? 0)
  )
}

/** A horizon this many transactions back is moved by a batch of its own, long before it is lost. */
const FAR_HORIZON = 2 ** 30

/** Whether there is anything to record: a change, a brake let go, or a new point to compare from. */
export function isWorthABatch(
  tables: Record<string, TableEntry>,
  {
    last,
    snapshot,
    tasks,
  }: { last: CommitRecord | undefined; snapshot: SourceSnapshot; tasks: readonly TableTask[] },
): boolean {
  if (last === undefined || findOtherHistory(snapshot.identity, last.snapshot) !== undefined)
    return true
  return tasks.some(({ table, plan, previous }) => {
    const entry = tables[table.name]
    if (entry === undefined) return false
    return (
      entry.changes.length > 0 ||
      entry.quarantine.length > 0 ||
      !isSame(keysOf(entry.open), keysOf(previous?.open)) ||
      previous?.fingerprint !== entry.fingerprint ||
      previous?.held?.detail !== entry.held?.detail ||
      previous?.withheld !== entry.withheld ||
      (previous?.unversioned ?? false) !== (entry.unversioned ?? false) ||
      (previous?.heldDeletes !== undefined && entry.heldDeletes === undefined) ||
      (plan?.how === 'since' && plan.age >= FAR_HORIZON)
    )
  })
}

function keysOf(files: readonly FileRef[] = []): string[] {
  return files.map(({ key }) => key)
}

function isSame(one: readonly string[], other: readonly string[] = []): boolean {
  return one.length === other.length && one.every((each, index) => each === other[index])
}
