import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createDatabase } from '../../../test/support/database.ts'
import { openDuckDb } from '../io/duckdb.ts'
import { duckLiteral } from '../io/sql.ts'
import { isReadAsNumber, lakeType, lakeValue } from './lake-type.ts'
import { printedText } from './printed-text.ts'

/** Numbers on both sides of the limits from which an exponent is printed. */
const LIMITS = ['1e-4', '1e-5', '1e6', '999999', '1e15', '999999999999999', '1e16', '1.5e16']
const ODD = ['0', '-0', 'NaN', 'Infinity', '-Infinity', '0.1', '1234567', '16777216', '3.4e9']

/** Postgres types, with texts that they read. */
const VALUES: readonly (readonly [type: string, values: readonly string[]])[] = [
  ['double precision', [...LIMITS, ...ODD, '5e-324', '1.7976931348623157e308', '1234567890123456']],
  ['double precision', fc.sample(fc.integer(), 1000).map((n) => String(n / 100))],
  ['double precision', fc.sample(fc.maxSafeInteger(), 1000).map(String)],
  ['real', [...LIMITS, ...ODD, '3.4028235e38', '123456', '0.000123', '2e9']],
  ['real', fc.sample(fc.integer({ min: -99_999, max: 99_999 }), 1000).map((n) => String(n / 100))],
  ['bytea', ['\\x', '\\x00ff', '\\xabcdef']],
  ['numeric(12,4)', ['0', '0.1', '-0.0001', '99999999.9999']],
  ['bigint', ['0', '-1', '9223372036854775807']],
  ['date', ['0044-03-15 BC', '2024-02-29', 'infinity', '-infinity']],
  ['timestamp without time zone', ['0044-03-15 12:30:00.5 BC', '2024-02-29 01:02:03', 'infinity']],
  ['timestamp with time zone', ['0044-03-15 12:30:00.5+00 BC', '2024-02-29 01:02:03.000001+00']],
]

/** The texts that both databases print for some values of a type. */
async function printBoth(
  type: string,
  values: readonly string[],
): Promise<Record<'postgres' | 'duckdb' | 'held', string[]>> {
  await using database = await createDatabase({ template: 'empty' })
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-printed-'))
  try {
    await using db = await openDuckDb({ scratchDir: folder })
    await database.query(`set timezone = 'UTC'`)
    const printed = await database.query<{ text: string }>(
      `select v::${type}::text as text from unnest($1::text[]) with ordinality as u (v, n) order by n`,
      [values],
    )
    const held = lakeType(type)
    const value = lakeValue({ name: 'value', type: held })
    // As a line of COPY's text has it.
    const list = values.map((each) => duckLiteral(each.replace('\\', '\\\\'))).join(', ')
    const rows = await db.rows<{ text: string }>(
      `select ${printedText('value', held)} as text from (
         select ${isReadAsNumber(held) ? `value::${held}` : value} as value
         from (select unnest([${list}]) as value)
       )`,
    )
    return {
      held: [held],
      postgres: printed.map(({ text }) => text),
      duckdb: rows.map(({ text }) => text),
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

it.each(VALUES)('printedText() of a %s is the text of Postgres', async (type, values) => {
  const { postgres, duckdb } = await printBoth(type, values)
  expect(duckdb).toEqual(postgres)
})

it.each([
  ['double precision', fc.sample(fc.double(), 3000)],
  ['real', fc.sample(fc.float(), 3000).map(Math.fround)],
] as const)('printedText() of any %s names the same float', async (type, values) => {
  const { postgres, duckdb } = await printBoth(type, values.map(String))
  const read = (text: string) => (type === 'real' ? Math.fround(Number(text)) : Number(text))
  expect(duckdb.map(read)).toEqual(postgres.map(read))
})
