// Follows the columns of one parsed select, in the form of `json_serialize_sql`, back to the
// relations that it reads.

/** The columns and tables from which a value is computed. */
export interface ColumnSource {
  /** Whether `columns` is complete. If not, it is empty, and only `tables` is known. */
  readonly exact: boolean
  readonly columns: readonly ColumnName[]
  readonly tables: readonly string[]
}

/** A column of a source table. */
export interface ColumnName {
  readonly table: string
  readonly column: string
}

/** A node of the parsed statement. */
export type Node = Readonly<Record<string, unknown>>

/** A relation whose columns are traced to source columns. */
export interface TracedRelation {
  /** In lower case, as DuckDB compares names; empty if it has no name. */
  readonly name: string
  /** The columns in order, by their names in lower case. */
  readonly columns: ReadonlyMap<string, { readonly column: string; readonly from: ColumnSource }>
  /** Whether `columns` lists all columns of the relation. */
  readonly isClosed: boolean
  /** The source tables that the relation reads. */
  readonly tables: readonly string[]
}

interface SelectScope {
  readonly known: TracedRelations
  readonly relations: readonly TracedRelation[]
  /** Names of the columns that a `join … using` merges. */
  readonly merged: ReadonlySet<string>
}

/** The relations that a select can name, by their names in lower case. */
export type TracedRelations = ReadonlyMap<string, TracedRelation>

/** The source of a value that is computed from no column, such as a constant. */
export const NOTHING: ColumnSource = { exact: true, columns: [], tables: [] }

/** The source of a value that is computed from several others. It is exact only if all are. */
export function combine(feeds: readonly ColumnSource[]): ColumnSource {
  const exact = feeds.every((feed) => feed.exact)
  const columns = new Map(
    feeds
      .flatMap((feed) => feed.columns)
      .map((name) => [JSON.stringify([name.table, name.column]), name]),
  )
  const tables = distinct(feeds.flatMap((feed) => feed.tables))
  return { exact, columns: exact ? [...columns.values()] : [], tables }
}

function distinct(names: readonly string[]): string[] {
  return [...new Set(names)]
}

/** A relation with these columns, its names in lower case, as DuckDB compares them. */
export function traced(
  name: string,
  {
    columns,
    isClosed,
    tables,
  }: {
    columns: readonly { column: string; from: ColumnSource }[]
    isClosed: boolean
    tables: readonly string[]
  },
): TracedRelation {
  const byName = new Map<string, { column: string; from: ColumnSource }>()
  // A name that occurs twice means the first column; DuckDB renames the other.
  for (const each of columns) {
    const folded = each.column.toLowerCase()
    if (!byName.has(folded)) byName.set(folded, each)
  }
  return { name: name.toLowerCase(), columns: byName, isClosed, tables: distinct(tables) }
}

/** A relation whose columns are unknown; only its source tables are known. */
function opaque(name: string, node: unknown, known: TracedRelations): TracedRelation {
  return traced(name, { columns: [], isClosed: false, tables: tablesIn(node, known) })
}

function tablesIn(node: unknown, known: TracedRelations): string[] {
  const tables: string[] = []
  JSON.parse(JSON.stringify(node), (key, value: unknown) => {
    if (key === 'table_name')
      tables.push(...(known.get(stringField(value).toLowerCase())?.tables ?? []))
    return value
  })
  return distinct(tables)
}

/**
 * The relation that a parsed select makes. `outer` are the relations that it can name. Never
 * throws: a part that cannot be followed is not exact.
 */
export function followSelect(node: Node, outer: TracedRelations): TracedRelation {
  const known = withCtes(node, outer)
  if (node['type'] === 'SELECT_NODE') return followList(node, known)
  if (node['type'] !== 'SET_OPERATION_NODE' || node['setop_type'] !== 'UNION') {
    return opaque('', node, known)
  }
  const left = followSelect(child(node, 'left'), known)
  const right = followSelect(child(node, 'right'), known)
  if (!left.isClosed || !right.isClosed) return opaque('', node, known)
  const second = [...right.columns.values()]
  const columns = [...left.columns.values()].map(({ column, from }, index) => ({
    column,
    from: combine([from, second[index]?.from ?? NOTHING]),
  }))
  return traced('', { columns, isClosed: true, tables: [...left.tables, ...right.tables] })
}

function withCtes(node: Node, outer: TracedRelations): TracedRelations {
  const known = new Map(outer)
  for (const { key, value } of list(child(node, 'cte_map'), 'map')) {
    const name = stringField(key)
    const query = child(child(value as Node, 'query'), 'node')
    const found = followSelect(query, known)
    known.set(name.toLowerCase(), renamed(found, name, list(value as Node, 'aliases')))
  }
  return known
}

/** A relation renamed by `from t as name (columns)`. */
function renamed(found: TracedRelation, name: string, aliases: readonly unknown[]): TracedRelation {
  const columns = [...found.columns.values()].map(({ column, from }, index) => ({
    column: stringField(aliases[index]) || column,
    from,
  }))
  // Unless all columns are known, it is unknown which column an alias names.
  const isLost = aliases.length > 0 && !found.isClosed
  return traced(name, { ...found, columns: isLost ? [] : columns })
}

/** The relation of a plain select, made from its select list. */
function followList(node: Node, known: TracedRelations): TracedRelation {
  const merged = new Set<string>()
  const relations = followFrom(child(node, 'from_table'), { known, merged })
  const scope: SelectScope = { known, relations, merged }
  const columns: { column: string; from: ColumnSource }[] = []
  let isClosed = true
  for (const [index, expression] of list(node, 'select_list').entries()) {
    if (expression['class'] === 'STAR') {
      const star = followStar(expression, scope)
      if (star === undefined) isClosed = false
      else columns.push(...star)
    } else {
      const last = list(expression, 'column_names').at(-1)
      columns.push({
        column: stringField(expression['alias']) || stringField(last) || `column ${index + 1}`,
        from: feedOf(expression, {
          scope,
          earlier: traced('', { columns, isClosed, tables: [] }),
        }),
      })
    }
  }
  return traced('', { columns, isClosed, tables: tablesIn(node, known) })
}

/** The relations of a `from` clause. Adds the columns that a `using` merges to `merged`. */
function followFrom(
  from: Node,
  { known, merged }: { known: TracedRelations; merged: Set<string> },
): TracedRelation[] {
  const alias = stringField(from['alias'])
  const aliases = list(from, 'column_name_alias')
  switch (from['type']) {
    case 'EMPTY':
      return []
    case 'BASE_TABLE': {
      const name = stringField(from['table_name'])
      const found = known.get(name.toLowerCase()) ?? opaque(name, from, known)
      return [renamed(found, alias || name, aliases)]
    }
    case 'SUBQUERY': {
      const query = child(child(from, 'subquery'), 'node')
      return [renamed(followSelect(query, known), alias, aliases)]
    }
    case 'EXPRESSION_LIST': {
      const rows = list(from, 'values') as unknown as readonly (readonly Node[])[]
      const nowhere = { scope: { known, relations: [], merged }, earlier: opaque('', {}, known) }
      const columns = (rows[0] ?? []).map((_, index) => ({
        column: stringField(list(from, 'expected_names')[index]) || `col${index}`,
        from: combine(rows.map((row) => feedOf(row[index] ?? {}, nowhere))),
      }))
      const values = traced(alias, { columns, isClosed: true, tables: [] })
      return [renamed(values, alias, aliases)]
    }
    case 'JOIN': {
      const left = followFrom(child(from, 'left'), { known, merged })
      const right = followFrom(child(from, 'right'), { known, merged })
      for (const name of list(from, 'using_columns')) merged.add(stringField(name).toLowerCase())
      const isFilter = from['join_type'] === 'SEMI' || from['join_type'] === 'ANTI'
      return isFilter ? left : [...left, ...right]
    }
    default:
      return [opaque(alias, from, known)]
  }
}

/** The columns that a star means; undefined if they are not known. */
function followStar(
  star: Node,
  scope: SelectScope,
): { column: string; from: ColumnSource }[] | undefined {
  const of = stringField(star['relation_name']).toLowerCase()
  const relations = scope.relations.filter(({ name }) => of === '' || name === of)
  const isPlain =
    star['columns'] !== true &&
    ['replace_list', 'rename_list', 'qualified_exclude_list'].every(
      (key) => list(star, key).length === 0,
    )
  if (!isPlain || relations.length === 0 || relations.some(({ isClosed }) => !isClosed)) {
    return undefined
  }
  const excluded = new Set(
    list(star, 'exclude_list').map((name) => stringField(name).toLowerCase()),
  )
  return relations.flatMap(({ columns }) =>
    [...columns]
      .filter(([name]) => !excluded.has(name))
      .map(([name, { column, from }]) => ({
        column,
        from: scope.merged.has(name) ? (traceName([name], scope) ?? from) : from,
      })),
  )
}

/** Kinds of expressions whose value is computed from their parts and nothing else. */
const PLAIN = new Set([
  'BETWEEN',
  'CASE',
  'CAST',
  'COLLATE',
  'COMPARISON',
  'CONJUNCTION',
  'FUNCTION',
  'OPERATOR',
  'WINDOW',
])

function feedOf(
  expression: Node,
  { scope, earlier }: { scope: SelectScope; earlier: TracedRelation },
): ColumnSource {
  const feeds: ColumnSource[] = []
  const lost: ColumnSource = {
    exact: false,
    columns: [],
    tables: distinct([
      ...scope.relations.flatMap(({ tables }) => tables),
      ...tablesIn(expression, scope.known),
    ]),
  }
  const visit = (part: unknown): void => {
    if (Array.isArray(part)) for (const each of part) visit(each)
    if (Array.isArray(part) || typeof part !== 'object' || part === null) return
    const node = part as Node
    const kind = node['class']
    if (kind === 'CONSTANT') return
    if (kind === 'COLUMN_REF') {
      const names = list(node, 'column_names').map((name) => stringField(name).toLowerCase())
      const own = names.length === 1 ? earlier.columns.get(names[0] ?? '')?.from : undefined
      feeds.push(traceName(names, scope) ?? (areClosed(scope) ? own : undefined) ?? lost)
      return
    }
    const before = feeds.length
    const isPlain = kind === undefined || PLAIN.has(stringField(kind))
    if (!isPlain || node['function_name'] === 'count_star') feeds.push(lost)
    else for (const each of Object.values(node)) visit(each)
    // A row number without columns depends on the number of rows, not on any column.
    if (kind === 'WINDOW' && feeds.length === before) feeds.push(lost)
  }
  visit(expression)
  return combine(feeds)
}

function areClosed({ relations }: SelectScope): boolean {
  return relations.every((each) => each.isClosed)
}

/**
 * The source of a name: a column, a relation's column, or a field of either; undefined if it cannot
 * be traced.
 */
function traceName(names: readonly string[], scope: SelectScope): ColumnSource | undefined {
  const [first = '', second] = names
  const named = scope.relations.find(({ name }) => name === first)
  if (second !== undefined && named !== undefined) return named.columns.get(second)?.from
  const hits = scope.relations.flatMap(({ columns }) => columns.get(first)?.from ?? [])
  if (!areClosed(scope) && scope.relations.length > 1) return undefined
  if (hits.length > 1 && !scope.merged.has(first)) return undefined
  return hits.length === 0 ? undefined : combine(hits)
}

/** A node's member that is a node; an empty node if it has none. */
export function child(node: Node, key: string): Node {
  const found = node[key]
  return typeof found === 'object' && found !== null ? (found as Node) : {}
}

/** A node's member that is a list; an empty list if it has none. */
export function list(node: Node, key: string): readonly Node[] {
  const found = node[key]
  return Array.isArray(found) ? (found as Node[]) : []
}

/** A member's text; an empty text for anything else. */
export function stringField(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
