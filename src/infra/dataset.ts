import type { Analyses } from '../apps/project-extension.ts'
import { ConfigError } from '../platform/errors.ts'
import { bindStatement, type Question } from '../platform/presentation/question.ts'

/** A question without its filters, for an engine that does not know psql's variables. */
export interface DataSet {
  readonly name: string
  readonly title: string
  /** Whether only one group may see it. */
  readonly isReserved: boolean
  readonly sql: string
  readonly columns: readonly DataSetColumn[]
}

/** A column of a data set. */
export interface DataSetColumn {
  readonly name: string
  readonly type: ColumnType
}

/** The types that QuickSight knows. */
export type ColumnType = 'STRING' | 'INTEGER' | 'DECIMAL' | 'DATETIME' | 'BOOLEAN'

const TYPES: Readonly<Record<string, ColumnType>> = {
  text: 'STRING',
  integer: 'INTEGER',
  bigint: 'INTEGER',
  numeric: 'DECIMAL',
  date: 'DATETIME',
  timestamp: 'DATETIME',
  timestamptz: 'DATETIME',
  boolean: 'BOOLEAN',
}

/** Turns the questions that need no filter into data sets. Throws what `dataSetOf` throws. */
export function dataSetsOf(
  questions: Iterable<Question>,
  { needed }: Pick<Analyses, 'needed'>,
): DataSet[] {
  return [...questions]
    .filter(({ filters }) => !filters.some((filter) => needed.includes(filter)))
    .map((question) => dataSetOf(question))
}

/**
 * Turns a question into a data set. Every filter is null, which filters nothing. The columns are
 * those that its last `select` casts and names. Throws `ConfigError` if a column or its type is not
 * clear.
 */
export function dataSetOf({ name, title, access, sql }: Question): DataSet {
  const { text, values } = bindStatement(withoutHeader(sql), {})
  if (values.some((value) => value !== null)) throw new TypeError('an absent filter has a value')
  return {
    name,
    title,
    isReserved: access !== undefined,
    sql: text.replaceAll(/\$\d+::text/g, 'null::text').trim(),
    columns: columnsOf(name, text),
  }
}

function withoutHeader(sql: string): string {
  const lines = sql.split('\n')
  return lines.slice(lines.findIndex((line) => !line.startsWith('--'))).join('\n')
}

/** By our SQL style, the last `select` is alone on its line and casts every column. */
function columnsOf(name: string, sql: string): DataSetColumn[] {
  const list = /\nselect\n(?<list>(?:(?!\nselect\n)[\s\S])*?)\nfrom [^]*$/.exec(
    sql.slice(Math.max(0, sql.lastIndexOf('\nselect\n'))),
  )?.groups?.['list']
  const found = (list === undefined ? [] : splitList(list)).map((expression) => {
    const cast = /::(?<type>[a-z]+)(?:\([\d, ]+\))?\s+as (?<column>\w+)$/.exec(expression.trim())
    const { type = '', column = '' } = cast?.groups ?? {}
    return { name: column, type: TYPES[type] }
  })
  const columns = found.flatMap(({ name: column, type }) =>
    type === undefined ? [] : [{ name: column, type }],
  )
  if (columns.length > 0 && columns.length === found.length) return columns
  throw new ConfigError(
    `The last select of the question ${name} does not cast and name every column`,
    {
      code: 'QUESTION_COLUMNS',
      hint: 'write every column as expression::type as name',
    },
  )
}

/** Splits at commas outside of parentheses and strings. */
function splitList(list: string): string[] {
  const parts = ['']
  let depth = 0
  for (const [token] of list.matchAll(/'(?:[^']|'')*'|[^']/g)) {
    if (token === '(') depth += 1
    if (token === ')') depth -= 1
    if (token === ',' && depth === 0) parts.push('')
    else parts.push(`${parts.pop() ?? ''}${token}`)
  }
  return parts
}
