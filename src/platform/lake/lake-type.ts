import { identifier } from '../io/sql.ts'

/** A column of a relation. `type` is a DuckDB type; in a file it lies as its `fileType`. */
export interface Column {
  readonly name: string
  readonly type: string
  /** Under these names older files hold it. */
  readonly formerly?: readonly string[]
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
 * The lake type that holds every value of a Postgres type exactly and that other engines can read,
 * given as `format_type` prints it with domains resolved. What has none is kept as the text Postgres
 * prints: times, UUIDs, unconstrained numerics, json, arrays, enums, intervals and all the rest.
 */
export function lakeType(postgresType: string): string {
  return fileType(parsedType(postgresType))
}

/** The DuckDB type that checks the text of a Postgres type and gives it one form. */
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

/** Types that Parquet holds and that DuckDB, Spark, Trino, Athena, Redshift, Polars and pandas read. */
const PORTABLE =
  /^(BOOLEAN|SMALLINT|INTEGER|BIGINT|FLOAT|DOUBLE|DECIMAL\(.+\)|VARCHAR|BLOB|DATE|TIMESTAMP(_S|_MS)?|TIMESTAMPTZ|TIMESTAMP WITH TIME ZONE)$/

/** Integers that are no Parquet type, or one that some engines refuse, and the next that holds them. */
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
 * Spark and Athena refuse a whole file for one column of `TIME`, `UUID` or `INTERVAL`, and DuckDB
 * writes `HUGEINT` as a double: what is neither portable nor an integer is kept as its text.
 */
export function fileType(type: string): string {
  return PORTABLE.test(type) ? type : (WIDER[type] ?? 'VARCHAR')
}

/** SQL of a value of a type as a file holds it. */
export function fileValue(value: string, type: string): string {
  if (type === 'INTERVAL') return intervalText(value)
  const held = fileType(type)
  return held === type ? value : `${value}::${held}`
}

/** The select list that writes columns of a relation as a file holds them. */
export function fileValues(columns: readonly Column[]): string {
  return columns
    .map(({ name, type }) => {
      const column = identifier(name)
      const value = fileValue(column, type)
      return value === column ? column : `${value} as ${column}`
    })
    .join(', ')
}

/** SQL of a value that a file holds as `held` in another type, or null where it has none. */
export function tryValueFrom(
  value: string,
  { held, type }: { held: string; type: string },
): string {
  const text = held === 'VARCHAR' && type === 'INTERVAL' ? unsigned(value) : value
  return `try_cast(${text} as ${type})`
}

/** An interval's text without plus signs, which DuckDB does not read. */
function unsigned(text: string): string {
  return `replace(${text}, '+', '')`
}

/**
 * An interval as Postgres prints it (`EncodeInterval` in its interval.c, style `postgres`), made from
 * how DuckDB prints it: `mons` for months, a plural unless the count is 1, and a plus sign before a
 * positive part that follows a negative one.
 */
function intervalText(value: string): string {
  const short = `replace(${value}::varchar, 'month', 'mon')`
  const plural = `regexp_replace(${short}, '-1 (year|mon|day)\\b', '-1 \\1s', 'g')`
  return `regexp_replace(${plural}, '(-\\d+ [a-z]+) (\\d)', '\\1 +\\2', 'g')`
}

/** Types whose text DuckDB's reader itself turns into exactly the value, or refuses. */
export function isReadAsNumber(type: string): boolean {
  return /^(SMALLINT|INTEGER|BIGINT|DECIMAL\(.+\))$/.test(type)
}

/**
 * SQL that makes the value of a column from its field in COPY's text format, exactly or with an
 * error. DuckDB reads `0044-03-15 BC` as a year of our era without a word, so that suffix is
 * rewritten to DuckDB's own `(BC)`, which stands behind the date and before the time.
 */
export function lakeValue(column: Column): string {
  // Such a field has been read as the number it is.
  if (isReadAsNumber(column.type)) return identifier(column.name)
  if (column.type === 'BLOB') return unhex(column, `error('Not in hexadecimal')`)
  return parseField(column, (text) => `${text}::${column.type}`)
}

/**
 * The same of a field that was read as text whatever its type, with null where a value has no exact
 * form in it: NaN in a bounded numeric, a moment after the year 294246.
 */
export function tryLakeValue(column: Column): string {
  if (column.type === 'BLOB') return `try(${unhex(column, 'null')})`
  return parseField(column, (text) => `try_cast(${text} as ${column.type})`)
}

function parseField({ name, type }: Column, cast: (text: string) => string): string {
  const field = identifier(name)
  switch (type) {
    case 'VARCHAR':
      return `case when contains(${field}, '\\') then ${unescape(field)} else ${field} end`
    case 'DATE':
    case 'TIMESTAMP':
    case 'TIMESTAMPTZ': {
      const rewritten = `regexp_replace(${field}, '^(\\S+)(.*) BC$', '\\1 (BC)\\2')`
      return `case when ends_with(${field}, ' BC') then ${cast(rewritten)} else ${cast(field)} end`
    }
    case 'INTERVAL':
      return cast(unsigned(field))
    default:
      return cast(field)
  }
}

/** Bytes from `\\x` and hexadecimal digits; anything else is what `otherwise` makes of it. */
function unhex({ name }: Column, otherwise: string): string {
  const field = identifier(name)
  return `case
    when ${field} is null then null
    when starts_with(${field}, '\\\\x') then unhex(substr(${field}, 4))
    else ${otherwise}
  end`
}

/**
 * Undoes COPY's escapes. A doubled backslash is set aside first as the one character that no
 * Postgres text can hold.
 */
function unescape(field: string): string {
  const letters = { b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 }
  const single = Object.entries(letters).reduce(
    (text, [letter, code]) => `replace(${text}, '\\${letter}', chr(${code}))`,
    `replace(${field}, '\\\\', chr(0))`,
  )
  return `replace(${single}, chr(0), '\\')`
}

/** SQL that says whether a column differs between two relations, given by their aliases. */
export function isDistinct({ name, type }: Column, left: string, right: string): string {
  // As text, because -0.0 and 0.0 are equal as numbers and yet two values.
  const cast = type === 'FLOAT' || type === 'DOUBLE' ? '::varchar' : ''
  const column = identifier(name)
  return `${left}.${column}${cast} is distinct from ${right}.${column}${cast}`
}
