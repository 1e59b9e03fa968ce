import { describe, expect, it } from 'vitest'
import { lakeType, lakeValue } from './lake-type.ts'

describe('lakeType()', () => {
  it.each([
    ['smallint', 'SMALLINT'],
    ['integer', 'INTEGER'],
    ['bigint', 'BIGINT'],
    ['boolean', 'BOOLEAN'],
    ['real', 'FLOAT'],
    ['double precision', 'DOUBLE'],
    ['date', 'DATE'],
    ['timestamp without time zone', 'TIMESTAMP'],
    ['timestamp(3) without time zone', 'TIMESTAMP'],
    ['timestamp with time zone', 'TIMESTAMPTZ'],
    ['timestamp(0) with time zone', 'TIMESTAMPTZ'],
    ['time without time zone', 'TIME'],
    ['time(3) without time zone', 'TIME'],
    ['bytea', 'BLOB'],
    ['uuid', 'UUID'],
    ['numeric(10,2)', 'DECIMAL(10,2)'],
    ['numeric(38,38)', 'DECIMAL(38,38)'],
    ['numeric(5,0)', 'DECIMAL(5,0)'],
  ])('holds %s as %s', (type, expected) => {
    expect(lakeType(type)).toBe(expected)
  })

  it.each([
    'numeric',
    'numeric(39,2)',
    'numeric(2,5)',
    'numeric(5,-2)',
    'text',
    'character varying(3)',
    'character(5)',
    'json',
    'jsonb',
    'integer[]',
    'bytea[]',
    'interval',
    'time with time zone',
    'money',
    'inet',
    'xml',
    'bit(1)',
    '"TransactionType"',
    'public.integer',
    'my date',
    '"integer"',
  ])('keeps %s as the text Postgres prints', (type) => {
    expect(lakeType(type)).toBe('VARCHAR')
  })
})

describe('lakeValue()', () => {
  it('quotes any name', () => {
    expect(lakeValue({ name: 'a"b', type: 'UUID' })).toBe('"a""b"::UUID')
    expect(lakeValue({ name: 'a"b', type: 'INTEGER' })).toBe('"a""b"')
  })
})
