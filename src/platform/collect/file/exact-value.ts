import { duckLiteral, identifier } from '../../io/sql.ts'
import { type Column, fileValue, unhex } from '../../lake/lake-type.ts'
import type { LakeTable } from '../../lake/table-state.ts'

/**
 * SQL of every column as text and, beside it, as a value of its type. Each cast is made once, for
 * all expressions that need it. `typed` columns already have their types, so there is no text of them.
 */
export function withCasts({ columns }: LakeTable, typed: ReadonlySet<string> = new Set()): string {
  return columns
    .flatMap((column) => {
      const name = identifier(column.name)
      if (typed.has(column.name)) return [`${name} as ${castName(column)}`]
      return column.type === 'VARCHAR' || column.type === 'BLOB'
        ? [name]
        : [name, `try_cast(${name} as ${column.type}) as ${castName(column)}`]
    })
    .join(', ')
}

/** The quoted name under which `withCasts` gives a column's value. */
export function castName({ name }: Column): string {
  return identifier(`as typed ${name}`)
}

/** SQL of a column's value as a file stores it. Reads the columns that `withCasts` has made. */
export function cast(column: Column): string {
  if (column.type === 'VARCHAR') return identifier(column.name)
  return column.type === 'BLOB'
    ? unhex(identifier(column.name))
    : fileValue(castName(column), column.type)
}

/** A column's text and its value, as SQL. */
interface TextAndValue {
  readonly text: string
  readonly value: string
}

/**
 * SQL by type that says whether a text is exactly a value and written as one. Cheap tests come
 * first.
 */
const RULES: Readonly<Record<string, (column: TextAndValue) => string>> = {
  VARCHAR: ({ text }) => `not contains(${text}, chr(0))`,
  BOOLEAN: ({ text, value }) => `(${value} is not null and strlen(${text}) > 3)`,
  // Engines without a date type write midnight. Midnight with a zone is a moment, which falls on
  // two days.
  DATE: ({ text, value }) => {
    const isMidnight = matches({ text, value }, `${DAY}[ T]${MIDNIGHT}`)
    return `(case when strlen(${text}) = 10 then ${value}::varchar = ${text} else ${isMidnight} end)`
  },
  TIMESTAMP: ({ text, value }) => {
    const isMoment = matches({ text, value }, `${DAY}[ T]${TIME}`)
    return `(case when ${value}::varchar = ${text} then true else ${isMoment} end)`
  },
  TIMESTAMPTZ: (column) => `(${matches(column, `${DAY}[ T]${TIME}${ZONE}`)})`,
  TIME: (column) => `(${matches(column, TIME)})`,
  FLOAT: isFloat,
  DOUBLE: isFloat,
  UUID: ({ text, value }) => `(${value}::varchar = lower(${text}))`,
  BLOB: ({ text }) => `regexp_full_match(${text}, '\\\\x([0-9a-fA-F]{2})*')`,
}

/**
 * SQL that says whether a text is exactly a value of its column's type and written as one: true if
 * so, otherwise false or null.
 */
export function fits(column: Column): string {
  const both = { text: identifier(column.name), value: castName(column) }
  const scale = /^DECIMAL\(\d+,(\d+)\)$/.exec(column.type)?.[1]
  if (scale !== undefined) return isDecimal(both, scale)
  const rule = RULES[column.type]
  return rule === undefined ? `(${both.value}::varchar = ${both.text})` : rule(both)
}

function matches({ text, value }: TextAndValue, pattern: string): string {
  return `${value} is not null and regexp_full_match(${text}, ${duckLiteral(pattern)})`
}

/**
 * A number that is too small for the type would become 0, so 0 is accepted only if the text means
 * 0.
 */
function isFloat({ text, value }: TextAndValue): string {
  const isNamed = `regexp_full_match(lower(${text}), '-?(nan|inf|infinity)')`
  const isKept = `isfinite(${value}) and (${value} <> 0 or not regexp_matches(${text}, '^[^eE]*[1-9]'))`
  return `(${value} is not null and not contains(${text}, '_') and not contains(${text}, ' ') and (${isKept} or ${isNamed}))`
}

/** How a day is written, as a pattern for DuckDB and for JavaScript. */
export const DAY = '[0-9]{4}-[0-9]{2}-[0-9]{2}'
const MIDNIGHT = String.raw`00:00:00(\.0+)?`
/** How a time of day is written, exact to the microsecond. More zeros may follow. */
export const TIME = String.raw`(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6}0*)?`

/** How a moment's offset from UTC is written. */
export const ZONE = '(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)'

function isDecimal({ text, value }: TextAndValue, scale: string): string {
  // Two decimals of up to 15 digits are the same number if they are the same double.
  const isSame = `${value}::double = try_cast(${text} as double)`
  const isShort = `strlen(${text}) < 16 and ${isSame} and not contains(${text}, '_')`
  const digits = `length(regexp_replace(regexp_replace(${text}, '[eE].*$', ''), '^-?0*\\.?0*|\\.', '', 'g'))`
  const isPlain = `regexp_full_match(${text}, '-?[0-9]+(\\.[0-9]{0,${scale}}0*)?')`
  const isNumber = `regexp_full_match(${text}, '-?[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)?')`
  const isLong = `(${value} is not null and (${isPlain} or ${isNumber} and ${digits} < 16 and ${isSame}))`
  return `(case when ${isShort} then true else ${isLong} end)`
}
