import type { PendingBatch } from '../lake/batch.ts'
import { describeSelect } from '../lake/describe-select.ts'
import type { Column } from '../lake/lake-type.ts'
import {
  extendSchema,
  fingerprintOf,
  preparePublishedSchema,
  type PublishedSchema,
  readPublishedSchema,
} from '../lake/published-schema.ts'
import { warehouseTypeOf } from '../lake/warehouse-type.ts'
import { readModel } from '../project/generation.ts'
import type { Model } from '../project/model.ts'
import { readMapping } from './fact-mapping.ts'
import type { TransformInput } from './inputs.ts'
import { withModelErrors } from './model-error.ts'
import { openNamedDates } from './references.ts'
import { isNullable } from './rules.ts'
import type { SourceView } from './source-files.ts'
import { own } from '../project/named-record.ts'

/** What is known about the tables of a batch. */
interface Made {
  readonly views: ReadonlyMap<string, SourceView>
  /** The columns of the models that the batch ran. */
  readonly made: ReadonlyMap<Model, readonly Column[]>
  /** Opens the tables that a model reads. */
  readonly open: (model: Model) => Promise<void>
}

/**
 * Archives the schemas of the star tables that this batch gives another schema, and returns the
 * fingerprint of each table whose schema is known. The schema of a model whose source was never
 * captured is not known. A model that the batch did not run is described if it never was. Throws
 * what a model's SQL throws.
 */
export async function publishSchemas(
  batch: PendingBatch,
  input: TransformInput,
  { made, ...known }: Made,
): Promise<Map<string, string>> {
  const fingerprints = new Map<string, string>()
  for (const model of input.project.models) {
    const { table } = model
    const last = input.previous?.tables[table]?.fingerprint
    const columns =
      made.get(model) ??
      (last === undefined || model.types !== undefined
        ? await describeMade(batch, input, { model, ...known })
        : undefined)
    if (columns === undefined) {
      if (last !== undefined) fingerprints.set(table, last)
      continue
    }
    const before =
      last === undefined ? undefined : await readPublishedSchema(batch.zone, table, last)
    const schema = extendSchema(before, publishedSchemaOf(model, columns), batch.number)
    const fingerprint = fingerprintOf(schema)
    if (fingerprint !== last) await preparePublishedSchema(batch.zone, schema)
    fingerprints.set(table, fingerprint)
  }
  return fingerprints
}

/** The columns of a model that the batch did not run; undefined if they cannot be known yet. */
export async function describeMade(
  batch: PendingBatch,
  input: Pick<TransformInput, 'project' | 'ingestion'>,
  { model, views, open }: { model: Model } & Omit<Made, 'made'>,
): Promise<readonly Column[] | undefined> {
  // A mirror's fact declares the type of each column.
  if (model.types !== undefined && input.project.mirror !== undefined) {
    return Object.keys(model.types).map((name) => ({ name, type: 'VARCHAR' }))
  }
  return await withModelErrors({ kind: 'Model', name: model.table }, async () => {
    if (model.kind === 'fact') {
      const view = views.get(model.from)
      if (view === undefined) return undefined
      await open(model)
      const span = [{ number: batch.number, view, paths: [] }]
      return (await readMapping(batch, model, { ingestion: input.ingestion, span, days: [] }))
        .columns
    }
    await open(model)
    await using _dates = await openNamedDates(batch.db, [])
    return await describeSelect(batch.db, readModel(model))
  })
}

/** The schema that a model's columns give its table. */
export function publishedSchemaOf(model: Model, columns: readonly Column[]): PublishedSchema {
  const { kind, table, key, description, descriptions, types } = model
  return {
    table,
    kind,
    key,
    columns: columns.map(({ name, type }) => ({
      name,
      type: own(types, name) ?? warehouseTypeOf(type),
      nullable: !key.includes(name) && isNullable(model, name),
      ...withDescription(own(descriptions, name)),
    })),
    ...(model.kind === 'fact' && {
      recordId: model.recordId,
      ...(model.history && { history: model.history }),
      references: model.references,
      ...(model.follows && { follows: model.follows }),
    }),
    ...withDescription(description),
  }
}

function withDescription(description: string | undefined): Pick<PublishedSchema, 'description'> {
  return description === undefined ? {} : { description }
}
