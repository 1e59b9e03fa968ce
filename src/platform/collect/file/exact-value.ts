import { duckLiteral, identifier } from '../../io/sql.ts'
import { type Column, fileValue } from '../../lake/lake-type.ts'
import type { LakeTable } from '../../lake/table-state.ts'

/** Every column as text, and beside it what it is in its type, made once for all that ask for it. */
export function withCasts({ columns }: LakeTable): string {
  return columns
    .flatMap((column) => {
      const name = identifier(column.name)
      return column.type === 'VARCHAR' || column.type === 'BLOB'
        ? [name]
        : [name, `try_cast(${name} as ${column.type}) as ${castName(column)}`]
    })
    .join(', ')
}

function castName({ name }: Column): string {
  return identifier(`as typed ${name}`)
}

/** SQL of a column's value as a file holds it; of one that `withCasts` has made. */
export function cast(column: Column): string {
  if (column.type === 'VARCHAR') return identifier(column.name)
  return column.type === 'BLOB'
    ? unhex(identifier(column.name))
    : fileValue(castName(column), column.type)
}

/** SQL of the bytes of a text such as `\\x00ff`. */
export function unhex(text: string): string {
  return `unhex(substr(${text}, 3))`
}

/**
 * SQL that says whether a text is exactly a value of its column's type, and written as one: true,
 * false or null. The cheap answers come first.
 */
export function fits(column: Column): string {
  const { name, type } = column
  const text = identifier(name)
  const value = castName(column)
  const scale = /^DECIMAL\(\d+,(\d+)\)$/.exec(type)?.[1]
  if (scale !== undefined) {
    // Up to 15 digits two decimals are the same number if they are the same double.
    const isSame = `${value}::double = try_cast(${text} as double)`
    const isShort = `strlen(${text}) < 16 and ${isSame} and not contains(${text}, '_')`
    return `(case when ${isShort} then true else ${fitsLong({ text, value, scale, isSame })} end)`
  }
  const matches = (pattern: string) =>
    `${value} is not null and regexp_full_match(${text}, ${duckLiteral(pattern)})`
  switch (type) {
    case 'VARCHAR':
      return `not contains(${text}, chr(0))`
    case 'BOOLEAN':
      return `(${value} is not null and strlen(${text}) > 3)`
    case 'DATE':
      // Engines without a date type write midnight. With a zone it is a moment, and falls on two days.
      return `(case when strlen(${text}) = 10 then ${value}::varchar = ${text} else ${matches(`${DAY}[ T]${MIDNIGHT}`)} end)`
    case 'TIMESTAMP':
      return `(case when ${value}::varchar = ${text} then true else ${matches(`${DAY}[ T]${TIME}`)} end)`
    case 'TIMESTAMPTZ':
      return `(${matches(`${DAY}[ T]${TIME}(Z|[+-][0-9]{2}(:?[0-9]{2})?)`)})`
    case 'TIME':
      return `(${matches(TIME)})`
    case 'FLOAT':
    case 'DOUBLE': {
      const isNamed = `regexp_full_match(lower(${text}), '-?(nan|inf|infinity)')`
      const isKept = `isfinite(${value}) and (${value} <> 0 or not regexp_matches(${text}, '^[^eE]*[1-9]'))`
      return `(${value} is not null and not contains(${text}, '_') and not contains(${text}, ' ') and (${isKept} or ${isNamed}))`
    }
    case 'UUID':
      return `(${value}::varchar = lower(${text}))`
    case 'BLOB':
      return `regexp_full_match(${text}, '\\\\x([0-9a-fA-F]{2})*')`
    default:
      return `(${value}::varchar = ${text})`
  }
}

const DAY = '[0-9]{4}-[0-9]{2}-[0-9]{2}'
const MIDNIGHT = String.raw`00:00:00(\.0+)?`
/** To the microsecond; zeros may follow. */
const TIME = String.raw`([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]{1,6}0*)?`

function fitsLong({
  text,
  value,
  scale,
  isSame,
}: Record<'text' | 'value' | 'scale' | 'isSame', string>): string {
  const digits = `length(regexp_replace(regexp_replace(${text}, '[eE].*$', ''), '^-?0*\\.?0*|\\.', '', 'g'))`
  const isPlain = `regexp_full_match(${text}, '-?[0-9]+(\\.[0-9]{0,${scale}}0*)?')`
  const isNumber = `regexp_full_match(${text}, '-?[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)?')`
  return `(${value} is not null and (${isPlain} or ${isNumber} and ${digits} < 16 and ${isSame}))`
}
