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

/** The source tables of a project as one batch has them. */
export interface SourceStage {
  /** A table without columns has those that `latest` captured. */
  readonly project: Project
  readonly latest: Pick<CommitRecord, 'tables'>
  readonly batch: number
}

/**
 * The schemas that the star tables of a project have after the batches of `stages`, in their order,
 * the next one last. `transformed` is the newest batch of the processed zone. Runs each model's SQL
 * over empty tables and writes nothing. Throws what a model's SQL throws.
 */
export async function planSchemas(
  deps: Deps,
  transformed: CommitRecord | undefined,
  stages: readonly SourceStage[],
): Promise<PlannedSchemas> {
  await using db = await openScratchDb(deps)
  const zone = processedZone(deps, generationOf(deps.project))
  const models = stages.at(-1)?.project.models ?? []
  const tables = models.map(({ table }) => table)
  const schemas = new Map<string, PublishedSchema>()
  for (const table of tables) {
    const last = transformed?.tables[table]?.fingerprint
    if (last !== undefined) schemas.set(table, await readPublishedSchema(zone, table, last))
  }
  for (const stage of stages) {
    for (const [table, schema] of await describeStage(deps, db, stage)) {
      schemas.set(table, extendSchema(schemas.get(table), schema, stage.batch))
    }
  }
  return {
    schemas: tables.flatMap((table) => schemas.get(table) ?? []),
    unknown: tables.filter((table) => !schemas.has(table)),
  }
}

/** The schemas that the models give their tables, as far as the columns that they read are known. */
async function describeStage(
  deps: Deps,
  db: DuckDb,
  { project, latest }: SourceStage,
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
