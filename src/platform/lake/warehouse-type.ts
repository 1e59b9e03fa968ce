// Types of the warehouse's columns, written as `format_type` prints them.

/** Types that every Postgres of the warehouse has, and whose text it reads back exactly. */
const EXACT =
  /^(smallint|integer|bigint|boolean|real|double precision|oid|text|json|jsonb|uuid|bytea|date|inet|cidr|macaddr8?|tsvector|tsquery|point|line|lseg|box|path|polygon|circle|int[48](multi)?range|num(multi)?range|ts(tz)?(multi)?range|date(multi)?range|numeric(\(\d+,\d+\))?|character( varying)?(\(\d+\))?|bit( varying)?(\(\d+\))?|timestamp(\(\d\))? with(out)? time zone|time(\(\d\))? with(out)? time zone)$/

/**
 * The type in which the warehouse keeps the values of a source type exactly: the same type, or
 * `text` for a type that another server may lack or may print in another way, such as an enum, a
 * composite type, `money`, `xml` or a type of an extension. `sourceType` is the type as
 * `format_type` prints it, with domains resolved.
 */
export function warehouseType(sourceType: string): string {
  if (sourceType.endsWith('[]')) {
    const item = warehouseType(sourceType.slice(0, -2))
    // The text of an array of another type is still the text of an array.
    return item === sourceType.slice(0, -2) ? sourceType : 'text'
  }
  if (sourceType.startsWith('interval')) return 'interval'
  const numeric = /^numeric\((\d+),(-?\d+)\)$/.exec(sourceType)
  // Postgres 14 knows no scale below 0 or above the precision.
  if (numeric && !isPlainScale(Number(numeric[1]), Number(numeric[2]))) return 'numeric'
  return EXACT.test(sourceType) ? sourceType : 'text'
}

function isPlainScale(precision: number, scale: number): boolean {
  return scale >= 0 && scale <= precision
}

/** The type in which the warehouse keeps the values of a column that a model makes. */
export function warehouseTypeOf(lakeType: string): string {
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(lakeType)
  if (decimal) return `numeric(${decimal[1]},${decimal[2]})`
  return MADE[lakeType] ?? 'text'
}

const MADE: Readonly<Record<string, string>> = {
  BOOLEAN: 'boolean',
  TINYINT: 'smallint',
  UTINYINT: 'smallint',
  SMALLINT: 'smallint',
  USMALLINT: 'integer',
  INTEGER: 'integer',
  UINTEGER: 'bigint',
  BIGINT: 'bigint',
  UBIGINT: 'numeric(20,0)',
  HUGEINT: 'numeric(38,0)',
  FLOAT: 'real',
  DOUBLE: 'double precision',
  DATE: 'date',
  TIME: 'time without time zone',
  TIMESTAMP: 'timestamp without time zone',
  TIMESTAMP_S: 'timestamp without time zone',
  TIMESTAMP_MS: 'timestamp without time zone',
  TIMESTAMPTZ: 'timestamp with time zone',
  INTERVAL: 'interval',
  UUID: 'uuid',
  BLOB: 'bytea',
}

/**
 * The narrowest type that holds every value of two types of the warehouse exactly, as the lake
 * compares them; `text` if there is no other. Pure.
 */
export function widerType(one: string, other: string): string {
  if (one === other) return one
  if (one.endsWith('[]') && other.endsWith('[]')) {
    const items = [one.slice(0, -2), other.slice(0, -2)] as const
    const item = widerType(...items)
    // The lake holds an array as text.
    return items.every((each) => keepsText(each, item)) ? `${item}[]` : 'text'
  }
  const chain = CHAINS.find((types) => [one, other].every((type) => types.includes(bare(type))))
  if (chain !== undefined) {
    const places = [one, other].map((type) => chain.indexOf(bare(type)))
    return chain[Math.max(...places)] ?? 'text'
  }
  const [digits, others] = [digitsOf(one), digitsOf(other)]
  if (digits !== undefined && others !== undefined) return numericOf(digits, others)
  const [length, otherLength] = [lengthOf(one), lengthOf(other)]
  if (length === undefined || otherLength === undefined) return 'text'
  const wider = Math.max(length, otherLength)
  return Number.isFinite(wider) ? `character varying(${wider})` : 'character varying'
}

/** Types in the order in which each holds the values of those before it. A precision is dropped. */
const CHAINS: readonly (readonly string[])[] = [
  ['smallint', 'integer', 'bigint'],
  ['date', 'timestamp without time zone', 'timestamp with time zone'],
  ['time without time zone'],
  ['time with time zone'],
  ['real', 'double precision'],
  ['jsonb', 'json'],
]

function bare(type: string): string {
  return type.replace(/^(time(?:stamp)?)\(\d\)/, '$1')
}

/** The digits of the greatest value of each type of whole numbers. */
const WHOLE: Readonly<Record<string, number>> = { smallint: 5, integer: 10, bigint: 19 }

/** Digits before and after the point. */
interface Digits {
  readonly before: number
  readonly after: number
}

/** The digits that a numeric type has; undefined for another type. */
function digitsOf(type: string): Digits | undefined {
  const whole = WHOLE[type]
  if (whole !== undefined) return { before: whole, after: 0 }
  if (type === 'numeric') return { before: Infinity, after: Infinity }
  const found = /^numeric\((\d+),(\d+)\)$/.exec(type)
  if (found === null) return undefined
  const [precision, after] = [Number(found[1]), Number(found[2])]
  return { before: precision - after, after }
}

/** The most digits that Postgres lets a type declare. */
const MAX_PRECISION = 1000

function numericOf(one: Digits, other: Digits): string {
  const before = Math.max(one.before, other.before)
  const after = Math.max(one.after, other.after)
  return before + after <= MAX_PRECISION ? `numeric(${before + after},${after})` : 'numeric'
}

/** The most characters that a type holds; undefined for a type other than `varchar`. */
function lengthOf(type: string): number | undefined {
  const found = /^character varying(?:\((\d+)\))?$/.exec(type)
  if (found === null) return undefined
  return found[1] === undefined ? Infinity : Number(found[1])
}

/** Whether every value has the same text in a wider type. */
function keepsText(type: string, wider: string): boolean {
  if (bare(type) === bare(wider)) return true
  const [digits, more] = [digitsOf(type), digitsOf(wider)]
  if (digits !== undefined && more !== undefined) {
    return more.after === digits.after || more.after === Infinity
  }
  // A cast cuts the spaces that fill up a `character(n)`.
  return type === 'jsonb' || (isText(type) && !type.startsWith('character(') && isText(wider))
}

function isText(type: string): boolean {
  return type === 'text' || type.startsWith('character')
}

/**
 * SQL of a column's value in a wider type, as `widerType` gives it. A moment without a zone is one
 * in UTC, as the lake reads it.
 */
export function widened(column: string, { from, to }: { from: string; to: string }): string {
  if (to === 'timestamp with time zone') return `${column}::timestamp at time zone 'UTC'`
  // A cast would add the length of the mask, which the text of a host lacks.
  if (from === 'inet')
    return `case when masklen(${column}) = masklen(host(${column})::inet) then host(${column}) else ${column}::text end`
  // A cast would cut the spaces that fill up a `character(n)`.
  const padded = /^character\((\d+)\)$/.exec(from)
  if (padded) return `rpad(${column}::text, ${padded[1]})`
  return `${column}::${to}`
}
