import type { DuckDb } from '../../io/duckdb.ts'
import { openTogether } from '../../io/open-together.ts'
import { boundedMap, inMemory } from '../../io/memory.ts'
import { duckLiteral, identifier, identifiers } from '../../io/sql.ts'
import type { Column } from '../../lake/lake-type.ts'
import { readRefused } from '../../lake/quarantine/quarantine.ts'
import { readFiles, type SourceView } from '../source-files.ts'
import { planRoutes, type Step } from './change-routes.ts'
import { type Parser, parseSelect } from './parsed-select.ts'

/** A source table that a batch changes. */
export interface ChangedTable {
  readonly view: SourceView
  /** Local files of the changes. */
  readonly paths: readonly string[]
}

/** A dimension's model, and the changes that may reach its rows. */
export interface AffectedModel {
  /** The dimension's select over the source tables. Each table must be open as of the batch. */
  readonly sql: string
  readonly key: readonly string[]
  readonly columns: readonly Column[]
  /** Every source table. */
  readonly views: readonly SourceView[]
  /** The source tables that the select reads and the batch changes. */
  readonly changed: readonly ChangedTable[]
  /** Local files of the dimension's rows in quarantine. */
  readonly refused: readonly string[]
}

/** A select of some of a dimension's rows. Dispose of it after use. */
export interface AffectedRows extends AsyncDisposable {
  readonly sql: string
}

/**
 * A select of the dimension's rows that this batch can change, and of the rows whose key is in
 * quarantine. It is the dimension's own select, once for each changed table, with that table
 * limited to its changed rows. Undefined if all rows of the dimension must be made, see
 * `planRoutes`.
 */
export async function openAffectedRows(
  parser: Parser,
  { sql, key, columns, views, changed, refused }: AffectedModel,
): Promise<AffectedRows | undefined> {
  const { db } = parser
  const { node, functions } = await parseSelect(parser, sql)
  const deterministic = await readDeterministic(parser, functions)
  const routes = planRoutes({ node, key, columns, views, functions: deterministic })
  const ways: Way[] = []
  for (const { view, paths } of changed) {
    const steps = routes?.changes.get(view.name)
    if (steps === undefined) return undefined
    const files = await readFiles(db, view, paths)
    ways.push({ rows: files.rows(paths), key: view.key, steps })
  }
  if (refused.length > 0) {
    const rows = selectRefusedKeys(refused, { key, columns })
    if (routes?.own === undefined || rows === undefined) return undefined
    ways.push({ rows, key, steps: [routes.own] })
  }
  if (ways.length === 0) return undefined
  return await openTogether(async (keep) => {
    const selects: AffectedRows[] = []
    for (const way of ways) selects.push(keep(await selectThrough(db, { way, views, sql })))
    // Two changes may reach one row. It is made twice with the same values, and `union` keeps it
    // once.
    return { sql: selects.map((select) => `(${select.sql})`).join(' union ') }
  })
}

/** The way from keys to the rows of the table in its last step. */
export interface Way {
  /** Relation with the columns of `key`. */
  readonly rows: string
  readonly key: readonly string[]
  readonly steps: readonly Step[]
}

/** The select with one table limited to the rows at the end of a way. */
async function selectThrough(
  db: DuckDb,
  { way, views, sql }: { way: Way; views: readonly SourceView[]; sql: string },
): Promise<AffectedRows> {
  // Inside the select, this name now means the limited table.
  const table = identifier(way.steps.at(-1)?.table ?? '')
  return await openTogether(async (keep) => {
    const limited = keep(await db.table(`from ${rowsThrough(way, views)}`))
    return { sql: `with ${table} as (from ${limited.name})\n${sql}` }
  })
}

/** SQL of the rows at the end of a way. The tables in its steps must be open. */
export function rowsThrough(way: Way, views: readonly SourceView[]): string {
  let { rows, key } = way
  for (const { table, columns } of way.steps) {
    const pairs = columns.map((column, index) => {
      return `t.${identifier(column)} = k.${identifier(key[index] ?? '')}`
    })
    rows = `(
      select t.* from ${identifier(table)} as t
      semi join (select ${identifiers(key)} from ${rows}) as k on ${pairs.join(' and ')})`
    key = views.find(({ name }) => name === table)?.key ?? []
  }
  return rows
}

/** Types whose text in a quarantined key converts back to the same value. */
const PLAIN_TYPES = new Set(['VARCHAR', 'SMALLINT', 'INTEGER', 'BIGINT'])

/**
 * SQL of the keys in quarantine, as columns; undefined if a key does not convert back exactly from
 * its text.
 */
export function selectRefusedKeys(
  paths: readonly string[],
  { key, columns }: Pick<AffectedModel, 'key' | 'columns'>,
): string | undefined {
  const values = key.map((name) => {
    const type = columns.find((column) => column.name === name)?.type ?? ''
    // A JSON pointer, because a name may hold any character.
    const pointer = `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
    const value = `json_extract_string(_key, ${duckLiteral(pointer)})`
    return PLAIN_TYPES.has(type) ? [`${value}::${type} as ${identifier(name)}`] : []
  })
  if (values.some((value) => value.length === 0)) return undefined
  return `(select ${values.join(', ')} from ${readRefused(paths)})`
}

/** Macros that only abbreviate a deterministic expression. */
const DETERMINISTIC_MACROS = ['nullif', 'split_part']

/**
 * Known deterministic functions, by the names that were asked for. DuckDB's functions never change.
 */
const deterministicIn = inMemory(() => boundedMap<string, ReadonlySet<string>>(1000))

/**
 * The deterministic functions among these: functions whose value depends only on their arguments.
 */
export async function readDeterministic(
  { db, memory }: Parser,
  functions: ReadonlySet<string>,
): Promise<ReadonlySet<string>> {
  const names = [...functions].toSorted().map(duckLiteral).join(', ')
  if (names === '') return functions
  const known = deterministicIn(memory)
  const before = known.get(names)
  if (before !== undefined) return before
  const found = await db.rows<{ name: string }>(`
    select lower(function_name) as name
    from duckdb_functions()
    where lower(function_name) in (${names})
    group by all
    having bool_and(
        function_type = 'scalar' and stability = 'CONSISTENT'
        or function_type = 'macro' and function_name in (${DETERMINISTIC_MACROS.map(duckLiteral).join(', ')}))`)
  const deterministic = new Set(found.map(({ name }) => name))
  known.set(names, deterministic)
  return deterministic
}
