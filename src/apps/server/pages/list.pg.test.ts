import { readFileSync } from 'node:fs'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestReader, type TestReader } from '../../../../test/support/reader.ts'
import { createSystem, type TestSystem } from '../../../../test/support/system.ts'
import { readXlsx } from '../../../../test/support/xlsx.ts'
import { fillTotesys } from '../../../../test/support/totesys-source/fill.ts'
import { parseConfig } from '../../../platform/config.ts'
import { bindList, readList } from '../../../platform/presentation/list.ts'
import { parseQuestion, readQuestions } from '../../../platform/presentation/question.ts'
import { createReader, type Reader } from '../../../platform/presentation/reader.ts'
import { XLSX_TYPE } from '../../../platform/presentation/xlsx.ts'
import { lists } from '../../../totesys/presentation/lists/lists.ts'
import { dashboard } from '../../../totesys/presentation/pages.ts'
import type { AppLogEntry } from '../../log.ts'
import { readAccess, type ServerEnv } from '../access.ts'
import { createApp } from '../app.ts'
import { groupsFor } from '../groups.ts'
import { parameterNamesOf } from './filters.ts'
import { pageRoutes, renderProblem } from './pages.ts'
import { totesys } from '../../../totesys/totesys.ts'

const QUESTIONS = new Map(dashboard.questions.flatMap((folder) => [...readQuestions(folder)]))
const SALES = 130
const NOW = new Date()

/** The source table, the key and the fact of each list. */
const KEYS = [
  ['sales_order', 'sales_order_id', 'fact_sales_order'],
  ['purchase_order', 'purchase_order_id', 'fact_purchase_orders'],
  ['payment', 'payment_id', 'fact_payment'],
] as const

describe('a list', () => {
  let system: TestSystem
  let role: TestReader
  let reader: Reader
  const entries: AppLogEntry[] = []
  const asker = ({ groups }: { groups?: readonly string[] } = {}) => {
    const app = createApp({
      project: totesys,
      reader,
      questions: QUESTIONS,
      promiseMs: 1_800_000,
      access: readAccess(parseConfig({})),
      log: (entry) => entries.push(entry),
      version: '1.2.3',
      pages: (presentation) => {
        const pages = new Hono<ServerEnv>()
        pages.use(async (c, next) => {
          if (groups !== undefined) {
            c.set('caller', { ...c.get('caller'), groups: new Set(groups) })
          }
          await next()
        })
        const { deps } = system
        const log = (entry: AppLogEntry) => entries.push(entry)
        return pages.route('/', pageRoutes({ presentation, dashboard, deps, log }))
      },
      problemPage: renderProblem,
      now: () => NOW,
      rate: { burst: 100_000, perSecond: 100_000 },
    })
    return async (path: string, accept = 'text/html') => {
      const response = await app.request(
        path,
        { headers: { accept } },
        { incoming: { socket: { remoteAddress: '127.0.0.1' } } },
      )
      const bytes = new Uint8Array(await response.arrayBuffer())
      const text = new TextDecoder().decode(bytes)
      return { response, status: response.status, bytes, text }
    }
  }
  const ids = async (sql: string): Promise<number[]> =>
    (await system.query<{ id: number }>(sql)).map(({ id }) => id)

  beforeAll(async () => {
    system = await createSystem()
    await fillTotesys(system.sql, { seed: 7, salesOrders: SALES, until: NOW })
    await system.sql.query(`
      update counterparty set counterparty_legal_name = '100% Äpfel_GmbH' where counterparty_id = 1;
      update counterparty set counterparty_legal_name = '100x ÄpfelXGmbH' where counterparty_id = 2`)
    await system.run()
    await system.sql.query(`
      update sales_order set units_sold = units_sold + 1 where sales_order_id in (3, 4);
      update payment set payment_date = (current_date - 5)::text, paid = false where payment_id = 5;
      update payment set payment_date = current_date::text, paid = false where payment_id = 6;
      update payment set payment_date = (current_date + 7)::text, paid = true where payment_id = 7;
      update payment set payment_date = (current_date + 8)::text where payment_id = 8;
      delete from payment where transaction_id = 9;
      delete from transaction where transaction_id = 9;
      delete from sales_order where sales_order_id not in
        (select sales_order_id from transaction where sales_order_id is not null)`)
    await system.run()
    role = await createTestReader(system)
    reader = createReader(role.warehouse)
  })
  afterAll(async () => {
    await reader[Symbol.asyncDispose]()
    await role[Symbol.asyncDispose]()
    await system[Symbol.asyncDispose]()
  })

  it('shows every row by name, with its page', async () => {
    for (const [table, key, fact] of KEYS) {
      const { status, text } = await asker()(`/list/${table}`)
      expect(status, table).toBe(200)
      const [newest] = await ids(
        `select ${key} as id from ${fact}_current order by ${lists.find((l) => l.name === table)?.sort.column} desc, 1 desc`,
      )
      expect(keysIn(text, table)[0], table).toBe(newest)
      expect(text).toContain(`href="/order/${table}/${newest}"`)
      expect(text).toMatch(/aria-sort="descending"/)
      expect((await asker()(`/order/${table}/${newest}`)).status).toBe(200)
    }
  })

  it('gives each row once in every order, forth and back, while rows are inserted', async () => {
    const ask = asker()
    for (const { name, sorts } of lists) {
      const [, key = '', fact = ''] = KEYS.find(([table]) => table === name) ?? []
      for (const sort of Object.keys(sorts).flatMap((column) => [column, `-${column}`])) {
        const before = await ids(`select ${key} as id from ${fact}_current`)
        const found: number[] = []
        const back: number[] = []
        let last = ''
        for (
          let path: string | undefined = `/list/${name}?sort=${sort}`;
          path !== undefined;
          path = linkIn(last, 'next')
        ) {
          last = (await ask(path)).text
          found.push(...keysIn(last, name))
          await system.query(
            `insert into ${fact}_current
             select (jsonb_populate_record(f, jsonb_build_object('${key}', m.key + 1))).*
             from ${fact}_current as f, (select max(${key}) as key from ${fact}_current) as m
             order by random() limit 1`,
          )
        }
        for (
          let path = linkIn(last, 'prev');
          path !== undefined;
          path = linkIn((await ask(path)).text, 'prev')
        ) {
          back.push(...keysIn((await ask(path)).text, name))
        }
        expect(found.length, `${name} by ${sort}`).toBe(new Set(found).size)
        expect(new Set(back).size, `${name} back by ${sort}`).toBe(back.length)
        const forth = new Set(found)
        const again = new Set([...back, ...keysIn(last, name)])
        expect(before.length).toBeGreaterThan(50)
        expect(before.filter((id) => !forth.has(id) || !again.has(id))).toEqual([])
      }
    }
  })

  it('names columns and filters that it has, and sorts by no column with a null', async () => {
    for (const list of lists) {
      const question = parseQuestion(readFileSync(list.sql, 'utf8'))
      const page = await readList(reader, {
        list,
        question,
        filters: {},
        sort: list.sort,
        place: undefined,
        rowCount: 1000,
      })
      const names = page.columns.map(({ name }) => name)
      expect(names).toEqual(expect.arrayContaining([...list.columns, ...Object.keys(list.sorts)]))
      for (const name of Object.keys(list.sorts)) {
        const place = names.indexOf(name)
        expect(
          page.rows.filter((row) => row[place] === null),
          name,
        ).toEqual([])
      }
      const own = list.own.flatMap((filter) => parameterNamesOf(filter))
      const shared = list.filters.flatMap((name) => (name === 'period' ? ['from', 'to'] : [name]))
      const known = question.filters.filter((name) => name !== 'today')
      expect([...own, ...shared].toSorted()).toEqual([...known].toSorted())
      const pages = dashboard.pages.map(({ path }) => path)
      expect(pages).toContain(list.page)
    }
  })

  it('is in the order that its heading says, ties by the number', async () => {
    const { text } = await asker()('/list/sales_order?sort=-amount')
    const wanted = await ids(
      `select sales_order_id as id from fact_sales_order_current
       order by units_sold * unit_price desc, sales_order_id desc limit 50`,
    )
    expect(keysIn(text, 'sales_order')).toEqual(wanted)
    expect(text).toMatch(/aria-sort="descending">\s*<a href="[^"]*sort=amount"/)
    expect(text.match(/aria-sort/g)).toHaveLength(1)
  })

  it('finds a part of a name in any case, and takes % and _ literally', async () => {
    const ask = asker()
    const ofOne = await ids(
      `select sales_order_id as id from fact_sales_order_current where counterparty_id = 1`,
    )
    expect(ofOne.length).toBeGreaterThan(0)
    for (const search of ['100% ä', 'äPFEL_gmbh', '0% Ä']) {
      const { text } = await ask(`/list/sales_order?search=${encodeURIComponent(search)}`)
      expect(sorted(keysIn(text, 'sales_order')), search).toEqual(sorted(ofOne))
    }
    const [one] = await system.query<{ staff: string; design: string; item: string }>(`
      select upper(s.first_name || ' ' || s.last_name) as staff, lower(d.design_name) as design,
        (select lower(item_code) from fact_purchase_orders_current limit 1) as item
      from dim_staff as s, dim_design as d limit 1`)
    for (const [path, search] of [
      ['sales_order', one?.design],
      ['purchase_order', one?.item],
      ['purchase_order', one?.staff],
      ['payment', 'äpfel_'],
    ]) {
      const { text } = await ask(`/list/${path}?search=${encodeURIComponent(search ?? '')}`)
      const rows = text.slice(text.indexOf('<tbody>')).split('<tr>').slice(1)
      expect(rows.length, search).toBeGreaterThan(0)
      for (const row of rows) expect(row.toLowerCase(), search).toContain(search?.toLowerCase())
    }
  })

  it('finds the orders of one design by its name with its number, as lists write it', async () => {
    const [found] = await system.query<{ name: string; orders: string }>(`
      select design_name || ' ' || design_id as name, count(*) as orders
      from fact_sales_order_current inner join dim_design using (design_id)
      group by 1 order by 1 limit 1`)
    const { name = '', orders } = found ?? {}
    const { text } = await asker()(
      `/list/sales_order?search=${encodeURIComponent(name.toUpperCase())}`,
    )
    expect(keysIn(text, 'sales_order')).toHaveLength(Number(orders))
    expect(text).toMatch(new RegExp(`>${name}</a>`))
  })

  it('finds a number: of an order, of a payment, and of the order of a payment', async () => {
    const ask = asker()
    for (const [table] of KEYS) {
      const { text } = await ask(`/list/${table}?search=3`)
      expect(keysIn(text, table), table).toContain(3)
    }
    const [own] = await ids(
      `select payment_id as id from fact_payment_current
       join dim_transaction using (transaction_id) where sales_order_id = 4`,
    )
    expect(keysIn((await ask('/list/payment?search=4')).text, 'payment')).toContain(own)
  })

  it('shows the states of payments, and how late they are', async () => {
    const ask = asker()
    const inState = async (state: string) => {
      const { text } = await ask(`/list/payment?state=${state}&sort=payment_id`)
      return { text, found: keysIn(text, 'payment') }
    }
    const overdue = await inState('overdue')
    expect(overdue.found).toContain(5)
    expect(overdue.found).not.toContain(6)
    expect(rowOf(overdue.text, 'payment', 5)).toMatch(
      /overdue\s*<\/td>\s*<td class="number"[^>]*>5</,
    )
    const soon = await inState('soon')
    expect(soon.found).toEqual(expect.arrayContaining([6, 7]))
    expect(soon.found.some((id) => id === 5 || id === 8)).toBe(false)
    expect(rowOf(soon.text, 'payment', 6)).toContain('due')
    expect(rowOf(soon.text, 'payment', 7)).toContain('paid')
    expect((await inState('unpaid')).found).toContain(6)
    const [paid, unpaid] = [await inState('paid'), await inState('unpaid')]
    expect(paid.text).not.toContain('overdue</td>')
    expect(unpaid.text).not.toContain('paid</td>')
    const deleted = await inState('deleted')
    expect(deleted.found.length).toBeGreaterThan(0)
    for (const direction of ['in', 'out']) {
      const { text } = await ask(`/list/payment?direction=${direction}`)
      const types = text.match(/(sales receipt|purchase refund|purchase payment|sales refund)/g)
      const wanted =
        direction === 'in'
          ? ['sales receipt', 'purchase refund']
          : ['purchase payment', 'sales refund']
      expect([...new Set(types)].filter((type) => !wanted.includes(type))).toEqual([])
    }
  })

  it('shows changed and deleted orders by their state, and leads to what was deleted', async () => {
    const ask = asker()
    const changed = await ask('/list/sales_order?state=changed')
    const updated = await ids(
      `select sales_order_id as id from fact_sales_order_current where record_operation = 'update'`,
    )
    expect(updated).toEqual(expect.arrayContaining([3, 4]))
    expect(sorted(keysIn(changed.text, 'sales_order'))).toEqual(sorted(updated))
    const gone = await ids(
      `select sales_order_id as id from fact_sales_order where record_operation = 'delete'`,
    )
    const deleted = await ask('/list/sales_order?state=deleted')
    expect(gone.length).toBeGreaterThan(0)
    expect(sorted(keysIn(deleted.text, 'sales_order'))).toEqual(sorted(gone))
    expect((await ask(`/order/sales_order/${gone[0]}`)).text).toContain('deleted')
    expect(
      keysIn((await ask('/list/sales_order?sort=sales_order_id')).text, 'sales_order'),
    ).not.toEqual(expect.arrayContaining(gone))
  })

  it('keeps to the filters of the dashboard and to amounts', async () => {
    const ask = asker()
    const [{ day, amount } = { day: '', amount: '' }] = await system.query<{
      day: string
      amount: string
    }>(
      `select created_date::text as day, (units_sold * unit_price)::text as amount
       from fact_sales_order_current where sales_order_id = 11`,
    )
    const path = `/list/sales_order?from=${day}&to=${day}&amount_from=${amount}&amount_to=${amount}`
    const { text } = await ask(path)
    expect(keysIn(text, 'sales_order')).toContain(11)
    const [{ code } = { code: '' }] = await system.query<{ code: string }>(
      `select currency_code as code from fact_sales_order_current
       join dim_currency using (currency_id) where sales_order_id = 11`,
    )
    const other = ['GBP', 'EUR', 'USD'].find((each) => each !== code)
    expect((await ask(`${path}&currency=${other}`)).text).toContain('Nothing meets these filters.')
    expect(text).toContain('Amount from')
  })

  it('says why there is nothing, and offers a way out of each filter', async () => {
    const { text } = await asker()(
      '/list/payment?search=nobody&state=overdue&amount_from=1&sort=amount',
    )
    expect(text).toContain('Nothing meets these filters.')
    for (const way of ['any text', 'all that exist', 'any amount']) {
      expect(text).toContain(`Show ${way}</a>`)
    }
    expect(text).toMatch(/href="\/list\/payment\?state=overdue&amp;amount_from=1&amp;sort=amount"/)
  })

  it('of payments is where the pages lead for overdue payments and those of the next week', async () => {
    const { text } = await asker()('/payments?currency=GBP&period=4w')
    expect(text).toContain('href="/list/payment?currency=GBP&amp;state=overdue"')
    expect(text).toContain('href="/list/payment?currency=GBP&amp;state=soon&amp;sort=payment_date"')
    expect((await asker()('/sales')).text).toContain('href="/list/sales_order"')
    expect((await asker()('/purchases')).text).toContain('href="/list/purchase_order"')
  })

  it('leads to the page of a payment, which leads to its order and counterparty', async () => {
    const [{ id, order, counterparty } = { id: 0, order: 0, counterparty: 0 }] =
      await system.query<{ id: number; order: number; counterparty: number }>(
        `select payment_id as id, sales_order_id as order, counterparty_id as counterparty
         from fact_payment_current join dim_transaction using (transaction_id)
         where sales_order_id is not null order by 1 limit 1`,
      )
    const { text } = await asker()(`/order/payment/${id}`)
    expect(text).toContain(`<a href="/order/sales_order/${order}">sales order ${order}</a>`)
    expect(text).toContain(`<a href="/counterparty?counterparty=${counterparty}">`)
  })

  it('is for the group finance only if it holds payments, and says who read it', async () => {
    const analyst = asker({ groups: ['analyst'] })
    const finance = asker({ groups: ['finance'] })
    for (const path of [
      '/list/payment',
      '/list/payment.csv',
      '/list/payment.xlsx',
      '/list/%70ayment',
    ]) {
      expect((await analyst(path, '*/*')).status, path).toBe(403)
      expect((await analyst(path, '*/*')).text).not.toContain('<td')
    }
    expect((await analyst('/list/sales_order')).status).toBe(200)
    expect(groupsFor('/list/payment', totesys)).toEqual(['finance'])
    expect(groupsFor('/list/payment.csv', totesys)).toEqual(['finance'])
    expect(groupsFor('/list/payment.xlsx', totesys)).toEqual(['finance'])
    expect(groupsFor('/list/sales_order', totesys)).toEqual(['analyst'])
    entries.length = 0
    expect((await finance('/list/payment')).status).toBe(200)
    expect(entries).toContainEqual(
      expect.objectContaining({ event: 'payments_read', path: '/list/payment', status: 200 }),
    )
    expect((await finance('/list/payment.xlsx', '*/*')).status).toBe(200)
    expect(entries.at(-1)).toMatchObject({ event: 'payments_read', path: '/list/payment.xlsx' })
  })

  it('is a file of all rows that meet the filters, in its order', async () => {
    const ask = asker()
    const { text, response } = await ask('/list/sales_order.csv?sort=-amount', '*/*')
    expect(response.headers.get('content-type')).toContain('text/csv')
    expect(response.headers.get('content-disposition')).toMatch(/list_sales_order.*\.csv"/)
    const [header = '', ...rows] = text.trim().split('\r\n')
    expect(header).toContain('sales_order_id,created_date')
    expect(rows.map((row) => Number(row.split(',')[0]))).toEqual(
      await ids(
        `select sales_order_id as id from fact_sales_order_current
         order by units_sold * unit_price desc, sales_order_id desc`,
      ),
    )
    const workbook = await ask('/list/sales_order.xlsx?sort=-amount', '*/*')
    expect(workbook.response.headers.get('content-type')).toBe(XLSX_TYPE)
    expect(workbook.response.headers.get('content-disposition')).toMatch(
      /list_sales_order.*\.xlsx"/,
    )
    const [names = [], ...cells] = readXlsx(workbook.bytes).rows
    expect(names.map((cell) => cell?.value.replace(' (UTC)', ''))).toEqual(header.split(','))
    expect(cells.map(([id]) => id?.value)).toEqual(rows.map((row) => row.split(',')[0]))
    const overdue = (await ask('/list/payment.csv?state=overdue', '*/*')).text
    expect(overdue).toContain('overdue')
    expect(overdue).not.toContain(',paid,')
    const page = (await ask('/list/payment?state=overdue&sort=amount')).text
    expect(page).toContain('href="/list/payment.csv?state=overdue&amp;sort=amount"')
    expect(page).toContain('href="/list/payment.xlsx?state=overdue&amp;sort=amount"')
  })

  it('names bad values on the page, and refuses them in the file', async () => {
    const ask = asker()
    for (const [query, name] of [
      ['state=none', 'State'],
      ['amount_from=1e9', 'Amount from'],
      ['amount_to=NaN', 'Amount to'],
      ['amount_from=5&amount_to=4', 'Amount to'],
      [`search=${'x'.repeat(101)}`, 'Customer'],
      ['search=%00', 'Customer'],
      ['from=2026-02-30', 'From'],
      ['currency=%27;drop', 'Currency'],
      ['counterparty=99999999999', 'Counterparty'],
      ['design=-1', 'Design'],
    ]) {
      const { status, text } = await ask(`/list/sales_order?${query}`)
      expect(status, query).toBe(200)
      expect(text, query).toMatch(new RegExp(`role="alert">\\s*<p><b>${name}`))
      const file = await ask(`/list/sales_order.csv?${query}`, '*/*')
      expect([file.status, file.text.includes('BAD_FILTER')], query).toEqual([400, true])
      const workbook = await ask(`/list/sales_order.xlsx?${query}`, '*/*')
      expect([workbook.status, workbook.text.includes('BAD_FILTER')], query).toEqual([400, true])
    }
    const hostile = encodeURIComponent(`'; drop table x; -- "\\%_ <script>`)
    const { status, text } = await ask(`/list/sales_order?search=${hostile}`)
    expect(status).toBe(200)
    expect(text).not.toContain('<script>')
    expect(text).toContain('Nothing meets these filters.')
  })

  it('reads its first pages from an index, however many rows there are', async () => {
    for (const list of lists) {
      const [, key = '', fact = ''] = KEYS.find(([table]) => table === list.name) ?? []
      await system.query(
        `insert into ${fact}_current
         select (jsonb_populate_record(f, jsonb_build_object('${key}', 100000 + i,
           '${list.sort.column}', (f).${list.sort.column} - i % 700))).*
         from (select f from ${fact}_current as f order by 1 limit 1) as one, generate_series(1, 20000) i`,
      )
      await system.query(`analyze ${fact}_current`)
      const question = parseQuestion(readFileSync(list.sql, 'utf8'))
      const client = await system.warehouse.client()
      for (const place of [undefined, { isBefore: false, value: '2020-01-01', key: '1' }]) {
        const { text, values } = bindList({
          list,
          question,
          filters: {},
          sort: list.sort,
          place,
          rowCount: 50,
        })
        const { rows } = await client.query<Record<string, string>>(`explain ${text}`, [...values])
        const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
        expect(plan).toContain(`${fact}_current_${list.sort.column}_idx`)
        expect(plan).not.toContain(`Seq Scan on ${fact}_current`)
      }
    }
  })

  it('refuses an order or a cursor that it did not give', async () => {
    const ask = asker()
    const next = linkIn((await ask('/list/sales_order')).text, 'next') ?? ''
    const cursor = new URL(next, 'http://x').searchParams.get('cursor') ?? ''
    expect((await ask(`/list/sales_order?cursor=${cursor}`)).status).toBe(200)
    const forged = (place: unknown[]): string => {
      const text = Buffer.from(cursor, 'base64url').toString()
      const [hash] = JSON.parse(text.slice(13)) as [string]
      return Buffer.from(`${text.slice(0, 12)} ${JSON.stringify([hash, ...place])}`).toString(
        'base64url',
      )
    }
    for (const path of [
      '/list/sales_order?sort=design_id',
      '/list/sales_order?sort=created_date;select',
      `/list/sales_order?sort=amount&cursor=${cursor}`,
      `/list/sales_order?search=a&cursor=${cursor}`,
      `/list/purchase_order?cursor=${cursor}`,
      `/list/sales_order?cursor=${cursor.slice(0, -1)}`,
      `/list/sales_order?cursor=${cursor}A`,
      `/list/sales_order?cursor=${'A'.repeat(1999)}`,
      `/list/sales_order?cursor=${'A'.repeat(2001)}`,
      '/list/sales_order?cursor=%00',
      `/list/sales_order?cursor=${forged([false, 'soon', '1'])}`,
      `/list/sales_order?cursor=${cursor}&cursor=${cursor}`,
    ]) {
      const { status, text } = await ask(path)
      expect(status, path).toBe(400)
      expect(text, path).toContain('This address is not valid')
    }
  })
})

function sorted(ids: readonly number[]): number[] {
  return ids.toSorted((a, b) => a - b)
}

/** The keys of the rows on a page, in their order. */
function keysIn(text: string, table: string): number[] {
  const body = text.slice(text.indexOf('<tbody>'))
  const own = new RegExp(`<tr>\\s*<td[^>]*>\\s*<a href="/order/${table}/(\\d+)"`, 'g')
  return [...body.matchAll(own)].map(([, key]) => Number(key))
}

/** The row of a key. */
function rowOf(text: string, table: string, key: number): string {
  const begin = text.indexOf(`href="/order/${table}/${key}"`)
  return text.slice(begin, text.indexOf('</tr>', begin))
}

/** The address that a link with this relation leads to. */
function linkIn(text: string, rel: 'next' | 'prev'): string | undefined {
  const [, href] = new RegExp(`<a href="([^"]*)" rel="${rel}"`).exec(text) ?? []
  return href?.replaceAll('&amp;', '&')
}
