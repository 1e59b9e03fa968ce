import { afterAll, beforeAll, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { driverType } from './driver-type.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createDatabase({ template: 'empty' })
})
afterAll(() => database.drop())

/** A value of each type, as SQL writes it. */
const VALUES: Readonly<Record<string, string>> = {
  smallint: '1',
  integer: '1',
  bigint: '9007199254740993',
  oid: '1',
  boolean: 'true',
  real: '1.5',
  'double precision': '1.5',
  numeric: '1.10',
  'numeric(10,2)': '1.10',
  text: 'a',
  'character(3)': 'a',
  'character varying(9)': 'a',
  uuid: '00000000-0000-4000-8000-000000000001',
  bytea: '\\x01',
  date: '2026-11-01',
  'timestamp without time zone': '2026-11-01 12:00',
  'timestamp(3) with time zone': '2026-11-01 12:00+00',
  'time without time zone': '12:00',
  'time(3) with time zone': '12:00+00',
  interval: '1 day 02:00',
  'interval day to second': '1 day 02:00',
  json: '{"a":1}',
  jsonb: '{"a":1}',
  inet: '10.0.0.1',
  cidr: '10.0.0.0/8',
  macaddr: '08:00:2b:01:02:03',
  macaddr8: '08:00:2b:01:02:03:04:05',
  point: '(1,2)',
  circle: '<(1,2),3>',
  box: '(1,2),(0,0)',
  int4range: '[1,2)',
  int8range: '[1,2)',
  numrange: '[1,2)',
  tstzrange: '[,)',
  'bit(3)': '101',
  'bit varying(3)': '101',
  tsvector: 'a',
  money: '1',
  int4multirange: '{[1,2)}',
}

/** The type of a value, written as TypeScript does. */
function typeOf(value: unknown): string {
  if (value instanceof Date) return 'Date'
  if (Buffer.isBuffer(value)) return 'Buffer'
  if (Array.isArray(value)) {
    const item = typeOf(value[0])
    return item === 'unknown' ? 'unknown[]' : `(${item}${value.at(-1) === null ? ' | null' : ''})[]`
  }
  if (typeof value !== 'object' || value === null) return typeof value
  if ('a' in value) return 'unknown'
  if ('radius' in value) return '{ x: number; y: number; radius: number }'
  if ('x' in value) return '{ x: number; y: number }'
  return 'toPostgres' in value ? 'Interval' : 'object'
}

it.each(Object.entries(VALUES))('the driver returns %s as it is typed', async (type, written) => {
  const literal = written.replaceAll("'", "''")
  const rows = await database.query<{ value: unknown; list: unknown }>(
    `select '${literal}'::${type} as value, array['${literal}'::${type}, null] as list`,
  )
  expect(typeOf(rows[0]?.value)).toBe(driverType(type))
  expect(typeOf(rows[0]?.list)).toBe(driverType(`${type}[]`))
})
