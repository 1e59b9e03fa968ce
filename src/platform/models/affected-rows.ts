import type { DuckDb } from '../duckdb.ts'
import type { Column } from '../lake/lake-type.ts'
import { duckLiteral, identifier, identifiers } from '../sql.ts'
import { planRoutes, type Step } from './change-routes.ts'
import { parseSelect } from './parsed-select.ts'
import { readFiles, type SourceView } from './source-files.ts'

/** A source table that a batch changes. */
export interface ChangedTable {
  readonly view: SourceView
  /** Local files of the changes. */
  readonly paths: readonly string[]
}

export interface AffectedModel {
  /** A dimension's select over the source tables, each a view as it now stands. */
  readonly sql: string
  readonly key: readonly string[]
  readonly columns: readonly Column[]
  /** Every source table. */
  readonly views: readonly SourceView[]
  /** The tables among them that the select reads and the batch changes. */
  readonly changed: readonly ChangedTable[]
}

/**
 * A select of the rows of a dimension that can be other than before the batch: the dimension's own
 * select, once for each changed table, with that table limited to what changed. Makes the temporary
 * tables it reads. Undefined where the dimension must be made whole, see `planRoutes`.
 */
export async function selectAffected(
  db: DuckDb,
  { sql, key, columns, views, changed }: AffectedModel,
): Promise<string | undefined> {
  const { node, functions } = await parseSelect(db, sql)
  const sure = await readSureFunctions(db, functions)
  const routes = planRoutes({ node, key, columns, views, functions: sure })
  const ways = changed.map((table) => ({ table, steps: routes?.get(table.view.name) }))
  const selects: string[] = []
  for (const { table, steps } of ways) {
    if (steps === undefined) return undefined
    selects.push(await selectThrough(db, { table, steps, views, sql }))
  }
  if (selects.length === 0) return undefined
  // A row that two changes reach is made twice, and the same both times.
  return selects.map((select) => `(${select})`).join(' union ')
}

/** The select with one table limited to the rows to which a table's changes lead. */
async function selectThrough(
  db: DuckDb,
  {
    table: { view, paths },
    steps,
    views,
    sql,
  }: {
    table: ChangedTable
    steps: readonly Step[]
    views: readonly SourceView[]
    sql: string
  },
): Promise<string> {
  const files = await readFiles(db, view, paths)
  let rows = files.rows(paths)
  let key = view.key
  for (const { table, columns } of steps) {
    const pairs = columns.map((column, index) => {
      return `t.${identifier(column)} = k.${identifier(key[index] ?? '')}`
    })
    rows = `(
      select t.* from ${identifier(table)} as t
      semi join (select ${identifiers(key)} from ${rows}) as k on ${pairs.join(' and ')})`
    key = views.find(({ name }) => name === table)?.key ?? []
  }
  const limited = steps.at(-1)?.table ?? view.name
  const relation = identifier(`changed rows of ${view.name}`)
  await db.run(`create or replace temp table ${relation} as from ${rows}`)
  return `with ${identifier(limited)} as (from ${relation})\n${sql}`
}

/** Macros that are no more than a short way to write what is sure. */
const SURE_MACROS = ['nullif', 'split_part']

/** By functions asked for: what is known of them never changes in the life of a process. */
const known = new Map<string, ReadonlySet<string>>()

/** The functions among these whose value depends on nothing but their arguments. */
async function readSureFunctions(
  db: DuckDb,
  functions: ReadonlySet<string>,
): Promise<ReadonlySet<string>> {
  const names = [...functions].toSorted().map(duckLiteral).join(', ')
  if (names === '') return functions
  const before = known.get(names)
  if (before !== undefined) return before
  const found = await db.rows<{ name: string }>(`
    select lower(function_name) as name
    from duckdb_functions()
    where lower(function_name) in (${names})
    group by all
    having bool_and(
        function_type = 'scalar' and stability = 'CONSISTENT'
        or function_type = 'macro' and function_name in (${SURE_MACROS.map(duckLiteral).join(', ')}))`)
  const sure = new Set(found.map(({ name }) => name))
  if (known.size >= MAX_KNOWN) known.clear()
  known.set(names, sure)
  return sure
}

const MAX_KNOWN = 1000
