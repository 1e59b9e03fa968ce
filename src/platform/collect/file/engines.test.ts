import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FeedFiles, openFeedFiles } from '../../../../test/support/feed-files.ts'
import type { LakeTable } from '../../lake/table-state.ts'

/** The feed of rates whose files engines and spreadsheets write in these tests. */
const rates: LakeTable = {
  name: 'rate',
  key: ['base', 'quote', 'rate_date'],
  columns: [
    { name: 'base', type: 'VARCHAR' },
    { name: 'quote', type: 'VARCHAR' },
    { name: 'rate_date', type: 'DATE' },
    { name: 'rate', type: 'DECIMAL(20,10)' },
    { name: 'source', type: 'VARCHAR' },
    { name: 'seal', type: 'BLOB' },
  ],
}

let feed: FeedFiles

beforeAll(async () => {
  feed = await openFeedFiles()
})

afterAll(() => feed[Symbol.asyncDispose]())

/**
 * Rows as text without the empty columns at their end, and reason and column of refused lines by
 * their number.
 */
async function read(
  name: string,
  path: string,
  given: Readonly<Record<string, string | null>> = {},
): Promise<{ rows: (string | null)[][]; refused: string[] }> {
  const found = await feed.read(rates, { name, path, given })
  const rows = await feed.take<Record<string, string | null>>(
    found.files,
    `base, quote, rate_date::varchar as rate_date, rate::varchar as rate, source, hex(seal) as seal`,
  )
  const refused = await feed.take<Record<string, string>>(
    found.refused,
    `_content ->> '$._line' as line, _reason, _column`,
  )
  return {
    rows: rows.map((row) => Object.values(row)),
    refused: refused.map((row) => {
      return `${row['line']} ${row['_reason']} ${row['_column'] ?? ''}`.trimEnd()
    }),
  }
}

async function readText(name: string, content: string | Buffer) {
  return await read(name, await feed.write('text', content))
}

/** A Parquet file with the rows of a select, whose text is bytes wherever it is cast to a blob. */
async function readParquet(select: string, patch?: (file: Buffer) => Buffer) {
  const path = await feed.writeParquet('some.parquet', select)
  if (patch !== undefined) await writeFile(path, patch(await readFile(path)))
  return await read('some.parquet', path)
}

const sample = (name: string): string => new URL(`./samples/${name}`, import.meta.url).pathname

const RATE = `'USD' as base, 'GBP' as quote, date '2024-01-02' as rate_date, 0.5 as rate`

describe('readFeedFile() with Parquet from other engines', () => {
  it('I6 reads bytes without an annotation as text, which old Spark, Hive and Impala write', async () => {
    const { rows, refused } = await read('a.parquet', sample('text-without-annotation.parquet'))
    expect(rows).toEqual([['USD', 'GBP', '2024-02-02', '0.5000000000', 'Bank of Leeds', null]])
    expect(refused).toEqual([])
  })

  it('I6 reads such bytes in every column (keys, numbers and days too) and in a dictionary', async () => {
    const { rows, refused } = await readParquet(`
      select 'USD'::blob as base, encode('ÄÖ' || (i % 2)) as quote, encode((date '2024-01-01' + (i // 2)::integer)::varchar) as rate_date,
          '0.25'::blob as rate, encode('Bänk') as source, '\\x00\\xFF'::blob as seal
      from range(2000) as r (i)`)
    expect(refused).toEqual([])
    expect(rows.length).toBe(2000)
    expect(rows[1]).toEqual(['USD', 'ÄÖ1', '2024-01-01', '0.2500000000', 'Bänk', '00FF'])
  })

  it('I6 I15 refuses only the row whose bytes are not UTF-8, and never writes escapes', async () => {
    const { rows, refused } = await readParquet(`
      select ${RATE}, encode('Bank') as source
      union all select 'EUR', 'GBP', date '2024-01-02', 0.5, '\\xC3\\x28'::blob
      union all select 'CHF', 'GBP', date '2024-01-02', 0.5, '\\x00'::blob
      union all select 'JPY', 'GBP', date '2024-01-02', 0.5, null`)
    expect(rows.map(([base, , , , source]) => [base, source])).toEqual([
      ['USD', 'Bank'],
      ['JPY', null],
    ])
    expect(refused).toEqual(['2 not_text', '3 value_not_exact source'])
  })

  it('I6 reads bytes of a fixed length as text, and refuses the bytes of an unmarked UUID', async () => {
    // DuckDB marks a UUID. Without the mark, its sixteen bytes may be anything.
    const withoutMark = (file: Buffer): Buffer => {
      const mark = Buffer.from([0x6c, 0xec, 0, 0, 0])
      const at = file.lastIndexOf(mark)
      expect(at).toBeGreaterThan(0)
      const bare = Buffer.concat([file.subarray(0, at), file.subarray(at + 4)])
      bare.writeUInt32LE(file.readUInt32LE(file.length - 8) - 4, bare.length - 8)
      return bare
    }
    // `Bank of Leeds 01`, and a UUID that is not text.
    const select = (code: string) => `select ${RATE}, uuid '${code}' as source`
    const text = '42616e6b-206f-6620-4c65-656473203031'
    expect((await readParquet(select(text))).rows[0]?.[4]).toBe(text)
    expect((await readParquet(select(text), withoutMark)).rows[0]?.[4]).toBe('Bank of Leeds 01')
    const other = '8a7f9b1c-0000-4000-8000-ffffffffffff'
    expect(await readParquet(select(other), withoutMark)).toEqual({
      rows: [],
      refused: ['1 not_text'],
    })
  })

  it('reads JSON and enums as text, and refuses bytes inside lists and structs', async () => {
    const json = await readParquet(`select ${RATE}, '{"a":1}'::json as source`)
    expect(json.rows[0]?.[4]).toBe('{"a":1}')
    const label = await readParquet(`select ${RATE}, 'Bank'::enum ('Bank', 'Post') as source`)
    expect(label.rows[0]?.[4]).toBe('Bank')
    for (const nested of [`[encode('Bänk')]`, `{a: encode('Bänk')}`]) {
      const { rows, refused } = await readParquet(
        `select ${RATE}, ${nested} as source union all select 'EUR', 'GBP', date '2024-01-02', 0.5, null`,
      )
      expect(rows.map(([base]) => base)).toEqual(['EUR'])
      expect(refused).toEqual(['1 not_text'])
    }
  })

  it('I6 reads a timestamp at midnight without a zone as its day, from pandas and from Spark (INT96)', async () => {
    for (const [name, source] of [
      ['pandas-midnight.parquet', 'p01'],
      ['int96-midnight.parquet', 'p04'],
    ] as const) {
      const { rows, refused } = await read(name, sample(name))
      expect(rows, name).toEqual([['USD', 'GBP', '2024-01-02', '0.7912000000', source, null]])
      expect(refused).toEqual([])
    }
  })

  it('I6 accepts midnight in any precision, and refuses other times, moments and bare numbers', async () => {
    const of = async (value: string) =>
      await readParquet(`select ${RATE.replace(/date '[^']*'/, value)}`)
    for (const type of ['timestamp', 'timestamp_s', 'timestamp_ms', 'timestamp_ns']) {
      const { rows } = await of(`'2024-01-02 00:00:00'::${type}`)
      expect(rows[0]?.[2], type).toBe('2024-01-02')
    }
    for (const value of [
      `'2024-01-02 00:00:00.000000001'::timestamp_ns`,
      `'2024-01-02 10:00:00'::timestamp`,
      `'2024-01-02 00:00:00+00'::timestamptz`,
      '19724::integer',
      '1704153600000::bigint',
    ]) {
      expect(await of(value), value).toEqual({ rows: [], refused: ['1 value_not_exact rate_date'] })
    }
  })
})

describe('readFeedFile() with days written as timestamps', () => {
  const cases: [string, boolean][] = [
    ['2024-01-02', true],
    ['2024-01-02T00:00:00', true],
    ['2024-01-02 00:00:00.000', true],
    ['2024-01-02 00:00:00.000000000', true],
    ['2024-01-02T00:00:00Z', false],
    ['2024-01-02T00:00:00+00:00', false],
    ['2024-01-02T00:00:00.001', false],
    ['2024-01-02T12:00:00', false],
    ['2024-02-30T00:00:00', false],
    ['2024-01-02T', false],
    ['2024-01-02 ', false],
  ]
  it('I6 accepts only midnight without a zone in CSV and JSON', async () => {
    for (const [day, isDay] of cases) {
      const row = { base: 'USD', quote: 'GBP', rate_date: day, rate: 1, source: 'x' }
      const files: [string, string][] = [
        ['a.jsonl', JSON.stringify(row)],
        // After a bad line, all lines are read one by one.
        ['b.jsonl', `${JSON.stringify(row)}\nx\n`],
        ['a.json', JSON.stringify([row])],
        ['a.csv', `base,quote,rate_date,rate\nUSD,GBP,${day},1\n`],
        ['b.csv', `base,quote,rate_date,rate\nUSD,GBP,${day},1\nx\n`],
      ]
      for (const [name, text] of files) {
        const { rows } = await readText(name, text)
        const found = rows.map(([, , date]) => date)
        expect(found, `${name} ${day}`).toEqual(isDay ? ['2024-01-02'] : [])
      }
    }
  })
})

describe('readFeedFile() with empty lines in CSV', () => {
  const header = 'base,quote,rate_date,rate'
  const row = (quote: string) => `USD,${quote},2024-03-01,0.5`
  it('leaves them out before the header, between rows and at the end', async () => {
    for (const nothing of ['', '   ', '\t', ',,,', ',']) {
      for (const end of ['\n', '\r\n']) {
        for (const mark of ['', '\ufeff']) {
          const lines = [nothing, nothing, header, row('GBP'), nothing, row('EUR'), nothing, '']
          const { rows, refused } = await readText('a.csv', mark + lines.join(end))
          expect(
            rows.map(([, quote]) => quote),
            JSON.stringify([nothing, end, mark]),
          ).toEqual(['GBP', 'EUR'])
          expect(refused).toEqual([])
        }
      }
    }
  })

  it('counts them, so that a refused line has the number that an editor shows', async () => {
    const lines = ['', '', header, '', row('GBP'), ',,,', 'x', '']
    expect((await readText('a.csv', lines.join('\n'))).refused).toEqual(['7 not_csv'])
    // Quotes and blanks are values, though not valid ones.
    const odd = ['', header, ' , , , ', '"",,,', row('GBP')]
    expect((await readText('a.csv', odd.join('\n'))).refused).toEqual([
      '3 value_not_exact rate_date',
      '4 key_missing',
    ])
  })

  it('returns no row if the file has only such lines', async () => {
    for (const text of ['\n', '\n\n  \n', ',,,\n', '\ufeff\r\n']) {
      expect(await readText('a.csv', text)).toEqual({ rows: [], refused: [] })
    }
  })
})

describe('readFeedFile() with a value in the name of a folder', () => {
  const given = { rate_date: '2024-01-02', source: null }
  it('uses the value for a column that the rows lack, in every format', async () => {
    const row = { base: 'USD', quote: 'GBP', rate: 1 }
    const path = join(feed.folder, 'given')
    const parquet = await feed.writeParquet(
      'given.parquet',
      `select 'USD' as base, 'GBP' as quote, 1 as rate`,
    )
    const files: [string, string | undefined][] = [
      ['a.jsonl', JSON.stringify(row)],
      ['b.jsonl', `${JSON.stringify(row)}\nx\n`],
      ['a.json', JSON.stringify([row])],
      ['a.csv', 'base,quote,rate\nUSD,GBP,1\n'],
      ['b.csv', 'base,quote,rate\nUSD,GBP,1\nx\n'],
      ['a.parquet', undefined],
    ]
    for (const [name, text] of files) {
      if (text === undefined) await copyFile(parquet, path)
      else await writeFile(path, text)
      const { rows } = await read(name, path, given)
      expect(rows, name).toEqual([['USD', 'GBP', '2024-01-02', '1.0000000000', null, null]])
    }
  })

  it('I6 refuses a value that does not fit its column, and prefers the value in a row', async () => {
    const path = join(feed.folder, 'given')
    await writeFile(path, '{"base":"USD","quote":"GBP","rate":1}\n')
    const bad = await read('a.jsonl', path, { rate_date: 'yesterday' })
    expect(bad).toEqual({ rows: [], refused: ['1 value_not_exact rate_date'] })
    await writeFile(path, 'base,quote,rate,rate_date\nUSD,GBP,1,2024-05-05\n')
    expect((await read('a.csv', path, given)).rows[0]?.[2]).toBe('2024-05-05')
    // If the file has the column and leaves it empty, it stays empty.
    for (const more of ['', 'x\n']) {
      await writeFile(path, `base,quote,rate,rate_date,source\nUSD,GBP,1,2024-05-05,\n${more}`)
      expect((await read('a.csv', path, { source: 'a folder' })).rows[0]?.[4]).toBeNull()
    }
    await feed.writeParquet(
      'given',
      `select 'USD' as base, 'GBP' as quote, date '2024-05-05' as rate_date, null::varchar as source`,
    )
    const { rows } = await read('a.parquet', path, { source: 'a folder', rate: '1.5' })
    expect(rows[0]?.slice(2)).toEqual(['2024-05-05', '1.5000000000', null, null])
  })
})
