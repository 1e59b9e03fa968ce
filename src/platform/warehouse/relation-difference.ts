import { readFileSync } from 'node:fs'
import type { Client } from '../io/postgres.ts'

const DESCRIBED = readFileSync(new URL('./relation-states.sql', import.meta.url), 'utf8')

/** A table or view, as the catalogue of the warehouse describes it. */
export interface RelationState {
  readonly oid: string
  readonly name: string
  readonly isView: boolean
  readonly comment: string | null
  readonly columns: readonly ColumnState[]
  /** Its keys and foreign keys, as Postgres writes them. */
  readonly keys: readonly string[]
  /** Its indexes but the primary key's. */
  readonly indexes: readonly string[]
}

/** A column of a relation, with its type as `format_type` prints it. */
export interface ColumnState {
  readonly name: string
  readonly type: string
  readonly nullable: boolean
  readonly comment: string | null
}

/** The tables and views of a schema by name. Read-only. */
export async function describeRelations(
  client: Client,
  schema: string,
): Promise<ReadonlyMap<string, RelationState>> {
  const { rows } = await client.query<RelationState>(DESCRIBED, [schema])
  return new Map(rows.map((row) => [row.name, row]))
}

/** What happens to a relation. `anew`: it is dropped, and another one gets its name. */
export type RelationAction = 'create' | 'anew' | 'change' | 'drop'

/** How a relation differs from what it was. */
export interface RelationDifference {
  readonly name: string
  readonly action: RelationAction
  readonly isView: boolean
  readonly added: readonly PlannedColumn[]
  readonly dropped: readonly string[]
  readonly retyped: readonly { readonly name: string; readonly from: string; readonly to: string }[]
  /** Columns that may not be null any more, and those that may be from now on. */
  readonly required: readonly string[]
  readonly optional: readonly string[]
  readonly addedKeys: readonly string[]
  readonly droppedKeys: readonly string[]
  readonly addedIndexes: readonly string[]
  readonly droppedIndexes: readonly string[]
  /** The number of descriptions that are written, changed or taken away. */
  readonly comments: number
}

/** A column that a table gets. */
export type PlannedColumn = Pick<ColumnState, 'name' | 'type' | 'nullable'>

/** The relations that differ, by name. A relation that was made anew has all its columns. Pure. */
export function diffRelations(
  before: ReadonlyMap<string, RelationState>,
  after: ReadonlyMap<string, RelationState>,
): RelationDifference[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].toSorted()
  return names.flatMap((name) => {
    const difference = diffRelation(before.get(name), after.get(name))
    return difference === undefined ? [] : [difference]
  })
}

function diffRelation(
  old: RelationState | undefined,
  now: RelationState | undefined,
): RelationDifference | undefined {
  const { name, isView } = now ?? old ?? { name: '', isView: false }
  const isAnew = old !== undefined && now !== undefined && old.oid !== now.oid
  // A view that is made again with the same columns is the same view.
  const kept = isAnew && !isView ? undefined : old
  const action = actionOf({ old, now, isAnew: isAnew && !isView })
  const columns = diffColumns(kept?.columns ?? [], now?.columns ?? [])
  const difference = {
    name,
    isView,
    action,
    ...columns,
    addedKeys: without(now?.keys, kept?.keys),
    droppedKeys: without(kept?.keys, now?.keys),
    addedIndexes: without(now?.indexes, kept?.indexes),
    droppedIndexes: without(kept?.indexes, now?.indexes),
    comments: countComments(kept, now),
  }
  return difference.action === 'change' && isNothing(difference) ? undefined : difference
}

function actionOf({
  old,
  now,
  isAnew,
}: {
  old: RelationState | undefined
  now: RelationState | undefined
  isAnew: boolean
}): RelationAction {
  if (now === undefined) return 'drop'
  if (old === undefined) return 'create'
  return isAnew ? 'anew' : 'change'
}

function diffColumns(
  before: readonly ColumnState[],
  after: readonly ColumnState[],
): Pick<RelationDifference, 'added' | 'dropped' | 'retyped' | 'required' | 'optional'> {
  const earlier = new Map(before.map((column) => [column.name, column]))
  const later = new Set(after.map(({ name }) => name))
  const both = after.flatMap((column) => {
    const old = earlier.get(column.name)
    return old === undefined ? [] : [{ column, old }]
  })
  const pick = (test: (each: (typeof both)[number]) => boolean) =>
    both.filter(test).map(({ column }) => column.name)
  return {
    added: after
      .filter(({ name }) => !earlier.has(name))
      .map(({ name, type, nullable }) => ({ name, type, nullable })),
    dropped: before.map(({ name }) => name).filter((name) => !later.has(name)),
    retyped: both
      .filter(({ column, old }) => column.type !== old.type)
      .map(({ column, old }) => ({ name: column.name, from: old.type, to: column.type })),
    required: pick(({ column, old }) => !column.nullable && old.nullable),
    optional: pick(({ column, old }) => column.nullable && !old.nullable),
  }
}

function without(some: readonly string[] = [], others: readonly string[] = []): string[] {
  return some.filter((each) => !others.includes(each))
}

function countComments(old: RelationState | undefined, now: RelationState | undefined): number {
  const texts = (relation: RelationState | undefined) =>
    new Map([
      ['', relation?.comment ?? null],
      ...(relation?.columns ?? []).map(({ name, comment }) => [name, comment] as const),
    ])
  const before = texts(old)
  return [...texts(now)].filter(([name, text]) => (before.get(name) ?? null) !== text).length
}

function isNothing({ comments, ...difference }: RelationDifference): boolean {
  return comments === 0 && Object.values(difference).every((each) => !isFilled(each))
}

function isFilled(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0
}
