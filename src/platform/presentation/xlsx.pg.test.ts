import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heldBytes } from '../../../test/support/held-bytes.ts'
import { createTestReader, type TestReader } from '../../../test/support/reader.ts'
import { createShop, type ShopSystem } from '../../../test/support/shop.ts'
import { readXlsx, unzipParts, type XlsxCell } from '../../../test/support/xlsx.ts'
import { openCsv } from './csv.ts'
import type { ResultColumn } from './cursor.ts'
import { parseQuestion } from './question.ts'
import { createReader, type Reader } from './reader.ts'
import { openXlsx, XLSX_MAX_ROWS, xlsxOf } from './xlsx.ts'

const question = (sql: string) => parseQuestion(`-- q01_test: What?\n-- Grain: a row.\n${sql}`)

const saved = async (body: ReadableStream<Uint8Array>) =>
  readXlsx(new Uint8Array(await new Response(body).arrayBuffer()))

/** A cell in short: its type, its value, and its format unless it has none. */
const short = (cell: XlsxCell | undefined): string | undefined =>
  cell === undefined
    ? undefined
    : [cell.type, cell.value, ...(cell.format === 'General' ? [] : [cell.format])].join(' ')

/** The last three rows of a sheet that is too large to be read whole. */
function lastRows(bytes: Uint8Array): readonly string[] {
  const xml = unzipParts(bytes).get('xl/worksheets/sheet1.xml') ?? ''
  expect(xml.endsWith('</row></sheetData></worksheet>')).toBe(true)
  return (
    xml
      .slice(-2000)
      .match(/<row .*?<\/row>/g)
      ?.slice(-3) ?? []
  )
}

describe('openXlsx()', () => {
  let shop: ShopSystem
  let role: TestReader
  let reader: Reader
  beforeAll(async () => {
    shop = await createShop()
    role = await createTestReader(shop)
    reader = createReader(role.warehouse, { separate: 1, waitMs: 60_000 })
    await shop.sql.query(`insert into sale values
      (1, 1, 2, 3.500, '2024-01-02', null, null), (2, 2, 5, -12.5, '2024-01-03', null, null)`)
    await shop.run()
  })
  afterAll(async () => {
    await reader[Symbol.asyncDispose]()
    await role[Symbol.asyncDispose]()
    await shop[Symbol.asyncDispose]()
  })
  const sessions = () =>
    shop.query('select 1 from pg_stat_activity where usename = $1', [role.role])
  const open = async (sql: string) => await saved((await openXlsx(reader, question(sql))).body)

  it('keeps types, in a sheet whose first row is bold and stays in view', async () => {
    const { sheet, rows, widths, isHeaderFrozen } = await open(`select * from (values
      (-12.50, 1, 0.125, date '2024-02-29', timestamptz '2024-02-29 12:34:56+00',
        timestamp '2024-02-29 12:34:56', true, 'text'),
      (null, null, null, null, null, null, null, null),
      (0.1, 123456789012345, 1e-7, '1900-03-01', '2024-02-29 12:34:56.7899+00',
        '9999-12-31 23:59:59', false, '')
    ) as v (amount, n, share, day, moment, wall, flag, text)`)
    expect([sheet, isHeaderFrozen]).toEqual(['q01_test', true])
    expect(rows[0]?.map((cell) => [cell?.value, cell?.isBold])).toEqual(
      ['amount', 'n', 'share', 'day', 'moment (UTC)', 'wall', 'flag', 'text'].map((name) => [
        name,
        true,
      ]),
    )
    expect(rows.slice(1).map((row) => row.map(short))).toEqual([
      [
        'number -12.50 0.00',
        'number 1 0',
        'number 0.125',
        'number 45351 yyyy-mm-dd',
        `number ${45351 + 45296 / 86400} yyyy-mm-dd hh:mm:ss`,
        `number ${45351 + 45296 / 86400} yyyy-mm-dd hh:mm:ss`,
        'boolean 1',
        'text text',
      ],
      [],
      [
        'number 0.1',
        'number 123456789012345 0',
        'number 0.0000001',
        'number 61 yyyy-mm-dd',
        `number ${45351 + 45296.789 / 86400} yyyy-mm-dd hh:mm:ss.000`,
        `number ${2958465 + 86399 / 86400} yyyy-mm-dd hh:mm:ss`,
        'boolean 0',
        'text ',
      ],
    ])
    expect(widths.length).toBe(8)
    expect(Math.min(...widths)).toBeGreaterThanOrEqual(10)
  })

  it('writes as text what Excel cannot hold exactly', async () => {
    const { rows } = await open(`select * from (values
      (1234567890123456, date '1900-02-28', timestamptz '1899-12-31 10:00:00+00', 'NaN'::float8),
      (0.1234567890123456, '0044-03-15 BC', 'infinity', 'Infinity'),
      (-98765432109876543210.12, 'infinity', '0044-03-15 10:00:00+00 BC', 0.1::float8 + 0.2),
      (repeat('9', 310)::numeric, '10000-01-01', '10000-01-01 00:00:00+00', 1e-320),
      (100000000000000000000, '9999-12-31', '1900-03-01 00:00:00+00', 1e300)
    ) as v (amount, day, moment, float)`)
    const [, ...cells] = rows.map((row) => row.map(short))
    expect(cells.slice(0, 4)).toEqual([
      ['text 1234567890123456', 'text 1900-02-28', 'text 1899-12-31 10:00:00+00', 'text NaN'],
      ['text 0.1234567890123456', 'text 0044-03-15 BC', 'text infinity', 'text Infinity'],
      [
        'text -98765432109876543210.12',
        'text infinity',
        'text 0044-03-15 10:00:00+00 BC',
        'text 0.30000000000000004',
      ],
      [
        `text ${'9'.repeat(310)}`,
        'text 10000-01-01',
        'text 10000-01-01 00:00:00+00',
        expect.stringMatching(/^text 1e-320|^text 9\.99\d+e-321/),
      ],
    ])
    expect(cells[4]).toEqual([
      'number 100000000000000000000',
      'number 2958465 yyyy-mm-dd',
      'number 61 yyyy-mm-dd hh:mm:ss',
      'number 1e+300',
    ])
  })

  it('keeps text as text, whatever it holds', async () => {
    const hostile = [
      '=1+1',
      '-12.50',
      '@SUM(A1)',
      '__proto__',
      'constructor',
      ' in blanks ',
      'a "b" <c> & d]]>\n\te',
      'a\r\nb\rc',
      '_x0041_ __x000D__',
      'Grüße, 株式会社, emoji 😀👩‍👩‍👧',
      '2024-01-01',
      '007',
    ]
    const { rows } = await open(
      `select unnest(array[${hostile.map((_, index) => `$t$${hostile[index]}$t$`).join(', ')}]) as "=note"`,
    )
    expect(rows.map(([cell]) => [cell?.type, cell?.value])).toEqual(
      ['=note', ...hostile].map((text) => ['text', text]),
    )
    const control = await open(String.raw`select E'a\x01b\x0b\x1fc' || chr(65534) || chr(127) as t`)
    expect(control.rows[1]?.[0]?.value).toBe('a\uFFFDb\uFFFD\uFFFDc\uFFFD\u007F')
    const long = await open(`select repeat('x', 40000) as t union all
      select repeat('x', 32766) || '😀' union all select repeat('x', 32767)`)
    const [, cut, half, whole] = long.rows.map(([cell]) => cell?.value ?? '')
    expect(cut).toBe(`${'x'.repeat(32_766)}…`)
    expect(half).toBe(`${'x'.repeat(32_766)}…`)
    expect(whole).toBe('x'.repeat(32_767))
  })

  it('is a sheet with a header only if there are no rows, and may have no column', async () => {
    const none = await open(`select 1 as a, now() as b where false`)
    expect(none.rows.map((row) => row.map(short))).toEqual([['text a', 'text b (UTC)']])
    expect((await open('select')).rows).toEqual([[], []])
  })

  it('names columns beyond Z as Excel does', async () => {
    const names = Array.from({ length: 750 }, (_, index) => `c${index}`)
    const { rows } = await open(`select ${names.map((name) => `1 as ${name}`).join(', ')}`)
    expect(rows[0]?.map((cell) => cell?.value)).toEqual(names)
    expect(rows[1]?.length).toBe(750)
  })

  it('has the question, the filters and the moment in its file name', async () => {
    const sales = parseQuestion(`-- s01_sales: What?
-- Grain: a row.
-- Filters: currency, as_of
select sale_id from fact_sale_current where nullif(:'currency', '') is null order by 1`)
    const now = await openXlsx(reader, sales)
    expect(now.fileName).toMatch(/^s01_sales_as-of-[\d-]+T\d{6}Z\.xlsx$/)
    expect((await saved(now.body)).rows.length).toBe(3)
    const then = await openXlsx(reader, sales, {
      filters: { currency: '../"€\r\nx', as_of: '2024-01-01T10:00:00Z' },
    })
    expect(then.fileName).toBe('s01_sales_currency--x_as-of-2024-01-01T100000Z.xlsx')
    expect((await saved(then.body)).rows.length).toBe(1)
  })

  it('holds the rows that the CSV holds', async () => {
    const many = question(
      `select g as n, 'text ' || g as text from generate_series(1, 5000) as g order by 1`,
    )
    const { rows } = await saved((await openXlsx(reader, many)).body)
    const csv = await new Response((await openCsv(reader, many)).body).text()
    expect(rows.map(([n, text]) => `${n?.value},${text?.value}`)).toEqual(csv.trim().split('\r\n'))
  })

  it('streams a million rows in constant memory, and says at its end that there are more', async () => {
    const { body } = await openXlsx(
      reader,
      question(`select g as n, g / 100.0 as amount,
        timestamptz '2024-01-01 00:00:00+00' + g * interval '1 second' as moment,
        'some text of a usual length ' || g as text
        from generate_series(1, ${XLSX_MAX_ROWS + 1}) as g`),
    )
    const chunks: Uint8Array[] = []
    let sizeBytes = 0
    let peak = 0
    const limit = 20_000_000
    const before = heldBytes()
    for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
      chunks.push(chunk)
      sizeBytes += chunk.length
      peak = Math.max(peak, heldBytes({ above: before + sizeBytes + limit }) - sizeBytes)
    }
    expect(sizeBytes).toBeGreaterThan(20_000_000)
    expect(peak - before).toBeLessThan(limit)
    const last = lastRows(Buffer.concat(chunks))
    expect(last.map((row) => /<v>(\d+)<|>([^<]+)<\/t>/.exec(row)?.slice(1, 3).join(''))).toEqual([
      '999999',
      '1000000',
      'The sheet ends here. There are more rows: the CSV has all of them.',
    ])
    expect(last[2]).toContain('<row r="1000002">')
    await expect.poll(sessions).toEqual([])
  })

  it('reports an error before anything is sent, and returns its connection', async () => {
    const sales = parseQuestion(`-- q: What?
-- Grain: a row.
-- Filters: item
select * from fact_sale_current where item_id = nullif(:'item', '')::int`)
    await expect(openXlsx(reader, sales, { filters: { item: 'x' } })).rejects.toMatchObject({
      code: 'BAD_FILTER',
    })
    await expect(openXlsx(reader, question('select 1 / 0'))).rejects.toMatchObject({
      code: 'WAREHOUSE_ERROR',
    })
    expect((await open('select 1 as n')).rows.length).toBe(2)
  })

  it('frees the connection of a client that goes away', async () => {
    const endless = question('select generate_series(1, 1e15::bigint) as g')
    const left = await openXlsx(reader, endless)
    const taken = left.body.getReader()
    await taken.read()
    await taken.cancel()
    await expect.poll(sessions).toEqual([])

    const gone = new AbortController()
    const cut = await openXlsx(reader, endless, { signal: gone.signal })
    gone.abort()
    await expect(new Response(cut.body).arrayBuffer()).rejects.toThrow(/before all rows/)
    await expect.poll(sessions).toEqual([])
  })

  it('ends an incomplete file with an error, also if the warehouse goes away', async () => {
    const breaks = question('select 1 / (5000 - g) as n from generate_series(1, 10000) as g')
    const { body } = await openXlsx(reader, breaks)
    await expect(new Response(body).arrayBuffer()).rejects.toThrow(/before all rows/)
    await expect.poll(sessions).toEqual([])

    const endless = question('select generate_series(1, 1e15::bigint) as g')
    const away = await openXlsx(reader, endless)
    await shop.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [
      role.role,
    ])
    await expect(new Response(away.body).arrayBuffer()).rejects.toThrow(/before all rows/)
    await expect.poll(sessions).toEqual([])
  })
})

it('xlsxOf() says nothing at the end of as many rows as a sheet takes', async () => {
  const columns: ResultColumn[] = [{ name: 'n', kind: 'number' }]
  const rows = Array.from({ length: XLSX_MAX_ROWS }, () => ['1'])
  const last = lastRows(await xlsxOf({ columns, rows }, { sheet: 'ask' }))
  expect(last.at(-1)).toContain('<row r="1000001"><c r="A1000001" s="2"><v>1</v></c></row>')
})

it('xlsxOf() makes the same workbook from rows in memory, and a name that Excel takes', async () => {
  const columns: ResultColumn[] = [
    { name: 'n', kind: 'number' },
    { name: 'at', kind: 'moment' },
  ]
  const rows = Array.from({ length: 4001 }, (_, n) => [String(n), '2024-01-01 00:00:00+00'])
  const { sheet, rows: read } = readXlsx(await xlsxOf({ columns, rows }, { sheet: 'ask' }))
  expect(sheet).toBe('ask')
  expect(read[0]?.map((cell) => cell?.value)).toEqual(['n', 'at (UTC)'])
  expect(read.length).toBe(4002)
  expect(read.at(-1)?.map(short)).toEqual(['number 4000 0', 'number 45292 yyyy-mm-dd hh:mm:ss'])
  const nameOf = async (name: string) =>
    readXlsx(await xlsxOf({ columns: [], rows: [] }, { sheet: name })).sheet
  expect(await nameOf(`'a[b]:*?/\\c'`)).toBe('a b      c')
  expect(await nameOf(`<a> & "b"\r\n\u0001`)).toBe('<a> & "b"')
  expect(await nameOf('x'.repeat(40))).toBe('x'.repeat(31))
  expect(await nameOf(`${'x'.repeat(30)}😀`)).toBe('x'.repeat(30))
  expect(await nameOf("''")).toBe('Sheet1')
  expect(await nameOf('history')).toBe('Sheet1')
  expect(await nameOf('history of sales')).toBe('history of sales')
})
