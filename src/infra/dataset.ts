import { ConfigError } from '../platform/errors.ts'
import { bindStatement, type Question } from '../platform/presentation/question.ts'

/** A question without its filters, as an engine sees it that knows no psql. */
export interface DataSet {
  readonly name: string
  readonly title: string
  /** Whether it is for the group `finance` only. */
  readonly isFinance: boolean
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

/** Filters without which there is no answer: such a question asks for one thing, not for a table. */
const NEEDED = new Set(['order_id', 'then'])

/** The questions that make sense without anybody there to ask them. */
export function dataSetsOf(questions: Iterable<Question>): DataSet[] {
  return [...questions]
    .filter(({ filters }) => !filters.some((filter) => NEEDED.has(filter)))
    .map(dataSetOf)
}

/**
 * A question as a data set: every filter is null, which filters nothing, and the columns are those
 * its last `select` casts and names. Throws `ConfigError` when one of them cannot be told.
 */
export function dataSetOf({ name, title, access, sql }: Question): DataSet {
  const { text, values } = bindStatement(withoutHeader(sql), {})
  if (values.some((value) => value !== null)) throw new TypeError('an absent filter has a value')
  return {
    name,
    title,
    isFinance: access === 'finance',
    sql: text.replaceAll(/\$\d+::text/g, 'null::text').trim(),
    columns: columnsOf(name, text),
  }
}

function withoutHeader(sql: string): string {
  const lines = sql.split('\n')
  return lines.slice(lines.findIndex((line) => !line.startsWith('--'))).join('\n')
}

/** House style: the last `select` stands alone at the beginning of its line and casts every column. */
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
  throw new ConfigError(`The columns of the question ${name} cannot be told from its last select`, {
    code: 'QUESTION_COLUMNS',
    hint: 'write every column as expression::type as name',
  })
}

/** Splits at the commas that stand in no parentheses and in no string. */
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
