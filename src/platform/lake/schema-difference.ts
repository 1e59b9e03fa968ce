import type { ArchivedColumn, ArchivedSchema } from './schema.ts'

/** How one shape of a table differs from another. */
export interface SchemaDifference {
  readonly added: readonly ArchivedColumn[]
  readonly removed: readonly ArchivedColumn[]
  readonly changed: readonly ColumnDifference[]
  /** Columns that both have stand in another order. */
  readonly reordered: boolean
  readonly key: ChangedValue<readonly string[]> | undefined
}

/** Only what differs is there. */
export interface ColumnDifference {
  readonly column: string
  /** Of the column, or of the domain it is of. */
  readonly type?: ChangedValue<string>
  readonly nullable?: ChangedValue<boolean>
  readonly generated?: ChangedValue<boolean>
  /** Of a generated column, the expression it is computed by. */
  readonly default?: ChangedValue<string | null>
  readonly labels?: {
    readonly added: readonly string[]
    readonly removed: readonly string[]
    readonly reordered: boolean
  }
}

export interface ChangedValue<T> {
  readonly before: T
  readonly after: T
}

/**
 * How `after` differs from `before`. Columns are known by their names: one that was renamed is one
 * removed and one added, and so is an enum's label. What one of the two was archived without
 * (by an older Tidemark) is not compared.
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

/** Whether two shapes look alike: the table itself or its partitions were made anew. */
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

/** What came, what went, and whether what stayed stands in another order. */
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
