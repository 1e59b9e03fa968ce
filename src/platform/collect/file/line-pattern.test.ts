import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FeedFiles, openFeedFiles } from '../../../../test/support/feed-files.ts'
import type { LakeTable } from '../../lake/table-state.ts'
import { findPattern } from './line-pattern.ts'

const TYPES = {
  id: 'INTEGER',
  small: 'SMALLINT',
  big: 'BIGINT',
  price: 'DECIMAL(12,4)',
  count: 'DECIMAL(6,0)',
  part: 'DECIMAL(15,15)',
  exact: 'DECIMAL(24,6)',
  name: 'VARCHAR',
  day: 'DATE',
  at: 'TIMESTAMP',
  moment: 'TIMESTAMPTZ',
  flag: 'BOOLEAN',
  share: 'DOUBLE',
} as const

const table: LakeTable = {
  name: 'sample',
  key: ['id'],
  columns: Object.entries(TYPES).map(([name, type]) => ({ name, type })),
}

let feed: FeedFiles

beforeAll(async () => {
  feed = await openFeedFiles()
})

afterAll(() => feed[Symbol.asyncDispose]())

const file = (path: string) => ({ name: 'a.jsonl', path, format: 'jsonl' as const })

/** Rows and refused lines of some lines, all as text. */
async function read(lines: readonly string[]): Promise<unknown> {
  const path = await feed.write('a', lines.join('\n'))
  const found = await feed.read(table, { name: 'a.jsonl', path })
  const texts = Object.keys(TYPES).map((name) => `"${name}"::varchar as "${name}"`)
  return {
    rows: await feed.take(found.files, `${texts.join(', ')}, _ordinal`),
    refused: await feed.take(
      found.refused,
      `_reason, _column, json_extract_string(_content, '$._line') as line`,
    ),
  }
}

/** Whether every line matches the pattern of the first ones. */
async function doAllMatch(lines: readonly string[]): Promise<boolean> {
  const found = await findPattern(file(await feed.write('b', lines.join('\n'))), table)
  if (found === undefined) return false
  return lines.every((text) => {
    found.line.lastIndex = 0
    const bytes = Buffer.from(`${text}\n`).toString('latin1')
    return found.line.test(bytes) && found.line.lastIndex === bytes.length
  })
}

const digits = (max: number) => fc.stringMatching(new RegExp(`^(0|[1-9][0-9]{0,${max - 1}})$`))
const number = fc
  .tuple(fc.constantFrom('', '-'), digits(12), fc.constantFrom('', '.'), digits(6))
  .map(([sign, whole, point, rest]) => `${sign}${whole}${point === '' ? '' : `.${rest}`}`)
const day = fc
  .date({ min: new Date('0000-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
  .map((date) => date.toISOString())
const text: Readonly<Record<string, fc.Arbitrary<string>>> = {
  name: fc.string({ unit: 'grapheme', maxLength: 8 }).map((value) => JSON.stringify(value)),
  day: day.map((value) => `"${value.slice(0, 10)}"`),
  at: fc
    .tuple(day, fc.constantFrom('T', ' '), fc.constantFrom(19, 23))
    .map(([value, gap, length]) => `"${value.replace('T', gap).slice(0, length)}"`),
  moment: fc
    .tuple(day, fc.constantFrom('Z', '+02', '-0330', '+05:45', ''))
    .map(([value, zone]) => `"${value.slice(0, 19)}${zone}"`),
  flag: fc.constantFrom('true', 'false', '"true"', '1', '0'),
}

/** A value as a file may hold it: right, or changed in one place, or of another kind. */
const valueOf = (name: string): fc.Arbitrary<string> => {
  const right = text[name] ?? fc.tuple(number, fc.boolean()).map(([n, q]) => (q ? `"${n}"` : n))
  const changed = fc
    .tuple(
      right,
      fc.nat(),
      fc.constantFrom(...'0 1 5 9 . e E + - _ : T Z x /'.split(' '), ' '),
      fc.nat(2),
    )
    .map(([value, place, char, removed]) => {
      const at = value.length === 0 ? 0 : place % value.length
      return value.slice(0, at) + char + value.slice(at + removed)
    })
  const other = fc.constantFrom('null', 'true', '""', '1.9', '1e2', '-0', '[1]', '{"a":1}')
  return fc.oneof({ weight: 5, arbitrary: right }, { weight: 3, arbitrary: changed }, other)
}

describe('readFeedFile() for lines that match one pattern', () => {
  it('I6 takes and refuses the same values as if every value were read as text', async () => {
    const names = Object.keys(TYPES)
    const all = `{${names.map((name) => `"${name}":null`).join(',')}}`
    const pattern = await findPattern(file(await feed.write('b', all)), table)
    const line = (name: string, value: string) =>
      name === 'id' ? `{"id":${value}}` : `{"id":7,"${name}":${value}}`
    const doesMatch = (only: string) => new RegExp(`^${pattern?.line.source}$`).test(`${only}\n`)
    const lines = fc
      .constantFrom(...names)
      .chain((name) => valueOf(name).map((value) => line(name, value)))
    await fc.assert(
      // All other lines are read as text anyway.
      fc.asyncProperty(lines.filter(doesMatch), async (only) => {
        // A line that begins with a blank matches no pattern.
        expect(doesMatch(` ${only}`)).toBe(false)
        expect(await read([only]), only).toEqual(await read([` ${only}`]))
      }),
      { numRuns: 200 },
    )
  })

  it('I6 knows fields by their exact names, in the order in which most writers keep them', async () => {
    const lines = [
      '{"id":1,"price":1.5,"note":"a \\"b\\" \\u00e9"}',
      '{"id": 2, "flag": true, "price": "2.5"}\r',
      '{"id":3,"note":"é","Price":true}',
    ]
    expect(await doAllMatch(lines)).toBe(true)
    expect(await read([...lines, '{"id":4}', ''])).toMatchObject({
      rows: [
        { id: '1', price: '1.5000', flag: null },
        { id: '2', price: '2.5000', flag: 'true' },
        { id: '3', price: null },
        { id: '4', _ordinal: 4n },
      ],
      refused: [],
    })
    const others = [
      '{"price":true,"id":1}',
      '{"id":1,"pr\\u0069ce":true}',
      '{"id":1,"name":"\\u0000"}',
      '{"id":1,"price":1,"price":true}',
      '{"id":1,"note":12345678901234567.5}',
    ]
    for (const line of others) {
      expect(await doAllMatch(['{"id":1,"price":1,"name":"","note":1}', line]), line).toBe(false)
    }
  })

  it('I6 refuses the one line that DuckDB would misread, wherever it is in a run', async () => {
    const lines = Array.from({ length: 9000 }, (_, id) => `{"id":${id},"big":${id},"at":null}`)
    for (const at of [0, 4500, 8999]) {
      const changed = lines.with(at, `{"id":${at},"big":1.9,"at":null}`)
      expect(await read(changed)).toMatchObject({
        rows: { length: 8999 },
        refused: [{ _reason: 'value_not_exact', _column: 'big', line: String(at + 1) }],
      })
    }
  })

  it('takes a text of a megabyte', async () => {
    const long = 'x'.repeat(1_000_000)
    const lines = ['', long, long + long].map((name, id) => JSON.stringify({ id, name }))
    expect(await doAllMatch(lines)).toBe(true)
    expect(await read(lines)).toMatchObject({
      rows: [{ name: '' }, { name: long }, { name: long + long }],
    })
  })
})
