// Finds out how a change to a source table reaches the rows of a model. Uses the model's parsed
// select alone.
import type { Column } from '../../lake/lake-type.ts'
import type { SourceView } from '../source-files.ts'
import {
  addCondition,
  type ColumnLink,
  columnIn,
  findColumn,
  isDeterministic,
  isNode,
  isPlainStar,
  isSameOrWider,
  type Joined,
  type JoinedColumn,
  type JoinScope,
  readFrom,
  resolveColumn,
} from './join-scope.ts'
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
  const scope = readScope(model)
  if (scope === undefined) return undefined
  const key = placesOfKey(list(model.node, 'select_list'), scope, model)
  if (!isKeyOfAll(key, scope)) return undefined
  const changes = scope.tables.flatMap((table) => {
    const whole = { table: table.view.name, columns: table.view.key }
    const isEnd = (each: Joined): boolean => !each.isOptional
    const steps = table.isOptional ? stepsFrom(table, scope, isEnd) : [whole]
    return steps === undefined ? [] : [[table.view.name, steps] as const]
  })
  return { changes: new Map(changes), own: ownStep(key, model) }
}

/** The model of a fact that follows tables, over the view `from` of the rows to map. */
type FollowedRoutes = Pick<RoutedModel, 'node' | 'views' | 'functions'> & {
  readonly from: string
}

/**
 * For each table that a fact's model joins, the steps from its changed keys to the rows of `from`
 * that hold them, directly or through other tables. A table without such steps is missing: a change
 * to it may reach any row. Undefined if the select cannot be followed, see `planRoutes`.
 *
 * Say that a row of `from` and some of the rows it leads to stay the same, and the next row on the
 * way changes, appears or is gone. Then the steps lead from that row's key, through rows that stayed
 * the same, back to the row of `from`. So the steps find every row of `from` that a change reaches,
 * a row among them that the select leaves out now.
 */
export function planFollowedRoutes({
  from,
  ...model
}: FollowedRoutes): ReadonlyMap<string, readonly Step[]> | undefined {
  const scope = readScope(model)
  const base = scope?.tables.find(({ view }) => view.name === from)
  if (scope === undefined || base === undefined || base.isOptional) return undefined
  const routes = scope.tables.flatMap((table) => {
    const steps = stepsFrom(table, scope, (each) => each === base)
    return table === base || steps === undefined ? [] : [[table.view.name, steps] as const]
  })
  return new Map(routes)
}

/** The joins of a select whose rows can be followed one by one; undefined if they cannot. */
function readScope({
  node,
  functions,
  ...model
}: Pick<RoutedModel, 'node' | 'views' | 'functions'>): JoinScope | undefined {
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
    expressions.every((each) => isDeterministic(each, scope, functions)) &&
    select.every((each) => each['class'] !== 'STAR' || isPlainStar(each, scope))
  return isFollowed ? scope : undefined
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
      const found = resolveColumn(shown, scope)
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

/** The steps from a table to one that is an end; undefined if there are no such steps. */
function stepsFrom(
  table: Joined,
  scope: JoinScope,
  isEnd: (table: Joined) => boolean,
): readonly Step[] | undefined {
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
    const rest = isEnd(from) ? [] : stepsFrom(from, scope, isEnd)
    if (rest !== undefined) return [{ table: from.view.name, columns }, ...rest]
  }
  return undefined
}
