import type { DuckDb } from '../io/duckdb.ts'
import { readExistingCommit } from '../lake/batch-log.ts'
import type { PendingBatch } from '../lake/batch.ts'
import { prepareChanges } from '../lake/change-file.ts'
import { extendState, prepareState } from '../lake/checkpoint.ts'
import { changedRows, standStill, type TableEntry } from '../lake/commit-record.ts'
import type { Fault } from '../lake/quarantine/quarantine.ts'
import { openFiles } from '../lake/zone.ts'
import type { Fact, Model } from '../project/model.ts'
import { capturedTables } from '../project/source-contract.ts'
import { countOffenders } from './data-test.ts'
import { changeDimension, checkInferable, type DimensionChanges, inferRows } from './dimension.ts'
import type { ChangeBatch } from './fact-mapping.ts'
import { daysOf, type FactVersions, mapFact, prepareFact } from './fact.ts'
import {
  changesOf,
  isChanged,
  modelsDue,
  reachOf,
  readInputs,
  type Reads,
  testsDue,
  type TransformInput,
} from './inputs.ts'
import type { ChangedTable } from './lineage/affected-rows.ts'
import { withModelErrors } from './model-error.ts'
import { checkJoined, nameDates, type NamedDimension, referencesTo } from './references.ts'
import { prepareUnfit, type UnfitChanges } from './refused-changes.ts'
import { addBroken, type Broken } from './rules.ts'
import type { SourceView } from './source-files.ts'
import { openChanges, openTable, selectChanges, viewOf } from './source-view.ts'

export interface PreparedStar {
  /** The commit record's tables. */
  readonly tables: Record<string, TableEntry>
  /** Of the rows that went to quarantine, by table. */
  readonly faults: ReadonlyMap<string, readonly Fault[]>
  /** The data tests that ran and the rows that broke each. */
  readonly tests: Record<string, number>
}

/**
 * Makes a batch's star tables from its changes and uploads them. Depends on nothing but the
 * ingestion zone, the previous processed batch and the limits of quarantine, so the same history
 * always gives the same rows and record ids (I8).
 */
export async function prepareStar(
  batch: PendingBatch,
  input: TransformInput,
): Promise<PreparedStar> {
  const { project, previous } = input
  const reads = await readInputs(batch.db, project)
  const views = await openTables(batch.db, input, reads)
  const unfit = await refuseUnfit(batch, input, views)
  const facts = await mapFacts(batch, input, views)
  const dimensions = await changeDimensions(batch, input, { facts, reads, views })

  const tables: Record<string, TableEntry> = {}
  const faults = new Map<string, readonly Fault[]>()
  for (const { name } of capturedTables(project.source)) {
    const found = unfit.get(name)
    const before = previous?.tables[name]
    if (found === undefined && before === undefined) continue
    tables[name] = found?.entry ?? standStill(before)
    faults.set(name, found?.faults ?? [])
  }
  for (const model of project.models) {
    const { table } = model
    const before = previous?.tables[table]
    const versions = model.kind === 'fact' ? facts.get(model) : undefined
    const dimension = dimensions.get(table)
    if (model.kind === 'fact' && versions !== undefined) {
      tables[table] = await factEntry(batch, { model, versions, before })
    } else if (dimension !== undefined) {
      tables[table] = await dimensionEntry(batch, dimension, before)
    } else {
      tables[table] = standStill(before)
    }
    faults.set(table, (versions ?? dimension)?.faults ?? [])
  }
  return { tables, faults, tests: await runTests(batch.db, input, { views, reads }) }
}

type Views = ReadonlyMap<string, SourceView>

/**
 * How the models see each source table; a view of each that a model or a test of this batch reads
 * as it now stands.
 */
async function openTables(db: DuckDb, input: TransformInput, reads: Reads): Promise<Views> {
  const views = new Map<string, SourceView>()
  const due = [...modelsDue(input, reads), ...testsDue(input, reads)]
  const names = new Set(due.flatMap((each) => reads.get(each) ?? []))
  for (const source of capturedTables(input.project.source)) {
    const view = await viewOf(source, input)
    if (view === undefined) continue
    views.set(source.name, view)
    if (names.has(source.name)) await openTable(db, view, input)
  }
  return views
}

/** What becomes of changes whose values do not fit the contract, by source table. */
async function refuseUnfit(
  batch: PendingBatch,
  { ingestion, record, previous }: TransformInput,
  views: Views,
): Promise<Map<string, UnfitChanges>> {
  const found = new Map<string, UnfitChanges>()
  for (const [name, view] of views) {
    if (!view.isContract || !isChanged(record, name)) continue
    const paths = await openFiles(ingestion, record.tables[name]?.changes ?? [])
    const changes = await selectChanges(batch.db, view, { ingestion, number: record.batch, paths })
    const unfit = await prepareUnfit(batch, view, { changes, before: previous?.tables[name] })
    if (unfit !== undefined) found.set(name, unfit)
  }
  return found
}

async function mapFacts(
  batch: PendingBatch,
  input: TransformInput,
  views: Views,
): Promise<Map<Fact, FactVersions>> {
  const { project, ingestion, record, previous, limits } = input
  const facts = new Map<Fact, FactVersions>()
  for (const model of project.models) {
    if (model.kind !== 'fact') continue
    const view = views.get(model.from)
    if (view === undefined || !isChanged(record, model.from)) continue
    const before = previous?.tables[model.table]
    const span = await readSpan(input, { view, since: before?.held?.since ?? record.batch })
    const days = daysOf(project, model).map(({ column }) => column)
    const versions = await withModelErrors({ kind: 'Model', name: model.table }, () =>
      mapFact(batch, model, { ingestion, span, before, days, limits }),
    )
    facts.set(model, versions)
  }
  return facts
}

/** The batches from `since` to this one that changed a source table. */
async function readSpan(
  { project, ingestion, record, latest }: TransformInput,
  { view, since }: { view: SourceView; since: number },
): Promise<ChangeBatch[]> {
  const source = capturedTables(project.source).find(({ name }) => name === view.name)
  const span: ChangeBatch[] = []
  for (let number = since; number <= record.batch; number++) {
    const own = number === record.batch ? record : await readExistingCommit(ingestion, number)
    const files = own.tables[view.name]?.changes ?? []
    if (files.length === 0 || source === undefined) continue
    // As captured then, where no contract says how it is seen.
    const then = await viewOf(source, { ingestion, record: own, latest })
    span.push({ number, view: then ?? view, paths: await openFiles(ingestion, files) })
  }
  return span
}

async function changeDimensions(
  batch: PendingBatch,
  input: TransformInput,
  { facts, reads, views }: { facts: Map<Fact, FactVersions>; reads: Reads; views: Views },
): Promise<Map<string, DimensionChanges>> {
  const { project, previous, limits } = input
  const { db } = batch
  const found = new Map<string, DimensionChanges>()
  await nameDates(db, [])
  for (const model of project.models) {
    if (model.kind === 'fact') continue
    const references = referencesTo(model.table, facts)
    if (model.kind === 'calendar') await nameDates(db, references)
    const reach =
      model.kind === 'calendar'
        ? references.length > 0
          ? 'all'
          : 'none'
        : reachOf(model, input, reads)
    if (reach === 'none' && references.length === 0) continue
    const before = previous?.tables[model.table]
    const changed = reach === 'some' ? await listChanged(model, input, { reads, views }) : []
    const dimension = await withModelErrors({ kind: 'Model', name: model.table }, () =>
      changeDimension(batch, {
        model,
        before,
        reach,
        changed,
        views: [...views.values()],
        limits,
      }),
    )
    let unproven: readonly NamedDimension[] = references
    if (model.kind === 'dimension') {
      checkInferable(model, dimension.table)
      const inferred: NamedDimension[] = []
      for (const named of references) {
        const { reference, relation } = named
        const rows = await inferRows(db, dimension, { facts: relation, columns: reference.columns })
        // Where none was missing, every version joins.
        if (rows > 0) inferred.push(named)
      }
      unproven = inferred
    }
    await checkJoined(db, dimension, unproven)
    if (model.kind === 'calendar') await nameDates(db, [])
    found.set(model.table, dimension)
  }
  return found
}

/** The tables that a dimension reads and the batch changes. */
async function listChanged(
  model: Model,
  { ingestion, record }: TransformInput,
  { reads, views }: { reads: Reads; views: Views },
): Promise<ChangedTable[]> {
  const changed: ChangedTable[] = []
  for (const name of reads.get(model) ?? []) {
    const view = views.get(name)
    const files = record.tables[name]?.changes ?? []
    if (view === undefined || files.length === 0) continue
    changed.push({ view, paths: await openFiles(ingestion, files) })
  }
  return changed
}

async function runTests(
  db: DuckDb,
  input: TransformInput,
  { views, reads }: { views: Views; reads: Reads },
): Promise<Record<string, number>> {
  const { ingestion, record } = input
  const broken: Record<string, number> = {}
  for (const test of testsDue(input, reads)) {
    for (const view of views.values()) {
      if (reads.get(test)?.includes(changesOf(view.name)) !== true) continue
      const paths = await openFiles(ingestion, record.tables[view.name]?.changes ?? [])
      const changes = await selectChanges(db, view, { ingestion, number: record.batch, paths })
      await openChanges(db, view, changes.seen)
    }
    broken[test.name] = await countOffenders(db, test)
  }
  return broken
}

async function factEntry(
  batch: PendingBatch,
  {
    model,
    versions,
    before,
  }: { model: Fact; versions: FactVersions; before: TableEntry | undefined },
): Promise<TableEntry> {
  const { counts, quarantine, open, records, held, changesSince, warnings } = versions
  return {
    counts,
    changes: await prepareFact(batch, model, versions),
    quarantine,
    open,
    state: [],
    rows: records,
    records,
    ...warningFields(warnings, before),
    ...(held === undefined ? {} : { held }),
    ...(changesSince === undefined ? {} : { changesSince }),
  }
}

async function dimensionEntry(
  batch: PendingBatch,
  { table, changes, counts, quarantine, open, held, warnings }: DimensionChanges,
  before: TableEntry | undefined,
): Promise<TableEntry> {
  const files = await prepareChanges(batch, table, { changes, rows: changedRows(counts) })
  const state = extendState(before?.state ?? [], files)
  return {
    counts,
    changes: files,
    quarantine,
    open,
    state: files.length === 0 ? state : await prepareState(batch, table, { state }),
    rows: (before?.rows ?? 0) + counts.inserted,
    ...warningFields(warnings, before),
    ...(held === undefined ? {} : { held }),
  }
}

/** What an entry says about broken checks; nothing if none was ever broken. */
function warningFields(
  warnings: Broken,
  before: TableEntry | undefined,
): Pick<TableEntry, 'warnings' | 'warningsSoFar'> {
  const soFar = addBroken([before?.warningsSoFar ?? {}, warnings])
  return {
    ...(Object.keys(warnings).length === 0 ? {} : { warnings }),
    ...(Object.keys(soFar).length === 0 ? {} : { warningsSoFar: soFar }),
  }
}
