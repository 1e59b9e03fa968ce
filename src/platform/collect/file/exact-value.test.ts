import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FeedFiles, openFeedFiles } from '../../../../test/support/feed-files.ts'
import type { LakeTable } from '../../lake/table-state.ts'
import { parseCsvRecord } from './csv-records.ts'
import { formatOf } from './format.ts'
import { splitLines } from './line-runs.ts'

const TYPES = {
  id: 'INTEGER',
  big: 'BIGINT',
  price: 'DECIMAL(24,6)',
  wide: 'DECIMAL(38,20)',
  name: 'VARCHAR',
  day: 'DATE',
  at: 'TIMESTAMP',
  moment: 'TIMESTAMPTZ',
  hour: 'TIME',
  flag: 'BOOLEAN',
  share: 'DOUBLE',
  code: 'UUID',
  bytes: 'BLOB',
} as const

const table: LakeTable = {
  name: 'sample',
  key: ['id'],
  columns: Object.entries(TYPES).map(([name, type]) => ({ name, type })),
}

const NAMES = Object.keys(TYPES)

/** Every value as text, and the number of the line. */
const TEXTS = [
  ...NAMES.map((name) =>
    name === 'bytes' ? 'lower(hex(bytes)) as bytes' : `"${name}"::varchar as "${name}"`,
  ),
  '_ordinal::varchar as line',
].join(', ')

let feed: FeedFiles

beforeAll(async () => {
  feed = await openFeedFiles()
})

afterAll(() => feed[Symbol.asyncDispose]())

interface Found {
  /** By line: the values as text. */
  readonly rows: Record<number, Record<string, string | null>>
  /** By line: reason and column. */
  readonly refused: Record<number, string>
  readonly unknown: readonly string[]
  readonly span: number
}

/** Rows and refused lines by the number of their line, if the file is the first of its batch. */
async function read(name: string, content: string | Buffer): Promise<Found> {
  const path = await feed.write('file', content)
  const found = await feed.read(table, { name, path, format: formatOf(name) ?? 'json' })
  const rows: Found['rows'] = {}
  const refused: Found['refused'] = {}
  for (const { line, ...row } of await feed.take<Record<string, string>>(found.files, TEXTS)) {
    rows[Number(line)] = row
  }
  const lines = await feed.take<Record<'line' | 'what', string>>(
    found.refused,
    `json_extract_string(_content, '$._line') as line, concat_ws(' ', _reason, _column) as what`,
  )
  for (const { line, what } of lines) refused[Number(line)] = what
  return { rows, refused, unknown: found.unknown, span: found.span }
}

const json = (fields: Record<string, unknown>) => JSON.stringify(fields)

const values = async (column: string, texts: readonly string[]) => {
  const lines = texts.map((text, id) => `{"id":${id},"${column}":${text}}\n`)
  const { rows, refused } = await read('a.jsonl', lines.join(''))
  return texts.map((_, at) => (refused[at + 1] === undefined ? rows[at + 1]?.[column] : 'refused'))
}

describe('readFeedFile() with values of every type', () => {
  it.each<[string, Record<string, string | null>]>([
    [
      'id',
      {
        '-7': '-7',
        '2147483648': 'refused',
        '1.5': 'refused',
        '1e2': 'refused',
        '"007"': 'refused',
        '"1_0"': 'refused',
        true: 'refused',
      },
    ],
    [
      'big',
      {
        '-9223372036854775808': '-9223372036854775808',
        '9223372036854775808': 'refused',
        '"12"': '12',
      },
    ],
    [
      'price',
      {
        '-0.0': '0.000000',
        '123456789012345678.123456': '123456789012345678.123456',
        '123456789012345678.1234560': '123456789012345678.123456',
        '123456789012345678.1234567': 'refused',
        '1.00000000000000001': 'refused',
        '100000000000000000.5': '100000000000000000.500000',
        '1.1234567': 'refused',
        '1e-6': '0.000001',
        '1.5E+3': '1500.000000',
        '"1_000"': 'refused',
        '"1,5"': 'refused',
        '"0x1F"': 'refused',
        '""': 'refused',
        '"NaN"': 'refused',
        NaN: 'refused',
        '1000000000000000000': 'refused',
        '[1]': 'refused',
        null: null,
      },
    ],
    [
      'wide',
      {
        '1.25': '1.25000000000000000000',
        '0.12345678901234567891': '0.12345678901234567891',
        '100000000000000000000.5': 'refused',
      },
    ],
    [
      'name',
      {
        '""': '',
        '"null"': 'null',
        '"\\\\N"': '\\N',
        '" x\\n\\ty "': ' x\n\ty ',
        '"a\\u0000b"': 'refused',
        '12345678901234567890123': '12345678901234567890123',
        '1.2345678901234567890': '1.2345678901234567890',
        '0.1': '0.1',
        '{"a":[1,"x"]}': '{"a":[1,"x"]}',
        '{"a":1.2345678901234567890}': 'refused',
        '"\\ud83d\\ude42"': '🙂',
        true: 'true',
        null: null,
      },
    ],
    [
      'day',
      {
        '"2024-02-29"': '2024-02-29',
        '"2023-02-29"': 'refused',
        '"2024-02-29x"': 'refused',
        '"2024-2-9"': 'refused',
        '"29/02/2024"': 'refused',
        '20240229': 'refused',
        '"2024-02-2x"': 'refused',
      },
    ],
    [
      'at',
      {
        '"2026-11-20 10:00:00"': '2026-11-20 10:00:00',
        '"2026-11-20T10:00:00.120"': '2026-11-20 10:00:00.12',
        '"2026-11-20T10:00:00.1234567"': 'refused',
        '"2026-11-20T10:00:00+02:00"': 'refused',
        '"2026-11-20T10:00:00Z"': 'refused',
        '"2026-11-20"': 'refused',
        '"2026-11-20 24:00:00"': 'refused',
        '1700000000': 'refused',
      },
    ],
    [
      'moment',
      {
        '"2026-11-20T10:00:00Z"': '2026-11-20 10:00:00+00',
        '"2026-11-20 10:00:00.123456+02"': '2026-11-20 08:00:00.123456+00',
        '"2026-11-20T10:00:00-0330"': '2026-11-20 13:30:00+00',
        '"2026-11-20T10:00:00.1234567Z"': 'refused',
        '"2026-11-20 10:00:00"': 'refused',
        '"2026-11-20 10:00:00 Europe/Paris"': 'refused',
      },
    ],
    [
      'hour',
      {
        '"23:59:59.999"': '23:59:59.999',
        '"10:00"': 'refused',
        '"10:00:00.1234567"': 'refused',
        '"10:00:00+02"': 'refused',
      },
    ],
    [
      'flag',
      {
        true: 'true',
        '"FALSE"': 'false',
        '1': 'refused',
        '"yes"': 'refused',
        '"t"': 'refused',
        '0.5': 'refused',
      },
    ],
    [
      'share',
      {
        '0.30000000000000004': '0.30000000000000004',
        '-0.0': '-0.0',
        '1e400': 'refused',
        '"1e400"': 'refused',
        '"inf"': 'inf',
        '"1_0"': 'refused',
        '5e-324': '5e-324',
      },
    ],
    [
      'code',
      {
        '"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"': 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
        '"a0eebc999c0b4ef8bb6d6bb9bd380a11"': 'refused',
      },
    ],
    [
      'bytes',
      { '"\\\\xDEad00"': 'dead00', '"\\\\x"': '', '"dead"': 'refused', '"\\\\xabc"': 'refused' },
    ],
  ])('I6 takes a value of %s exactly or refuses its line', async (column, cases) => {
    const texts = Object.keys(cases)
    const key = (text: string) => (column === 'id' ? [text] : text)
    const found =
      column === 'id'
        ? await Promise.resolve().then(async () => {
            const { rows, refused } = await read(
              'a.jsonl',
              texts.map((text) => `{"id":${text}}\n`).join(''),
            )
            return texts.map((_, at) =>
              refused[at + 1] === undefined ? rows[at + 1]?.['id'] : 'refused',
            )
          })
        : await values(column, texts)
    expect(Object.fromEntries(texts.map((text, at) => [key(text), found[at]]))).toEqual(
      Object.fromEntries(texts.map((text) => [key(text), cases[text]])),
    )
    // The result is the same if the lines are read one by one.
    for (const text of texts) {
      if (column === 'id') continue
      expect(await values(column, [text]), text).toEqual([cases[text]])
    }
  })

  const exact = fc.record({
    big: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
    price: fc
      .tuple(fc.bigInt({ min: -(10n ** 17n), max: 10n ** 17n }), fc.nat(999_999))
      .map(([whole, rest]) => `${whole === 0n ? '0' : whole}.${String(rest).padStart(6, '0')}`),
    name: fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !text.includes('\0')),
    day: fc
      .date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
      .map((day) => day.toISOString().slice(0, 10)),
    flag: fc.constantFrom('true', 'false'),
  })
  const wrong = fc.record(
    {
      big: fc.constant('1.5'),
      price: fc.constant('TBC'),
      day: fc.constant('2024-02-30'),
      flag: fc.constant('maybe'),
    },
    { requiredKeys: [] },
  )
  const someRows = fc.array(fc.tuple(exact, fc.option(wrong, { freq: 8 })), {
    minLength: 1,
    maxLength: 30,
  })
  const quote = (text: string) =>
    /[",\r\n]/.test(text) || text === '' ? `"${text.replaceAll('"', '""')}"` : text

  it('I6 reads every kind of row exactly or refuses it with its number, alike in every format', async () => {
    const columns = ['id', 'big', 'price', 'name', 'day', 'flag'] as const
    await fc.assert(
      fc.asyncProperty(someRows, fc.boolean(), async (pairs, isRaw) => {
        const made = pairs.map(([good, bad], at) => ({ id: String(at), ...good, ...bad }))
        const isBad = pairs.map(([, bad]) => Object.keys(bad ?? {}).length > 0)
        const object = (row: (typeof made)[number]) =>
          `{${columns.map((name) => `"${name}":${name === 'id' || (isRaw && name === 'price' && row.price !== 'TBC') ? row[name] : JSON.stringify(row[name])}`).join(',')}}`
        const csv = made.map((row) => columns.map((name) => quote(row[name])).join(','))
        const starts: number[] = []
        let line = 2
        for (const record of csv) {
          starts.push(line)
          line += record.split('\n').length
        }
        // A file that is read in one piece numbers records, not lines.
        const isDivided = isBad.some(Boolean) || /" | "/.test(csv.join('\n'))
        const files: [string, string, (at: number) => number][] = [
          ['a.jsonl', `${made.map(object).join('\n')}\n`, (at) => at + 1],
          ['a.json', `[${made.map(object).join(',\n')}]`, (at) => at + 1],
          [
            'a.csv',
            `${columns.join(',')}\n${csv.join('\n')}\n`,
            (at) => (isDivided ? (starts[at] ?? 0) : at + 2),
          ],
        ]
        for (const [name, content, lineOf] of files) {
          const { rows, refused } = await read(name, content)
          for (const [at, row] of made.entries()) {
            const place = lineOf(at)
            const isRefused = refused[place]
            expect(isRefused !== undefined, `${name} ${content}`).toBe(isBad[at])
            if (isRefused !== undefined) continue
            const found = rows[place]
            expect(
              columns.map((column) => found?.[column]),
              `${name} ${content}`,
            ).toEqual(
              columns.map((column) =>
                column === 'price' ? row.price.replace(/^-0\.0+$/, '0.000000') : row[column],
              ),
            )
          }
          expect(Object.keys(rows).length + Object.keys(refused).length).toBe(made.length)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('I6 reads a CSV record in the same way alone and beside a refused one', async () => {
    const cell = fc.string({
      unit: fc.constantFrom('a', '"', ',', '\n', '\r', ' ', 'é', '\t', "'", '\\'),
      maxLength: 6,
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(cell, fc.boolean()), { minLength: 1, maxLength: 8 }),
        async (cells) => {
          const text = cells
            .map(
              ([name, isQuoted], id) =>
                `${id},${isQuoted ? `"${name.replaceAll('"', '""')}"` : name}`,
            )
            .join('\n')
          const whole = await read('a.csv', `id,name\n${text}\n`)
          const divided = await read('a.csv', `id,name\n${text}\nx,y\n`)
          const names = ({ rows }: Found) =>
            Object.values(rows).map((row) => [row['id'], row['name']])
          expect(names(divided), text).toEqual(names(whole))
        },
      ),
      { numRuns: 150 },
    )
  })

  it('I6 refuses quotes next to blanks, because DuckDB silently drops some of the blanks', async () => {
    for (const record of ['1," "x', '1,"x" ', '1, "x"', '1," "" "']) {
      const { rows, refused } = await read('a.csv', `id,name\n${record}\n`)
      const isFine = record.endsWith('"" "')
      expect([Object.keys(rows).length, refused[2]], record).toEqual(
        isFine ? [1, undefined] : [0, 'not_csv'],
      )
    }
  })

  it('tells an empty CSV field from an empty text in quotes', async () => {
    const { rows } = await read(
      'a.csv',
      'id,name,day,price,bytes\n1,,,,\n2,"","","",""\n3," ",,,\n',
    )
    expect(
      [2, 3, 4].map((line) => [rows[line]?.['name'], rows[line]?.['day'], rows[line]?.['price']]),
    ).toEqual([
      [null, null, null],
      ['', null, null],
      [' ', null, null],
    ])
    expect(rows[3]?.['bytes']).toBeNull()
    const beside = await read('a.csv', 'id,name,day,price\n1,,,\n2,"","",""\nx,,,\n')
    expect([2, 3].map((line) => beside.rows[line]?.['name'])).toEqual([null, ''])
  })

  it('numbers lines as an editor does, in a file with CRLF and with line feeds in fields', async () => {
    const { rows, refused } = await read(
      'a.csv',
      'id,name\r\n1,"two\r\nlines"\r\n\r\n2,x,y\r\n3,z\r\n"4,open\r\n',
    )
    expect(Object.keys(rows)).toEqual(['2', '6'])
    expect(rows[2]?.['name']).toBe('two\r\nlines')
    expect(refused).toEqual({ 5: 'not_csv', 7: 'not_csv' })
  })

  it('leaves out a byte order mark, and refuses encodings other than UTF-8', async () => {
    const mark = '\u{feff}'
    for (const [name, content] of [
      ['a.jsonl', `${mark}{"id":1}\n{"id":2}\n`],
      ['a.json', `${mark}[{"id":1},{"id":2}]`],
      ['a.csv', `${mark}id,name\n1,x\n2,y\n`],
    ] as const) {
      expect(
        Object.values((await read(name, content)).rows).map((row) => row['id']),
        name,
      ).toEqual(['1', '2'])
    }
    for (const [name, content, lines] of [
      ['a.jsonl', '{"id":1,"name":"caf\u{e9}"}\n{"id":2}\n', [1, 2]],
      ['a.csv', 'id,name\n1,caf\u{e9}\n2,x\n', [2, 3]],
    ] as const) {
      const { rows, refused } = await read(name, Buffer.from(content, 'latin1'))
      expect(refused, name).toEqual({ [lines[0]]: 'not_text' })
      expect(rows[lines[1]]?.['id'], name).toBe('2')
    }
    const utf16 = Buffer.from(`${mark}{"id":1}\n{"id":2}\n`, 'utf16le')
    const { rows, refused } = await read('a.jsonl', utf16)
    expect(rows).toEqual({})
    expect(Object.keys(refused).length).toBeGreaterThan(0)
    await expect(read('a.csv', Buffer.from(`${mark}id\n1\n`, 'utf16le'))).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
    })
    await expect(read('a.json', Buffer.from('[{"id":1}]', 'utf16le'))).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
    })
  })

  it('refuses lines that hold a NUL, hold a field twice, or are longer than 4 MB', async () => {
    const long = 'x'.repeat(5 * 1024 * 1024)
    const lines = [
      '{"id":1,"name":"a\0b"}',
      '{"id":2,"id":3}',
      `{"id":4,"name":"${long}"}`,
      '{"id":5,"extra":1,"extra":2}',
      '1',
      'null',
      '"s"',
      '[{"id":6}]',
      '{"id":7}{"id":8}',
      '{"id":9,}',
    ]
    const { rows, refused, span } = await read('a.jsonl', lines.join('\n'))
    expect(refused).toEqual({
      1: 'not_text',
      2: 'field_twice',
      3: 'line_too_long',
      5: 'not_json',
      6: 'not_json',
      7: 'not_json',
      8: 'not_json',
      9: 'not_json',
      ...(rows[10] === undefined ? { 10: 'not_json' } : {}),
    })
    expect(rows[4]?.['id']).toBe('5')
    expect(span).toBe(10)
    for (const [at, text] of lines.entries()) {
      const alone = await read('a.jsonl', text)
      expect(Object.values(alone.refused), text.slice(0, 50)).toEqual(
        refused[at + 1] === undefined ? [] : [refused[at + 1]],
      )
    }
    for (const text of ['1', 'null', '"s"', 'x']) {
      await expect(read('a.json', text), text).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
    }
    expect((await read('a.csv', `id,name\n1,"${long}"\n2,x\n`)).refused).toEqual({
      2: 'line_too_long',
    })
    expect((await read('a.csv', 'id,name\n1,"x\n2,y\n')).refused).toEqual({ 2: 'not_csv' })
    await expect(
      read('a.csv', `id,name\n1,"x\n${'2,y\n'.repeat(1_200_000)}`),
    ).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
    })
    expect((await read('a.csv', 'id,name\n1,a\0b\n2,x\n')).refused).toEqual({ 2: 'not_text' })
  })

  it('accepts columns with names that the reader uses itself, line by line too', async () => {
    const names = [
      'n',
      't',
      'j',
      'o',
      'at',
      'fault',
      'is_row',
      'is_long',
      'is_twice',
      'fields',
      'json',
    ]
    const own: LakeTable = {
      name: 'own',
      key: ['n'],
      columns: names.map((name) => ({ name, type: 'VARCHAR' })),
    }
    const row = Object.fromEntries(names.map((name) => [name, 'x']))
    for (const [format, text] of [
      ['jsonl', `${json(row)}\nx\n`],
      ['csv', `${names.join(',')}\n${names.map(() => 'x').join(',')}\nx\n`],
    ] as const) {
      const path = await feed.write('own', text)
      const found = await feed.read(own, { name: 'own', path, format })
      expect([found.files[0]?.rows, found.refused[0]?.rows], format).toEqual([1, 1])
    }
  })

  it('tells fields apart by their exact names, and reads thousands of them', async () => {
    expect((await read('a.jsonl', '{"id":1,"Name":"x"}\n')).rows[1]?.['name']).toBeNull()
    expect((await read('a.jsonl', '{"id":1,"Name":"x","name":"y"}\n')).rows[1]?.['name']).toBe('y')
    expect(await read('a.csv', 'id,Name\n1,x\n')).toMatchObject({
      unknown: ['Name'],
      rows: { 2: { name: null } },
    })
    expect((await read('a.csv', 'id,Name,name,Name\n1,x,y,z\n')).rows[2]?.['name']).toBe('y')
    await expect(read('a.csv', 'id,name,name\n1,x,y\n')).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
    })
    const many = Array.from({ length: 10_000 }, (_, at) => `c${at}`)
    const wide = await read('a.csv', `id,${many.join(',')}\n1,${many.join(',')}\n`)
    expect([wide.rows[2]?.['id'], wide.unknown.length]).toEqual(['1', 10_000])
    const object = json({ id: 1, ...Object.fromEntries(many.map((name) => [name, 1])) })
    expect((await read('a.jsonl', object)).rows[1]?.['id']).toBe('1')
  })

  it('reads Parquet values unchanged', async () => {
    const path = await feed.writeParquet(
      'typed.parquet',
      `select 1 as id, 9223372036854775807 as big, 1.5::decimal(30,10) as price, '' as name,
      timestamp_ns '2026-11-20 10:00:00.123456' as at, timestamptz '2026-11-20 10:00:00+02' as moment,
      '\\x00\\xFFa'::blob as bytes, 0.1::double as share, [1, 2] as more,
      union all select 2, null, 1.23456789, null, timestamp_ns '2026-11-20 10:00:00.123456789', null, null, null, null`,
    )
    const { rows, refused, unknown } = await read('a.parquet', await readFile(path))
    expect(rows[1]).toMatchObject({
      id: '1',
      big: '9223372036854775807',
      price: '1.500000',
      name: '',
      at: '2026-11-20 10:00:00.123456',
      moment: '2026-11-20 08:00:00+00',
      bytes: '00ff61',
      share: '0.1',
    })
    expect(refused).toEqual({ 2: 'value_not_exact price' })
    expect(unknown).toEqual(['more'])
  })

  it('reads a file with any name', async () => {
    for (const name of [
      `a'); drop table x; --.jsonl`,
      '*.csv',
      'a\nb.json',
      '"; select 1.jsonl',
      `$$.csv`,
    ]) {
      const content = name.endsWith('csv')
        ? 'id\n1\nx\n'
        : name.endsWith('json')
          ? '[{"id":1},{"id":"x"}]'
          : '{"id":1}\n{"id":"x"}\n'
      const { rows, refused } = await read(name, content)
      expect([Object.keys(rows).length, Object.keys(refused).length], name).toEqual([1, 1])
    }
  })
})

describe('splitLines()', () => {
  it('splits a file into whole lines and loses none', async () => {
    const path = join(feed.folder, 'split')
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.string({ maxLength: 30 }).map((text) => text.replaceAll('\n', ' ')),
          { maxLength: 40 },
        ),
        fc.integer({ min: 1, max: 200 }),
        fc.boolean(),
        async (lines, maxBytes, isEnded) => {
          const text = lines.join('\n') + (isEnded && lines.length > 0 ? '\n' : '')
          await writeFile(path, text)
          let together = ''
          let before = 0
          for await (const run of splitLines(path, {
            target: (index) => `${path}-${index}`,
            maxBytes,
          })) {
            expect(run.before).toBe(before)
            before += run.lines
            const part = await readFile(run.path, 'utf8')
            expect(run.lines).toBe(part.split('\n').length - (part.endsWith('\n') ? 1 : 0))
            together += part
          }
          expect(together).toBe(text)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('finds a number with more digits than a double can hold at any position', async () => {
    const path = join(feed.folder, 'long')
    const plain = async (text: string) => {
      await writeFile(path, text)
      for await (const run of splitLines(path, { target: () => `${path}-0` })) return run.isPlain
      return undefined
    }
    for (let pad = 0; pad < 40; pad++) {
      const before = ' '.repeat(pad)
      expect(await plain(`{"a":${before}1.2345678901234567}\n`), `${pad}`).toBe(false)
      expect(await plain(`{"a":${before}1.2345678901234}\n`), `${pad}`).toBe(true)
      expect(await plain(`{"a":${before}"1.2345678901234567"}\n`), `${pad}`).toBe(true)
      expect(await plain(`{"a":${before}12345678901234567890}\n`), `${pad}`).toBe(true)
    }
    const chunk = 1 << 20
    for (let at = chunk - 40; at < chunk + 5; at++) {
      expect(await plain(`{"a":${' '.repeat(at)}1.2345678901234567}\n`), `${at}`).toBe(false)
      expect(await plain(`${' '.repeat(at)}"\\u0000"\n`), `${at}`).toBe(false)
    }
  })
})

it('parseCsvRecord() reads quoted fields, and returns undefined if a quote is wrong', () => {
  expect(parseCsvRecord('a,"b ""c""",,""')).toEqual(['a', 'b "c"', null, ''])
  expect(['"a"b', '"a', 'a,"b" '].map(parseCsvRecord)).toEqual(Array.from({ length: 3 }))
  expect(parseCsvRecord('a"b,c')).toEqual(['a"b', 'c'])
})
