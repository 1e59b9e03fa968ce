import type { Answer } from '../../../platform/presentation/answer.ts'
import type { Row } from '../../../platform/presentation/cursor.ts'
import type { LeftOut } from '../../../platform/project/chart.ts'
import { formatNumber } from '../../format.ts'

/** An answer whose cells are read by the names of its columns. */
export interface AnswerTable {
  readonly rows: readonly Row[]
  has(column: string): boolean
  /** The cell as Postgres prints it, empty for null. Throws if there is no such column. */
  text(row: Row, column: string): string
  /** The cell as a floating-point number, 0 for null. Throws if there is no such column. */
  number(row: Row, column: string): number
  /** The cell as a floating-point number. Throws if there is no such column. */
  amount(row: Row, column: string): number | null
  /** The cells of several columns, joined by spaces. */
  label(row: Row, columns: readonly string[]): string
}

/** Reads an answer by column names. */
export function tableOf({ columns, rows }: Pick<Answer, 'columns' | 'rows'>): AnswerTable {
  const places = new Map(columns.map(({ name }, place) => [name, place]))
  const placeOf = (column: string): number => {
    const place = places.get(column)
    if (place === undefined) throw new TypeError(`the answer has no column ${column}`)
    return place
  }
  const text = (row: Row, column: string): string => row[placeOf(column)] ?? ''
  return {
    rows,
    has: (column) => places.has(column),
    text,
    number: (row, column) => Number(row[placeOf(column)] ?? 0),
    amount: (row, column) => (text(row, column) === '' ? null : Number(text(row, column))),
    label: (row, columnNames) => columnNames.map((column) => text(row, column)).join(' '),
  }
}

/** Splits a table by the values of a column, in the order in which they first occur. */
export function splitTable(table: AnswerTable, by: string): { name: string; table: AnswerTable }[] {
  const groups = new Map<string, Row[]>()
  for (const row of table.rows) {
    const name = table.text(row, by)
    groups.set(name, [...(groups.get(name) ?? []), row])
  }
  return [...groups].map(([name, rows]) => ({ name, table: { ...table, rows } }))
}

/** The rows of a ranking that have an amount. A row without a rate is left out, not drawn as zero. */
export function ratedRows(
  { rows, text }: AnswerTable,
  { value, leftOut }: { readonly value: string; readonly leftOut?: LeftOut },
): readonly Row[] {
  return leftOut === undefined ? rows : rows.filter((row) => text(row, value) !== '')
}

/** How many things in the rows have no rate: ` · 3 orders left out: no rate`. Empty if all have one. */
export function sayLeftOut({ rows, number }: AnswerTable, leftOut: LeftOut | undefined): string {
  if (leftOut === undefined) return ''
  const count = rows.reduce((sum, row) => sum + number(row, leftOut.column), 0)
  const thing = leftOut.things.replace(/s$/, '')
  return count === 0 ? '' : ` · ${formatNumber(count, thing, leftOut.things)} left out: no rate`
}
