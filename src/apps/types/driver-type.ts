/** A value of an `interval`, as the driver returns it. Printed where a column has one. */
export const INTERVAL = `/** A length of time, as the driver returns it. A part that is zero is missing. */
export interface Interval {
  years?: number
  months?: number
  days?: number
  hours?: number
  minutes?: number
  seconds?: number
  milliseconds?: number
  toPostgres(): string
  toISOString(): string
}`

/** What the driver makes of values; of every other type, it returns the text. */
const VALUES: Readonly<Record<string, string>> = {
  smallint: 'number',
  integer: 'number',
  oid: 'number',
  real: 'number',
  'double precision': 'number',
  boolean: 'boolean',
  date: 'Date',
  'timestamp without time zone': 'Date',
  'timestamp with time zone': 'Date',
  interval: 'Interval',
  bytea: 'Buffer',
  json: 'unknown',
  jsonb: 'unknown',
  point: '{ x: number; y: number }',
  circle: '{ x: number; y: number; radius: number }',
}

/** The types of text of which the driver parses arrays. */
const TEXTS = new Set([
  'bigint',
  'character',
  'character varying',
  'text',
  'uuid',
  'inet',
  'cidr',
  'macaddr',
  'money',
  'numrange',
  'time without time zone',
  'time with time zone',
])

/**
 * The TypeScript type in which `pg`, with the parsers that it brings, returns the values of a type, as
 * `format_type` prints it. An array may hold nulls, and its dimensions are not known. Pure.
 */
export function driverType(type: string): string {
  const isArray = type.endsWith('[]')
  const item = type
    .replace(/\[\]$/, '')
    .replace(/\([\d,-]+\)/, '')
    .replace(/^interval .*/, 'interval')
  if (!isArray) return VALUES[item] ?? 'string'
  // The driver turns arrays of decimals into numbers, and does not know arrays of circles.
  if (item === 'numeric') return '(number | null)[]'
  if (item === 'circle') return 'string'
  const value = VALUES[item] ?? (TEXTS.has(item) ? 'string' : undefined)
  if (value === undefined) return 'string'
  return value === 'unknown' ? 'unknown[]' : `(${value} | null)[]`
}
