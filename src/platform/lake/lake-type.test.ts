import { tmpdir } from 'node:os'
import { describe, expect, it } from 'vitest'
import { openDuckDb } from '../io/duckdb.ts'
import { fileType, fileValue, lakeType, lakeValue, tryValueFrom } from './lake-type.ts'

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
    ['bytea', 'BLOB'],
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
    'time without time zone',
    'time(3) without time zone',
    'time with time zone',
    'uuid',
    'money',
    'inet',
    'xml',
    'bit(1)',
    '"TransactionType"',
    'public.integer',
    'my date',
    '"integer"',
  ])('keeps %s as the text that Postgres prints', (type) => {
    expect(lakeType(type)).toBe('VARCHAR')
  })
})

describe('lakeValue()', () => {
  it('quotes any name', () => {
    expect(lakeValue({ name: 'a"b', type: 'UUID' })).toBe('"a""b"::UUID')
    expect(lakeValue({ name: 'a"b', type: 'INTEGER' })).toBe('"a""b"')
  })
})

describe('fileType()', () => {
  it.each([
    ['TINYINT', 'SMALLINT'],
    ['UTINYINT', 'SMALLINT'],
    ['USMALLINT', 'INTEGER'],
    ['UINTEGER', 'BIGINT'],
    ['UBIGINT', 'DECIMAL(20,0)'],
    ['HUGEINT', 'DECIMAL(38,0)'],
  ])('holds %s in the next wider type, %s', (type, held) => {
    expect(fileType(type)).toBe(held)
  })

  it.each(['TIME', 'TIME WITH TIME ZONE', 'UUID', 'INTERVAL', 'TIMESTAMP_NS', 'UHUGEINT', 'JSON'])(
    'holds %s as text',
    (type) => {
      expect(fileType(type)).toBe('VARCHAR')
    },
  )

  it.each(['INTEGER[]', 'STRUCT(a TIME)', "ENUM('a', 'b')", 'MAP(VARCHAR, UUID)'])(
    'holds %s, which has parts, as text',
    (type) => {
      expect(fileType(type)).toBe('VARCHAR')
    },
  )
})

describe('fileValue()', () => {
  it.each([
    ['-1 day 02:03:00', '-1 days +02:03:00'],
    ['-14 months', '-1 years -2 mons'],
    ['1 year 1 month 1 day', '1 year 1 mon 1 day'],
    ['1 month -1 day', '1 mon -1 days'],
    ['-1 month 3 days 04:00:00', '-1 mons +3 days 04:00:00'],
    ['-21 months -1 day 00:00:01.5', '-1 years -9 mons -1 days +00:00:01.5'],
    ['-1 day -100:00:00.000001', '-1 days -100:00:00.000001'],
    ['0 days', '00:00:00'],
  ])('writes the interval %s as Postgres does, and reads it back', async (text, printed) => {
    await using db = await openDuckDb({ scratchDir: tmpdir() })
    const [found] = await db.rows<{ printed: string; same: boolean }>(`
      select printed, ${tryValueFrom('printed', { held: 'VARCHAR', type: 'INTERVAL' })}::varchar = i::varchar as same
      from (select i, ${fileValue('i', 'INTERVAL')} as printed from (select interval '${text}' as i))`)
    expect(found).toEqual({ printed, same: true })
  })
})
