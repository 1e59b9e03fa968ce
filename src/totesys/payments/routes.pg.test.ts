import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestReader, type TestReader } from '../../../test/support/reader.ts'
import { MOMENT, seedTotesys } from '../../../test/support/small-totesys.ts'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'
import { parseConfig } from '../../platform/config.ts'
import { readQuestions } from '../../platform/presentation/question.ts'
import { createReader, type Reader } from '../../platform/presentation/reader.ts'
import type { AppLogEntry } from '../../apps/log.ts'
import { readAccess } from '../../apps/server/access.ts'
import { createApp } from '../../apps/server/app.ts'
import { pageRoutes, renderProblem } from '../../apps/server/pages/pages.ts'
import type { Problem } from '../../apps/server/problem.ts'
import { dashboard } from '../presentation/pages.ts'
import { totesys } from '../totesys.ts'
import type { PaymentHistory, PaymentPage } from './payments.ts'
import { serverExtension } from './server-extension.ts'

const questions = new Map(dashboard.questions.flatMap((folder) => [...readQuestions(folder)]))
const NOW = new Date('2024-02-04T12:00:00Z')

interface Given {
  readonly id: number
  readonly day: string
  readonly amount?: string
  readonly currency?: number
  readonly type?: number
  readonly paid?: boolean
  readonly counterparty?: number
}

/** SQL that inserts payments, each with a transaction of the same number. */
function insertPayments(payments: readonly Given[]): string {
  const rows = payments.map(
    ({ id, day, amount = '9.90', currency = 1, type = 1, paid = false, counterparty = 1 }) =>
      `(${id}, ${MOMENT}, ${MOMENT}, ${id}, ${counterparty}, ${amount}, ${currency}, ${type}, ${paid},
        '${day}', 1, 2)`,
  )
  const transactions = payments.map(({ id }) => `(${id}, 'SALE', null, null, ${MOMENT}, ${MOMENT})`)
  return `insert into transaction values ${transactions.join(', ')} on conflict do nothing;
    insert into payment values ${rows.join(', ')}`
}

/** Values that no parameter can have, by parameter. */
const REFUSED = [
  ['direction=up', 'direction=', 'direction=IN'],
  ['currency=gbp', 'currency=GB', 'currency=GBPX', "currency=';--", 'currency='],
  ['counterparty=0', 'counterparty=-1', 'counterparty=1.5', 'counterparty=1e3'],
  ['counterparty=2147483648', 'counterparty=01', 'counterparty=%2B1', 'counterparty=x'],
  ['paid=1', 'paid=yes', 'paid=TRUE', 'overdue=t', 'overdue=%20true'],
  ['due_from=soon', 'due_from=2024-02-30', 'due_from=2024-2-3', 'due_from=infinity'],
  ['due_to=20240203', 'due_to=2024-02-03T00:00:00Z', 'due_to=0000-01-01', 'due_to=today'],
  ['limit=0', 'limit=501', 'limit=-1', 'limit=ten', 'limit=1.0', 'limit='],
  ['cursor=', 'cursor=x', 'cursor=null', `cursor=${'A'.repeat(300)}`, 'cursor=%00'],
  ['cursor=eyJleGFtcGxlIjoxfQ', 'cursor=..%2F..'],
]

describe('/payments', () => {
  let system: TestSystem
  let role: TestReader
  let reader: Reader
  const log: AppLogEntry[] = []
  const asker = ({ hasPages = true, now = NOW } = {}) => {
    const { deps } = system
    const app = createApp({
      project: totesys,
      extension: serverExtension,
      reader,
      questions,
      promiseMs: 1_800_000,
      access: readAccess(parseConfig({})),
      log: (entry) => log.push(entry),
      version: '1.2.3',
      now: () => now,
      rate: { burst: 10_000, perSecond: 10_000 },
      problemPage: renderProblem,
      ...(hasPages
        ? {
            pages: (presentation) =>
              pageRoutes({ presentation, dashboard, deps, log: (entry) => log.push(entry) }),
          }
        : {}),
    })
    return async (path: string, { accept = 'application/json', ...headers }: Head = {}) =>
      await app.request(
        path,
        { headers: { accept, ...headers } },
        { incoming: { socket: { remoteAddress: '127.0.0.1' } } },
      )
  }
  type Head = Readonly<Record<string, string>>
  const pageOf = async (query = '') => {
    const response = await asker()(`/payments${query}`)
    expect(response.status, query).toBe(200)
    return (await response.json()) as PaymentPage
  }
  const idsOf = async (query: string) => (await pageOf(query)).payments.map(({ id }) => id)
  const problemOf = async (query: string) => {
    const response = await asker()(`/payments${query}`)
    return (await response.json()) as Problem
  }

  beforeAll(async () => {
    system = await createSystem()
    await seedTotesys(system.sql)
    await system.sql.query(`delete from payment;
      update counterparty set counterparty_legal_name = '=Bolt, "Inc"' where counterparty_id = 2;
      insert into currency values (2, 'EUR', ${MOMENT}, ${MOMENT});
      insert into payment_type values (2, 'PURCHASE_PAYMENT', ${MOMENT}, ${MOMENT}),
        (3, 'SALES_REFUND', ${MOMENT}, ${MOMENT}), (4, 'PURCHASE_REFUND', ${MOMENT}, ${MOMENT})`)
    await system.sql.query(
      insertPayments([
        { id: 1, day: '2024-02-01' },
        { id: 2, day: '2024-02-01', paid: true, amount: '12345678.90' },
        { id: 3, day: '2024-01-20', type: 2, currency: 2 },
        { id: 4, day: '2024-02-04', type: 4, counterparty: 2 },
        { id: 5, day: '2024-02-09', type: 3, counterparty: 2, amount: '0.10' },
        { id: 6, day: '2024-02-03', type: 1, currency: 2, paid: true },
      ]),
    )
    await system.run()
    role = await createTestReader(system)
    reader = createReader(role.warehouse)
  })
  afterAll(async () => {
    await reader[Symbol.asyncDispose]()
    await role[Symbol.asyncDispose]()
    await system[Symbol.asyncDispose]()
  })

  it('answers in JSON, in the order of day and id, with the fields of the lists', async () => {
    const response = await asker()('/payments')
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(response.headers.get('tidemark-is-fresh')).toMatch(/^(true|false)$/)
    const { payments, next } = (await response.json()) as PaymentPage
    expect(payments.map(({ id }) => id)).toEqual([3, 1, 2, 6, 4, 5])
    expect(next).toBeNull()
    expect(payments[2]).toEqual({
      id: 2,
      date: '2024-02-01',
      amount: '12345678.90',
      currency: 'GBP',
      type: 'SALES_RECEIPT',
      paid: true,
      counterparty: { id: 1, name: 'Acme' },
    })
    const last = (await (await asker()('/payments/last5')).json()) as PaymentPage
    expect(payments).toContainEqual(last.payments[0])
  })

  it.each<[string, number[]]>([
    ['direction=in', [1, 2, 6, 4]],
    ['direction=out', [3, 5]],
    ['currency=EUR', [3, 6]],
    ['currency=USD', []],
    ['counterparty=2', [4, 5]],
    ['counterparty=99', []],
    ['paid=true', [2, 6]],
    ['paid=false', [3, 1, 4, 5]],
    ['due_from=2024-02-03', [6, 4, 5]],
    ['due_to=2024-02-01', [3, 1, 2]],
    ['due_from=2024-02-01&due_to=2024-02-03', [1, 2, 6]],
    ['due_from=2024-02-03&due_to=2024-02-01', []],
    ['overdue=true', [3, 1]],
    ['overdue=false', [2, 6, 4, 5]],
    ['limit=2', [3, 1]],
    ['limit=500', [3, 1, 2, 6, 4, 5]],
    ['direction=in&currency=GBP&paid=false&overdue=false', [4]],
  ])('filters by %s', async (query, ids) => {
    expect(await idsOf(`?${query}`)).toEqual(ids)
  })

  it('counts as overdue from the day after', async () => {
    const overdue = async (now: string) => {
      const response = await asker({ now: new Date(now) })('/payments?overdue=true')
      return ((await response.json()) as PaymentPage).payments.map(({ id }) => id)
    }
    expect(await overdue('2024-02-04T23:59:59Z')).toEqual([3, 1])
    expect(await overdue('2024-02-05T00:00:00Z')).toEqual([3, 1, 4])
  })

  it.each(REFUSED.flat())('refuses %s and names the parameter', async (query) => {
    const { status, code, parameter, allowed, detail } = await problemOf(`?${query}`)
    const [name = ''] = query.split('=')
    expect([status, code, parameter]).toEqual([400, 'BAD_FILTER', name])
    expect(detail).toContain(`“${name}”`)
    expect(allowed?.join(' ')).toBe(
      'direction currency counterparty paid due_from due_to overdue limit cursor',
    )
  })

  it('takes a cursor with the same filters in any order, and refuses it with others', async () => {
    const { next } = await pageOf('?paid=false&due_to=2024-03-01&limit=1')
    expect(await idsOf(`?due_to=2024-03-01&paid=false&cursor=${next}&limit=2`)).toEqual([1, 4])
    for (const other of ['', 'paid=false', 'paid=true&due_to=2024-03-01', 'direction=in']) {
      const problem = await problemOf(`?${other}&cursor=${next}`.replace('?&', '?'))
      expect(problem, other).toMatchObject({ status: 400, parameter: 'cursor' })
      expect(problem.detail).toContain('belongs to other filters')
    }
    for (const bad of [`${next}A`, next?.slice(1), next?.slice(0, -1), next?.toLowerCase()]) {
      const problem = await problemOf(`?paid=false&due_to=2024-03-01&cursor=${bad}`)
      expect(problem, bad).toMatchObject({ status: 400, parameter: 'cursor' })
    }
    expect(next).not.toMatch(/2024|paid/)
  })

  it('pages over all payments without a gap or a double while others arrive', async () => {
    const many = Array.from({ length: 120 }, (_, place) => ({
      id: 1000 + place,
      day: `2024-03-${String(1 + (place % 7)).padStart(2, '0')}`,
    }))
    await system.sql.query(insertPayments(many))
    await system.run()
    const before = new Set(await idsOf('?limit=500'))
    const seen: number[] = []
    let next: string | null = null
    let pages = 0
    do {
      const page: PaymentPage = await pageOf(`?limit=7${next === null ? '' : `&cursor=${next}`}`)
      seen.push(...page.payments.map(({ id }) => id))
      next = page.next
      pages += 1
      if (pages % 6 !== 0) continue
      // Before, within and after the place that was reached.
      const day = (number: number) => `2024-0${number}-0${1 + (pages % 7)}`
      await system.sql.query(
        insertPayments(
          [1, 3, 4].map((month) => ({ id: pages * 100_000 + month, day: day(month) })),
        ),
      )
      await system.run()
    } while (next !== null)
    expect(pages).toBeGreaterThan(17)
    expect(new Set(seen).size).toBe(seen.length)
    expect([...before].filter((id) => !seen.includes(id))).toEqual([])
    const all = await idsOf('?limit=500')
    expect(all.filter((id) => seen.includes(id))).toEqual(seen)
    await system.sql.query('delete from payment where payment_id >= 1000')
    await system.run({ confirmDeletes: new Set(['payment']) })
  })

  it('names the address of the next page in a header', async () => {
    const ask = asker()
    const first = await ask('/payments?limit=4&paid=false', { accept: 'text/csv' })
    const [, address = ''] = /^<([^>]+)>; rel="next"$/.exec(first.headers.get('link') ?? '') ?? []
    expect(address).toBe('')
    const short = await ask('/payments?limit=3&paid=false', { accept: 'text/csv' })
    const [, next = ''] = /^<([^>]+)>; rel="next"$/.exec(short.headers.get('link') ?? '') ?? []
    const { payments } = (await (await ask(next)).json()) as PaymentPage
    expect(payments.map(({ id }) => id)).toEqual([5])
  })

  it('answers in CSV like the other files, with cells that no spreadsheet computes', async () => {
    const response = await asker()('/payments?counterparty=2', { accept: 'text/csv' })
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8; header=present')
    expect(response.headers.get('content-disposition')).toMatch(
      /^attachment; filename="payments_counterparty-2_as-of-[\dTZ-]+\.csv"$/,
    )
    expect(await response.text()).toBe(
      'id,date,amount,currency,type,paid,counterparty_id,counterparty\r\n' +
        `4,2024-02-04,9.90,GBP,PURCHASE_REFUND,f,2,"'=Bolt, ""Inc"""\r\n` +
        `5,2024-02-09,0.10,GBP,SALES_REFUND,f,2,"'=Bolt, ""Inc"""\r\n`,
    )
    const none = await asker()('/payments?currency=USD', { accept: 'text/csv' })
    expect(await none.text()).toMatch(/^id,.*,counterparty\r\n$/)
    const bad = await asker()('/payments?limit=0', { accept: 'text/csv' })
    expect([bad.status, bad.headers.get('content-type')]).toEqual([400, 'application/problem+json'])
  })

  it.each([
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'text/html'],
    ['*/*', 'application/json'],
    ['', 'application/json'],
    ['text/*', 'text/csv'],
    ['application/json', 'application/json'],
    ['application/json, text/plain, */*', 'application/json'],
    ['text/html;q=0.1, application/json', 'application/json'],
    ['application/*', 'application/json'],
    ['text/csv, application/json;q=0.9', 'text/csv'],
    ['image/png', 'application/problem+json'],
    ['text/html;q=0', 'application/problem+json'],
  ])('answers to Accept: %s as %s, and caches keep them apart', async (accept, type) => {
    const response = await asker()('/payments', { accept })
    expect(response.headers.get('content-type')?.split(';')[0]).toBe(type)
    expect(response.status).toBe(type.includes('problem') ? 406 : 200)
    expect(response.headers.get('vary')).toMatch(/(^|, )Accept(,|$)/)
  })

  it('refuses parameters of the page in JSON, and those of the API in the page', async () => {
    const ask = asker()
    const json = await ask('/payments?period=4w')
    expect([json.status, ((await json.json()) as Problem).parameter]).toEqual([400, 'period'])
    expect(json.headers.get('vary')).toContain('Accept')
    const page = await ask('/payments?direction=in', { accept: 'text/html' })
    expect([page.status, page.headers.get('content-type')]).toEqual([
      400,
      'text/html; charset=utf-8',
    ])
    expect(await page.text()).toContain('Allowed parameters: period, from, to, currency')
    expect((await ask('/payments?period=4w', { accept: 'text/html' })).status).toBe(200)
    expect((await asker({ hasPages: false })('/payments', { accept: '*/*' })).status).toBe(200)
  })

  it('keeps the tag of an answer across batches that leave it alone', async () => {
    const ask = asker()
    const paths = ['/payments', '/payments?limit=2', '/payments/last5', '/payments/1']
    const tags = async (accept = 'application/json') =>
      await Promise.all(
        paths.map(async (path) => (await ask(path, { accept })).headers.get('etag') ?? ''),
      )
    const before = await tags()
    expect(new Set(before).size).toBe(paths.length)
    await system.sql.query('update sales_order set units_sold = units_sold + 1')
    await system.run()
    expect(await tags()).toEqual(before)
    expect((await tags('text/csv'))[0]).not.toBe(before[0])
    for (const [place, path] of paths.entries()) {
      const whole = await ask(path)
      const known = await ask(path, { 'if-none-match': before[place] ?? '' })
      expect([known.status, await known.text()], path).toEqual([304, ''])
      for (const name of ['etag', 'cache-control', 'vary', 'link', 'tidemark-complete-to']) {
        expect(known.headers.get(name), `${path} ${name}`).toBe(whole.headers.get(name))
      }
    }
    await system.sql.query('update payment set payment_amount = 9.91 where payment_id = 1')
    await system.run()
    const after = await tags()
    for (const [place, path] of paths.entries()) expect(after[place], path).not.toBe(before[place])
    await system.sql.query('update payment set payment_amount = 9.90 where payment_id = 1')
    await system.run()
    // As before, but for the payment's own history.
    expect((await tags()).slice(0, 3)).toEqual(before.slice(0, 3))
  })

  it('shows a payment with every version, and what each changed', async () => {
    await system.sql.query(insertPayments([{ id: 70, day: '2024-05-01' }]))
    await system.run()
    await system.sql.query(
      `update payment set paid = true, counterparty_id = 2 where payment_id = 70`,
    )
    await system.run()
    const historyOf = async () => {
      const response = await asker()('/payments/70', { accept: 'text/html' })
      expect(response.headers.get('content-type')).toBe('application/json')
      return (await response.json()) as PaymentHistory
    }
    const { versions, ...now } = await historyOf()
    expect(now).toEqual({
      id: 70,
      date: '2024-05-01',
      amount: '9.90',
      currency: 'GBP',
      type: 'SALES_RECEIPT',
      paid: true,
      counterparty: { id: 2, name: '=Bolt, "Inc"' },
      isDeleted: false,
    })
    expect(
      versions.map(({ version, operation, changed }) => [version, operation, changed]),
    ).toEqual([
      [1, 'insert', []],
      [2, 'update', ['paid', 'counterparty']],
    ])
    const [first, second] = versions
    expect(first?.values).toEqual({
      date: '2024-05-01',
      amount: '9.90',
      currency: 'GBP',
      type: 'SALES_RECEIPT',
      paid: false,
      counterparty: { id: 1, name: 'Acme' },
      transactionId: 70,
      createdAt: '2024-01-01T10:00:00.123000Z',
      lastUpdated: '2024-01-01T10:00:00.123000Z',
    })
    expect(first?.validTo).toBe(second?.validFrom)
    expect(second?.validTo).toBeNull()
    expect(second?.batch).toBe((first?.batch ?? 0) + 1)

    await system.sql.query('delete from payment where payment_id = 70')
    await system.run()
    const gone = await historyOf()
    expect(gone).toMatchObject({ isDeleted: true, amount: '9.90', paid: true })
    expect(gone.versions.at(-1)).toMatchObject({ operation: 'delete', changed: [] })
    expect(await idsOf('?due_from=2024-05-01')).toEqual([])
  })

  it('answers 404 for a payment that never was, and 400 for what cannot be an id', async () => {
    const ask = asker()
    const unknown = await ask('/payments/99')
    expect([unknown.status, ((await unknown.json()) as Problem).code]).toEqual([404, 'NOT_FOUND'])
    for (const id of ['abc', '0', '-1', '1.5', '01', '2147483648', '1;--', '%00', '1%20', 'é']) {
      const bad = await ask(`/payments/${id}`)
      const problem = (await bad.json()) as Problem
      expect([bad.status, problem.parameter], id).toEqual([400, 'id'])
      expect(problem.detail, id).toContain('a whole number from 1 to 2147483647')
    }
    expect((await ask('/payments/last6')).status).toBe(404)
  })

  it('logs each read of payments, and no parameter', async () => {
    log.length = 0
    const ask = asker()
    await ask('/payments?counterparty=2')
    await ask('/payments/1')
    await ask('/payments?counterparty=2', { accept: 'text/csv' })
    const read = { event: 'payments_read', status: 200, subject: 'local' }
    expect(log).toEqual([
      { ...read, path: '/payments' },
      { ...read, path: '/payments/1' },
      { ...read, path: '/payments' },
    ])
  })
})
