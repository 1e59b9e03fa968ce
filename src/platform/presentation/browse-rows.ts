import { codeOf, ConfigError } from '../errors.ts'
import { readText } from '../io/postgres-text.ts'
import { identifier } from '../io/sql.ts'
import { currentTable, historyColumns, isGone } from '../project/fact-names.ts'
import type { Sort } from '../project/dashboard.ts'
import type { Model } from '../project/model.ts'
import { haveSameKey } from '../warehouse/same-key.ts'
import type { WarehouseClient } from '../warehouse/warehouse.ts'
import type { BrowsedColumn, BrowsedTable } from './browsed-table.ts'
import type { Row } from './cursor.ts'
import { bindStatement, type BoundStatement, type Question } from './question.ts'
import { type Condition, conditionSql, containsSql, type PutValue } from './row-condition.ts'

/** Which rows of a table to show, and in which order. */
export interface RowSelection {
  readonly table: BrowsedTable
  /** `current`: the rows as they are now. `deleted`: the last version of each deleted row of a fact. */
  readonly state: 'current' | 'deleted'
  /** A part of a text in any text column, in any case, or a whole key. */
  readonly search: string | undefined
  /** All of them hold. None has a fault. */
  readonly conditions: readonly Condition[]
  /** Undefined: by key. The column is one that has an order. */
  readonly sort: Sort | undefined
}

/** Which page of a selection to read. */
export interface RowsRequest extends RowSelection {
  readonly place: RowsPlace | undefined
  readonly rowCount: number
}

/** A place between rows: after or before a row, given by its sorted value and its key. */
export interface RowsPlace {
  readonly isBefore: boolean
  /** Null for null. Undefined if rows are in the order of the key. */
  readonly value?: string | null
  readonly key: readonly string[]
}

/** A row on a page. */
export interface BrowsedRow {
  readonly key: readonly string[]
  /** The values of the shown columns; a long one is cut. */
  readonly cells: Row
  /** When this version was captured; undefined for a dimension. */
  readonly recordedAt: string | undefined
}

/** One page of rows. */
export interface RowsPage {
  /** The columns that are shown: the first ones of the table. */
  readonly columns: readonly BrowsedColumn[]
  readonly rows: readonly BrowsedRow[]
  readonly next: RowsPlace | undefined
  readonly back: RowsPlace | undefined
}

/** The most columns that a page shows, and the most characters of a cell. */
export const MAX_COLUMNS = 40
export const MAX_CELL_CHARS = 80

/**
 * Reads one page of rows, ties in the order of the key. Reading on from `next` gives each row that stays
 * once, whatever is loaded meanwhile. Throws `ConfigError` (`BAD_FILTER`) for a place that cannot be one
 * in this table.
 */
export async function readRows(
  { client }: WarehouseClient,
  request: RowsRequest,
): Promise<RowsPage> {
  const { table, place, rowCount } = request
  const { text, values } = bindRows(request)
  const read = await readText(client, text, values).catch((error: unknown) => {
    if (!codeOf(error).startsWith('22')) throw error
    throw new ConfigError('The link to this page of rows does not fit the table', {
      code: 'BAD_FILTER',
      hint: 'open the first page of the table',
      cause: error,
    })
  })
  const columns = table.columns.slice(0, MAX_COLUMNS)
  const keys = table.model.key.length
  const isReversed = place?.isBefore === true
  const hasMore = read.rows.length > rowCount
  const found = read.rows.slice(0, rowCount)
  const inOrder = isReversed ? found.toReversed() : found
  const placeAt = (row: Row | undefined, isBefore: boolean): RowsPlace | undefined =>
    row && {
      isBefore,
      key: row.slice(0, keys).map((value) => value ?? ''),
      ...(request.sort !== undefined && { value: row[keys] ?? null }),
    }
  const isAfter = place?.isBefore === false
  return {
    columns,
    rows: inOrder.map((row) => ({
      key: row.slice(0, keys).map((value) => value ?? ''),
      recordedAt: row[keys + 1] ?? undefined,
      cells: row.slice(keys + 2),
    })),
    next: hasMore || isReversed ? placeAt(inOrder.at(-1), false) : undefined,
    back: isAfter || (isReversed && hasMore) ? placeAt(inOrder[0], true) : undefined,
  }
}

/** The most rows that are counted. */
export const MAX_COUNTED = 1_000_000

/** How many rows a table has now. One more than `MAX_COUNTED` stands for more. */
export async function countRowsOf(
  { client }: WarehouseClient,
  { model }: BrowsedTable,
): Promise<number> {
  const { rows } = await client.query<{ count: string }>(
    `select count(*)::text as count from (
         select from ${identifier(rowsTable(model))} limit ${MAX_COUNTED + 1}
     ) as r`,
  )
  return Number(rows[0]?.count ?? 0)
}

/**
 * The statement that reads a page, and one row more, which tells whether there are more. Its columns: the
 * key, the sorted value, when the row was captured, the shown columns. Every name is quoted and every
 * value a parameter.
 */
export function bindRows(request: RowsRequest): BoundStatement {
  const { table, sort, place, rowCount } = request
  const { put, filters } = collectValues()
  const isReversed = place?.isBefore === true
  const keys = table.model.key.map((name) => `r.${identifier(name)}`)
  const sorted = sort === undefined ? undefined : `r.${identifier(sort.column)}`
  const { model } = table
  const recordedAt =
    model.kind === 'fact' ? `r.${identifier(historyColumns(model).recordedAt)}` : undefined
  const order = orderSql(table, sort, isReversed)
  const where = [
    ...conditionsOf(request, put),
    ...(place === undefined ? [] : [placeSql(place, { ...request, isReversed, put })]),
  ]
  const list = [
    ...keys.map((key) => `${key}::text`),
    sorted === undefined ? 'null' : `${sorted}::text`,
    recordedAt === undefined ? 'null' : `${recordedAt}::text`,
    ...table.columns.slice(0, MAX_COLUMNS).map(cellSql),
  ]
  // Values are cut after the page is found, not in every row of the table.
  const sql = `select ${list.join(', ')}
from (
    select r.* from ${relationSql(request)} as r
    ${whereSql(where)}
    ${order}
    limit ${rowCount + 1}
) as r
${order}`
  return bindStatement(sql, filters)
}

/**
 * A selection as a question for a file, in its order: every column of the table, whole. The question's
 * filters are the values of its parameters.
 */
export function selectionAsQuestion(selection: RowSelection): {
  readonly question: Question
  readonly filters: Readonly<Record<string, string>>
} {
  const { table, sort } = selection
  const { put, filters } = collectValues()
  const list = table.columns.map(({ name }) => `r.${identifier(name)}`)
  const where = whereSql(conditionsOf(selection, put))
  const sql = `select ${list.join(', ')}
from ${relationSql(selection)} as r
${where}
${orderSql(table, sort, false)}`
  const name = table.model.table.replaceAll(/[^A-Za-z0-9_]+/g, '-')
  return {
    question: {
      name: /[A-Za-z0-9]/.test(name) ? name : 'table',
      title: table.model.table,
      grain: 'one row per row of the table',
      unit: undefined,
      access: undefined,
      chart: 'none',
      filters: Object.keys(filters),
      sql,
    },
    filters,
  }
}

/** Values by the names of their variables, in the order in which they were put. */
function collectValues(): { put: PutValue; filters: Record<string, string> } {
  const filters: Record<string, string> = {}
  const put: PutValue = (value) => {
    // A letter in front, because an empty variable is null.
    const name = `value_${Object.keys(filters).length + 1}`
    filters[name] = `=${value}`
    return `substr(:'${name}', 2)`
  }
  return { put, filters }
}

/** The table that has a model's rows as they are now. */
function rowsTable(model: Model): string {
  return model.kind === 'fact' ? currentTable(model) : model.table
}

function relationSql({ table: { model }, state }: RowSelection): string {
  if (state === 'current' || model.kind !== 'fact') return identifier(rowsTable(model))
  const table = identifier(model.table)
  const { operation } = historyColumns(model)
  const recordId = identifier(model.recordId)
  return `(
    select d.* from ${table} as d
    where ${isGone(model, `d.${identifier(operation)}`)}
        and not exists (
            select from ${table} as n
            where ${haveSameKey(model, 'n', 'd')} and n.${recordId} > d.${recordId}
        )
)`
}

function conditionsOf({ table, search, conditions }: RowSelection, put: PutValue): string[] {
  const all = conditions.map((condition) => conditionSql(condition, 'r', put))
  return search === undefined ? all : [...all, searchSql(table, search, put)]
}

/** SQL that a text column contains the text, or that the key is the text. */
function searchSql({ model, columns }: BrowsedTable, search: string, put: PutValue): string {
  const [key, ...others] = model.key
  const isWhole = key !== undefined && others.length === 0
  const ways = [
    ...columns
      .filter(({ kind }) => kind === 'text')
      .map(({ name }) => containsSql(`r.${identifier(name)}::text`, search, put)),
    ...(isWhole ? [`r.${identifier(key)}::text = ${put(search)}`] : []),
  ]
  return ways.length === 0 ? 'false' : `(${ways.join(' or ')})`
}

function whereSql(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : `where ${conditions.join('\n        and ')}`
}

/** By a column, nulls last in both directions, and then by the key; or by the key alone. */
function orderSql({ model }: BrowsedTable, sort: Sort | undefined, isReversed: boolean): string {
  const keys = model.key.map((name) => `r.${identifier(name)}${isReversed ? ' desc' : ''}`)
  if (sort === undefined) return `order by ${keys.join(', ')}`
  const isDown = sort.isDescending !== isReversed
  const nulls = isReversed ? 'first' : 'last'
  const own = `r.${identifier(sort.column)}${isDown ? ' desc' : ''} nulls ${nulls}`
  return `order by ${[own, ...keys].join(', ')}`
}

/** SQL that holds for the rows beyond a place. */
function placeSql(
  { value, key }: RowsPlace,
  {
    table,
    sort,
    isReversed,
    put,
  }: RowSelection & { readonly isReversed: boolean; readonly put: PutValue },
): string {
  const typed = (name: string, text: string): string => {
    const column = table.columns.find((each) => each.name === name)
    return `${put(text)}::${column?.plain ?? 'text'}`
  }
  const names = table.model.key.map((name) => `r.${identifier(name)}`)
  const values = table.model.key.map((name, index) => typed(name, key[index] ?? ''))
  const sign = isReversed ? '<' : '>'
  const beyondKey = `(${names.join(', ')}) ${sign} (${values.join(', ')})`
  if (sort === undefined) return beyondKey
  const own = `r.${identifier(sort.column)}`
  // Nulls are last, whatever the direction.
  if (value === null || value === undefined) {
    return isReversed
      ? `(${own} is not null or (${own} is null and ${beyondKey}))`
      : `(${own} is null and ${beyondKey})`
  }
  const at = typed(sort.column, value)
  const isDown = sort.isDescending !== isReversed
  const beyond = `${own} ${isDown ? '<' : '>'} ${at} or (${own} = ${at} and ${beyondKey})`
  return isReversed ? `(${beyond})` : `(${beyond} or ${own} is null)`
}

/** A value as text. Only types without a bound are cut, so that every digit of a number is shown. */
function cellSql({ name, kind }: BrowsedColumn): string {
  const text = `r.${identifier(name)}::text`
  return kind === 'text' || kind === 'other' ? `left(${text}, ${MAX_CELL_CHARS + 1})` : text
}

/**
 * The values of one row of a table as text, in the order of its columns. Undefined if there is none.
 * Throws `ConfigError` (`BAD_KEY`) if the values cannot be a key of the table.
 */
export async function readWholeRow(
  { client }: WarehouseClient,
  { model, columns }: BrowsedTable,
  key: readonly string[],
): Promise<Row | undefined> {
  const list = columns.map(({ name }) => `${identifier(name)}::text`)
  const where = model.key.map((name, index) => {
    const { plain = 'text' } = columns.find((each) => each.name === name) ?? {}
    return `${identifier(name)} = $${index + 1}::${plain}`
  })
  const sql = `select ${list.join(', ')} from ${identifier(rowsTable(model))} where ${where.join(' and ')}`
  try {
    return (await readText(client, sql, key)).rows[0]
  } catch (error) {
    if (!codeOf(error).startsWith('22')) throw error
    throw new ConfigError(`This is not a key of ${model.table} (${model.key.join(', ')})`, {
      code: 'BAD_KEY',
      hint: 'follow a link of a row',
      cause: error,
    })
  }
}
