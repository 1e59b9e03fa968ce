import { identifier } from '../io/sql.ts'
import type { BrowsedColumn, ValueKind } from './browsed-table.ts'

/** What a condition asks of a column. */
export const OPERATORS = ['equals', 'contains', 'from', 'to', 'empty', 'filled'] as const
export type Operator = (typeof OPERATORS)[number]

/** A condition on the values of one column. */
export interface Condition {
  readonly column: BrowsedColumn
  readonly operator: Operator
  /** As a person writes it; empty for `empty` and `filled`. */
  readonly value: string
}

/** Gives a value a place in a statement, and returns the SQL that stands for it: a `text`. */
export type PutValue = (value: string) => string

/** The most characters of a value. */
const MAX_CHARS = 400

/**
 * Why a condition cannot be asked, as a sentence for the person who wrote it. Undefined if it can:
 * then no value makes its statement fail. Pure.
 */
export function conditionFault({ column, operator, value }: Condition): string | undefined {
  if (isBare(operator)) return undefined
  if (value.includes('\0') || value.length > MAX_CHARS) {
    return `Write at most ${MAX_CHARS} characters`
  }
  if (operator === 'contains') return undefined
  const { kind, type } = column
  if (kind === 'other' && operator !== 'equals') return `Values of type ${type} have no range here`
  const { test, why } = WRITTEN[kind]
  return test(value) ? undefined : why
}

/** Whether an operator takes no value. */
export function isBare(operator: Operator): boolean {
  return operator === 'empty' || operator === 'filled'
}

/**
 * SQL that holds for the rows of `alias` that meet a condition, which must be without fault. The name
 * of the column is quoted, and the value is a parameter.
 */
export function conditionSql(condition: Condition, alias: string, put: PutValue): string {
  const { column, operator, value } = condition
  const name = `${alias}.${identifier(column.name)}`
  if (operator === 'empty') return `${name} is null`
  if (operator === 'filled') return `${name} is not null`
  if (operator === 'contains') return containsSql(`${name}::text`, value, put)
  if (column.kind === 'other') return `${name}::text = ${put(value)}`
  if (column.kind === 'moment' && isDay(value)) return daySql(name, operator, put(value))
  const sign = operator === 'equals' ? '=' : operator === 'from' ? '>=' : '<='
  return `${name} ${sign} ${typedValue(column, value, put)}`
}

/**
 * SQL that a text contains another one, in any case. `%` and `_` stand for themselves. A part in plain
 * letters is compared without ICU, which takes a third of the time.
 */
export function containsSql(text: string, value: string, put: PutValue): string {
  const collation = /^[ -~]*$/.test(value) ? '"C"' : '"und-x-icu"'
  const folded = (sql: string) => `lower(${sql} collate ${collation})`
  return `strpos(${folded(text)}, ${folded(put(value))}) > 0`
}

/** A day stands for all of its moments. */
function daySql(name: string, operator: Operator, day: string): string {
  const from = `${name} >= ${day}::date`
  const to = `${name} < ${day}::date + 1`
  if (operator === 'from') return from
  return operator === 'to' ? to : `(${from} and ${to})`
}

/** A value in a type that holds it, and that an index on the column can compare. */
function typedValue({ kind, plain }: BrowsedColumn, value: string, put: PutValue): string {
  if (kind === 'integer')
    return `${put(value)}::${/^-?\d{1,18}$/.test(value) ? 'bigint' : 'numeric'}`
  if (kind === 'boolean') return `${put(value)}::boolean`
  return `${put(value)}::${plain}`
}

interface Written {
  readonly test: (value: string) => boolean
  readonly why: string
}

const NUMBER: Written = {
  test: (value) => /^-?\d{1,30}(\.\d{1,30})?$/.test(value),
  why: 'Write a number as 1234.50',
}
const ANYTHING: Written = { test: () => true, why: '' }

/** How values of each kind are written. */
const WRITTEN: Readonly<Record<ValueKind, Written>> = {
  integer: NUMBER,
  number: NUMBER,
  float: NUMBER,
  date: { test: isDay, why: 'Write a date as YYYY-MM-DD' },
  moment: {
    test: (value) => isDay(value) || isMoment(value),
    why: 'Write a moment as YYYY-MM-DD hh:mm, in UTC, or a day',
  },
  boolean: { test: (value) => /^(true|false)$/.test(value), why: 'Write true or false' },
  uuid: {
    test: (value) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value),
    why: 'Write the whole UUID',
  },
  text: ANYTHING,
  other: ANYTHING,
}

function isDay(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text) || text.startsWith('0000')) return false
  const day = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text)
}

function isMoment(text: string): boolean {
  const time = /^[T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?Z?$/
  return isDay(text.slice(0, 10)) && time.test(text.slice(10))
}
