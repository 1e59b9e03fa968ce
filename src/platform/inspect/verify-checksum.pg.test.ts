import { afterAll, beforeAll, expect, it } from 'vitest'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'
import { type DuckDb, openDuckDb } from '../io/duckdb.ts'
import { TEXT_SETTINGS } from '../io/session.ts'
import { checksumOf, readChecksum, rowHash } from './verify-checksum.ts'

const COLUMNS = [
  { name: 'a', type: 'VARCHAR' },
  { name: 'b', type: 'VARCHAR' },
]

let system: TestSystem
let db: DuckDb
beforeAll(async () => {
  system = await createSystem({ template: 'empty' })
  for (const [name, value] of Object.entries(TEXT_SETTINGS)) {
    await system.sql.query(`select set_config($1, $2, false)`, [name, value])
  }
  db = await openDuckDb({ scratchDir: system.folder })
})
afterAll(async () => {
  await db[Symbol.asyncDispose]()
  await system[Symbol.asyncDispose]()
})

/** The checksum of one row, which must be the same in both databases. */
async function sumOf(
  types: readonly { type: string; column: string }[],
  values: string,
): Promise<string> {
  const columns = types.map(({ type }, index) => ({ name: `c${index}`, type }))
  const names = columns.map(({ name }) => name).join(', ')
  const relation = `(values (${values})) as v (${names})`
  const cast = (name: string, index: number, type: string | undefined) =>
    `c${index}::${type ?? ''} as ${name}`
  const select = (kind: 'type' | 'column') =>
    `(select ${columns.map(({ name }, index) => cast(name, index, types[index]?.[kind])).join(', ')} from ${relation}) as w`
  const found = await readChecksum(system.sql, columns, select('column'))
  expect(await checksumOf(db, columns, select('type'))).toEqual(found)
  expect(found.rows).toBe(1n)
  return String(found.sum)
}

const TEXT = { type: 'VARCHAR', column: 'text' }

/** Pairs of texts that a careless separator would confuse. */
const ALIKE = [
  [`'a,b'`, `'c'`],
  [`'a'`, `'b,c'`],
  [`'a'`, `'b'`],
  [`'ab'`, `''`],
  [`'ab'`, `null`],
  [`null`, `'ab'`],
  [`''`, `'ab'`],
  [`null`, `null`],
  [`''`, `''`],
  [`''`, `null`],
  [`null`, `''`],
  [`'"'`, `'"'`],
  [`'""'`, `''`],
  [`'a","b'`, `'c'`],
  [`'a'`, `'b","c'`],
  [String.raw`'\'`, `'a'`],
  [String.raw`'\\'`, `'a'`],
  [String.raw`'\"'`, `'a'`],
  [`'(a'`, `')'`],
  [`' a'`, `'a '`],
  [`'a' || chr(9)`, `'b'`],
  [`'a' || chr(10)`, `'b'`],
  [`'a' || chr(11)`, `'b'`],
  [`'a' || chr(12)`, `'b'`],
  [`'a' || chr(13)`, `'b'`],
  [`'a' || chr(160)`, `'b'`],
  [`'ä'`, `'日本 語'`],
] as const

it('a checksum is the same in both databases, and differs between texts that look alike', async () => {
  const sums: string[] = []
  for (const [a, b] of ALIKE) sums.push(await sumOf([TEXT, TEXT], `${a}, ${b}`))
  expect(new Set(sums).size).toBe(ALIKE.length)
})

it.each([
  ['BOOLEAN', 'boolean', ['true', 'false', 'null']],
  ['SMALLINT', 'smallint', ['-32768', '0', 'null']],
  ['BIGINT', 'bigint', ['9223372036854775807', '-1']],
  ['DECIMAL(10,2)', 'numeric(10,2)', ['0', '-0.5', '12345678.9', 'null']],
  ['DECIMAL(38,0)', 'numeric(38,0)', ['99999999999999999999999999999999999999']],
  ['DATE', 'date', [`'2024-02-29'`, `'infinity'`, `'-infinity'`, `'12024-02-29'`, 'null']],
  [
    'TIMESTAMP',
    'timestamp',
    [
      `'2024-02-29 23:59:59'`,
      `'2024-02-29 00:00:00.000001'`,
      `'infinity'`,
      `'-infinity'`,
      `'0001-01-01'`,
      `'12024-02-29 01:02:03.4'`,
      'null',
    ],
  ],
  [
    'TIMESTAMPTZ',
    'timestamptz',
    [
      `'2024-02-29 23:59:59+02'`,
      `'2024-02-29 00:00:00.000001+00'`,
      `'infinity'`,
      `'-infinity'`,
      `'12024-02-29 01:02:03.4+00'`,
      'null',
    ],
  ],
  ['VARCHAR', 'interval', [`'1 day'`, `'02:00:00'`]],
])('a checksum of %s values is the same in both databases', async (type, column, values) => {
  const sums: string[] = []
  for (const value of values) sums.push(await sumOf([{ type, column }, TEXT], `${value}, 'x'`))
  expect(new Set(sums).size).toBe(values.length)
})

it('a checksum of years BC and of bytes is the same in both databases', async () => {
  await system.sql.query(`
    create table old as
    select '0044-03-15 BC'::date as d, '0044-03-15 12:00:00 BC'::timestamp as t,
        '0044-03-15 12:00:00+00 BC'::timestamptz as z, decode('00ff5c22', 'hex') as r,
        ''::bytea as e`)
  const columns = [
    { name: 'd', type: 'DATE' },
    { name: 't', type: 'TIMESTAMP' },
    { name: 'z', type: 'TIMESTAMPTZ' },
    { name: 'r', type: 'BLOB' },
    { name: 'e', type: 'BLOB' },
  ]
  const own = await checksumOf(
    db,
    columns,
    `(select '0044-03-15 (BC)'::date as d, '0044-03-15 (BC) 12:00:00'::timestamp as t,
        '0044-03-15 (BC) 12:00:00+00'::timestamptz as z, unhex('00ff5c22') as r, ''::blob as e)`,
  )
  expect(own).toEqual(await readChecksum(system.sql, columns, 'old'))
})

it('rowHash() differs if rows exchange values, for zeros with different signs, and for nulls', async () => {
  const sum = (rows: string) =>
    db.row<{ sum: string }>(
      `select sum(${rowHash(COLUMNS)})::varchar as sum from (values ${rows}) as v (a, b)`,
    )
  const sums = [
    await sum(`('a', 'b'), ('c', 'd')`),
    await sum(`('a', 'd'), ('c', 'b')`),
    await sum(`('b', 'a'), ('c', 'd')`),
    await sum(`('a', null), ('c', 'd')`),
    await sum(`(null, 'a'), ('c', 'd')`),
    await sum(`('', 'a'), ('c', 'd')`),
  ].map((row) => row.sum)
  expect(new Set(sums).size).toBe(sums.length)
  const zero = rowHash([{ name: 'x', type: 'DOUBLE' }])
  const { same } = await db.row<{ same: boolean }>(`
    select count(distinct ${zero}) = 1 as same from (values ('-0.0'::double), ('0.0'::double)) as v (x)`)
  expect(same).toBe(false)
})
