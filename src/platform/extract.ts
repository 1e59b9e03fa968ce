import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { captureFirst, captureSince, captureWhole, type TableRead } from './capture-table.ts'
import { checkProject } from './check-project.ts'
import { checkInterrupted, type Deps, ingestionZone } from './deps.ts'
import { openDuckDb } from './duckdb.ts'
import type { PendingBatch } from './lake/capture.ts'
import { type CommitRecord, FORMAT, NO_ROWS, type TableEntry } from './lake/commit-record.ts'
import { prepareSchema } from './lake/schema.ts'
import { commitBatch, readLastCommit } from './lake/zone.ts'
import { countRows, type TableCount } from './source/copy.ts'
import { isQuiet, isSameHistory, planRead, type ReadPlan } from './source/horizon.ts'
import { openSnapshot, type SourceSnapshot } from './source/snapshot.ts'
import { checkNotRewritten, readShapes, type TableShape } from './source/tables.ts'

export interface ExtractOptions {
  /** Tables whose mass deletion the operator has confirmed. */
  readonly confirmDeletes?: ReadonlySet<string>
}

/** A mass deletion that waits for the operator. */
export interface HeldTable {
  readonly table: string
  readonly deletes: number
  readonly rows: number
}

export interface ExtractOutcome {
  /** The newest batch, committed by this call or before; `undefined` in an empty lake. */
  readonly record: CommitRecord | undefined
  /** Whether this call committed it. If not, nothing has changed since, and that was checked (I13). */
  readonly committed: boolean
  /** The ingestion zone holds everything committed to the source before this (source clock). */
  readonly completeTo: string
  readonly held: readonly HeldTable[]
}

/**
 * Captures everything that changed in the source since the last batch, as one new batch (I1, I2).
 * Writes nothing when nothing changed (I9). May be repeated and run twice at once: of two runs
 * that prepare the same batch number one commits, the other throws `ConflictError`.
 */
export async function extract(deps: Deps, options: ExtractOptions = {}): Promise<ExtractOutcome> {
  await using snapshot = await openSnapshot(deps.source)
  return await extractSnapshot(deps, snapshot, options)
}

/** As `extract`, in a snapshot that the caller has open and may go on to read. */
export async function extractSnapshot(
  deps: Deps,
  snapshot: SourceSnapshot,
  { confirmDeletes = new Set() }: ExtractOptions = {},
): Promise<ExtractOutcome> {
  checkProject(deps.project)
  const last = await readLastCommit(ingestionZone(deps))
  const identity = { ...snapshot.identity, takenAt: notBefore(last, snapshot.identity.takenAt) }
  const unchanged = { record: last, committed: false, completeTo: identity.takenAt }
  if (last !== undefined && nothingCanHaveChanged(deps, snapshot, last)) {
    return { ...unchanged, held: [] }
  }

  const tasks = await planTables(deps, snapshot, last)
  if (last !== undefined && tasks.every((task) => isUntouched(task))) {
    await checkNotRewritten(snapshot, deps.project.source)
    return { ...unchanged, held: [] }
  }

  await mkdir(deps.scratchDir, { recursive: true })
  await using db = await openDuckDb({ scratchDir: deps.scratchDir, ...deps.limits })
  const batch: PendingBatch = {
    zone: ingestionZone(deps),
    db,
    number: (last?.batch ?? 0) + 1,
    attempt: randomBytes(4).toString('hex'),
    takenAt: identity.takenAt,
  }
  const tables: Record<string, TableEntry> = {}
  const held: HeldTable[] = []
  for (const task of tasks) {
    checkInterrupted(deps)
    const entry = await captureTable(deps, { ...task, snapshot, batch, confirmDeletes })
    tables[task.shape.name] = entry
    deps.log({
      event: 'table_captured',
      batch: batch.number,
      table: task.shape.name,
      ...entry.counts,
    })
    if (entry.heldDeletes !== undefined) {
      held.push({ table: task.shape.name, deletes: entry.heldDeletes, rows: entry.rows })
    }
  }
  await checkNotRewritten(snapshot, deps.project.source)
  for (const { table, deletes, rows } of held) {
    deps.log({ event: 'deletes_held', level: 'alert', table, deletes, rows })
  }

  if (!isWorthABatch(tables, { last, snapshot, tasks })) return { ...unchanged, held }
  for (const { shape, previous } of tasks) {
    if (previous?.fingerprint === shape.fingerprint) continue
    await prepareSchema(batch.zone, { ...shape, table: shape.name })
  }
  checkInterrupted(deps)
  const record: CommitRecord = {
    format: FORMAT,
    batch: batch.number,
    previous: batch.number - 1,
    snapshot: identity,
    tables,
    writer: { version: deps.version, runId: deps.runId },
  }
  await commitBatch(batch.zone, record)
  return { record, committed: true, completeTo: identity.takenAt, held }
}

/** Time in the log never runs backwards, even if the source's clock was set back. */
function notBefore(last: CommitRecord | undefined, takenAt: string): string {
  return last !== undefined && last.snapshot.takenAt > takenAt ? last.snapshot.takenAt : takenAt
}

function nothingCanHaveChanged(deps: Deps, snapshot: SourceSnapshot, last: CommitRecord): boolean {
  return (
    isQuiet(snapshot.identity, last.snapshot) &&
    deps.project.source.tables.every(({ name }) => {
      const entry = last.tables[name]
      return entry !== undefined && entry.heldDeletes === undefined && entry.unversioned !== true
    })
  )
}

interface TableTask {
  readonly shape: TableShape
  readonly plan: ReadPlan
  readonly previous: TableEntry | undefined
  readonly count: TableCount | undefined
}

async function planTables(
  deps: Deps,
  snapshot: SourceSnapshot,
  last: CommitRecord | undefined,
): Promise<TableTask[]> {
  const shapes = await readShapes(snapshot, deps.project.source)
  const planned = shapes.map((shape) => {
    const previous = last?.tables[shape.name]
    const before = last && { snapshot: last.snapshot, fingerprint: previous?.fingerprint }
    return { shape, previous, plan: planRead(snapshot.identity, shape, before) }
  })
  for (const { shape, plan } of planned) {
    if (plan.how === 'whole' && shape.hasXmin) {
      deps.log({ event: 'table_compared_whole', level: 'warn', table: shape.name, why: plan.why })
    }
  }
  const counts = await countRows(
    snapshot,
    planned.flatMap(({ shape, plan }) => (plan.how === 'since' ? [{ shape, age: plan.age }] : [])),
  )
  return planned.map((task) => ({ ...task, count: counts.get(task.shape.name) }))
}

/** No row at or after the horizon, and as many rows as were captured: nothing came, nothing went. */
function isUntouched({ plan, count, previous }: TableTask): boolean {
  return (
    plan.how === 'since' &&
    plan.age < FAR_HORIZON &&
    count?.recent === 0 &&
    count.rows === previous?.rows
  )
}

/** A horizon this many transactions back is moved by a batch of its own, long before it is lost. */
const FAR_HORIZON = 2 ** 30

async function captureTable(
  deps: Deps,
  read: TableTask & Omit<TableRead, 'previous'>,
): Promise<TableEntry> {
  const { plan, previous, count, shape } = read
  if (isUntouched(read) && previous !== undefined) {
    return { ...previous, counts: NO_ROWS, changes: [], quarantine: [] }
  }
  if (plan.how === 'first' || previous === undefined) return captureFirst(deps, read)
  if (plan.how === 'whole') {
    const force = previous.fingerprint !== shape.fingerprint
    return captureWhole(deps, { ...read, previous, force })
  }
  if (count === undefined) throw new TypeError(`table ${shape.name} was not counted`)
  return captureSince(deps, { ...read, previous, age: plan.age, count })
}

/** Whether there is anything to record: a change, a brake let go, or a new point to compare from. */
function isWorthABatch(
  tables: Record<string, TableEntry>,
  {
    last,
    snapshot,
    tasks,
  }: { last: CommitRecord | undefined; snapshot: SourceSnapshot; tasks: readonly TableTask[] },
): boolean {
  if (last === undefined || !isSameHistory(snapshot.identity, last.snapshot)) return true
  return tasks.some(
    ({ shape, plan, previous }) =>
      (tables[shape.name]?.changes.length ?? 0) > 0 ||
      previous?.fingerprint !== shape.fingerprint ||
      (previous.heldDeletes !== undefined && tables[shape.name]?.heldDeletes === undefined) ||
      (plan.how === 'since' && plan.age >= FAR_HORIZON),
  )
}
