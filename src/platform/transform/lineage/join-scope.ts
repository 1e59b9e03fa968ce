// The tables that a parsed select joins, and the equalities by which it joins them.
import type { Column } from '../../lake/lake-type.ts'
import type { SourceView } from '../source-files.ts'
import { child, list, type Node, stringField } from './select-lineage.ts'

/** A table in a join. */
export interface Joined {
  readonly alias: string
  readonly view: SourceView
  /** Whether the table is on the right side of a left join. */
  readonly isOptional: boolean
}

/** A column of a joined table. */
export interface JoinedColumn {
  readonly table: Joined
  readonly column: Column
}

/** Two columns that are equal in every row of the select in which `to` has a value. */
export interface ColumnLink {
  readonly from: JoinedColumn
  readonly to: JoinedColumn
}

/** What a `from` clause and a `where` clause join. */
export interface JoinScope {
  /** From left to right. */
  readonly tables: Joined[]
  readonly links: ColumnLink[]
  /** Names of the columns that a `using` merges, in lower case. */
  readonly merged: Set<string>
  readonly views: ReadonlyMap<string, SourceView>
  readonly conditions: Node[]
}

/**
 * Adds a `from` clause to the scope. Returns false unless the clause holds only tables and joins
 * that can be followed.
 */
export function readFrom(from: Node, scope: JoinScope, isOptional: boolean): boolean {
  if (from['sample'] !== null) return false
  if (from['type'] === 'BASE_TABLE') {
    const name = stringField(from['table_name']).toLowerCase()
    const view = scope.views.get(name)
    const isPlain =
      from['at_clause'] === null &&
      stringField(from['schema_name']) + stringField(from['catalog_name']) === '' &&
      list(from, 'column_name_alias').length === 0
    if (view === undefined || !isPlain) return false
    if (scope.tables.some((table) => table.view === view)) return false
    const alias = (stringField(from['alias']) || name).toLowerCase()
    scope.tables.push({ alias, view, isOptional })
    return true
  }
  if (from['type'] !== 'JOIN') return false
  const isLeft = from['join_type'] === 'LEFT'
  const [left, right] = [child(from, 'left'), child(from, 'right')]
  const isKnown = from['ref_type'] === 'REGULAR' || from['ref_type'] === 'CROSS'
  if (!isKnown || (!isLeft && from['join_type'] !== 'INNER')) return false
  if (isLeft && right['type'] !== 'BASE_TABLE') return false
  if (!readFrom(left, scope, isOptional)) return false
  const before = new Set(scope.tables)
  if (!readFrom(right, scope, isOptional || isLeft)) return false
  const optional = isLeft ? scope.tables.find((table) => !before.has(table)) : undefined
  for (const column of list(from, 'using_columns')) {
    const name = stringField(column).toLowerCase()
    const columns = scope.tables.flatMap((table) => columnIn(table, name) ?? [])
    const [first, second] = columns
    if (first === undefined || second === undefined || columns.length > 2) return false
    addLinks(scope, [first, second], optional)
    scope.merged.add(name)
  }
  const condition = from['condition']
  if (isNode(condition)) addCondition(condition, scope, optional)
  return true
}

/**
 * Adds a link for each equality in a condition. `optional` is the table that a left join adds by
 * this condition.
 */
export function addCondition(
  condition: Node,
  scope: JoinScope,
  optional: Joined | undefined,
): void {
  scope.conditions.push(condition)
  const visit = (part: Node): void => {
    if (part['type'] === 'CONJUNCTION_AND') {
      for (const each of list(part, 'children')) visit(each)
    }
    if (part['type'] !== 'COMPARE_EQUAL') return
    const [left, right] = [
      findColumn(child(part, 'left'), scope),
      findColumn(child(part, 'right'), scope),
    ]
    if (left !== undefined && right !== undefined) addLinks(scope, [left, right], optional)
  }
  visit(condition)
}

/**
 * Adds the links of an equality. Adds none if the types differ in kind, because one value may then
 * equal several keys: `'01'` and `'1'` both equal 1.
 */
function addLinks(
  { links }: JoinScope,
  [left, right]: readonly [JoinedColumn, JoinedColumn],
  optional: Joined | undefined,
): void {
  if (!isSameOrWider(left.column.type, right.column.type)) {
    if (!isSameOrWider(right.column.type, left.column.type)) return
  }
  const both = [
    { from: left, to: right },
    { from: right, to: left },
  ]
  // If a left join finds no row, its condition says nothing about the row on the left.
  links.push(...both.filter(({ to }) => optional === undefined || to.table === optional))
}

/** Whether an expression consists of columns, constants and deterministic functions only. */
export function isDeterministic(
  part: unknown,
  scope: JoinScope,
  functions: ReadonlySet<string>,
): boolean {
  if (Array.isArray(part)) return part.every((each) => isDeterministic(each, scope, functions))
  if (!isNode(part)) return true
  const kind = part['class']
  if (kind === 'CONSTANT') return true
  // A name that is not a column may mean the present moment, such as `current_date`.
  if (kind === 'COLUMN_REF') return findColumn(part, scope) !== undefined
  if (kind !== undefined && !DETERMINISTIC.has(stringField(kind))) return false
  if (kind === 'FUNCTION') {
    const isKnown = functions.has(stringField(part['function_name']).toLowerCase())
    if (!isKnown || stringField(part['schema']) + stringField(part['catalog']) !== '') return false
  }
  return Object.values(part).every((each) => isDeterministic(each, scope, functions))
}

const DETERMINISTIC = new Set([
  'BETWEEN',
  'CASE',
  'CAST',
  'COMPARISON',
  'CONJUNCTION',
  'FUNCTION',
  'OPERATOR',
])

/** Whether a star means all columns, or all columns of one table, without exceptions. */
export function isPlainStar(star: Node, { tables }: JoinScope): boolean {
  const of = stringField(star['relation_name']).toLowerCase()
  return (
    star['columns'] !== true &&
    !isNode(star['expr']) &&
    ['exclude_list', 'replace_list', 'rename_list', 'qualified_exclude_list'].every(
      (key) => list(star, key).length === 0,
    ) &&
    (of === '' || tables.some(({ alias }) => alias === of))
  )
}

/** The column that an expression shows; undefined if it is not a plain column. */
export function findColumn(expression: Node, scope: JoinScope): JoinedColumn | undefined {
  if (expression['class'] !== 'COLUMN_REF') return undefined
  const names = list(expression, 'column_names').map((name) => stringField(name).toLowerCase())
  return resolveColumn(names, scope)
}

/**
 * The column that a name means, given as `table.column` or `column`; undefined if it is ambiguous
 * or unknown.
 */
export function resolveColumn(
  names: readonly string[],
  { tables, merged }: JoinScope,
): JoinedColumn | undefined {
  const [first = '', second] = names
  if (names.length > 2) return undefined
  if (second !== undefined) {
    const table = tables.find(({ alias }) => alias === first)
    return table && columnIn(table, second)
  }
  const columns = tables.flatMap((table) => columnIn(table, first) ?? [])
  // A merged column shows the left value, which a left join always has.
  return columns.length === 1 || merged.has(first) ? columns[0] : undefined
}

/** A column of a joined table by its name in lower case; undefined if there is none. */
export function columnIn(table: Joined, name: string): JoinedColumn | undefined {
  const column = table.view.columns.find((each) => each.name.toLowerCase() === name)
  return column && { table, column }
}

const WHOLE_NUMBERS = ['SMALLINT', 'INTEGER', 'BIGINT']

/** Whether a type holds every value of another type of its kind as an equal value. */
export function isSameOrWider(from: string, to: string): boolean {
  const [narrow, wide] = [WHOLE_NUMBERS.indexOf(from), WHOLE_NUMBERS.indexOf(to)]
  return from === to || (narrow >= 0 && narrow <= wide)
}

/** Whether a part of a parsed statement is a node. */
export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
