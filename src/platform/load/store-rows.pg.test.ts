import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createDatabase } from '../../../test/support/database.ts'
import { type DuckDb, openDuckDb } from '../io/duckdb.ts'
import type { Client } from '../io/postgres.ts'
import { duckLiteral } from '../io/sql.ts'
import { writeParquet } from '../lake/parquet.ts'
import { storeRows, planCopy } from './store-rows.ts'

/** A DuckDB and an empty Postgres database whose settings are those of a load. */
async function withBoth(work: (db: DuckDb, client: Client) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-test-'))
  try {
    await using database = await createDatabase({ template: 'empty' })
    const client = await database.client()
    await client.query(`set timezone = 'UTC'; set extra_float_digits = 3`)
    await using db = await openDuckDb({ scratchDir: folder })
    await work(db, client)
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Copies a select of DuckDB into table `t` by way of a change file; how many rows were stored. */
async function copy(db: DuckDb, client: Client, select: string): Promise<number> {
  const parquet = join(db.scratchDir, `${randomUUID()}.parquet`)
  await writeParquet(
    db,
    `select *, 'insert' as _operation, 1 as _ordinal from (${select})`,
    parquet,
    [],
  )
  const transfer = { client, db }
  return await storeRows(transfer, await planCopy(transfer, 't', [parquet]), 't')
}

/**
 * A DuckDB expression, the Postgres type that takes it, and the text that Postgres must then print.
 */
const VALUES: readonly (readonly [duckDb: string, postgres: string, printed: string | null])[] = [
  [`''`, 'text', ''],
  [`'NULL'`, 'text', 'NULL'],
  [`'zwölf € 🜁'`, 'varchar(20)', 'zwölf € 🜁'],
  [`null::varchar`, 'text', null],
  [`null::integer`, 'int', null],
  [`null::date`, 'date', null],
  [`null::timestamptz`, 'timestamptz', null],
  [`null::varchar`, 'time', null],
  [`true`, 'boolean', 'true'],
  [`false`, 'boolean', 'false'],
  [`(-32768)::smallint`, 'smallint', '-32768'],
  [`(-32768)::smallint`, 'bigint', '-32768'],
  [`2147483647`, 'int', '2147483647'],
  [`2147483647`, 'bigint', '2147483647'],
  [`(-9223372036854775808)::bigint`, 'bigint', '-9223372036854775808'],
  [`12::bigint`, 'smallint', '12'],
  [`12`, 'numeric', '12'],
  [`99999999.99::decimal(10, 2)`, 'numeric(10, 2)', '99999999.99'],
  [`-0.0000001::decimal(38, 10)`, 'numeric', '-0.0000001000'],
  [`-0.0::double`, 'float8', '-0'],
  [`0.1::float`, 'float8', '0.10000000149011612'],
  [`1e15::double`, 'text', '1e+15'],
  [`'nan'::double`, 'float8', 'NaN'],
  [`0.1::double`, 'float8', '0.1'],
  [`'-inf'::float`, 'float4', '-Infinity'],
  [`unhex('005C0A')`, 'bytea', '\\x005c0a'],
  [`unhex('')`, 'bytea', '\\x'],
  [`'23:59:59.999'::time`, 'time', '23:59:59.999'],
  [`'24:00:00'::time`, 'time', '24:00:00'],
  [`'00:00:00.000001'::time`, 'time', '00:00:00.000001'],
  [`'1999-12-31'::date`, 'date', '1999-12-31'],
  [`'9999-12-31'::date`, 'date', '9999-12-31'],
  [`'0044-03-15 (BC)'::date`, 'date', '0044-03-15 BC'],
  [`'infinity'::date`, 'date', 'infinity'],
  [`'-infinity'::date`, 'date', '-infinity'],
  [`'infinity'::timestamptz`, 'timestamptz', 'infinity'],
  [`'-infinity'::timestamp`, 'timestamp', '-infinity'],
  [`'0044-03-15 (BC) 01:02:03.004'::timestamp`, 'timestamp', '0044-03-15 01:02:03.004 BC'],
  [`'2024-06-10 10:00:00.123456+00'::timestamptz`, 'timestamptz', '2024-06-10 10:00:00.123456+00'],
  [`'1969-12-31 23:59:59.999999'::timestamp`, 'timestamp', '1969-12-31 23:59:59.999999'],
  [`'0a0b0c0d-0000-4000-8000-000000000000'::uuid`, 'uuid', '0a0b0c0d-0000-4000-8000-000000000000'],
  [`json('{"a": "x\\ny \\\\ z"}')`, 'jsonb', '{"a": "x\\ny \\\\ z"}'],
  [`'a\\b'::enum('a\\b', 'c')`, 'text', 'a\\b'],
  [`'calm'`, 'mood', 'calm'],
  [`7`, 'small_whole', '7'],
  [`'ab'`, 'char(4)', 'ab'],
  [`'{abc,de}'`, 'char(3)[]', '{abc,"de "}'],
  [`'101'`, 'bit(3)', '101'],
  [`7`, 'integer generated always as identity', '7'],
  [`'2024-01-01'::date`, 'text', '2024-01-01'],
  [`'0044-03-15 (BC) 01:02:03'::timestamp`, 'text', '0044-03-15 01:02:03 BC'],
]

const TYPES = `
  create type mood as enum ('calm', 'wild');
  create domain small_whole as integer check (value < 10);`

it('storeRows() stores every value as Postgres reads its text, in one table and in many', async () => {
  await withBoth(async (db, client) => {
    await client.query(TYPES)
    const stored = async (values: typeof VALUES): Promise<(string | null)[]> => {
      const columns = values.map(([, type], index) => `c${index} ${type}`)
      await client.query(`drop table if exists t; create table t (${columns.join(', ')})`)
      const selected = values.map(([expression], index) => `${expression} as c${index}`)
      expect(await copy(db, client, `select ${selected.join(', ')}`)).toBe(1)
      const printed = values.map((_, index) => `c${index}::text as c${index}`)
      const { rows } = await client.query<Record<string, string | null>>(
        `select ${printed.join(', ')} from t`,
      )
      return values.map((_, index) => rows[0]?.[`c${index}`] ?? null)
    }
    const printed = VALUES.map(([, , text]) => text)
    // Together some values go as text, and so all go into a table of their own first.
    expect(await stored(VALUES)).toEqual(printed)
    const alone: (string | null)[] = []
    for (const value of VALUES) alone.push(...(await stored([value])))
    expect(alone).toEqual(printed)
    const { rowCount } = await client.query(
      `select 1 from pg_class where relname like 'incoming%' and relkind = 'r'`,
    )
    expect(rowCount).toBe(0)
  })
})

/** Whole numbers with up to 38 digits, and where their point is. */
const decimals = fc
  .record({
    digits: fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }),
    scale: fc.nat(38),
  })
  .map(({ digits, scale }) => {
    const unsigned = `${digits < 0n ? -digits : digits}`.padStart(scale + 1, '0')
    const whole = unsigned.slice(0, unsigned.length - scale)
    const fraction = scale === 0 ? '' : `.${unsigned.slice(-scale)}`
    return { text: `${digits < 0n ? '-' : ''}${whole}${fraction}`, scale }
  })

it('storeRows() stores decimals of any size and scale exactly', async () => {
  await withBoth(async (db, client) => {
    await client.query('create table t (id integer, n numeric)')
    await fc.assert(
      fc.asyncProperty(fc.array(decimals, { minLength: 1, maxLength: 40 }), async (found) => {
        for (const [id, { text, scale }] of found.entries()) {
          await copy(db, client, `select ${id} as id, '${text}'::decimal(38, ${scale}) as n`)
        }
        const { rows } = await client.query<{ n: string }>('select n::text as n from t order by id')
        expect(rows.map(({ n }) => n)).toEqual(found.map(({ text }) => text))
        await client.query('truncate t')
      }),
      { numRuns: 8 },
    )
  })
})

it('storeRows() keeps odd texts apart, in order, in a table with one column', async () => {
  const texts = [
    '',
    '\\N',
    '\\.',
    'a\t\n\r\\',
    '"',
    'x'.repeat(9_000_000),
    '\ufeff',
    '🜁'.repeat(70_000),
  ]
  await withBoth(async (db, client) => {
    await client.query('create table t (c text)')
    const rows = texts.map((text) => `select ${duckLiteral(text)} as c`)
    const select = `${rows.join(' union all ')} union all select null`
    expect(await copy(db, client, select)).toBe(texts.length + 1)
    const { rows: found } = await client.query<{ c: string | null }>(
      'select c from t order by ctid',
    )
    const brief = (text: string | null) => text && `${text.length} ${text.slice(0, 20)}`
    expect(found.map(({ c }) => brief(c))).toEqual([...texts, null].map(brief))
    expect(found.map(({ c }) => c)).toStrictEqual([...texts, null])
  })
})

it('storeRows() stores many rows in order, and none of an empty file', async () => {
  await withBoth(async (db, client) => {
    await client.query('create table t (id bigint, half float8)')
    const select = 'select range as id, range / 2 as half from range(100000)'
    expect(await copy(db, client, `${select} where false`)).toBe(0)
    expect(await copy(db, client, select)).toBe(100_000)
    const { rows } = await client.query(`
      select count(*)::int as rows, count(*) filter (where half = id / 2.0)::int as halves,
        count(*) filter (where id = position)::int as "inOrder"
      from (select *, row_number() over (order by ctid) - 1 as position from t) as numbered`)
    expect(rows).toEqual([{ rows: 100_000, halves: 100_000, inOrder: 100_000 }])
  })
})

it.each([
  ['10:00', '10:00:00'],
  ['4:05 PM', '16:05:00'],
  ['04:05:06.7890', '04:05:06.789'],
])(
  'storeRows() reads a time that DuckDB would write otherwise as Postgres does: %s',
  async (text, printed) => {
    await withBoth(async (db, client) => {
      await client.query('create table t (c time)')
      expect(await copy(db, client, `select '${text}' as c union all select '01:02:03'`)).toBe(2)
      const { rows } = await client.query<{ c: string }>(
        'select c::text as c from t order by 1 desc',
      )
      expect(rows.map(({ c }) => c)).toEqual([printed, '01:02:03'])
    })
  },
)

it.each([
  { type: 'smallint', value: '32768', code: '22003' },
  { type: 'varchar(3)', value: `'four'`, code: '22001' },
  { type: 'numeric(4, 2)', value: '100.00::decimal(10, 2)', code: '22003' },
  { type: 'small_whole', value: '10', code: '23514' },
  { type: 'mood', value: `'angry'`, code: '22P02' },
  { type: 'bit(1)', value: `'101'`, code: '22026' },
  { type: 'char(3)[]', value: `'{four}'`, code: '22001' },
  { type: 'text', value: 'chr(0)', code: '22021' },
  { type: 'integer not null', value: 'null::integer', code: '23502' },
])(
  'storeRows() passes on what Postgres says of $value for $type, and the connection goes on',
  async ({ type, value, code }) => {
    await withBoth(async (db, client) => {
      await client.query(`${TYPES} create table t (c ${type}); begin; savepoint before`)
      await expect(copy(db, client, `select ${value} as c`)).rejects.toMatchObject({ code })
      await client.query('rollback to savepoint before')
      expect((await client.query('select c from t')).rows).toEqual([])
    })
  },
)

it('storeRows() leaves the connection usable if the file cannot be read to its end', async () => {
  await withBoth(async (db, client) => {
    await client.query('create table t (id bigint); begin; savepoint before')
    const select = 'select range as id from range(100000)'
    const parquet = join(db.scratchDir, 'rows.parquet')
    await writeParquet(db, select, parquet, [])
    const transfer = { client, db }
    const plan = await planCopy(transfer, 't', [parquet])
    // At once, and after most rows were sent.
    for (const failing of ['true', 'id = 99000']) {
      const broken = {
        ...plan,
        select: `select case when ${failing} then error('gone')::bigint else id end from (${select})`,
      }
      await expect(storeRows(transfer, broken, 't')).rejects.toThrow('Invalid Input Error')
      await client.query('rollback to savepoint before')
      expect(db.isClean()).toBe(false)
    }
    expect(await storeRows(transfer, plan, 't')).toBe(100_000)
  })
})
