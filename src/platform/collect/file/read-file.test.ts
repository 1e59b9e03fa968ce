import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FeedFiles, openFeedFiles } from '../../../../test/support/feed-files.ts'
import { ContractError } from '../../errors.ts'
import type { LakeTable } from '../../lake/table-state.ts'
import { formatOf } from './format.ts'

const rates: LakeTable = {
  name: 'rate',
  key: ['base', 'day'],
  columns: [
    { name: 'base', type: 'VARCHAR' },
    { name: 'day', type: 'DATE' },
    { name: 'rate', type: 'DECIMAL(24,10)' },
    { name: 'is_fixed', type: 'BOOLEAN' },
  ],
}

let feed: FeedFiles

beforeAll(async () => {
  feed = await openFeedFiles()
})

afterAll(() => feed[Symbol.asyncDispose]())

/** The outcome of a file: its rows as text, its refused lines, and its undeclared fields. */
async function read(name: string, content: string | Buffer) {
  const path = await feed.write(name, content)
  const found = await feed.read(rates, { name, path, before: 100 })
  const rows = await feed.take<Record<string, string | bigint>>(
    found.files,
    'base, day::varchar as day, rate::varchar as rate, is_fixed::varchar as is_fixed, _ordinal',
  )
  const refused = await feed.take<Record<string, string>>(
    found.refused,
    '_key, _reason, _column, _content, _ordinal',
  )
  return {
    rows: rows.map(({ base, day, rate, is_fixed: fixed }) => [base, day, rate, fixed]),
    ordinals: rows.map(({ _ordinal }) => Number(_ordinal)),
    refused: refused.map((row) => [
      JSON.parse(row['_key'] ?? '') as unknown,
      row['_reason'],
      row['_column'],
    ]),
    contents: refused.map((row) => JSON.parse(row['_content'] ?? '') as Record<string, unknown>),
    unknown: found.unknown,
  }
}

const GOOD = [
  ['GBP', '2026-11-19', '1.2500000000', 'true'],
  ['EUR', '2026-11-19', '0.0000100000', null],
]

const LINES = [
  '{"base":"GBP","day":"2026-11-19","rate":1.25,"is_fixed":true}',
  '{"base":"EUR","day":"2026-11-19","rate":0.00001}',
]

const CSV = 'base,day,rate,is_fixed\nGBP,2026-11-19,1.25,true\nEUR,2026-11-19,0.00001,\n'

describe('readFeedFile()', () => {
  it('reads the same rows from every format', async () => {
    const files: [string, string | Buffer][] = [
      ['a.jsonl', `${LINES.join('\n')}\n`],
      ['a.ndjson', LINES.join('\r\n')],
      ['a.json', `[${LINES.join(',\n')}]`],
      ['a.csv', CSV],
      ['b.csv', CSV.replaceAll('\n', '\r\n')],
    ]
    for (const [name, content] of files) {
      const { rows, ordinals, refused, unknown } = await read(name, content)
      expect(rows, name).toEqual(GOOD)
      expect(ordinals, name).toEqual(name.endsWith('csv') ? [102, 103] : [101, 102])
      expect([refused, unknown], name).toEqual([[], []])
    }
    const parquet = await feed.writeParquet(
      'source.parquet',
      `select 'GBP' as base, date '2026-11-19' as day, 1.25::double as rate, true as is_fixed
       union all select 'EUR', date '2026-11-19', 0.00001::double, null`,
    )
    expect((await read('a.parquet', await readFile(parquet))).rows).toEqual(GOOD)
  })

  it('refuses single lines with their number and a reason, and accepts all others', async () => {
    const bad = [
      'not json',
      '[1, 2]',
      '{"base":"USD","day":"2026-02-30","rate":1}',
      '{"base":"USD","day":"2026-11-19","rate":"1,5"}',
      '{"base":"USD","day":"2026-11-18","rate":1.12345678901}',
      '{"base":"USD","rate":1}',
      '{"base":"US\\u0000","day":"2026-11-19","rate":1}',
      '{"base":"CHF","day":"2026-11-19","ra',
    ]
    const { rows, ordinals, refused, contents } = await read(
      'b.jsonl',
      [LINES[0], ...bad.slice(0, 4), '', LINES[1], ...bad.slice(4)].join('\n'),
    )
    expect(rows).toEqual(GOOD)
    expect(ordinals).toEqual([101, 107])
    const at = (line: number) => ({ file: 'b.jsonl', line })
    expect(refused).toEqual([
      [at(2), 'not_json', null],
      [at(3), 'not_json', null],
      [at(4), 'key_missing', null].with(1, 'value_not_exact').with(2, 'day'),
      [{ base: 'USD', day: '2026-11-19' }, 'value_not_exact', 'rate'],
      [{ base: 'USD', day: '2026-11-18' }, 'value_not_exact', 'rate'],
      [at(9), 'key_missing', null],
      [at(10), 'value_not_exact', 'base'],
      [at(11), 'not_json', null],
    ])
    expect(contents[0]).toMatchObject({ _file: 'b.jsonl', _line: '2', _text: 'not json' })
    expect(contents[3]).toMatchObject({ base: 'USD', rate: '1,5', _line: '5' })
  })

  it('I6 keeps every digit or refuses the line, also for JSON numbers that a double cannot hold', async () => {
    const line = (rate: string) => `{"base":"GBP","day":"2026-11-19","rate":${rate}}`
    const accepted = async (rate: string) => (await read('c.jsonl', line(rate))).rows[0]?.[2]
    expect(await accepted('1.100')).toBe('1.1000000000')
    expect(await accepted('"123456.7890123456"')).toBe('123456.7890123456')
    expect(await accepted('123456.7890123456')).toBe('123456.7890123456')
    // As doubles, these numbers would change.
    expect(await accepted('12345678901234.1234567890')).toBe('12345678901234.1234567890')
    expect(await accepted('1.00000000000000001')).toBeUndefined()
    expect(await accepted('1.0000000001000000000')).toBe('1.0000000001')
    expect(await accepted('"12345678901234.1234567890"')).toBe('12345678901234.1234567890')
    expect(await accepted('1e-7')).toBe('0.0000001000')
    expect(await accepted('1e-11')).toBeUndefined()
    expect(await accepted('"NaN"')).toBeUndefined()
    expect(await accepted('null')).toBeNull()
  })

  it('refuses CSV lines with too many or too few fields', async () => {
    const { rows, refused, contents } = await read(
      'd.csv',
      'base,day,rate,is_fixed\nGBP,2026-11-19,1.25,true\nUSD,2026-11-19,1,true,more\nUSD\n"EU""R",2026-11-19,2,\n',
    )
    expect(rows.map(([base]) => base)).toEqual(['GBP', 'EU"R'])
    expect(refused.map(([, reason]) => reason)).toEqual(['not_csv', 'not_csv'])
    expect(contents[0]).toMatchObject({ _line: '3', _text: 'USD,2026-11-19,1,true,more' })
  })

  it('names undeclared fields, and accepts a file that lacks declared ones', async () => {
    const more = await read('e.csv', 'note,base,day,rate\nx,GBP,2026-11-19,1\n')
    expect(more).toMatchObject({
      unknown: ['note'],
      rows: [['GBP', '2026-11-19', '1.0000000000', null]],
    })
    const lines = await read('e.jsonl', '{"base":"GBP","day":"2026-11-19","bid":1,"ask":2}')
    expect(lines).toMatchObject({
      unknown: ['bid', 'ask'],
      rows: [['GBP', '2026-11-19', null, null]],
    })
  })

  it('refuses the whole file if it is cut off or is not what its name says', async () => {
    const files: [string, string | Buffer][] = [
      ['f.json', '[{"base":"GBP","day":"2026-11-19"},{"base":'],
      ['f.parquet', 'PAR1 no more'],
      ['f.csv', 'day,rate\n2026-11-19,1\n'],
    ]
    for (const [name, content] of files) {
      await expect(read(name, content), name).rejects.toThrow(ContractError)
      await expect(read(name, content), name).rejects.not.toThrow(/GBP|2026/)
    }
  })

  it('returns no row from a file without rows', async () => {
    for (const name of ['g.jsonl', 'g.json']) expect((await read(name, '')).rows).toEqual([])
    expect((await read('g.json', '[]')).rows).toEqual([])
    expect((await read('g.csv', 'base,day,rate,is_fixed\n')).rows).toEqual([])
  })
})

it('formatOf() decides by the end of the name', () => {
  expect(['a.JSONL', 'x/y z.csv.gz', 'a.ndjson', 'a.parquet', 'a.json.GZ'].map(formatOf)).toEqual([
    'jsonl',
    'csv',
    'jsonl',
    'parquet',
    'json',
  ])
  expect(['a.txt', 'json', 'a.parquet.gz', 'a.json.tmp', '.csv~'].map(formatOf)).toEqual(
    Array.from({ length: 5 }),
  )
})
