import type { DuckDb } from '../io/duckdb.ts'
import { openTogether } from '../io/open-together.ts'
import type { PendingBatch } from '../lake/batch.ts'
import type { CommitRecord, ProcessedEntry } from '../lake/commit-record.ts'
import type { RefusalReason } from '../lake/quarantine/quarantine.ts'
import type { Column } from '../lake/lake-type.ts'
import { carryOver, sumRows } from '../lake/table-entry.ts'
import { openFiles } from '../lake/zone.ts'
import type { Fact, Model } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import { capturedTables } from '../project/source-contract.ts'
import { countOffenders } from './data-test.ts'
import {
  addInferred,
  changeDimension,
  checkInferable,
  type DimensionChanges,
  inferRows,
} from './dimension.ts'
import type { FactVersions } from './fact.ts'
import {
  isChanged,
  modelsDue,
  reachOf,
  readInputs,
  type Reads,
  testsDue,
  type TransformInput,
} from './inputs.ts'
import { mapFacts } from './map-facts.ts'
import { withModelErrors } from './model-error.ts'
import type { NamedDimension } from './named-dimension.ts'
import { publishSchemas } from './publish-schemas.ts'
import { checkJoined, findLacking, openNamedDates, referencesTo } from './references.ts'
import { prepareRefused, type RefusedChanges } from './refused-changes.ts'
import { listChanged, openTables, type SourceTables } from './source-tables.ts'
import { dimensionEntry, factEntry } from './star-entries.ts'
import { changesOf, openSourceChanges, viewChanges } from './source-view.ts'
import { namedRecord } from '../project/named-record.ts'

/** A batch of the star schema, uploaded and ready to be committed. */
export interface PreparedStar {
  /** The commit record's tables. */
  readonly tables: Record<string, ProcessedEntry>
  /** The reasons of the rows that went to quarantine, by table. */
  readonly reasons: ReadonlyMap<string, readonly RefusalReason[]>
  /** The data tests that ran, with the number of rows that break each. */
  readonly tests: Record<string, number>
}

/**
 * Makes a batch's star tables from its changes and uploads their files. The result depends only on
 * the ingestion zone, the previous processed batch and the limits of quarantine, so the same
 * history always gives the same rows and record ids (I8). May be repeated: nothing is published
 * before the batch is committed.
 */
export async function prepareStar(
  batch: PendingBatch,
  input: TransformInput,
): Promise<PreparedStar> {
  const { db, zone } = batch
  const reads = await readInputs({ db, memory: zone.memory }, input.project)
  if (!areFew(input.record)) {
    const star = await prepareTables(batch, input, reads)
    return { ...star, tests: await runTests(db, input, reads) }
  }
  const [star, tests] = await Promise.allSettled([
    prepareTables(batch, input, reads),
    runTests(db, input, reads),
  ])
  if (star.status === 'rejected') throw star.reason
  if (tests.status === 'rejected') throw tests.reason
  return { ...star.value, tests: tests.value }
}

/** Up to so many changed rows, data tests need little memory and run while the tables are made. */
const FEW_ROWS = 10_000

function areFew({ tables }: CommitRecord): boolean {
  const rows = Object.values(tables).reduce((sum, { changes }) => sum + sumRows(changes), 0)
  return rows <= FEW_ROWS
}

async function prepareTables(
  batch: PendingBatch,
  input: TransformInput,
  reads: Reads,
): Promise<Omit<PreparedStar, 'tests'>> {
  const { project, previous } = input
  await using opened = await openTables(batch.db, input, reads)
  await opened.open(...modelsDue(input, reads))
  const { views } = opened
  const refused = await readRefusedChanges(batch, input, views)
  const facts = await mapFacts(batch, input, { refused, reads, opened })
  await using dimensions = await changeDimensions(batch, input, { facts, reads, opened })

  const tables = namedRecord<ProcessedEntry>()
  const reasons = new Map<string, readonly RefusalReason[]>()
  for (const { name } of capturedTables(project.source)) {
    const found = refused.get(name)
    const before = previous?.tables[name]
    if (found === undefined && before === undefined) continue
    tables[name] = found?.entry ?? carryOver(before)
    reasons.set(name, found?.reasons ?? [])
  }
  const made = new Map<Model, readonly Column[]>()
  for (const model of project.models) {
    const { table } = model
    const before = previous?.tables[table]
    const versions = model.kind === 'fact' ? facts.get(model) : undefined
    const dimension = dimensions.byTable.get(table)
    if (model.kind === 'fact' && versions !== undefined) {
      tables[table] = await factEntry(batch, { model, versions, before })
    } else if (dimension !== undefined) {
      tables[table] = await dimensionEntry(batch, dimension, before)
    } else {
      tables[table] = carryOver(before)
    }
    reasons.set(table, (versions ?? dimension)?.reasons ?? [])
    const columns = versions?.columns ?? dimension?.table.columns
    if (columns !== undefined) made.set(model, columns)
  }
  for (const [table, fingerprint] of await publishSchemas(batch, input, {
    views,
    made,
    open: opened.open,
  })) {
    const entry = tables[table]
    if (entry !== undefined) tables[table] = { ...entry, fingerprint }
  }
  return { tables, reasons }
}

/** The changes whose values do not fit their table's contract, by source table. */
async function readRefusedChanges(
  batch: PendingBatch,
  { ingestion, record, previous }: TransformInput,
  views: SourceTables['views'],
): Promise<Map<string, RefusedChanges>> {
  const found = new Map<string, RefusedChanges>()
  for (const [name, view] of views) {
    if (!view.isContract || !isChanged(record, name)) continue
    const paths = await openFiles(ingestion, record.tables[name]?.changes ?? [])
    const { batch: number } = record
    await using changes = await openSourceChanges(batch.db, view, { ingestion, number, paths })
    const refused = await prepareRefused(batch, view, { changes, before: previous?.tables[name] })
    if (refused !== undefined) found.set(name, refused)
  }
  return found
}

interface DimensionsInput {
  readonly facts: Map<Fact, FactVersions>
  readonly reads: Reads
  readonly opened: SourceTables
}

/**
 * Changes the dimensions that the batch can change, or that lack a row which its facts name. All
 * others are not even looked at again.
 */
async function changeDimensions(
  batch: PendingBatch,
  input: TransformInput,
  star: DimensionsInput,
): Promise<{ readonly byTable: ReadonlyMap<string, DimensionChanges> } & AsyncDisposable> {
  const { project, previous } = input
  const named = project.models.flatMap((model) => {
    if (model.kind === 'fact') return []
    const references = referencesTo(model.table, star.facts)
    const reach = model.kind === 'calendar' ? 'none' : reachOf(model, input, star.reads)
    const readsTables = (star.reads.get(model) ?? []).length > 0
    return [{ model, references, reach, readsTables, before: previous?.tables[model.table] }]
  })
  const lacking = await findLacking(
    batch,
    named.filter(({ reach }) => reach === 'none'),
  )
  return await openTogether(async (keep) => {
    const found = new Map<string, DimensionChanges>()
    for (const { model, references, before, ...dimension } of named) {
      if (dimension.reach === 'none' && !lacking.has(model.table)) continue
      // A calendar's rows are the days that facts name.
      const reach = model.kind === 'calendar' ? 'all' : dimension.reach
      const changed = reach === 'some' ? await listChanged(model, input, star) : []
      await star.opened.open(model)
      const days = model.kind === 'calendar' ? references : []
      await using _dates = await openNamedDates(batch.db, days)
      const changes = await withModelErrors({ kind: 'Model', name: model.table }, () =>
        changeDimension(batch, {
          model,
          before,
          reach,
          changed,
          views: [...star.opened.views.values()],
          limits: input.limits,
        }),
      )
      const { table } = changes
      if (model.kind === 'dimension' && isNamed(project, model)) checkInferable(model, table)
      found.set(model.table, await joinFacts(batch.db, keep(changes), references))
    }
    return { byTable: found }
  })
}

/** Whether a fact of the project refers to a dimension. */
function isNamed({ models }: Project, { table }: Model): boolean {
  return models.some(
    (model) =>
      model.kind === 'fact' && model.references.some(({ dimension }) => dimension === table),
  )
}

/**
 * Infers the rows that facts name and the dimension lacks, and checks that every fact joins (I11).
 */
async function joinFacts(
  db: DuckDb,
  dimension: DimensionChanges,
  references: readonly NamedDimension[],
): Promise<DimensionChanges> {
  const { model } = dimension
  if (model.kind === 'calendar') {
    await checkJoined(db, dimension, references)
    return dimension
  }
  const inferred: NamedDimension[] = []
  let { counts } = dimension
  for (const named of references) {
    const rows = await inferRows(db, dimension, named)
    counts = addInferred(counts, rows)
    // If no row was missing, every version joins already.
    if (rows > 0) inferred.push(named)
  }
  await checkJoined(db, dimension, inferred)
  return { ...dimension, counts }
}

/**
 * Runs the data tests that are due for a batch, in a session of their own. Returns the number of
 * rows that break each.
 */
async function runTests(
  database: DuckDb,
  input: TransformInput,
  reads: Reads,
): Promise<Record<string, number>> {
  const { ingestion, record } = input
  const offenders = namedRecord<number>()
  const due = testsDue(input, reads)
  if (due.length === 0) return offenders
  await using db = await database.session()
  await using opened = await openTables(db, input, reads)
  const { views } = opened
  await opened.open(...due)
  for (const test of due) {
    const read = [...views.values()].filter(({ name }) => {
      return reads.get(test)?.includes(changesOf(name)) === true
    })
    await using _changes = await openTogether(async (keep) => {
      for (const view of read) {
        const paths = await openFiles(ingestion, record.tables[view.name]?.changes ?? [])
        const place = { ingestion, number: record.batch, paths }
        const { seen } = keep(await openSourceChanges(db, view, place))
        keep(await viewChanges(db, view, seen))
      }
      return {}
    })
    offenders[test.name] = await countOffenders(db, test)
  }
  return offenders
}
