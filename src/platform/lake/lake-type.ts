import { identifier } from '../io/sql.ts'
import { printedText } from './printed-text.ts'

/** A column of a relation. `type` is a DuckDB type; a Parquet file holds it as its `fileType`. */
export interface Column {
  readonly name: string
  readonly type: string
  /** The names under which older files hold the column. */
  readonly formerly?: readonly string[]
  /** Two texts of the column may be one value in Postgres, as 1.0 and 1.00 are. */
  readonly hasManyTexts?: boolean
  /**
   * The last type of a column that has become text, and the SQL condition of the rows that were
   * published in it. The warehouse made their text from values of this type.
   */
  readonly was?: { readonly type: string; readonly where: string }
}

const TYPES: readonly (readonly [RegExp, string])[] = [
  [/^smallint$/, 'SMALLINT'],
  [/^integer$/, 'INTEGER'],
  [/^bigint$/, 'BIGINT'],
  [/^boolean$/, 'BOOLEAN'],
  [/^real$/, 'FLOAT'],
  [/^double precision$/, 'DOUBLE'],
  [/^date$/, 'DATE'],
  [/^timestamp(\(\d\))? without time zone$/, 'TIMESTAMP'],
  [/^timestamp(\(\d\))? with time zone$/, 'TIMESTAMPTZ'],
  [/^time(\(\d\))? without time zone$/, 'TIME'],
  [/^bytea$/, 'BLOB'],
  [/^uuid$/, 'UUID'],
]

/**
 * The lake type for a Postgres type: it holds every value exactly, and other engines can read it.
 * `postgresType` is the type as `format_type` prints it, with domains resolved. If there is no such
 * type, the column holds the text that Postgres prints: times, UUIDs, unconstrained numerics, json,
 * arrays, enums, intervals and all others.
 */
export function lakeType(postgresType: string): string {
  return fileType(parsedType(postgresType))
}

/** Whether the lake keeps a Postgres type as text in which one value can be written in several ways. */
export function hasManyTexts(postgresType: string): boolean {
  return (
    lakeType(postgresType) === 'VARCHAR' &&
    /^(numeric|interval|jsonb|citext|.*\.citext|.*range|.*\[\])/.test(postgresType)
  )
}

/** The DuckDB type that checks the text of a Postgres type and gives each value one form. */
export function parsedType(postgresType: string): string {
  const numeric = /^numeric\((\d+),(-?\d+)\)$/.exec(postgresType)
  if (numeric) {
    const precision = Number(numeric[1])
    const scale = Number(numeric[2])
    return precision <= 38 && scale >= 0 && scale <= precision
      ? `DECIMAL(${precision},${scale})`
      : 'VARCHAR'
  }
  return TYPES.find(([pattern]) => pattern.test(postgresType))?.[1] ?? 'VARCHAR'
}

/** Parquet types that DuckDB, Spark, Trino, Athena, Redshift, Polars and pandas all read. */
const PORTABLE =
  /^(BOOLEAN|SMALLINT|INTEGER|BIGINT|FLOAT|DOUBLE|DECIMAL\(.+\)|VARCHAR|BLOB|DATE|TIMESTAMP(_S|_MS)?|TIMESTAMPTZ)$/

/** Integer types that Parquet lacks or some engines refuse, each with the next wider type. */
const WIDER: Readonly<Record<string, string>> = {
  TINYINT: 'SMALLINT',
  UTINYINT: 'SMALLINT',
  USMALLINT: 'INTEGER',
  UINTEGER: 'BIGINT',
  UBIGINT: 'DECIMAL(20,0)',
  HUGEINT: 'DECIMAL(38,0)',
}

/**
 * The type in which a Parquet file holds a DuckDB type, so that every engine can read the file.
 * Spark and Athena refuse a whole file because of one `TIME`, `UUID` or `INTERVAL` column, and
 * DuckDB writes `HUGEINT` as a double. So a type that is neither portable nor an integer is kept as
 * text.
 */
export function fileType(type: string): string {
  return PORTABLE.test(type) ? type : (WIDER[type] ?? 'VARCHAR')
}

/** SQL of a value in its file type. */
export function fileValue(value: string, type: string): string {
  if (type === 'INTERVAL') return intervalText(value)
  const held = fileType(type)
  return held === type ? value : `${value}::${held}`
}

/** The select list that writes a relation's columns in their file types, under their own names. */
export function fileValues(columns: readonly Column[]): string {
  return columns
    .map(({ name, type }) => {
      const column = identifier(name)
      const value = fileValue(column, type)
      return value === column ? column : `${value} as ${column}`
    })
    .join(', ')
}

/**
 * SQL that converts a value from the type `held` in a file to `type`; null if it does not convert.
 */
export function tryValueFrom(
  value: string,
  { held, type }: { held: string; type: string },
): string {
  if (type === 'VARCHAR') return printedText(value, held)
  if (held === 'VARCHAR' && type === 'BLOB') {
    return `try(case when starts_with(${value}, '\\x') then ${unhex(value)} end)`
  }
  const text = held === 'VARCHAR' && type === 'INTERVAL' ? unsigned(value) : value
  return `try_cast(${text} as ${type})`
}

/** An interval's text without plus signs, which DuckDB cannot read. */
function unsigned(text: string): string {
  return `replace(${text}, '+', '')`
}

/**
 * SQL of an interval as Postgres prints it (`EncodeInterval` in interval.c, style `postgres`), made
 * from DuckDB's text: `mons` for months, a plural unless the count is 1, and a plus sign before a
 * positive part that follows a negative part.
 */
function intervalText(value: string): string {
  const short = `replace(${value}::varchar, 'month', 'mon')`
  const plural = `regexp_replace(${short}, '-1 (year|mon|day)\\b', '-1 \\1s', 'g')`
  return `regexp_replace(${plural}, '(-\\d+ [a-z]+) (\\d)', '\\1 +\\2', 'g')`
}

/**
 * Whether DuckDB's CSV reader converts a type's text exactly or fails. Other types are read as
 * text.
 */
export function isReadAsNumber(type: string): boolean {
  return /^(SMALLINT|INTEGER|BIGINT|DECIMAL\(.+\))$/.test(type)
}

/**
 * SQL of a column's value, converted exactly from its field in COPY's text format; the statement
 * fails if a value does not convert. DuckDB reads `0044-03-15 BC` as a year of our era without an
 * error, so that suffix is rewritten to DuckDB's own `(BC)`, which comes after the date and before
 * the time.
 */
export function lakeValue(column: Column): string {
  // The reader has already converted such a field to a number.
  if (isReadAsNumber(column.type)) return identifier(column.name)
  if (column.type === 'BLOB') return unhexField(column, `error('Not in hexadecimal')`)
  return parseField(column, (text) => `${text}::${column.type}`)
}

/**
 * Like `lakeValue`, for a field that was read as text whatever its type. It gives null if a value
 * has no exact form: NaN in a bounded numeric, or a moment after the year 294246.
 */
export function tryLakeValue(column: Column): string {
  if (column.type === 'BLOB') return `try(${unhexField(column, 'null')})`
  return parseField(column, (text) => `try_cast(${text} as ${column.type})`)
}

function parseField({ name, type }: Column, cast: (text: string) => string): string {
  const field = identifier(name)
  switch (type) {
    case 'VARCHAR':
      return `case when contains(${field}, '\\') then ${unescape(field)} else ${field} end`
    case 'DATE':
    case 'TIMESTAMP':
    case 'TIMESTAMPTZ':
      return `case when ends_with(${field}, ' BC') then ${cast(moveEra(field))} else ${cast(field)} end`
    case 'INTERVAL':
      return cast(unsigned(field))
    default:
      return cast(field)
  }
}

/**
 * SQL of a date or moment as DuckDB writes it, from the text that Postgres writes: `BC` moves from
 * the end to behind the date, in brackets. Any other text stays unchanged.
 */
export function moveEra(text: string): string {
  return `regexp_replace(${text}, '^(\\S+)(.*) BC$', '\\1 (BC)\\2')`
}

/** SQL of the bytes in a text such as `\x00ff`. */
export function unhex(text: string): string {
  return `unhex(substr(${text}, 3))`
}

/**
 * SQL of the bytes in a field of COPY's text format, which doubles the backslash: `\\x00ff`.
 * `otherwise` is the SQL for any other text.
 */
function unhexField({ name }: Column, otherwise: string): string {
  const field = identifier(name)
  return `case
    when ${field} is null then null
    when starts_with(${field}, '\\\\x') then unhex(substr(${field}, 4))
    else ${otherwise}
  end`
}

/**
 * SQL that undoes COPY's escapes. A doubled backslash is first replaced by the zero character, the
 * one character that no Postgres text can hold.
 */
function unescape(field: string): string {
  const letters = { b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 }
  const single = Object.entries(letters).reduce(
    (text, [letter, code]) => `replace(${text}, '\\${letter}', chr(${code}))`,
    `replace(${field}, '\\\\', chr(0))`,
  )
  return `replace(${single}, chr(0), '\\')`
}

/**
 * SQL condition that a column differs between two relations, given by their aliases. Two nulls are
 * equal.
 */
export function isDistinct({ name, type, was }: Column, left: string, right: string): string {
  // Compares floats as text, because -0.0 and 0.0 are equal as numbers but different values.
  const cast = isFloat(type) ? '::varchar' : ''
  const column = identifier(name)
  const [one, other] = [`${left}.${column}${cast}`, `${right}.${column}${cast}`]
  const differ = `${one} is distinct from ${other}`
  if (was === undefined || !isFloat(was.type)) return differ
  // Two texts may name one float.
  const named = (text: string) => `coalesce(try_cast(${text} as ${was.type})::varchar, ${text})`
  return `(${differ} and ${named(one)} is distinct from ${named(other)})`
}

/** Whether a lake type is a float. */
export function isFloat(type: string): boolean {
  return type === 'FLOAT' || type === 'DOUBLE'
}
