import { asciiLiteral } from '../io/session.ts'
import { identifier, identifiers } from '../io/sql.ts'
import type { PublishedColumn, PublishedSchema } from '../lake/published-schema.ts'
import { widened } from '../lake/warehouse-type.ts'
import type { Fact, Model, Reference } from '../project/model.ts'

/** The models, of which only the keys matter here. */
interface Keyed {
  readonly models: readonly Pick<Model, 'table' | 'key'>[]
}

/** SQL that creates the table of a model, without the columns of its history. */
export function createTable(schema: PublishedSchema, project: Keyed): string {
  const { table, kind, key, recordId, columns, references = [] } = schema
  const id = kind === 'fact' && recordId !== undefined ? [recordId] : []
  const lines = [
    ...id.map((name) => `${identifier(name)} bigint primary key`),
    ...columns.map(columnClause),
    ...(kind === 'fact' ? [] : [`primary key (${identifiers(key)})`]),
    ...references.map((reference) => foreignKey(reference, project)),
  ]
  return `create table ${identifier(table)} (\n    ${lines.join(',\n    ')}\n);`
}

/** SQL that gives a fact that has none the foreign keys that it declares. */
export function addReferences({ table, references }: Fact, project: Keyed): string {
  const clauses = references.map((reference) => `add ${foreignKey(reference, project)}`)
  return clauses.length === 0 ? '' : `alter table ${identifier(table)} ${clauses.join(', ')}`
}

function foreignKey({ columns, dimension }: Reference, { models }: Keyed): string {
  const { key = [] } = models.find((model) => model.table === dimension) ?? {}
  return `foreign key (${identifiers(columns)}) references ${identifier(dimension)} (${identifiers(key)})`
}

function columnClause({ name, type, nullable }: PublishedColumn): string {
  return `${identifier(name)} ${type}${nullable ? '' : ' not null'}`
}

/** SQL that gives a table and its columns their descriptions, and takes others away. */
export function describeTable({ table, columns, description }: PublishedSchema): string {
  const comment = (of: string, text: string | undefined) =>
    `comment on ${of} is ${text === undefined ? 'null' : asciiLiteral(text)};`
  return [
    comment(`table ${identifier(table)}`, description),
    ...columns.map((column) =>
      comment(`column ${identifier(table)}.${identifier(column.name)}`, column.description),
    ),
  ].join('\n')
}

/** How the columns of a table differ from those that it had. */
export interface ColumnChanges {
  readonly added: readonly PublishedColumn[]
  readonly dropped: readonly PublishedColumn[]
  /** The columns whose type changes. */
  readonly retyped: readonly { readonly column: PublishedColumn; readonly from: string }[]
  /** The columns that may be null from now on, and those that may not any more. */
  readonly loosened: readonly PublishedColumn[]
  readonly tightened: readonly PublishedColumn[]
}

/** Compares two definitions of a table, column by column. Pure. */
export function diffColumns(before: PublishedSchema, after: PublishedSchema): ColumnChanges {
  const earlier = new Map(before.columns.map((column) => [column.name, column]))
  const later = new Set(after.columns.map(({ name }) => name))
  const both = after.columns.flatMap((column) => {
    const old = earlier.get(column.name)
    return old === undefined ? [] : [{ column, old }]
  })
  const pick = (test: (each: (typeof both)[number]) => boolean) =>
    both.filter(test).map(({ column }) => column)
  return {
    added: after.columns.filter(({ name }) => !earlier.has(name)),
    dropped: before.columns.filter(({ name }) => !later.has(name)),
    retyped: both.flatMap(({ column, old }) =>
      column.type === old.type ? [] : [{ column, from: old.type }],
    ),
    loosened: pick(({ column, old }) => column.nullable && !old.nullable),
    tightened: pick(({ column, old }) => !column.nullable && old.nullable),
  }
}

/**
 * SQL that changes a table's columns. Its rows keep their values, in the wider types that the columns
 * get. A column that is added without being nullable, or that may not be null any more, needs an empty
 * table. If it is known to be empty, a column may get any type.
 */
export function alterColumns(
  table: string,
  changes: ColumnChanges,
  { isEmpty = false }: { isEmpty?: boolean } = {},
): string {
  const actions = [
    ...changes.dropped.map(({ name }) => `drop column ${identifier(name)}`),
    ...changes.retyped.map(({ column: { name, type }, from }) => {
      const value = isEmpty ? `null::${type}` : widened(identifier(name), { from, to: type })
      return `alter column ${identifier(name)} type ${type} using ${value}`
    }),
    ...changes.loosened.map(({ name }) => `alter column ${identifier(name)} drop not null`),
    ...changes.tightened.map(({ name }) => `alter column ${identifier(name)} set not null`),
    ...changes.added.map((column) => `add column ${columnClause(column)}`),
  ]
  if (actions.length === 0) return ''
  return `alter table ${identifier(table)}\n    ${actions.join(',\n    ')};`
}
