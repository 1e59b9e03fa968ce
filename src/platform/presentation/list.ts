import { readText } from '../io/postgres-text.ts'
import { identifier } from '../io/sql.ts'
import type { List, Sort } from '../project/dashboard.ts'
import type { LedgerHead } from '../warehouse/ledger.ts'
import { refuseFilter } from './answer.ts'
import { describeColumns, type ResultColumn, type Row } from './cursor.ts'
import { readHead } from './freshness.ts'
import {
  bindStatement,
  type BoundStatement,
  type Filters,
  filtersOf,
  type Question,
  withoutEnd,
} from './question.ts'
import type { Reader } from './reader.ts'

/** A place in a list: after or before a row, given by that row's sorted value and key. */
export interface RowPlace {
  readonly isBefore: boolean
  readonly value: string
  readonly key: string
}

/** Which rows of a list to read. */
export interface ListRequest {
  readonly list: List
  /** The parsed file of the list. */
  readonly question: Question
  readonly filters: Filters
  readonly sort: Sort
  /** Where the page begins or ends. Undefined: it begins with the first row. */
  readonly place: RowPlace | undefined
  readonly rowCount: number
}

/** One page of a list. */
export interface ListPage {
  readonly columns: readonly ResultColumn[]
  readonly rows: readonly Row[]
  /** The places from which the pages beside this one are read. Undefined if there is none. */
  readonly next: RowPlace | undefined
  readonly back: RowPlace | undefined
  /** The head of the ledger in the snapshot that the rows come from. */
  readonly head: LedgerHead
}

/** The names of the statement's parameters for a place. No filter may use them. */
const PLACE = { value: 'place_value', key: 'place_key' } as const

/**
 * Reads one page of a list in its order, ties by the key, in one snapshot. Reading on from `next`
 * gives each row that stays once, whatever is inserted or deleted meanwhile. Nothing is kept. Throws
 * `ConfigError` (`BAD_FILTER`) if a filter or a place has a value that its type does not allow,
 * otherwise what `Reader.read` throws.
 */
export async function readList(reader: Reader, request: ListRequest): Promise<ListPage> {
  const { list, sort, place, rowCount } = request
  const isReversed = place?.isBefore === true
  return await reader.read(async (session): Promise<ListPage> => {
    const head = await readHead(session)
    const { text, values } = bindList(request)
    const read = await readText(session.client, text, values).catch(refuseFilter(request.filters))
    const columns = describeColumns(read.columns)
    const hasMore = read.rows.length > rowCount
    const found = read.rows.slice(0, rowCount)
    const rows = isReversed ? found.toReversed() : found
    const placeAt = (row: Row | undefined, isBefore: boolean): RowPlace | undefined =>
      row === undefined ? undefined : placeOf(columns, row, { list, sort, isBefore })
    const isAfter = place?.isBefore === false
    return {
      columns,
      rows,
      next: hasMore || isReversed ? placeAt(rows.at(-1), false) : undefined,
      back: isAfter || (isReversed && hasMore) ? placeAt(rows[0], true) : undefined,
      head,
    }
  })
}

/**
 * The statement that reads one page of a list, and one row more than wanted, which tells whether
 * there are more.
 */
export function bindList({
  list,
  question,
  filters,
  sort,
  place,
  rowCount,
}: ListRequest): BoundStatement {
  const order = { list, sort, isReversed: place?.isBefore === true }
  const sql = pageSql(question, order, { place, rowCount: rowCount + 1 })
  return bindStatement(sql, {
    ...filtersOf(question, filters),
    ...(place === undefined ? {} : { [PLACE.value]: place.value, [PLACE.key]: place.key }),
  })
}

/**
 * A list as a question with an order, for a download. The order consists of names of columns that
 * the list declares, quoted.
 */
export function sortedQuestion(list: List, question: Question, sort: Sort): Question {
  const { order } = orderOf({ list, sort, isReversed: false })
  return { ...question, sql: `select * from (\n${withoutEnd(question.sql)}\n) as list\n${order}` }
}

interface Order {
  readonly list: List
  readonly sort: Sort
  /** Whether the rows are read from the last to the first. */
  readonly isReversed: boolean
}

/**
 * The list's own select twice: first only the keys of the page, then these rows. Postgres takes the
 * first for one statement with its order, so an index on the sorted column ends it early, and joins
 * that only bring names (a `left join` along a key) are left out of it.
 */
function pageSql(
  { sql }: Question,
  order: Order,
  { place, rowCount }: { place: RowPlace | undefined; rowCount: number },
): string {
  const { columns, isDown, order: orderBy } = orderOf(order)
  const { list, sort } = order
  const values = [`:'${PLACE.value}'::${list.sorts[sort.column]}`, `:'${PLACE.key}'::integer`]
  const sign = isDown ? '<' : '>'
  const where = `where (${columns.join(', ')}) ${sign} (${values.slice(-columns.length).join(', ')})`
  const own = withoutEnd(sql)
  const key = identifier(list.key)
  return `select list.* from (
select list.${key} from (\n${own}\n) as list
${place === undefined ? '' : where}
${orderBy} limit ${rowCount}
) as page
inner join (\n${own}\n) as list on list.${key} = page.${key}
${orderBy}`
}

/** The order: by a column that the list declares, then by its key, quoted. */
function orderOf({ list, sort, isReversed }: Order): {
  readonly columns: readonly string[]
  readonly isDown: boolean
  readonly order: string
} {
  if (!Object.hasOwn(list.sorts, sort.column)) {
    throw new TypeError(`${list.name} cannot be sorted by ${sort.column}`)
  }
  const isDown = sort.isDescending !== isReversed
  const columns = [...new Set([sort.column, list.key])].map((name) => `list.${identifier(name)}`)
  const order = columns.map((column) => (isDown ? `${column} desc` : column)).join(', ')
  return { columns, isDown, order: `order by ${order}` }
}

function placeOf(
  columns: readonly ResultColumn[],
  row: Row,
  { list, sort, isBefore }: { list: List; sort: Sort; isBefore: boolean },
): RowPlace {
  const valueOf = (column: string): string => {
    const value = row[columns.findIndex(({ name }) => name === column)]
    if (value === undefined || value === null) {
      throw new TypeError(`${list.name} is sorted by ${column}, but a row has no value there`)
    }
    return value
  }
  return { isBefore, value: valueOf(sort.column), key: valueOf(list.key) }
}
