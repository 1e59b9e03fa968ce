// Finds out how a change to a source table reaches the rows of a dimension. Uses the dimension's
// parsed select alone.
import type { Column } from '../../lake/lake-type.ts'
import type { SourceView } from '../source-files.ts'
import { child, list, type Node, stringField } from './select-lineage.ts'

/** A table, and its columns that hold another table's key. */
export interface Step {
  readonly table: string
  /** In the order of the other table's key. */
  readonly columns: readonly string[]
}

/** The ways by which changes reach the rows of a dimension. */
export interface Routes {
  /**
   * For each source table, the steps from its changed keys to rows of the table in the last step.
   * The select can be limited to these rows. A step leads from keys to the rows that hold them; the
   * keys of those rows lead to the next step. A table without such a way is missing here.
   */
  readonly changes: ReadonlyMap<string, readonly Step[]>
  /** The step from keys of the dimension; undefined if they are not part of one table's key. */
  readonly own: Step | undefined
}

/** The model of a dimension whose routes are wanted. */
export interface RoutedModel {
  /** The parsed select. */
  readonly node: Node
  /** The dimension's key. */
  readonly key: readonly string[]
  /** The dimension's columns. */
  readonly columns: readonly Column[]
  /** The source tables, as models see them. */
  readonly views: Iterable<SourceView>
  /** Names of deterministic functions, in lower case. */
  readonly functions: ReadonlySet<string>
}

/**
 * The routes of a select whose rows can be followed one by one; undefined if they cannot. They can
 * be followed if all of this holds: the select only projects, filters and joins (inner and left)
 * source tables; it names each table once; its expressions are deterministic expressions of
 * columns; and its joins follow keys, so that a key of the dimension leads to one row of each
 * table.
 *
 * Then a row of the dimension is made from one row of each table, and stays the same while those
 * rows do. So limiting one table to its changed rows gives every row of the dimension in which they
 * take part. The right side of a left join is an exception: if a row there is deleted, it changes
 * rows in which it no longer takes part. The rows on the left that name a changed key take its
 * place.
 */
export function planRoutes(model: RoutedModel): Routes | undefined {
  const { node } = model
  const isPlainSelect =
    node['type'] === 'SELECT_NODE' &&
    node['aggregate_handling'] === 'STANDARD_HANDLING' &&
    ['modifiers', 'group_expressions', 'group_sets'].every((key) => list(node, key).length === 0) &&
    ['having', 'qualify', 'sample'].every((key) => node[key] === null) &&
    list(child(node, 'cte_map'), 'map').length === 0
  if (!isPlainSelect) return undefined
  const views = new Map([...model.views].map((view) => [view.name.toLowerCase(), view]))
  const scope: JoinScope = { tables: [], links: [], merged: new Set(), views, conditions: [] }
  if (!readFrom(child(node, 'from_table'), scope, false)) return undefined
  const where = node['where_clause']
  if (isNode(where)) addCondition(where, scope, undefined)
  const select = list(node, 'select_list')
  const expressions = [...select.filter(({ class: kind }) => kind !== 'STAR'), ...scope.conditions]
  const isFollowed =
    expressions.every((each) => isDeterministic(each, scope, model.functions)) &&
    select.every((each) => each['class'] !== 'STAR' || isPlainStar(each, scope))
  const key = placesOfKey(select, scope, model)
  if (!isFollowed || !isKeyOfAll(key, scope)) return undefined
  const changes = scope.tables.flatMap((table) => {
    const whole = { table: table.view.name, columns: table.view.key }
    const steps = table.isOptional ? stepsFrom(table, scope) : [whole]
    return steps === undefined ? [] : [[table.view.name, steps] as const]
  })
  return { changes: new Map(changes), own: ownStep(key, model) }
}

interface Joined {
  readonly alias: string
  readonly view: SourceView
  /** Whether the table is on the right side of a left join. */
  readonly isOptional: boolean
}

/** A column of a joined table. */
interface JoinedColumn {
  readonly table: Joined
  readonly column: Column
}

/** Two columns that are equal in every row of the select in which `to` has a value. */
interface ColumnLink {
  readonly from: JoinedColumn
  readonly to: JoinedColumn
}

interface JoinScope {
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
function readFrom(from: Node, scope: JoinScope, isOptional: boolean): boolean {
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
function addCondition(condition: Node, scope: JoinScope, optional: Joined | undefined): void {
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
function isDeterministic(part: unknown, scope: JoinScope, functions: ReadonlySet<string>): boolean {
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
function isPlainStar(star: Node, { tables }: JoinScope): boolean {
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

/**
 * The columns from which the dimension's key columns come. Leaves out a key column that does not
 * show a plain column.
 */
function placesOfKey(
  select: readonly Node[],
  scope: JoinScope,
  { key, columns }: Pick<RoutedModel, 'key' | 'columns'>,
): JoinedColumn[] {
  return key.flatMap((name) => {
    const type = columns.find((column) => column.name === name)?.type
    const found = columnOfOutput(name, select, scope)
    // A cast to a narrower type may merge two keys.
    const isExact = found && type !== undefined && isSameOrWider(found.column.type, type)
    return isExact === true ? [found] : []
  })
}

/**
 * The step to the table whose key holds the dimension's key; undefined if there is no such table.
 */
function ownStep(
  columns: readonly JoinedColumn[],
  { key }: Pick<RoutedModel, 'key'>,
): Step | undefined {
  const [first] = columns
  const isOwn = ({ table, column }: JoinedColumn) =>
    table === first?.table && !table.isOptional && table.view.key.includes(column.name)
  if (first === undefined || columns.length < key.length || !columns.every(isOwn)) return undefined
  return { table: first.table.view.name, columns: columns.map(({ column }) => column.name) }
}

/** Whether these columns lead, from key to key, to exactly one row of every table. */
function isKeyOfAll(known: readonly JoinedColumn[], scope: JoinScope): boolean {
  const found = new Set<Joined>()
  const isKnown = ({ table, column }: JoinedColumn) =>
    found.has(table) || known.some((each) => each.table === table && each.column === column)
  for (let before = -1; before < found.size;) {
    before = found.size
    for (const table of scope.tables) {
      const leadsTo = table.view.key.every((name) => {
        const part = columnIn(table, name.toLowerCase())
        const isLinked = ({ from, to }: ColumnLink) =>
          to.table === table && to.column === part?.column && isKnown(from)
        return part !== undefined && (isKnown(part) || scope.links.some(isLinked))
      })
      if (leadsTo) found.add(table)
    }
  }
  return found.size === scope.tables.length
}

/** The column that an output column shows, plain or cast. */
function columnOfOutput(
  name: string,
  select: readonly Node[],
  scope: JoinScope,
): JoinedColumn | undefined {
  const folded = name.toLowerCase()
  for (const expression of select) {
    if (expression['class'] === 'STAR') {
      const of = stringField(expression['relation_name']).toLowerCase()
      const shown = of === '' ? [folded] : [of, folded]
      const found = resolve(shown, scope)
      if (found !== undefined) return found
      continue
    }
    const isCast = expression['class'] === 'CAST' && expression['try_cast'] === false
    const column = isCast ? child(expression, 'child') : expression
    const own = stringField(expression['alias']) || stringField(list(column, 'column_names').at(-1))
    if (own.toLowerCase() === folded) return findColumn(column, scope)
  }
  return undefined
}

/**
 * The steps from a table on the right of a left join to a table that is not optional; undefined if
 * there are no such steps.
 */
function stepsFrom(table: Joined, scope: JoinScope): readonly Step[] | undefined {
  for (const from of scope.tables) {
    const columns = table.view.key.flatMap((name) => {
      const found = columnIn(table, name.toLowerCase())
      const isLink = (link: ColumnLink) =>
        link.from.table === from && link.to.table === table && link.to.column === found?.column
      return scope.links.find(isLink)?.from.column.name ?? []
    })
    // Only tables further left, so that the steps never form a circle.
    if (columns.length < table.view.key.length) continue
    if (scope.tables.indexOf(from) >= scope.tables.indexOf(table)) continue
    const rest = from.isOptional ? stepsFrom(from, scope) : []
    if (rest !== undefined) return [{ table: from.view.name, columns }, ...rest]
  }
  return undefined
}

function findColumn(expression: Node, scope: JoinScope): JoinedColumn | undefined {
  if (expression['class'] !== 'COLUMN_REF') return undefined
  const names = list(expression, 'column_names').map((name) => stringField(name).toLowerCase())
  return resolve(names, scope)
}

/**
 * The column that a name means, given as `table.column` or `column`; undefined if it is ambiguous
 * or unknown.
 */
function resolve(
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

function columnIn(table: Joined, name: string): JoinedColumn | undefined {
  const column = table.view.columns.find((each) => each.name.toLowerCase() === name)
  return column && { table, column }
}

const WHOLE_NUMBERS = ['SMALLINT', 'INTEGER', 'BIGINT']

function isSameOrWider(from: string, to: string): boolean {
  const [narrow, wide] = [WHOLE_NUMBERS.indexOf(from), WHOLE_NUMBERS.indexOf(to)]
  return from === to || (narrow >= 0 && narrow <= wide)
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
