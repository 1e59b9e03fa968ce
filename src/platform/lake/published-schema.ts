import { createHash } from 'node:crypto'
import { inMemory, boundedMap } from '../io/memory.ts'
import { identifier } from '../io/sql.ts'
import { historyColumns } from '../project/fact-names.ts'
import type { Fact, HistoryColumns, Model, Reference } from '../project/model.ts'
import { type Column, lakeType } from './lake-type.ts'
import { readSchemaObject } from './schema-object.ts'
import { widerType } from './warehouse-type.ts'
import { keyPart, type Zone } from './zone.ts'

/**
 * The schema of a table in the processed zone and in the warehouse. It covers the table's files of
 * every batch so far: a column that was dropped is still there, and a column whose type changed has
 * a type that holds all its values.
 */
export interface PublishedSchema {
  readonly table: string
  readonly kind: Model['kind']
  readonly key: readonly string[]
  /** The model's columns, without the record id and the columns of the history. */
  readonly columns: readonly PublishedColumn[]
  /** Facts: the column of the record id, the columns of the history, and the references. */
  readonly recordId?: string
  readonly history?: Partial<HistoryColumns>
  readonly references?: readonly Reference[]
  /** Facts that follow tables: these tables. Their rows can leave. */
  readonly follows?: readonly string[]
  readonly description?: string
}

/** A column, with its type in the warehouse as `format_type` prints it. */
export interface PublishedColumn {
  readonly name: string
  readonly type: string
  readonly nullable: boolean
  readonly description?: string
  /** If the lake holds it as text, and did not before: its last other type, in the batches before `until`. */
  readonly was?: { readonly type: string; readonly until: number }
}

/** The columns in the types in which the lake reads them, from files of any batch. */
export function lakeColumns({ columns }: Pick<PublishedSchema, 'columns'>): Column[] {
  return columns.map(({ name, type }) => ({ name, type: lakeType(type) }))
}

/** The columns of a fact's files of all batches, with those of its history, in the files' order. */
export function versionColumns(
  fact: Pick<Fact, 'recordId' | 'history'>,
  schema: Pick<PublishedSchema, 'columns'>,
): Column[] {
  const { operation, recordedAt, batch } = historyColumns(fact)
  return [
    { name: fact.recordId, type: 'BIGINT' },
    ...schema.columns.map(({ name, type, was }) => ({
      name,
      type: lakeType(type),
      ...(was && {
        was: { type: lakeType(was.type), where: `${identifier(batch)} < ${was.until}` },
      }),
    })),
    { name: operation, type: 'VARCHAR' },
    { name: recordedAt, type: 'TIMESTAMPTZ' },
    { name: batch, type: 'BIGINT' },
  ]
}

/**
 * The schema that covers the files of `before` and those of `now`, the schema of `batch`. Columns keep
 * their order, and new ones follow. A column that either lacks may be null. Pure.
 */
export function extendSchema(
  before: PublishedSchema | undefined,
  now: PublishedSchema,
  batch: number,
): PublishedSchema {
  if (before === undefined) return now
  const added = new Map(now.columns.map((column) => [column.name, column]))
  const kept = before.columns.map((column): PublishedColumn => {
    const found = added.get(column.name)
    added.delete(column.name)
    if (found === undefined) return { ...column, nullable: true }
    const nullable = column.nullable || found.nullable
    const type = widerType(column.type, found.type)
    const isNowText = lakeType(type) === 'VARCHAR' && lakeType(column.type) !== 'VARCHAR'
    const was = isNowText ? { type: column.type, until: batch } : column.was
    return { ...found, type, nullable, ...(was && { was }) }
  })
  const later = [...added.values()].map((column) => ({ ...column, nullable: true }))
  return { ...now, columns: [...kept, ...later] }
}

/** Identifies a schema: equal schemas have equal fingerprints. */
export function fingerprintOf(schema: PublishedSchema): string {
  return createHash('sha256').update(JSON.stringify(schema)).digest('hex').slice(0, 16)
}

/** Archives a schema under its fingerprint. May be repeated. */
export async function preparePublishedSchema(zone: Zone, schema: PublishedSchema): Promise<void> {
  const body = `${JSON.stringify(schema, undefined, 1)}\n`
  const key = keyOf(zone, schema.table, fingerprintOf(schema))
  await zone.store.putIfAbsent(key, Buffer.from(body))
}

const knownIn = inMemory(() => boundedMap<string, PublishedSchema>(2000))

/**
 * An archived schema of the processed zone. Throws `ContractError` (`LAKE_OBJECT_MISSING`) if it is
 * missing.
 */
export async function readPublishedSchema(
  zone: Zone,
  table: string,
  fingerprint: string,
): Promise<PublishedSchema> {
  const known = knownIn(zone.memory)
  const key = keyOf(zone, table, fingerprint)
  const schema = known.get(key) ?? ((await readSchemaObject(zone, key)) as PublishedSchema)
  known.set(key, schema)
  return schema
}

function keyOf(zone: Zone, table: string, fingerprint: string): string {
  return `${zone.prefix}schema/${keyPart(table)}/${fingerprint}.json`
}
