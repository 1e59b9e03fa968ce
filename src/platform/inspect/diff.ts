import { type Deps, inForce, ingestionZone, openScratchDb, processedZone } from '../deps.ts'
import { ConfigError } from '../errors.ts'
import type { DuckDb } from '../io/duckdb.ts'
import { sideBySide } from '../io/side-by-side.ts'
import { readExistingCommit, readLastCommit } from '../lake/batch-log.ts'
import type { CommitRecord, FileRef, StateFile } from '../lake/commit-record.ts'
import { lakeColumns, readPublishedSchema, versionColumns } from '../lake/published-schema.ts'
import { type ArchivedColumn, lakeTable, readArchivedSchema } from '../lake/schema.ts'
import { type ColumnDifference, diffSchemas } from '../lake/schema-difference.ts'
import type { LakeTable } from '../lake/table-state.ts'
import type { Zone } from '../lake/zone.ts'
import { historyColumns } from '../project/fact-names.ts'
import { generationOf } from '../project/generation.ts'
import { checkKnown, sourceAndStarTables } from '../project/known-table.ts'
import type { Model } from '../project/model.ts'
import { capturedTables, filesOf } from '../project/source-contract.ts'
import { findNetChanges, type NetChanges, type TwoStates } from './net-changes.ts'

/** What became of a table between two batches. */
export interface TableDiff extends NetChanges {
  readonly table: string
  /** Why and since which batch the table is held as of the later batch: its changes since are missing. */
  readonly held?: { readonly reason: string; readonly since: number }
  /** The settings leave the table out as of the later batch: when it was captured last (ISO 8601 UTC). */
  readonly leftOutAt?: string
  /** Deletions that wait, as of the later batch, until the operator confirms them. */
  readonly heldDeletes?: number
  /** The later batch does not have the table, so nothing is compared. */
  readonly isGone?: boolean
  /** How the columns differ; missing if they do not. */
  readonly schema?: {
    readonly added: readonly string[]
    readonly removed: readonly string[]
    readonly changed: readonly string[]
  }
}

/** What changed between two batches, net. */
export interface Diff {
  readonly from: number
  readonly to: number
  /** When each batch was captured (ISO 8601 UTC); null for the empty lake. */
  readonly fromAt: string | null
  readonly toAt: string | null
  /** The tables that differ, or of which something is to be said. */
  readonly tables: readonly TableDiff[]
}

/** What to compare. */
export interface DiffOptions {
  /** Batch numbers as a person wrote them. 0 is the empty lake. */
  readonly from: string
  readonly to: string
  /** A source or a star table; every source table if omitted. */
  readonly table: string | undefined
  /** The most keys to list for a table. */
  readonly limit: number
}

/**
 * What changed from one batch to a later one: the keys that came, went or have other values, by table.
 * Reads only the lake: the changes of the batches in between, and of the state before the keys that
 * changed. Throws `ConfigError` (`USAGE`), naming the newest batch, if there is no such batch or they
 * are in the wrong order, and (`UNKNOWN_TABLE`) if there is no such table.
 */
export async function readDiff(deps: Deps, { from, to, table, limit }: DiffOptions): Promise<Diff> {
  const model = deps.project.models.find((each) => each.table === table)
  const isSource = capturedTables(deps.project.source).some(({ name }) => name === table)
  const star = isSource ? undefined : model
  const zone =
    star === undefined
      ? ingestionZone(deps)
      : processedZone(deps, generationOf((await inForce(deps)).project))
  const span = await readSpan(zone, { from, to, newestIs: star ? 'transformed' : 'captured' })
  const names = star ? [star.table] : namesOf(deps, span)
  if (table !== undefined && !names.includes(table)) {
    const known = sourceAndStarTables(deps.project)
    checkKnown(table, { ...known, names: [...new Set([...known.names, ...names])] })
  }
  const wanted = table === undefined ? names : names.filter((name) => name === table)
  const steps = await readSteps(zone, span, { tables: wanted, isFact: star?.kind === 'fact' })
  await using db = await openScratchDb(deps)
  const tables: TableDiff[] = []
  for (const name of wanted) {
    const step = steps.get(name) ?? { changes: [], earlier: [], isWhole: false }
    const found = await diffTable(db, { deps, zone, span, name, star, limit, ...step })
    const wasLeftOut = span.before?.tables[name]?.capturedTo !== undefined
    if (table !== undefined || isWorthSaying(found, wasLeftOut)) tables.push(found)
  }
  return {
    from: span.from,
    to: span.to,
    fromAt: span.before?.snapshot.takenAt ?? null,
    toAt: span.after?.snapshot.takenAt ?? null,
    tables,
  }
}

/** Two batches, the earlier one first. Without a record for batch 0. */
interface Span {
  readonly from: number
  readonly to: number
  readonly before: CommitRecord | undefined
  readonly after: CommitRecord | undefined
}

async function readSpan(
  zone: Zone,
  given: { from: string; to: string; newestIs: 'captured' | 'transformed' },
): Promise<Span> {
  const last = await readLastCommit(zone)
  const newest = last?.batch ?? 0
  const [from, to] = [given.from, given.to].map((text) => {
    const batch = /^\d{1,15}$/.test(text) ? Number(text) : -1
    if (batch < 0) throw badBatch(`${text} is not a batch number`, { newest, ...given })
    if (batch > newest) throw badBatch(`There is no batch ${batch}`, { newest, ...given })
    return batch
  }) as [number, number]
  if (from > to) {
    throw badBatch(`Batch ${from} comes after batch ${to}; give the earlier one first`, {
      newest,
      ...given,
    })
  }
  const read = async (batch: number) =>
    batch === 0 ? undefined : batch === newest ? last : await readExistingCommit(zone, batch)
  return { from, to, before: await read(from), after: await read(to) }
}

function badBatch(
  what: string,
  { newest, newestIs }: { newest: number; newestIs: string },
): ConfigError {
  return new ConfigError(`${what}. The newest batch that was ${newestIs} is ${newest}`, {
    code: 'USAGE',
    hint: `tidemark diff ${Math.max(0, newest - 1)} ${newest}`,
  })
}

/** The source tables that either batch has, without the lists of files that feeds took. */
function namesOf({ project }: Deps, { before, after }: Span): string[] {
  const lists = new Set((project.source.feeds ?? []).map(({ name }) => filesOf(name)))
  const captured = [before, after].flatMap((record) => Object.keys(record?.tables ?? {}))
  return [...new Set(captured)].filter((name) => !lists.has(name))
}

/** How a table came from one batch to another. */
interface Steps {
  /** Its change files between them. */
  readonly changes: FileRef[]
  /** Facts: its change files up to the earlier batch, because the lake keeps no state of a fact. */
  readonly earlier: FileRef[]
  /** It was missing in between, so that its changes do not lead from the one state to the other. */
  isWhole: boolean
}

/** How many commit records are read at once. */
const RECORDS_AT_ONCE = 8

async function readSteps(
  zone: Zone,
  { from, to, before, after }: Span,
  { tables, isFact }: { tables: readonly string[]; isFact: boolean },
): Promise<Map<string, Steps>> {
  const steps = new Map<string, Steps>(
    tables.map((name) => [name, { changes: [], earlier: [], isWhole: false }]),
  )
  const first = isFact ? 1 : from + 1
  const batches = Array.from({ length: Math.max(0, to - first + 1) }, (_, at) => first + at)
  const read = async (batch: number) => {
    const record =
      batch === to ? after : batch === from ? before : await readExistingCommit(zone, batch)
    return tables.map((name) => record?.tables[name]?.changes)
  }
  const found = await sideBySide(batches, { width: RECORDS_AT_ONCE }, read)
  for (const [at, batch] of batches.entries()) {
    for (const [index, name] of tables.entries()) {
      const step = steps.get(name)
      const files = found[at]?.[index]
      if (files === undefined && step !== undefined && batch > from) step.isWhole = true
      for (const file of files ?? []) (batch > from ? step?.changes : step?.earlier)?.push(file)
    }
  }
  return steps
}

interface DiffedTable extends Steps {
  readonly deps: Deps
  readonly zone: Zone
  readonly span: Span
  readonly name: string
  /** The model of a star table; undefined for a source table. */
  readonly star: Model | undefined
  readonly limit: number
}

const NOTHING: NetChanges = { inserted: 0, updated: 0, deleted: 0, keys: [] }

async function diffTable(db: DuckDb, diffed: DiffedTable): Promise<TableDiff> {
  const { deps, zone, span, name, star, limit, changes, earlier, isWhole } = diffed
  const [before, after] = [span.before?.tables[name], span.after?.tables[name]]
  if (after === undefined) {
    return { table: name, ...NOTHING, ...(before !== undefined && { isGone: true }) }
  }
  const { table, isByContent, schema, isRekeyed } = star
    ? await readStar(deps, { zone, star, fingerprint: after.fingerprint })
    : await readSource(deps, {
        zone,
        name,
        fingerprints: [before, after].map((e) => e?.fingerprint),
      })
  const told = {
    table: name,
    ...(schema && { schema }),
    ...(after.held && { held: { reason: after.held.reason, since: after.held.since } }),
    ...(after.held === undefined &&
      after.capturedTo !== undefined && { leftOutAt: after.capturedTo.takenAt }),
    ...(after.heldDeletes !== undefined && { heldDeletes: after.heldDeletes }),
  }
  if (table === undefined || (changes.length === 0 && !isWhole)) return { ...told, ...NOTHING }
  const isFact = star?.kind === 'fact'
  const state: readonly StateFile[] = isFact ? asChanges(earlier) : (before?.state ?? [])
  const states: TwoStates = {
    table,
    isByContent,
    before: state,
    after:
      isFact || (before !== undefined && !isWhole && !isRekeyed)
        ? { changes }
        : { state: after.state },
  }
  return { ...told, ...(await findNetChanges(db, zone, { ...states, limit })) }
}

function asChanges(files: readonly FileRef[]): StateFile[] {
  return files.map((file) => ({ ...file, role: 'change' }))
}

/** A table as its files are read; undefined if the lake does not describe it. */
interface ReadTable {
  readonly table: LakeTable | undefined
  readonly isByContent: boolean
  readonly schema?: TableDiff['schema']
  readonly isRekeyed?: boolean
}

async function readSource(
  { project }: Deps,
  {
    zone,
    name,
    fingerprints: [earlier, later],
  }: { zone: Zone; name: string; fingerprints: readonly (string | undefined)[] },
): Promise<ReadTable> {
  if (later === undefined) return { table: undefined, isByContent: false }
  const after = await readArchivedSchema(zone, name, later)
  const contract = capturedTables(project.source).find((each) => each.name === name)?.columns
  const table = lakeTable(after, contract)
  const isByContent = after.isByContent === true
  if (earlier === undefined || earlier === later) return { table, isByContent }
  const before = await readArchivedSchema(zone, name, earlier)
  const { added, removed, changed, key } = diffSchemas(before, after)
  const names = (columns: readonly ArchivedColumn[]) => columns.map((column) => column.name)
  const retyped = changed
    .filter(({ type }: ColumnDifference) => type !== undefined)
    .map(({ column }) => column)
  const isSame = added.length + removed.length + retyped.length === 0
  const schema = { added: names(added), removed: names(removed), changed: retyped }
  return { table, isByContent, isRekeyed: key !== undefined, ...(isSame ? {} : { schema }) }
}

async function readStar(
  { project }: Deps,
  { zone, star, fingerprint }: { zone: Zone; star: Model; fingerprint: string | undefined },
): Promise<ReadTable> {
  if (fingerprint === undefined) return { table: undefined, isByContent: false }
  const published = await readPublishedSchema(zone, star.table, fingerprint)
  const { key } = published
  if (star.kind !== 'fact') {
    return { table: { name: star.table, key, columns: lakeColumns(published) }, isByContent: false }
  }
  const { operation, recordedAt, batch } = historyColumns(star)
  const about = new Set([star.recordId, operation, recordedAt, batch])
  const columns = versionColumns(star, published).filter(({ name }) => !about.has(name))
  const changeNames = { _operation: operation, _batch: batch, _ordinal: star.recordId }
  const source = project.source.tables.find(({ name }) => name === star.from)
  return {
    table: { name: star.table, key, columns, changeNames },
    isByContent: source?.isByContent === true,
  }
}

function isWorthSaying(diff: TableDiff, wasLeftOut: boolean): boolean {
  const { inserted, updated, deleted, held, heldDeletes, isGone, leftOutAt, schema } = diff
  const isLeftOut = leftOutAt !== undefined && !wasLeftOut
  const isSaid = isLeftOut || held !== undefined || heldDeletes !== undefined || isGone === true
  return inserted + updated + deleted > 0 || isSaid || schema !== undefined
}
