import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heldBytes } from '../../../test/support/held-bytes.ts'
import { createTestReader, type TestReader } from '../../../test/support/reader.ts'
import { createShop, type ShopSystem } from '../../../test/support/shop.ts'
import { csvHeader, csvLine, openCsv } from './csv.ts'
import type { Download } from './download.ts'
import { parseQuestion } from './question.ts'
import { createReader, type Reader } from './reader.ts'

const question = (sql: string) => parseQuestion(`-- q01_test: What?\n-- Grain: a row.\n${sql}`)

describe('openCsv()', () => {
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

  it('writes a header and every row, defuses formulas, and leaves numbers unchanged', async () => {
    const { body } = await openCsv(
      reader,
      question(`select * from (values
        (-12.50, -1, '=1+1', date '2024-02-03', timestamptz '2024-02-03 04:05:06.7+00', true, null),
        (0.10, 2, '-12.50', date '0044-03-15 BC', 'infinity', false, ''),
        (1, 3, '@x', null, timestamptz '2024-02-03 04:05:06+00', null, E'a "b"\\nc,d'),
        ('NaN', 4, E'\\t=1', null, null, null, 'plain'),
        (1, 5, E'\\r=1', null, null, null, '+1'),
        (1, 6, '－1', null, null, null, 'a=1')
      ) as v (amount, n, text, day, moment, flag, "=note")`),
    )
    const bytes = Buffer.from(await new Response(body).arrayBuffer())
    // Without the mark, Excel does not read UTF-8.
    expect(bytes.subarray(0, 3)).toEqual(Buffer.from([0xef, 0xbb, 0xbf]))
    expect(bytes.subarray(3).toString()).toBe(
      [
        `amount,n,text,day,moment,flag,'=note`,
        `-12.50,-1,'=1+1,2024-02-03,2024-02-03T04:05:06.7Z,t,`,
        `0.10,2,'-12.50,0044-03-15 BC,infinity,f,""`,
        `1,3,'@x,,2024-02-03T04:05:06Z,,"a ""b""\nc,d"`,
        `NaN,4,'\t=1,,,,plain`,
        `1,5,"'\r=1",,,,'+1`,
        `1,6,'－1,,,,a=1`,
        '',
      ].join('\r\n'),
    )
  })

  it('has the question, the filters and the moment in its file name', async () => {
    const sales = parseQuestion(`-- s01_sales: What?
-- Grain: a row.
-- Filters: currency, as_of
select sale_id from fact_sale_current where nullif(:'currency', '') is null order by 1`)
    const [head] = await shop.query<{ t: string }>(
      `select to_char(complete_to, 'YYYY-MM-DD"T"HH24MISS"Z"') as t from tidemark_status`,
    )
    const now = await openCsv(reader, sales, {})
    expect(now.fileName).toBe(`s01_sales_as-of-${head?.t}.csv`)
    expect(await new Response(now.body).text()).toBe('sale_id\r\n1\r\n2\r\n')
    const then = await openCsv(reader, sales, {
      filters: { currency: '../"€\r\nx', as_of: '2024-01-01T10:00:00Z', other: 'y' },
    })
    expect(then.fileName).toBe('s01_sales_currency--x_as-of-2024-01-01T100000Z.csv')
    expect(await new Response(then.body).text()).toBe('sale_id\r\n')
    const long = await openCsv(reader, sales, { filters: { currency: 'x'.repeat(5000) } })
    expect(long.fileName.length).toBeLessThan(250)
    await long.body.cancel()
  })

  it('streams a million rows in constant memory, no faster than the client takes them', async () => {
    const many = question(
      `select g as n, 'some text of a usual length ' || g as text from generate_series(1, 1000000) as g`,
    )
    const { body } = await openCsv(reader, many)
    let sizeBytes = 0
    let lines = 0
    let peak = 0
    const limit = 20_000_000
    const before = heldBytes()
    for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
      sizeBytes += chunk.length
      for (const byte of chunk) if (byte === 10) lines += 1
      peak = Math.max(peak, heldBytes({ above: before + limit }))
    }
    expect(lines).toBe(1_000_001)
    expect(sizeBytes).toBeGreaterThan(40_000_000)
    expect(peak - before).toBeLessThan(limit)
    await expect.poll(sessions).toEqual([])
  })

  it('reports an error before anything is sent, and returns its connection', async () => {
    const sales = parseQuestion(`-- q: What?
-- Grain: a row.
-- Filters: item
select * from fact_sale_current where item_id = nullif(:'item', '')::int`)
    await expect(openCsv(reader, sales, { filters: { item: 'x' } })).rejects.toMatchObject({
      code: 'BAD_FILTER',
    })
    await expect(openCsv(reader, question('select 1 / 0'))).rejects.toMatchObject({
      code: 'WAREHOUSE_ERROR',
    })
    const { body } = await openCsv(reader, question('select 1 as n'))
    expect(await new Response(body).text()).toBe('n\r\n1\r\n')
  })

  it('frees the connection of a client that goes away or is too slow', async () => {
    const endless = question('select generate_series(1, 1e15::bigint) as g')
    const left = await openCsv(reader, endless)
    await left.body.getReader().cancel()
    await expect.poll(sessions).toEqual([])

    const gone = new AbortController()
    const cut = await openCsv(reader, endless, { signal: gone.signal })
    gone.abort()
    await expect(new Response(cut.body).text()).rejects.toThrow(/before all rows/)
    await expect.poll(sessions).toEqual([])

    // Just long enough for the first rows on this machine.
    const openSoon = (timeoutMs: number): Promise<Download> =>
      openCsv(reader, endless, { timeoutMs }).catch(() => openSoon(timeoutMs * 2))
    const slow = await openSoon(50)
    await expect.poll(sessions).toEqual([])
    await expect(new Response(slow.body).text()).rejects.toThrow(/before all rows/)
  })

  it('ends an incomplete file with an error', async () => {
    const breaks = question('select 1 / (5000 - g) as n from generate_series(1, 10000) as g')
    const { body } = await openCsv(reader, breaks)
    await expect(new Response(body).text()).rejects.toThrow(/before all rows/)
    await expect.poll(sessions).toEqual([])
  })
})

it('csvLine() and csvHeader() quote characters that would end a cell', () => {
  const columns = [
    { name: 'a,b', kind: 'text' },
    { name: 'n', kind: 'number' },
  ] as const
  expect(csvHeader(columns)).toBe('"a,b",n\r\n')
  expect(csvLine(columns, ['x\ny', '-1'])).toBe('"x\ny",-1\r\n')
})
