import { checkEnds, checkProjectOfWarehouse, checkWarehouse, readHeads } from '../continuity.ts'
import { asCaptured, checkInterrupted, type Deps, ingestionZone, openScratchDb } from '../deps.ts'
import { ConfigError, ConflictError, ContractError } from '../errors.ts'
import { commitBatch } from '../lake/batch-log.ts'
import { beginBatch } from '../lake/batch.ts'
import type { CommitRecord, TableEntry } from '../lake/commit-record.ts'
import { type HeldTable, listHeld } from '../lake/held.ts'
import { carryOver } from '../lake/table-entry.ts'
import { checkProject } from '../project/check-project.ts'
import { checkKnown, sourceTables } from '../project/known-table.ts'
import { filesOf, type SourceContract } from '../project/source-contract.ts'
import type { SnapshotIdentity } from '../source/identity.ts'
import { openSource, type SourceSnapshot } from '../source/source-snapshot.ts'
import { captureTables } from './capture-tables.ts'
import { discoverTables } from './discover-tables.ts'
import {
  contractOf,
  isUntouched,
  isWorthABatch,
  nothingCanHaveChanged,
  planTables,
  type TableTask,
} from './plan-tables.ts'
import { archiveShape, reportHeld, reportIgnored } from './report-tables.ts'
import { namedRecord } from '../project/named-record.ts'

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
  const { confirmDeletes = new Set() } = options
  if (confirmDeletes.size > 0) {
    const { project } = await asCaptured(deps)
    for (const table of confirmDeletes) checkKnown(table, sourceTables(project))
  }
  await using snapshot = await (deps.openSource?.() ?? openSource(deps.source))
  return await extractSnapshot(deps, snapshot, options)
}

/** Like `extract`, in a snapshot that the caller has opened and may read further afterwards. */
export async function extractSnapshot(
  deps: Deps,
  snapshot: SourceSnapshot,
  { confirmDeletes = new Set(), recapture = new Set(), lastKnown = 0 }: ExtractOptions = {},
): Promise<ExtractOutcome> {
  const { mirror } = deps.project
  if (mirror === undefined) checkProject(deps.project)
  const zone = ingestionZone(deps)
  const heads = await readHeads(deps, { lastKnown, isCapturing: true })
  await checkProjectOfWarehouse(deps, heads)
  const last = heads.captured
  if (last !== undefined) await snapshot.reach(last.snapshot)
  const identity = dated(deps, snapshot.identity, last)
  const completeTo = identity.takenAt
  const unchanged = { record: last, committed: false, completeTo, quarantined: 0 }
  const mayBeQuiet = recapture.size === 0
  if (last !== undefined && mayBeQuiet && nothingCanHaveChanged(deps, snapshot, last)) {
    return { ...unchanged, held: [] }
  }
  try {
    const found =
      mirror === undefined
        ? { project: deps.project, leftOut: {}, ignored: undefined, secrets: [] }
        : await discoverTables(deps, snapshot, { settings: mirror, last })
    const { source } = found.project
    const tasks = await planTables(deps, snapshot, { source, last, recapture })
    // Whatever is read is locked already; to look at anything else may have to wait for its lock.
    const read = { ...source, tables: tasks.filter(isFit).map(({ table }) => table) }
    if (last !== undefined && tasks.every(isUntouched)) {
      await snapshot.checkNotRewritten(read)
      return { ...unchanged, held: [] }
    }

    if (found.secrets.length > 0) {
      deps.log({ event: 'secrets_found', level: 'warn', columns: found.secrets })
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
    await snapshot.checkNotRewritten(read)
    const parts = [captured, carryFeeds(source, last), found.leftOut]
    const tables = namedRecord(parts.flatMap((part) => Object.entries<TableEntry>(part)))
    const held = listHeld(tables)
    reportHeld(deps, { tables, last })

    if (!isWorthABatch(tables, { last, snapshot, tasks })) return { ...unchanged, held }
    for (const task of tasks) {
      await archiveShape(deps, zone, { ...task, entry: tables[task.table.name] })
    }
    const ignored = found.ignored ?? (await snapshot.readUnlisted(source))
    reportIgnored(deps, { ignored, last })
    checkInterrupted(deps)
    const content = {
      snapshot: identity,
      tables,
      ignored: [...ignored],
      contract: contractOf(deps.project),
      writer: { version: deps.version, runId: deps.runId },
    }
    const record = await commitBatch(zone, content, { previous: last })
    return { record, committed: true, completeTo, held, quarantined: countRefused(tables) }
  } catch (error) {
    throw asSourceChange(error)
  }
}

/** Whether a table keeps its contract, so that it is read. */
function isFit({ breach }: TableTask): boolean {
  return breach === undefined
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

/** Dates a snapshot by the clock of the source, or of its simulation. */
function dated(
  { simulation }: Deps,
  identity: SnapshotIdentity,
  last: CommitRecord | undefined,
): SnapshotIdentity {
  const simulated = simulation?.isSource === true ? simulation.simulatedTime?.() : undefined
  if (simulated === undefined) {
    return { ...identity, takenAt: notBefore(last, identity.takenAt) }
  }
  // With microseconds, as the source writes it: moments in the log are compared as text.
  const takenAt = simulated.toISOString().replace('Z', '000Z')
  return { ...identity, takenAt: notBefore(last, takenAt), clock: 'simulated' }
}

/** Keeps time in the log from running backwards if the source's clock is set back. */
function notBefore(last: CommitRecord | undefined, takenAt: string): string {
  return last !== undefined && last.snapshot.takenAt > takenAt ? last.snapshot.takenAt : takenAt
}
