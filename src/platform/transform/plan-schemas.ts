import { type Deps, ingestionZone, openScratchDb, processedZone } from '../deps.ts'
import type { DuckDb } from '../io/duckdb.ts'
import { beginBatch } from '../lake/batch.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import {
  extendSchema,
  type PublishedSchema,
  readPublishedSchema,
} from '../lake/published-schema.ts'
import { generationOf } from '../project/generation.ts'
import type { Project } from '../project/project.ts'
import { capturedTables } from '../project/source-contract.ts'
import { readInputs } from './inputs.ts'
import { describeMade, publishedSchemaOf } from './publish-schemas.ts'
import { changesOf } from './source-view.ts'
import { openTables } from './source-tables.ts'

/** The star tables as the next batch will publish them. */
export interface PlannedSchemas {
  readonly schemas: readonly PublishedSchema[]
  /** Models whose columns are not known, because their source tables are not. */
  readonly unknown: readonly string[]
}

/** What the next batch follows. */
export interface PlanSchemasOptions {
  readonly transformed: CommitRecord | undefined
  /**
   * The ingestion batches from which the star tables will be made first, oldest first: those in which
   * a schema began. The last one has the columns of a source table that `project` gives none.
   */
  readonly captured: readonly CommitRecord[]
  /** The project as the ingestion zone knows it: a table without a contract has no columns. */
  readonly declared: Project
}

/**
 * The schemas that the star tables of a project have after the next batch. `project` has the source
 * tables as that batch finds them. Runs each model's SQL over empty tables and writes nothing. Throws
 * what a model's SQL throws.
 */
export async function planSchemas(
  deps: Deps,
  project: Project,
  { transformed, captured, declared }: PlanSchemasOptions,
): Promise<PlannedSchemas> {
  await using db = await openScratchDb(deps)
  const zone = processedZone(deps, generationOf(deps.project))
  const schemas = new Map<string, PublishedSchema>()
  for (const { table } of project.models) {
    const last = transformed?.tables[table]?.fingerprint
    if (last !== undefined) schemas.set(table, await readPublishedSchema(zone, table, last))
  }
  const latest = captured.at(-1) ?? { tables: {} }
  const states = [
    ...captured
      .slice(0, -1)
      .map((record) => ({ of: declared, latest: record, batch: record.batch })),
    { of: project, latest, batch: captured.at(-1)?.batch ?? (transformed?.batch ?? 0) + 1 },
  ]
  for (const state of states) {
    for (const [table, schema] of await describeState(deps, db, state)) {
      schemas.set(table, extendSchema(schemas.get(table), schema, state.batch))
    }
  }
  const tables = project.models.map(({ table }) => table)
  return {
    schemas: tables.flatMap((table) => schemas.get(table) ?? []),
    unknown: tables.filter((table) => !schemas.has(table)),
  }
}

/** The schemas that the models give their tables, as far as the columns that they read are known. */
async function describeState(
  deps: Deps,
  db: DuckDb,
  { of: project, latest }: { of: Project; latest: Pick<CommitRecord, 'tables'> },
): Promise<Map<string, PublishedSchema>> {
  const zone = processedZone(deps, generationOf(deps.project))
  const input = { project, ingestion: ingestionZone(deps), record: { tables: {} }, latest }
  const reads = await readInputs({ db, memory: zone.memory }, project)
  await using opened = await openTables(db, input, reads)
  const { views, open } = opened
  const batch = beginBatch(db, { zone, number: 1, takenAt: new Date(0).toISOString() })
  const schemas = new Map<string, PublishedSchema>()
  for (const model of project.models) {
    // A mirror's fact declares the type of each column.
    const isKnown =
      project.mirror !== undefined ||
      tablesOf(project, reads.get(model)).every((name) => views.has(name))
    const columns = isKnown ? await describeMade(batch, input, { model, views, open }) : undefined
    if (columns !== undefined) schemas.set(model.table, publishedSchemaOf(model, columns))
  }
  return schemas
}

/** The source tables among the relations that a model reads. */
function tablesOf({ source }: Project, reads: readonly string[] = []): string[] {
  return capturedTables(source)
    .map(({ name }) => name)
    .filter((name) => reads.includes(name) || reads.includes(changesOf(name)))
}
