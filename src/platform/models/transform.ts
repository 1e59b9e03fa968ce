import type { DuckDb } from '../duckdb.ts'
import { type PendingBatch, prepareChanges } from '../lake/capture.ts'
import { prepareState } from '../lake/checkpoint.ts'
import { changedRows, type CommitRecord, NO_ROWS, type TableEntry } from '../lake/commit-record.ts'
import { readSchema } from '../lake/schema.ts'
import { openState, readParquet } from '../lake/table-state.ts'
import { openFiles, type Zone } from '../lake/zone.ts'
import type { Fact, Model, Project, Reference } from '../project.ts'
import { duckLiteral, identifier } from '../sql.ts'
import { changeDimension, checkInferable, type DimensionChanges, inferRows } from './dimension.ts'
import { daysOf, type FactVersions, mapFact, prepareFact } from './fact.ts'
import { readModel } from './generation.ts'
import { withModelErrors } from './model-error.ts'
import { prepareQuarantine } from './quarantine.ts'

export interface TransformInput {
  readonly project: Project
  readonly ingestion: Zone
  /** The ingestion batch to transform. */
  readonly record: CommitRecord
  /** The newest ingestion batch: says what a table will look like that this one did not have yet. */
  readonly latest: CommitRecord
  /** The processed batch before it, `undefined` at the beginning of a generation. */
  readonly previous: CommitRecord | undefined
}

/**
 * Makes a batch's star tables from its changes and uploads them; returns the commit record's
 * tables. Depends on nothing but the ingestion zone and the previous processed batch, so the same
 * history always gives the same rows and record ids (I8).
 */
export async function prepareStar(
  batch: PendingBatch,
  { project, ingestion, record, latest, previous }: TransformInput,
): Promise<Record<string, TableEntry>> {
  const inputs = await readInputs(batch.db, project)
  const names = new Set([...inputs.values()].flat())
  await openTables(batch, { ingestion, record, latest, names })
  const facts = await mapFacts(batch, { project, ingestion, record, previous })
  const dimensions = await changeDimensions(batch, { project, record, previous, facts, inputs })

  const tables: Record<string, TableEntry> = {}
  for (const model of project.models) {
    const before = previous?.tables[model.table]
    if (model.kind === 'fact') {
      const versions = facts.get(model)
      tables[model.table] =
        versions === undefined ? unchanged(before) : await factEntry(batch, model, versions)
    } else {
      const dimension = dimensions.get(model.table)
      tables[model.table] =
        dimension === undefined ? unchanged(before) : await dimensionEntry(batch, dimension, before)
    }
  }
  return tables
}

/** The source tables that each model reads, by the names of their views. */
async function readInputs(db: DuckDb, project: Project): Promise<Map<Model, string[]>> {
  const inputs = new Map<Model, string[]>()
  for (const model of project.models) {
    const [parsed] = await db.rows<{ sql: string }>(
      `select json_serialize_sql(${duckLiteral(readModel(model))}) as sql`,
    )
    // Not `getTableNames`, which finds no table at all in a `join … using`.
    const names = new Set<string>()
    JSON.parse(parsed?.sql ?? '{}', (key, value: unknown) => {
      if (key === 'table_name' && typeof value === 'string') names.add(value.toLowerCase())
      return value
    })
    const tables = project.source.tables.map((table) => table.name)
    inputs.set(
      model,
      tables.filter((name) => names.has(name.toLowerCase())),
    )
  }
  return inputs
}

/**
 * Makes a view of each source table a model reads, as it stands after this batch. A table that was
 * declared later is empty until the batch that captured it.
 */
async function openTables(
  batch: PendingBatch,
  {
    ingestion,
    record,
    latest,
    names,
  }: Pick<TransformInput, 'ingestion' | 'record' | 'latest'> & {
    readonly names: ReadonlySet<string>
  },
): Promise<void> {
  for (const name of names) {
    const entry = record.tables[name]
    const fingerprint = entry?.fingerprint ?? latest.tables[name]?.fingerprint
    if (fingerprint === undefined) continue
    const table = await readSchema(ingestion, name, fingerprint)
    await openState(batch.db, ingestion, { relation: name, table, state: entry?.state ?? [] })
  }
}

async function mapFacts(
  batch: PendingBatch,
  { project, ingestion, record, previous }: Omit<TransformInput, 'latest'>,
): Promise<Map<Fact, FactVersions>> {
  const facts = new Map<Fact, FactVersions>()
  for (const model of project.models) {
    if (model.kind !== 'fact') continue
    const changes = record.tables[model.from]?.changes ?? []
    if (changes.length === 0) continue
    const input = {
      changes: await openFiles(ingestion, changes),
      records: previous?.tables[model.table]?.records ?? 0,
      days: daysOf(project, model).map(({ column }) => column),
    }
    facts.set(model, await withModelErrors(model, () => mapFact(batch, model, input)))
  }
  return facts
}

async function changeDimensions(
  batch: PendingBatch,
  {
    project,
    record,
    previous,
    facts,
    inputs,
  }: Pick<TransformInput, 'project' | 'record' | 'previous'> & {
    readonly facts: Map<Fact, FactVersions>
    readonly inputs: Map<Model, string[]>
  },
): Promise<Map<string, DimensionChanges>> {
  const { db } = batch
  const found = new Map<string, DimensionChanges>()
  for (const model of project.models) {
    if (model.kind === 'fact') continue
    const references = referencesTo(model.table, facts)
    await db.run('create or replace temp table named_date (date_id date)')
    for (const { reference, relation } of model.kind === 'calendar' ? references : []) {
      const column = identifier(reference.columns[0] ?? '')
      await db.run(
        `insert into named_date select distinct ${column} from ${relation} where ${column} is not null`,
      )
    }
    const recompute =
      model.kind === 'calendar'
        ? references.length > 0
        : previous === undefined ||
          inputs.get(model)?.some((name) => (record.tables[name]?.changes.length ?? 0) > 0) === true
    if (!recompute && references.length === 0) continue
    const before = previous?.tables[model.table]
    const dimension = await withModelErrors(model, () =>
      changeDimension(db, batch.zone, { model, previous: before, recompute }),
    )
    if (model.kind === 'dimension') {
      checkInferable(model, dimension.table)
      for (const { reference, relation } of references) {
        await inferRows(db, dimension, { facts: relation, columns: reference.columns })
      }
    }
    found.set(model.table, dimension)
  }
  return found
}

/** Every way this batch's facts name a dimension. */
function referencesTo(
  dimension: string,
  facts: Map<Fact, FactVersions>,
): { reference: Reference; relation: string }[] {
  return [...facts].flatMap(([model, versions]) =>
    model.references
      .filter((reference) => reference.dimension === dimension)
      .map((reference) => ({
        reference,
        relation: readParquet(versions.paths.map(({ path }) => path)),
      })),
  )
}

async function factEntry(
  batch: PendingBatch,
  model: Fact,
  versions: FactVersions,
): Promise<TableEntry> {
  return {
    counts: versions.counts,
    changes: await prepareFact(batch, model, versions),
    quarantine: versions.quarantine,
    state: [],
    rows: versions.records,
    records: versions.records,
  }
}

async function dimensionEntry(
  batch: PendingBatch,
  { table, changes, rejected, counts }: DimensionChanges,
  before: TableEntry | undefined,
): Promise<TableEntry> {
  const files = await prepareChanges(batch, table, { changes, rows: changedRows(counts) })
  const quarantine = await prepareQuarantine(batch, table.name, {
    relation: identifier(rejected),
    rows: counts.quarantined,
  })
  const earlier = before?.state ?? []
  // The first files hold every row, and so are the base themselves.
  const role = earlier.length === 0 ? 'base' : 'change'
  const state = [...earlier, ...files.map((file) => ({ ...file, role }) as const)]
  return {
    counts,
    changes: files,
    quarantine,
    state: files.length === 0 ? state : await prepareState(batch, table, { state }),
    rows: (before?.rows ?? 0) + counts.inserted,
  }
}

/** The entry of a table this batch does not touch. */
function unchanged(before: TableEntry | undefined): TableEntry {
  return {
    state: [],
    rows: 0,
    ...before,
    counts: NO_ROWS,
    changes: [],
    quarantine: [],
  }
}
