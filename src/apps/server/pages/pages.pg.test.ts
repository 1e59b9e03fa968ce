import { readFileSync } from 'node:fs'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadRates } from '../../../../test/support/rates.ts'
import { createTestReader, type TestReader } from '../../../../test/support/reader.ts'
import { createSystem, type TestSystem } from '../../../../test/support/system.ts'
import { readXlsx } from '../../../../test/support/xlsx.ts'
import { parseConfig } from '../../../platform/config.ts'
import { createAnswers } from '../../../platform/presentation/answer.ts'
import type { Dashboard, Lead } from '../../../platform/project/dashboard.ts'
import {
  parseQuestion,
  type Question,
  readQuestions,
} from '../../../platform/presentation/question.ts'
import { createReader, type Reader } from '../../../platform/presentation/reader.ts'
import { XLSX_TYPE } from '../../../platform/presentation/xlsx.ts'
import { dashboard } from '../../../totesys/presentation/pages.ts'
import { fillTotesys } from '../../../../test/support/totesys-source/fill.ts'
import { formatDay } from '../../format.ts'
import { readAccess, type ServerEnv } from '../access.ts'
import { createApp } from '../app.ts'
import { columnsOf, parametersOf } from './leads.ts'
import { pageRoutes, renderProblem } from './pages.ts'
import { totesys } from '../../../totesys/totesys.ts'

const QUESTIONS = new Map(dashboard.questions.flatMap((folder) => [...readQuestions(folder)]))
const NOW = new Date()

describe('the pages', () => {
  let system: TestSystem
  let role: TestReader
  let reader: Reader
  const asker = (
    more: {
      questions?: typeof QUESTIONS
      shown?: Dashboard
      now?: Date
      groups?: readonly string[]
    } = {},
  ) => {
    const { questions = QUESTIONS, shown = dashboard, now = NOW, groups } = more
    const app = createApp({
      project: totesys,
      reader,
      questions,
      promiseMs: 1_800_000,
      access: readAccess(parseConfig({})),
      log: () => {},
      version: '1.2.3',
      pages: (presentation) => {
        const pages = new Hono<ServerEnv>()
        if (groups !== undefined) {
          pages.use(async (c, next) => {
            c.set('caller', { ...c.get('caller'), groups: new Set(groups) })
            await next()
          })
        }
        const { deps, log } = system
        return pages.route('/', pageRoutes({ presentation, dashboard: shown, deps, log }))
      },
      problemPage: renderProblem,
      now: () => now,
    })
    return async (path: string, headers: Record<string, string> = {}) => {
      const response = await app.request(
        path,
        { headers: { accept: 'text/html', ...headers } },
        { incoming: { socket: { remoteAddress: '127.0.0.1' } } },
      )
      const bytes = new Uint8Array(await response.arrayBuffer())
      const text = new TextDecoder().decode(bytes)
      return { response, status: response.status, bytes, text }
    }
  }

  beforeAll(async () => {
    system = await createSystem()
    role = await createTestReader(system)
    reader = createReader(role.warehouse)
  })
  afterAll(async () => {
    await reader[Symbol.asyncDispose]()
    await role[Symbol.asyncDispose]()
    await system[Symbol.asyncDispose]()
  })

  it('say what to do until the first batch is loaded', async () => {
    const { status, text, response } = await asker()('/')
    expect([status, response.headers.get('retry-after')]).toEqual([503, '5'])
    expect(text).toContain('tidemark run')
    expect(text).toContain('<nav')
    const json = await asker()('/', { accept: '*/*' })
    expect(json.response.headers.get('content-type')).toBe('application/problem+json')
  })

  it('say that there is nothing, and do not draw an empty chart', async () => {
    await system.run()
    for (const { path } of dashboard.pages) {
      const { status, text } = await asker()(path)
      expect(status, path).toBe(200)
      expect(text, path).toContain('class="empty"')
      expect(text, path).not.toContain('class="failure"')
    }
  })

  it('show each of their questions with a label, a table, CSV and SQL', async () => {
    await fillTotesys(system.sql, { seed: 7, salesOrders: 300, until: NOW })
    await system.run()
    await system.sql.query(`update sales_order set units_sold = units_sold + 1
      where sales_order_id <= 3`)
    await system.run()
    const ask = asker()
    for (const page of dashboard.pages) {
      const { status, text } = await ask(`${page.path}?period=all&counterparty=1`)
      expect(status, page.path).toBe(200)
      expect(text, page.path).not.toContain('class="failure"')
      const [shown, needy] = [false, true].map((isNeedy) =>
        page.panels.filter(({ needs }) => (needs === 'in') === isNeedy),
      )
      for (const { question } of needy ?? []) expect(text, question).not.toContain(question)
      for (const { question } of shown ?? []) {
        expect(text, question).toContain(`id="h-${question}"`)
        expect(text, question).toMatch(new RegExp(`href="/questions/${question}\\.csv`))
        expect(text, question).toMatch(new RegExp(`href="/questions/${question}\\.xlsx`))
        expect(text, question).toMatch(new RegExp(`href="/questions/${question}["?]`))
      }
      const labels = text.match(/role="img"\s+aria-label="[^"]{20,}"/g) ?? []
      expect(labels.length, page.path).toBe(text.match(/class="drawing"/g)?.length ?? 0)
    }
  })

  it('contain no script or style from elsewhere, and no text that could end its element', async () => {
    await system.sql.query(
      `update counterparty set counterparty_legal_name = '</script><b onload=x>' where counterparty_id = 1`,
    )
    await system.run()
    const { text, response } = await asker()('/sales?period=all')
    expect(response.headers.get('content-security-policy')).toContain(`default-src 'self'`)
    expect(text).not.toContain('<b onload')
    expect(text).toContain('\\u003c/script>')
    expect(text.match(/<script(?![^>]*(src=|application\/json))/g)).toBeNull()
    expect(text).not.toMatch(/(src|href)="https?:/)
  })

  it('show payments to the group finance only', async () => {
    const analyst = asker({ groups: ['analyst'] })
    const both = asker({ groups: ['analyst', 'finance'] })
    for (const path of ['/', '/counterparty?counterparty=1']) {
      const { status, text } = await analyst(path)
      expect(status, path).toBe(200)
      expect(text, path).toContain('Only the group finance may see this.')
      expect((await both(path)).text, path).not.toContain('finance only')
    }
    for (const { name, access } of QUESTIONS.values()) {
      const wanted = access === undefined ? 200 : 403
      expect((await analyst(`/questions/${name}`)).status, name).toBe(wanted)
      expect((await analyst(`/questions/${name}.csv`)).status, name).toBe(wanted)
      expect((await analyst(`/questions/${name}.xlsx`)).status, name).toBe(wanted)
      expect((await both(`/questions/${name}`)).status, name).toBe(200)
    }
    const restricted = [...QUESTIONS.values()].filter(({ access }) => access === 'finance')
    expect(restricted.map(({ name }) => name)).toEqual(
      [...QUESTIONS.values()]
        .filter(({ sql }) => /\bfact_payment/.test(sql))
        .map(({ name }) => name),
    )
  })

  it('keep the filters in a short address', async () => {
    const ask = asker()
    const { response } = await ask('/sales?from=&currency=EUR&design=')
    expect([response.status, response.headers.get('location')]).toEqual([
      302,
      '/sales?currency=EUR',
    ])
    const { text } = await ask('/sales?currency=EUR&period=all')
    expect(text).toContain('value="EUR" selected')
    expect(text).not.toContain('<span>GBP</span>')
    expect(text).toMatch(/href="\/questions\/s02_sales_by_week\.csv\?[^"]*currency=EUR/)
  })

  it('name a filter that is not valid, and show the rest', async () => {
    const { status, text } = await asker()('/sales?from=2026-13-01&currency=XXX')
    expect(status).toBe(200)
    expect(text).toContain('role="alert"')
    expect(text).toContain('“2026-13-01”')
    expect(text).toContain('There is no such currency')
    expect(text).toContain('id="h-s02_sales_by_week"')
  })

  it('show what was known at a moment, and say so', async () => {
    const [before] = await system.query<{ moment: string }>(
      `select to_char(recorded_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US') as moment
       from fact_sales_order order by sales_record_id limit 1`,
    )
    const { text } = await asker()(`/?period=all&as_of=${before?.moment}`)
    expect(text).toContain('As known on')
    expect(text).toContain('not filtered by as of')
  })

  it('say beside its title which filters a panel does not follow', async () => {
    const narrow = await asker()('/sales?period=4w')
    expect(panelOf(narrow.text, 's04_rising_designs')).toContain('not filtered by period')
    expect(panelOf(narrow.text, 's03_best_designs')).not.toContain('not filtered by')
    const all = await asker()('/sales?period=all')
    expect(all.text).not.toContain('not filtered by')
    const [staff] = await system.query<{ department: string }>(
      'select department_name as department from dim_staff order by 1 limit 1',
    )
    const { text } = await asker()(`/?department=${staff?.department}`)
    expect(panelOf(text, 'overview_payments')).toContain('not filtered by department')
    expect(panelOf(text, 'overview_changes')).toContain('not filtered by period')
  })

  it('offer a way out of filters that leave nothing', async () => {
    const path = '/changes?from=2001-01-01&to=2001-01-02&currency=EUR&design=1'
    const { text } = await asker()(path)
    const panel = text.slice(text.indexOf('id="h-s13_deleted_orders"')).split('</section>')[0]
    expect(panel).toContain('No deletion was noticed in this period.')
    expect(panel).toContain('href="/changes?currency=EUR&amp;design=1&amp;period=all"')
    expect(panel).toContain('Show all dates')
    expect(panel).toMatch(/href="\/changes\?[^"]*from=2001-01-01&amp;to=2001-01-02"/)
    expect(panel).toContain('Show all currencies')
  })

  it('draw by the step that is asked for, in charts, tables and files', async () => {
    const ask = asker()
    const standard = await ask('/purchases?period=all')
    expect(standard.text).toMatch(/by week, from [^"]* in the week of/)
    const { text } = await ask('/purchases?period=all&by=quarter')
    expect(text).toContain('Draw by: Quarter')
    expect(panelOf(text, 'p01_spend_by_week')).not.toContain('in the week of')
    expect(text).toMatch(/by quarter, from [^"]* in Q[1-4] 20\d\d to|no whole quarter yet/)
    expect(text).toMatch(/href="\/questions\/p01_spend_by_week\.csv\?[^"]*by=quarter/)
    // A panel without steps does not follow the filter, and need not say so.
    expect(text).not.toContain('not filtered by')
    expect((await ask('/changes?period=all&by=day')).text).toContain('Draw by: Day')
    const bad = await ask('/sales?by=fortnight')
    expect(bad.text).toContain('takes one of these: day, week, month, quarter, year')
  })

  it('refuse to draw more steps than can be told apart, and lead to longer ones', async () => {
    const ids = '(select max(sales_order_id) from sales_order)'
    await system.sql.query(`
      insert into sales_order
      select ${ids} + n, day + time '10:00', day + time '10:00', 1, staff_id, counterparty_id, 10,
          2.50, 1, '2026-01-01', '2026-01-01', agreed_delivery_location_id
      from generate_series(date '2017-01-01', date '2021-12-31', interval '1 day')
          with ordinality as d (day, n)
      cross join (select * from sales_order order by sales_order_id limit 1) as o`)
    await system.run()
    const ask = asker()
    const period = 'currency=GBP&from=2017-01-01&to=2021-12-31'
    const days = panelOf((await ask(`/sales?${period}&by=day`)).text, 's02_sales_by_week')
    expect(days).toContain('1,826 days are too many to draw. The CSV has them all.')
    expect(days).toContain('Draw by week')
    expect(days).not.toContain('Draw by day')
    const weeks = panelOf((await ask(`/sales?${period}&by=week`)).text, 's02_sales_by_week')
    expect(weeks).not.toContain('too many to draw')
    // Later tests go by the first day of the data.
    await system.sql.query(`delete from sales_order where created_at < '2022-01-01'`)
    await system.run({ confirmDeletes: new Set(['sales_order']) })
  })

  it('say what the period is about', async () => {
    expect((await asker()('/changes')).text).toContain('by the day a change was noticed')
    expect((await asker()('/payments')).text).toContain('by due date')
  })

  it('offer one currency only once rates are known, and say why there is none', async () => {
    const ask = asker()
    const { text } = await ask('/sales?period=all')
    expect(text).not.toContain('In one currency')
    const asked = await ask('/sales?period=all&in=GBP')
    expect(asked.text).toContain('role="alert"')
    expect(asked.text).toContain('No rate into it is known')
    expect(asked.text).not.toContain('All in GBP')
  })

  describe('with rates', () => {
    // The newest order is of a weekday; rates end two days before it.
    beforeAll(async () => {
      const client = await system.warehouse.client()
      const [newest] = await system.query<{ day: string }>(
        `select (max(created_date) - 2)::text as day
         from fact_sales_order_current inner join dim_currency using (currency_id)
         where currency_code = 'USD'`,
      )
      const day = newest?.day ?? ''
      await loadRates(client, [
        { base: 'USD', quote: 'GBP', day: '2020-01-01', rate: '0.5' },
        { base: 'USD', quote: 'GBP', day, rate: '0.7912', source: '<i>a bank</i>' },
      ])
      // Answers are kept until the next batch.
      await system.sql.query('update sales_order set units_sold = units_sold + 1')
      await system.run()
    })

    it('show a card in one currency beside those in each, with the rate used', async () => {
      const { status, text } = await asker()('/sales?period=all&in=GBP')
      expect(status).toBe(200)
      expect(text).toContain('<option value="GBP" selected>')
      expect(text).not.toContain('<option value="EUR">EUR')
      expect(text).toContain('In one currency: GBP')
      expect(text).toContain('id="h-s01_sales_by_currency"')
      const card = plainText(text.slice(text.indexOf('id="h-s16_sales_in_one_currency"')))
      expect(card).toMatch(/All in GBP [\d,]+ \.\d\d /)
      expect(card).toMatch(
        /USD→GBP 0\.7912 from \d+ [A-Z][a-z]{2} \d{4} \(last known, 2 days old\)/,
      )
      expect(card).toContain('source &lt;i&gt;a bank&lt;/i&gt;')
      expect(card).toMatch(/\d+ orders not converted: no rate/)
      expect(text).toContain('id="h-r01_rates"')
      // What is drawn in one currency is made from orders in all of them.
      expect(markupOf(text, 's02_sales_by_week')).toContain('/list/sales_order?from=')
      expect(markupOf(text, 's02_sales_by_week')).not.toContain('currency=')
      expect(text).not.toContain('not filtered by in one currency')
      expect(text).not.toContain('class="failure"')
    })

    it('draw one chart in it, in place of one a currency, and say what has no rate', async () => {
      const ask = asker()
      for (const [path, question] of [
        ['/sales', 's02_sales_by_week'],
        ['/purchases', 'p01_spend_by_week'],
        ['/payments', 'y03_due_by_week'],
      ] as const) {
        const asked = (await ask(`${path}?period=all&in=GBP`)).text
        const drawings = (page: string) =>
          page
            .slice(page.indexOf(`id="h-${question}"`))
            .split('</section>')[0]
            ?.match(/class="drawing"/g)?.length
        expect(drawings(asked), path).toBe(1)
        expect(drawings((await ask(`${path}?period=all`)).text), path).toBe(3)
        expect(panelOf(asked, question)).toContain('all in GBP, at each day’s rate')
        // Euro have no rate.
        expect(panelOf(asked, question)).toMatch(/\d (orders?|payments?) left out: no rate/)
        expect(asked).toMatch(new RegExp(`href="/questions/${question}\\.csv\\?[^"]*in=GBP`))
      }
    })

    it('rank staff, customers and suppliers in it, in place of one ranking a currency', async () => {
      const ask = asker()
      for (const [path, question] of [
        ['/sales', 's05_sales_by_staff'],
        ['/sales', 's06_biggest_customers'],
        ['/purchases', 'p02_biggest_suppliers'],
      ] as const) {
        const panel = async (query: string): Promise<string> => {
          const page = (await ask(`${path}?period=all${query}`)).text
          return page.slice(page.indexOf(`id="h-${question}"`)).split('</section>')[0] ?? ''
        }
        const [asked, own] = [await panel('&in=GBP'), await panel('')]
        expect(asked.match(/class="drawing"/g)?.length, question).toBe(1)
        expect(own.match(/class="drawing"/g)?.length, question).toBe(3)
        expect(asked).toContain('all in GBP, at each day’s rate')
        expect(own).not.toContain('all in GBP')
        // Euro have no rate.
        expect(asked).toMatch(/\d orders? left out: no rate/)
        expect(asked).toMatch(new RegExp(`href="/questions/${question}\\.xlsx\\?[^"]*in=GBP`))
        // A bar leads to the orders in every currency.
        expect(asked).not.toMatch(/\/list\/[^"]*currency=GBP/)
        expect(own).toMatch(/\/list\/[^"]*currency=GBP/)
      }
    })

    it('show it on every page with amounts, for payments to finance only', async () => {
      for (const [path, question] of Object.entries({
        '/': 's16_sales_in_one_currency',
        '/purchases': 'p06_purchases_in_one_currency',
        '/payments': 'y08_payments_in_one_currency',
      })) {
        const { text } = await asker()(`${path}?period=all&in=GBP`)
        expect(text, path).toContain(`id="h-${question}"`)
        expect(text, path).toContain('All in GBP')
        expect(text, path).not.toContain('class="failure"')
        expect((await asker()(path)).text, path).not.toContain('All in GBP')
      }
      const { text } = await asker({ groups: ['analyst'] })('/?period=all&in=GBP')
      expect(text.match(/All in GBP/g)).toHaveLength(2)
    })

    it('say that nothing could be converted', async () => {
      const { text } = await asker()('/sales?period=all&in=GBP&currency=EUR')
      const card = plainText(text.slice(text.indexOf('id="h-s16_sales_in_one_currency"')))
      expect(card).toMatch(/All in GBP – left out \d+ orders not converted: no rate/)
    })

    it('compare with the period before, and say why they do not', async () => {
      const first = await firstDay(system, 'fact_sales_order', 'created_date')
      const cardFor = async (period: string) => {
        const { text } = await asker()(`/sales?${period}&in=GBP&currency=USD`)
        return panelOf(text, 's16_sales_in_one_currency')
      }
      expect(await cardFor(threeDays(first, 3))).toMatch(/against the period before, [\d,]+\.\d\d/)
      const since = `no comparison: the data begin on ${formatDay(first)}`
      expect(await cardFor(threeDays(first, 2))).toContain(since)
      expect(await cardFor('period=all')).toContain('no earlier period to compare with')
    })
  })

  it('compare only with a period that the data cover, and say when the data begin', async () => {
    for (const [question, fact, column] of [
      ['s01_sales_by_currency', 'fact_sales_order', 'created_date'],
      ['overview_purchases', 'fact_purchase_orders', 'created_date'],
      ['overview_payments', 'fact_payment', 'payment_date'],
    ] as const) {
      const first = await firstDay(system, fact, column)
      const cardsFor = async (period: string) =>
        panelOf((await asker()(`/?${period}`)).text, question)
      const covered = await cardsFor(threeDays(first, 3))
      expect(covered, question).toContain('against the period before')
      expect(covered, question).not.toContain('no comparison')
      const cut = await cardsFor(threeDays(first, 2))
      expect(cut, question).toContain(`no comparison: the data begin on ${formatDay(first)}`)
      expect(cut, question).not.toContain('against the period before')
      const all = await cardsFor('period=all')
      expect(all, question).toContain('no earlier period to compare with')
      expect(all, question).not.toContain('the data begin')
    }
  })

  it('compare with the same period last year, or with nothing, if they are asked to', async () => {
    const ask = asker()
    const [found] = await system.query<{ day: string }>(
      'select max(created_date)::text as day from fact_sales_order_current',
    )
    const period = `from=${laterDay(found?.day ?? '', -3)}&to=${found?.day}`
    const cards = async (against: string) =>
      panelOf((await ask(`/sales?${period}${against}`)).text, 's01_sales_by_currency')
    expect(await cards('')).toContain('against the period before')
    expect(await cards('&against=before')).toContain('against the period before')
    expect(await cards('&against=year')).toMatch(/last year|the data begin on/)
    expect(await cards('&against=none')).not.toMatch(/against|comparison|earlier period to/)
    const { text } = await ask(`/sales?${period}&against=none`)
    expect(text).toContain('Compare with: Nothing')
    expect(panelOf(text, 's04_rising_designs')).toContain('Nothing is compared.')
    expect(text).not.toContain('not filtered by compare')
    expect((await ask('/?against=before')).text).not.toContain('Compare with: ')
    expect((await ask('/?against=decade')).text).toContain('takes one of these: before, year, none')
  })

  it('draw no rise while the data begin inside the earlier 28 days', async () => {
    const first = await firstDay(system, 'fact_sales_order', 'created_date')
    const dayAt = (days: number) => new Date(`${laterDay(first, days)}T12:00:00Z`)
    const section = async (days: number) => {
      const { text } = await asker({ now: dayAt(days) })('/sales')
      return /<section[^>]*h-s04_rising_designs"[^]*?<\/section>/.exec(text)?.[0] ?? ''
    }
    const cut = await section(35)
    expect(plainText(cut)).toContain(
      `Nothing to compare with yet: the data begin on ${formatDay(first)}.`,
    )
    expect(cut).not.toContain('class="drawing"')
    expect(cut).toContain('<table')
    expect(await section(56)).toContain('class="drawing"')
  })

  it('show a question that fails in its own panel', async () => {
    const broken = parseQuestion('-- broken: Which?\n-- Grain: one row.\nselect 1 / 0 as n')
    const leads = { to: '/list/sales_order' }
    const shown: Dashboard = {
      ...dashboard,
      pages: [
        {
          path: '/',
          title: 'T',
          summary: 'S',
          filters: ['currency'],
          panels: [
            { question: 'broken', leads, chart: { kind: 'histogram', x: 'n', value: 'n' } },
            {
              question: 's03_best_designs',
              leads,
              chart: { kind: 'histogram', x: 'gone', value: 'n' },
            },
            {
              question: 's03_best_designs',
              leads: { to: '/list/sales_order', set: { design: 'gone' } },
              chart: { kind: 'histogram', x: 'design_id', value: 'units' },
            },
            {
              question: 's11_delivery_promise',
              leads,
              chart: { kind: 'histogram', x: 'days', value: 'orders' },
            },
          ],
        },
      ],
    }
    const questions = new Map([...QUESTIONS, ['broken', broken]])
    const { status, text } = await asker({ questions, shown })('/')
    expect(status).toBe(200)
    expect(text.match(/class="failure"/g)?.length).toBe(3)
    expect(text).not.toContain('division by zero')
    expect(text.match(/class="drawing"/g)?.length).toBe(1)
  })

  it('lead from every panel to rows that the target knows, with the filters of the page', async () => {
    const ask = asker()
    for (const page of dashboard.pages) {
      const query = '?period=all&counterparty=2&currency=GBP'
      const { text } = await ask(`${page.path}${query}`)
      for (const panel of page.panels) {
        const { leads, question: name } = panel
        const question = QUESTIONS.get(name)
        if (question === undefined) throw new Error(name)
        const where = `${page.path} ${name}`
        // The target is a page or a list that takes the parameters, or one order or payment.
        const [path = '', given = ''] = leads.to.split('?')
        const known = parametersOf(path, dashboard)
        const isOne = /^\/order\/(\w+|\{\w+\})\/\{\w+\}$/.test(path)
        expect(known !== undefined || isOne, where).toBe(true)
        const unknown = paramsIn(leads, given).filter(
          (each) => !['sort', ...(known ?? [])].includes(each),
        )
        expect(unknown, where).toEqual([])
        const answered = await askReader(reader, question)
        expect(answered, where).toEqual(expect.arrayContaining([...columnsOf(leads)]))
        if (panel.needs !== undefined) continue
        const markup = markupOf(text, name)
        const hrefs = [...markup.matchAll(/href="([^"]*)"/g)].map(([, href = '']) => href)
        const target = path.split('{')[0] ?? ''
        if (markup.includes('class="empty"')) continue
        const own = hrefs.filter((href) => href.startsWith(target))
        expect(own.length, where).toBeGreaterThan(0)
        const first = own[0]?.replaceAll('&amp;', '&') ?? ''
        expect((await ask(first)).status, `${where}: ${first}`).toBe(200)
        const isNarrowed = question.filters.includes('currency') && known !== undefined
        expect(!isNarrowed || first.includes('currency=GBP'), where).toBe(true)
      }
    }
  })

  it('lead from a week, an age or a month to exactly the days that are in the period', async () => {
    const week = await asker()('/sales?from=2000-01-04&currency=GBP')
    const [{ monday } = { monday: '' }] = await system.query<{ monday: string }>(
      `select date_trunc('week', max(created_date))::date::text as monday
       from fact_sales_order_current join dim_currency using (currency_id)
       where currency_code = 'GBP'`,
    )
    const span = (from: string, to: string): string => `from=${from}&amp;to=${to}&amp;currency=GBP`
    const sunday = laterDay(monday, 6)
    expect(markupOf(week.text, 's02_sales_by_week')).toContain(span(monday, sunday))
    const { text: years } = await asker()('/sales?period=all&by=year&currency=GBP')
    const year = monday.slice(0, 4)
    expect(markupOf(years, 's02_sales_by_week')).toContain(span(`${year}-01-01`, `${year}-12-31`))
    const tuesday = laterDay(monday, 1)
    const part = await asker()(`/sales?from=${tuesday}&to=${tuesday}&currency=GBP`)
    expect(markupOf(part.text, 's02_sales_by_week')).not.toContain(`from=${monday}`)
    const ages = markupOf((await asker()('/payments?currency=GBP')).text, 'y04_overdue_by_age')
    const today = NOW.toISOString().slice(0, 10)
    // What is due today is not overdue, as in the list of what is.
    const yesterday = laterDay(today, -1)
    expect(ages).toContain(`from=${laterDay(today, -7)}&amp;to=${yesterday}`)
    // The oldest age has no first day. The bar of both directions leads to both.
    expect(ages).toMatch(
      new RegExp(
        `\\?to=${laterDay(today, -91)}&amp;currency=GBP&amp;state=unpaid&amp;direction=in`,
      ),
    )
    expect(ages).toContain(
      `"/list/payment?from=${laterDay(today, -7)}&to=${yesterday}&currency=GBP&state=unpaid"`,
    )
  })

  it('lead to no list from a past state, which a list does not show', async () => {
    const { text } = await asker()('/sales?period=all&as_of=2100-01-01T00:00:00Z')
    expect(markupOf(text, 's02_sales_by_week')).not.toContain('/list/')
    expect(markupOf(text, 's02_sales_by_week')).not.toContain('"leads"')
  })

  it('ask for a counterparty before they show one', async () => {
    const { text } = await asker()('/counterparty')
    expect(text).toContain('href="/counterparty?counterparty=2"')
    expect(text).not.toContain('class="panel')
  })

  it('turn red if the promise is missed', async () => {
    expect((await asker()('/')).text).toContain('class="freshness ok"')
    const { text } = await asker({ now: new Date(Date.now() + 3_600_000) })('/')
    expect(text).toContain('class="freshness bad"')
    expect(text).toContain('late')
  })

  it('give a question as a page with its SQL, as CSV and for Excel', async () => {
    const ask = asker()
    const page = await ask('/questions/s03_best_designs?currency=EUR')
    expect(page.text).toContain('inner join dim_design as d')
    expect(page.text).toContain('href="/ask?question=s03_best_designs')
    const csv = await ask('/questions/s03_best_designs.csv?currency=EUR')
    expect(csv.response.headers.get('content-disposition')).toMatch(
      /^attachment; filename="s03_best_designs_currency-EUR_as-of-[\dTZ-]+\.csv"$/,
    )
    expect(csv.text.split('\r\n')[0]).toBe('design_id,design_name,file_name,orders,units,share')
    expect((await ask('/questions/nothing')).status).toBe(404)
    expect((await ask('/questions/nothing.csv')).status).toBe(404)
    expect((await ask('/questions/nothing.xlsx')).status).toBe(404)
    const bad = await ask('/questions/s03_best_designs?from=soon')
    expect(bad.text).toContain('BAD_FILTER')
    expect((await ask('/questions/s03_best_designs.csv?from=soon')).status).toBe(400)
    expect((await ask('/questions/s03_best_designs.xlsx?from=soon')).status).toBe(400)
    expect(page.text).toContain('href="/questions/s03_best_designs.xlsx?currency=EUR"')
    const { response, bytes } = await ask('/questions/s03_best_designs.xlsx?currency=EUR')
    expect(response.headers.get('content-type')).toBe(XLSX_TYPE)
    expect(response.headers.get('content-disposition')).toMatch(
      /^attachment; filename="s03_best_designs_currency-EUR_as-of-[\dTZ-]+\.xlsx"$/,
    )
    expect(readXlsx(bytes).rows[0]?.map((cell) => cell?.value)).toEqual(
      csv.text.split('\r\n')[0]?.split(','),
    )
    expect((await ask('/questions/s12_order_versions')).text).toContain('class="empty"')
  })

  it('answer 404 as a page', async () => {
    const { status, text } = await asker()('/nothing')
    expect(status).toBe(404)
    expect(text).toContain('Go to the overview')
  })

  it('serve their assets compressed, to be cached for good, and no other file', async () => {
    const ask = asker()
    const { text } = await ask('/')
    const [, style = ''] = /href="(\/assets\/dashboard-[^"]+\.css)"/.exec(text) ?? []
    const encodings = { br: 'gzip, br', gzip: 'gzip' }
    for (const [encoding, accept] of Object.entries(encodings)) {
      const { response } = await ask(style, { 'accept-encoding': accept })
      expect(response.headers.get('content-encoding')).toBe(encoding)
      expect(response.headers.get('cache-control')).toContain('immutable')
    }
    expect((await ask(style)).text).toContain('font-family')
    for (const path of ['/assets/manifest.json', '/assets/..%2fpages.js', '/assets/none.js']) {
      expect((await ask(path)).status, path).toBe(404)
    }
    const shipped = readFileSync(new URL('./layout.ts', import.meta.url), 'utf8')
    expect(shipped).not.toContain('https://')
  })

  it('are compressed if they are long', async () => {
    const { response } = await asker()('/sales', { 'accept-encoding': 'gzip' })
    expect(response.headers.get('content-encoding')).toBe('gzip')
  })

  it('have every question that panels, filters and links name', () => {
    for (const { panels } of dashboard.pages) {
      for (const { question } of panels) expect(QUESTIONS.has(question), question).toBe(true)
    }
    const shown = new Set(dashboard.pages.flatMap(({ panels }) => panels.map((p) => p.question)))
    const numbered = [...QUESTIONS.keys()].filter((name) => /^[spyr]\d\d_/.test(name))
    // The order page has s12.
    expect(numbered.filter((name) => !shown.has(name))).toEqual(['s12_order_versions'])
    const options = dashboard.filters.flatMap((f) => ('options' in f ? [f.options] : []))
    for (const option of options) expect(QUESTIONS.has(option), option).toBe(true)
  })
})

/** The first day of a fact. */
async function firstDay({ query }: TestSystem, fact: string, column: string): Promise<string> {
  const [found] = await query<{ day: string }>(
    `select min(${column})::text as day from ${fact}_current`,
  )
  return found?.day ?? ''
}

/** Three days that begin so many days after another, as an address has them. */
function threeDays(first: string, days: number): string {
  return `from=${laterDay(first, days)}&to=${laterDay(first, days + 2)}`
}

function laterDay(day: string, days: number): string {
  return new Date(Date.parse(day) + days * 86_400_000).toISOString().slice(0, 10)
}

/** The parameters that a lead sets. */
function paramsIn({ set = {}, span }: Lead, given: string): string[] {
  const days = span === undefined ? [] : ['from', 'to']
  return [...new URLSearchParams(given).keys(), ...Object.keys(set), ...days]
}

/** The names of the columns in the answer to a question. */
async function askReader(asked: Reader, question: Question): Promise<string[]> {
  const { columns } = await createAnswers(asked).answer(question)
  return columns.map(({ name }) => name)
}

/** The panel of a question. */
function markupOf(page: string, question: string): string {
  const begin = page.indexOf(`id="h-${question}"`)
  return page.slice(begin, page.indexOf('</section>', begin))
}

/** The text of the panel of a question. */
function panelOf(page: string, question: string): string {
  return plainText(markupOf(page, question))
}

/** The text that people read, with single blanks. */
function plainText(markup: string): string {
  return markup.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ')
}
