import { expect, it } from 'vitest'
import { warehouseType, warehouseTypeOf, widened, widerType } from './warehouse-type.ts'

it.each([
  ['integer', 'integer'],
  ['character varying(20)', 'character varying(20)'],
  ['numeric(10,2)', 'numeric(10,2)'],
  ['numeric(2,-3)', 'numeric'],
  ['numeric', 'numeric'],
  ['timestamp(3) with time zone', 'timestamp(3) with time zone'],
  ['interval day to second(3)', 'interval'],
  ['jsonb', 'jsonb'],
  ['uuid[]', 'uuid[]'],
  ['daterange', 'daterange'],
  ['mood', 'text'],
  ['mood[]', 'text'],
  ['money', 'text'],
  ['public.citext', 'text'],
  ['regclass', 'text'],
])('warehouseType() keeps %s as %s', (source, kept) => {
  expect(warehouseType(source)).toBe(kept)
})

it.each([
  ['DECIMAL(12,3)', 'numeric(12,3)'],
  ['HUGEINT', 'numeric(38,0)'],
  ['TIMESTAMPTZ', 'timestamp with time zone'],
  ['INTEGER[]', 'text'],
])('warehouseTypeOf() keeps what a model makes of the type %s as %s', (made, kept) => {
  expect(warehouseTypeOf(made)).toBe(kept)
})

it.each([
  ['integer', 'integer', 'integer'],
  ['integer', 'bigint', 'bigint'],
  ['smallint', 'numeric(5,0)', 'numeric(5,0)'],
  ['integer', 'numeric(5,2)', 'numeric(12,2)'],
  ['numeric(10,2)', 'numeric(8,4)', 'numeric(12,4)'],
  ['bigint', 'numeric', 'numeric'],
  ['numeric(1000,2)', 'numeric(1000,998)', 'numeric'],
  ['character varying(20)', 'character varying(5)', 'character varying(20)'],
  ['character varying(20)', 'character varying', 'character varying'],
  ['character varying(20)', 'text', 'text'],
  ['character(5)', 'character(6)', 'text'],
  ['real', 'double precision', 'double precision'],
  ['bigint', 'double precision', 'text'],
  ['date', 'timestamp(3) without time zone', 'timestamp without time zone'],
  ['timestamp without time zone', 'timestamp with time zone', 'timestamp with time zone'],
  ['time(0) without time zone', 'time(6) without time zone', 'time without time zone'],
  ['jsonb', 'json', 'json'],
  ['integer[]', 'bigint[]', 'bigint[]'],
  ['integer[]', 'text[]', 'text'],
  ['character varying(3)[]', 'text[]', 'text[]'],
  ['numeric(10,2)[]', 'numeric(12,2)[]', 'numeric(12,2)[]'],
  ['numeric(10,2)[]', 'numeric(12,4)[]', 'text'],
  ['date[]', 'timestamp without time zone[]', 'text'],
  ['real[]', 'double precision[]', 'text'],
  ['character(3)[]', 'text[]', 'text'],
  ['boolean', 'integer', 'text'],
  ['uuid', 'text', 'text'],
])('widerType() holds %s and %s in %s', (one, other, wider) => {
  expect(widerType(one, other)).toBe(wider)
  expect(widerType(other, one)).toBe(wider)
})

it('widened() keeps the spaces of a character(n), and reads a moment without a zone in UTC', () => {
  expect(widened('"c"', { from: 'character(5)', to: 'text' })).toBe('rpad("c"::text, 5)')
  expect(widened('"c"', { from: 'date', to: 'timestamp with time zone' })).toBe(
    `"c"::timestamp at time zone 'UTC'`,
  )
  expect(widened('"c"', { from: 'integer', to: 'bigint' })).toBe('"c"::bigint')
})
