import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FeedFiles, openFeedFiles } from '../../../../test/support/feed-files.ts'
import type { LakeTable } from '../../lake/table-state.ts'
import type { WideFormat } from '../../project/source-contract.ts'

const table: LakeTable = {
  name: 'rate',
  key: ['base', 'quote', 'day'],
  columns: [
    { name: 'base', type: 'VARCHAR' },
    { name: 'quote', type: 'VARCHAR' },
    { name: 'day', type: 'DATE' },
    { name: 'rate', type: 'DECIMAL(20,10)' },
    // A name that the reader might use itself.
    { name: 'n', type: 'INTEGER' },
  ],
}

const wide: WideFormat = {
  first: { title: 'Date', column: 'day' },
  titles: { column: 'quote', pattern: '[A-Z]{3}' },
  cells: { column: 'rate', absent: ['N/A'] },
  constants: { base: 'EUR' },
}

let feed: FeedFiles

beforeAll(async () => {
  feed = await openFeedFiles()
})

afterAll(() => feed[Symbol.asyncDispose]())

async function read(text: string, shape: WideFormat | undefined = wide) {
  const name = 'history.csv'
  const path = await feed.write(name, text)
  const found = await feed.read(table, { name, path, before: 1000, wide: shape })
  const accepted = await feed.take<{ row: string; _ordinal: bigint }>(
    found.files,
    `concat_ws(' ', base, quote, day::varchar, rate::varchar) as row, _ordinal`,
  )
  const refused = await feed.take<{ row: string }>(
    found.refused,
    `concat_ws(' ', _content ->> '$._line', _reason, _column, _content ->> '$._text') as row`,
  )
  const { unknown, absent, span } = found
  return {
    rows: accepted.map(({ row }) => row),
    ordinals: accepted.map(({ _ordinal }) => Number(_ordinal)),
    refused: refused.map(({ row }) => row),
    unknown,
    absent,
    span,
  }
}

describe('readFeedFile() with a wide file', () => {
  it('I6 makes a row from each cell, with every digit, and counts cells without a value', async () => {
    const { rows, ordinals, refused, absent, unknown } = await read(
      'Date,USD,JPY,BGN,\n2024-01-02,1.0956,155.84,1.9558,\n2024-01-01,1.09,N/A,,\n',
    )
    expect(rows).toEqual([
      'EUR USD 2024-01-02 1.0956000000',
      'EUR JPY 2024-01-02 155.8400000000',
      'EUR BGN 2024-01-02 1.9558000000',
      'EUR USD 2024-01-01 1.0900000000',
    ])
    expect(ordinals).toEqual([1001, 1002, 1003, 1004])
    expect([refused, absent, unknown]).toEqual([[], 2, []])
  })

  it('accepts blanks around titles and values, empty lines, CRLF, a byte order mark, and unknown titles', async () => {
    const { rows, refused, unknown } = await read(
      '\ufeff\r\nDate, USD, note, GBP, \r\n\r\n2024-01-02T00:00:00, 1.5,"a, b", 0.8, \r\n,,,,\r\n',
    )
    expect(rows).toEqual(['EUR USD 2024-01-02 1.5000000000', 'EUR GBP 2024-01-02 0.8000000000'])
    expect([refused, unknown]).toEqual([[], ['note']])
  })

  it('I15 refuses only the bad cell or line, with its number', async () => {
    const found = await read(
      [
        'Date,USD,GBP,',
        '2024-01-02,1.00000000001,0.8,',
        '2024-01-03,1.1',
        '2024-01-04,1.1,0.9,,7',
        '2024-02-30,1.2,N/A,',
        ',1.3,0.7,',
        '2024-01-06,1.5,0.5,',
        '2024-01-07,"1.4,0.6',
      ].join('\n'),
    )
    expect(found.rows).toEqual([
      'EUR GBP 2024-01-02 0.8000000000',
      'EUR USD 2024-01-06 1.5000000000',
      'EUR GBP 2024-01-06 0.5000000000',
    ])
    expect(found.refused).toEqual([
      '2 value_not_exact rate 2024-01-02,USD,1.00000000001',
      '3 not_csv 2024-01-03,1.1',
      '4 not_csv 2024-01-04,1.1,0.9,,7',
      '5 value_not_exact day 2024-02-30,USD,1.2',
      '6 key_missing ,1.3,0.7,',
      '8 not_csv 2024-01-07,"1.4,0.6',
    ])
    expect(found.span).toBe(9)
  })

  it('refuses a file about another base or with a column twice, and still accepts a file that is not wide', async () => {
    await expect(read('Date,USD,EUR,\n2024-01-02,1.1,1,\n')).rejects.toThrow('it has a column EUR')
    await expect(read('Date,USD,USD\n2024-01-02,1.1,1\n')).rejects.toThrow('two columns named USD')
    const long = 'base,quote,day,rate\nEUR,USD,2024-01-02,1.1\n'
    expect((await read(long)).rows).toEqual(['EUR USD 2024-01-02 1.1000000000'])
    const open = `Date,USD\n2024-01-02,"${'x'.repeat(5 * 1024 ** 2)}`
    await expect(read(open)).rejects.toThrow('a quote is never closed')
    // Without the wide format, or without a title that matches, the file lacks its key.
    const text = 'Date,USD\n2024-01-02,1.1\n'
    await expect(read('Date,note\n2024-01-02,1.1\n')).rejects.toThrow('it has no column base')
    expect((await read(text)).rows.length).toBe(1)
    expect((await read('Date,USD\n')).rows).toEqual([])
  })

  it('I12 reads thousands of days without holding them in memory', async () => {
    const codes = Array.from({ length: 41 }, (_, at) =>
      String.fromCharCode(65 + Math.floor(at / 26), 65 + (at % 26), 90),
    )
    const line = (day: number) =>
      `${new Date(Date.UTC(1999, 0, 4 + day)).toISOString().slice(0, 10)},${codes
        .map((_, at) =>
          (day + at) % 10 === 0 ? 'N/A' : `${at + 1}.${String(day).padStart(4, '0')}`,
        )
        .join(',')},`
    const text = `Date,${codes.join(',')},\n${Array.from({ length: 6900 }, (_, day) => line(day)).join('\n')}\n`
    const { rows, absent, refused } = await read(text)
    expect(rows.length + (absent ?? 0)).toBe(6900 * 41)
    expect([rows[0], absent, refused]).toEqual([
      `EUR ${codes[1]} 1999-01-04 2.0000000000`,
      text.split('N/A').length - 1,
      [],
    ])
    const { size } = await stat(join(feed.folder, 'history.csv'))
    expect(size).toBeGreaterThan(1_500_000)
  })
})
