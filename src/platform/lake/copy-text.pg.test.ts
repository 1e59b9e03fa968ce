import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createDatabase } from '../../../test/support/database.ts'
import { type DuckDb, openDuckDb } from '../io/duckdb.ts'
import { copyFromFile } from '../io/postgres-copy.ts'
import { writeCopyText } from './copy-text.ts'
import { writeParquet } from './parquet.ts'

async function withDuckDb<T>(work: (db: DuckDb) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-test-'))
  try {
    await using db = await openDuckDb({ scratchDir: folder })
    return await work(db)
  } finally {
    await rm(folder, { recursive: true })
  }
}

const HOSTILE = [
  `''`,
  `'\\N'`,
  `'\\.'`,
  `'a' || chr(9) || chr(10) || chr(13) || '\\'`,
  `'"'`,
  'null',
]

/**
 * A DuckDB expression, the Postgres type that takes it, and the text that Postgres must then print.
 */
const VALUES: readonly (readonly [duckDb: string, postgres: string, printed: string | null])[] = [
  [`''`, 'text', ''],
  [`'NULL'`, 'text', 'NULL'],
  [`null::varchar`, 'text', null],
  [`null::integer`, 'int', null],
  [`true`, 'boolean', 'true'],
  [`99999999.99::decimal(10, 2)`, 'numeric(10, 2)', '99999999.99'],
  [`-0.0::double`, 'float8', '-0'],
  [`'nan'::double`, 'float8', 'NaN'],
  [`'-inf'::float`, 'float4', '-Infinity'],
  [`unhex('005C0A')`, 'bytea', '\\x005c0a'],
  [`'23:59:59.999'::time`, 'time', '23:59:59.999'],
  [`'0044-03-15 (BC)'::date`, 'date', '0044-03-15 BC'],
  [`'infinity'::date`, 'date', 'infinity'],
  [`'-infinity'::timestamp`, 'timestamp', '-infinity'],
  [`'0044-03-15 (BC) 01:02:03.004'::timestamp`, 'timestamp', '0044-03-15 01:02:03.004 BC'],
  [`'2024-06-10 10:00:00.123456+00'::timestamptz`, 'timestamptz', '2024-06-10 10:00:00.123456+00'],
  [`'0a0b0c0d-0000-4000-8000-000000000000'::uuid`, 'uuid', '0a0b0c0d-0000-4000-8000-000000000000'],
  [`json('{"a": "x\\ny \\\\ z"}')`, 'jsonb', '{"a": "x\\ny \\\\ z"}'],
  [`'a\\b'::enum('a\\b', 'c')`, 'text', 'a\\b'],
]

it('writeCopyText() writes every value in the form that Postgres reads back exactly', async () => {
  await using database = await createDatabase({ template: 'empty' })
  const client = await database.client()
  await client.query(`set timezone = 'UTC'`)
  const columns = VALUES.map(([, type], index) => `c${index} ${type}`)
  await client.query(`create table t (${columns.join(', ')})`)
  await withDuckDb(async (db) => {
    const parquet = join(db.scratchDir, 'values.parquet')
    const selected = VALUES.map(([expression], index) => `${expression} as c${index}`)
    await writeParquet(
      db,
      `select ${selected.join(', ')}, 'insert' as _operation, 1 as _ordinal`,
      parquet,
    )
    const text = await writeCopyText(db, parquet)
    expect(text.columns).toEqual(VALUES.map((_, index) => `c${index}`))
    expect(await copyFromFile(client, `t (${text.columns.join(', ')})`, text.path)).toBe(1)
  })
  const printed = VALUES.map((_, index) => `c${index}::text as c${index}`)
  const { rows } = await client.query(`select ${printed.join(', ')} from t`)
  expect(rows).toEqual([Object.fromEntries(VALUES.map(([, , text], index) => [`c${index}`, text]))])
})

it('writeCopyText() keeps hostile texts in one column apart, also in a table with one column', async () => {
  await using database = await createDatabase({ template: 'empty' })
  const client = await database.client()
  await client.query(`create table t (c text)`)
  await withDuckDb(async (db) => {
    const parquet = join(db.scratchDir, 'values.parquet')
    const rows = HOSTILE.map((value) => `select ${value} as c`)
    await writeParquet(db, rows.join(' union all '), parquet)
    const { path } = await writeCopyText(db, parquet)
    expect(await copyFromFile(client, 't (c)', path)).toBe(HOSTILE.length)
  })
  const { rows } = await client.query<{ c: string | null }>(`select c from t order by ctid`)
  expect(rows.map(({ c }) => c)).toEqual(['', '\\N', '\\.', 'a\t\n\r\\', '"', null])
})
