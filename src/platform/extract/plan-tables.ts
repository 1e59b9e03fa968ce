import { createHash } from 'node:crypto'
import type { Deps } from '../deps.ts'
import { ContractError } from '../errors.ts'
import type { CommitRecord, FileRef, TableEntry } from '../lake/commit-record.ts'
import type { Project } from '../project/project.ts'
import { contractText, type SourceContract, type SourceTable } from '../project/source-contract.ts'
import type { Breach } from '../source/contract.ts'
import type { TableCount } from '../source/copy.ts'
import { findOtherHistory, isQuiet, planRead, type ReadPlan } from '../source/horizon.ts'
import type { SourceSnapshot } from '../source/source-snapshot.ts'
import type { TableShape } from '../source/table-shape.ts'
import { breachOf } from './hold-table.ts'

/**
 * Whether the tables need not be read at all: no transaction has written since the last batch, the
 * contract is the same, and no table waits for anything.
 */
export function nothingCanHaveChanged(
  deps: Deps,
  snapshot: SourceSnapshot,
  last: CommitRecord,
): boolean {
  return (
    isQuiet(snapshot.identity, last.snapshot) &&
    last.contract === contractOf(deps.project) &&
    Object.values(last.tables).every(
      ({ held, heldDeletes, unversioned }) =>
        held === undefined && heldDeletes === undefined && unversioned !== true,
    )
  )
}

/** A hash of the contract, recorded in each batch. It changes whenever the contract changes. */
export function contractOf({ source, mirror }: Project): string {
  // The tables of a mirror change only together with the source.
  const text =
    mirror === undefined ? contractText(source) : JSON.stringify(['mirror', source.schema, mirror])
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** How one batch is to treat one table. Without a plan, the table is held for its breach. */
export interface TableTask {
  readonly table: SourceTable
  readonly shape: TableShape | undefined
  readonly breach: Breach | undefined
  readonly plan: ReadPlan | undefined
  readonly previous: TableEntry | undefined
  readonly count: TableCount | undefined
}

/**
 * Plans how each table is read, and counts the tables whose count can prove them unchanged. Logs
 * each table that must be compared whole. A table that cannot be counted gets a breach.
 */
export async function planTables(
  deps: Deps,
  snapshot: SourceSnapshot,
  {
    source,
    last,
    recapture,
  }: {
    source: SourceContract
    last: CommitRecord | undefined
    recapture: ReadonlySet<string>
  },
): Promise<TableTask[]> {
  const states = await snapshot.readTables(source)
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
    const isUnusual = shape?.hasXmin === true && !shape.isByContent
    if (plan?.how === 'whole' && isUnusual) {
      deps.log({ event: 'table_compared_whole', level: 'warn', table: table.name, why: plan.why })
    }
  }
  const counts = await snapshot.countTables(
    planned.flatMap(({ shape, plan }) =>
      shape !== undefined && plan?.how === 'since' ? [{ shape, age: plan.age }] : [],
    ),
    deps.limits,
  )
  return planned.map((task) => {
    const count = counts.get(task.table.name)
    if (!(count instanceof ContractError)) return { ...task, count }
    return { ...task, breach: breachOf(count), count: undefined }
  })
}

/**
 * Whether a table is proven unchanged: it has no row at or after the horizon, and as many rows as
 * were captured or are in quarantine.
 */
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

/**
 * If the horizon is this many transactions back, a batch is written only to move it, long before
 * the distance becomes too large to measure.
 */
const FAR_HORIZON = 2 ** 30

/**
 * Whether there is anything to record: a change, refused rows, a table held or released, deletions
 * that are no longer held, another history of the source, or a horizon to move.
 */
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
  // A table that was held and never captured may be gone, or have another name.
  const held = Object.entries(last.tables).filter((entry) => entry[1].held !== undefined)
  if (held.some(([name]) => tables[name] === undefined)) return true
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

/** The keys of files, which change whenever their content changes. */
function keysOf(files: readonly FileRef[] = []): string[] {
  return files.map(({ key }) => key)
}

function isSame(one: readonly string[], other: readonly string[] = []): boolean {
  return one.length === other.length && one.every((each, index) => each === other[index])
}
