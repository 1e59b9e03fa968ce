import type { ArchivedColumn, ArchivedSchema } from './schema.ts'

/** The difference between two schemas of a table. */
export interface SchemaDifference {
  readonly added: readonly ArchivedColumn[]
  readonly removed: readonly ArchivedColumn[]
  readonly changed: readonly ColumnDifference[]
  /** Whether the columns that both schemas have are in another order. */
  readonly reordered: boolean
  readonly key: ChangedValue<readonly string[]> | undefined
}

/** The differences of one column. A field is missing if nothing differs. */
export interface ColumnDifference {
  readonly column: string
  /** The type of the column, or the type behind its domain. */
  readonly type?: ChangedValue<string>
  readonly nullable?: ChangedValue<boolean>
  readonly generated?: ChangedValue<boolean>
  /** The default expression, or the expression that computes a generated column. */
  readonly default?: ChangedValue<string | null>
  /** The labels of an enum. */
  readonly labels?: {
    readonly added: readonly string[]
    readonly removed: readonly string[]
    readonly reordered: boolean
  }
}

/** A value in the earlier and in the later schema. */
export interface ChangedValue<T> {
  readonly before: T
  readonly after: T
}

/**
 * How the schema `after` differs from `before`. Columns are identified by their names: a renamed
 * column is one removed and one added. The same holds for an enum's labels. A property is not
 * compared if one of the schemas was archived without it (by an older Tidemark).
 */
export function diffSchemas(
  before: Pick<ArchivedSchema, 'key' | 'columns'>,
  after: Pick<ArchivedSchema, 'key' | 'columns'>,
): SchemaDifference {
  const earlier = new Map(before.columns.map((column) => [column.name, column]))
  const names = order(before.columns, ({ name }) => name, after.columns)
  const changed = after.columns.flatMap((column) => {
    const old = earlier.get(column.name)
    const difference = old && diffColumns(old, column)
    return difference && Object.keys(difference).length > 1 ? [difference] : []
  })
  const key = isSameList(before.key, after.key)
    ? undefined
    : { before: before.key, after: after.key }
  return { ...names, changed, key }
}

/** Whether the schemas are equal: the table or its partitions were recreated without a change. */
export function isEmptyDifference({
  added,
  removed,
  changed,
  reordered,
  key,
}: SchemaDifference): boolean {
  return added.length + removed.length + changed.length === 0 && !reordered && key === undefined
}

function diffColumns(before: ArchivedColumn, after: ArchivedColumn): ColumnDifference {
  const type = change(before.type, after.type) ?? change(before.baseType, after.baseType)
  const nullable = change(before.nullable, after.nullable)
  const generated = change(before.generated, after.generated)
  const byDefault = change(before.default, after.default)
  const labels =
    before.labels && after.labels ? order(before.labels, (label) => label, after.labels) : undefined
  const isRelabelled =
    labels !== undefined && (labels.added.length + labels.removed.length > 0 || labels.reordered)
  return {
    column: after.name,
    ...(type && { type }),
    ...(nullable && { nullable }),
    ...(generated && { generated }),
    ...(byDefault && { default: byDefault }),
    ...(isRelabelled && { labels }),
  }
}

function change<T>(before: T | undefined, after: T | undefined): ChangedValue<T> | undefined {
  if (before === undefined || after === undefined || before === after) return undefined
  return { before, after }
}

/** The added and the removed items, and whether the remaining items are in another order. */
function order<T>(
  before: readonly T[],
  name: (each: T) => string,
  after: readonly T[],
): { added: T[]; removed: T[]; reordered: boolean } {
  const earlier = new Set(before.map(name))
  const later = new Set(after.map(name))
  const added = after.filter((each) => !earlier.has(name(each)))
  const removed = before.filter((each) => !later.has(name(each)))
  const stayed = before.map(name).filter((each) => later.has(each))
  const stands = after.map(name).filter((each) => earlier.has(each))
  return { added, removed, reordered: !isSameList(stayed, stands) }
}

function isSameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((each, index) => each === other[index])
}
