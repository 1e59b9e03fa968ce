import type { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestReader, type TestReader } from '../../../test/support/reader.ts'
import { seedTotesys } from '../../../test/support/small-totesys.ts'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'
import { parseConfig } from '../../platform/config.ts'
import { readQuestions } from '../../platform/presentation/question.ts'
import { createReader, type Reader } from '../../platform/presentation/reader.ts'
import { dashboard } from '../../totesys/presentation/pages.ts'
import { readAccess, type ServerEnv } from './access.ts'
import { createApp } from './app.ts'
import type { ApiDescription } from './openapi.ts'
import { pageRoutes, renderProblem } from './pages/pages.ts'
import type { Problem } from './problem.ts'
import { totesys } from '../../totesys/totesys.ts'
import { serverExtension } from '../../totesys/payments/server-extension.ts'

const questions = new Map(dashboard.questions.flatMap((folder) => [...readQuestions(folder)]))

/** An address for each pattern of a route that has a part to fill in. */
const ADDRESSES: Readonly<Record<string, string>> = {
  '/payments/:list{(last|next)\\d+}': '/payments/last6',
  '/payments/:id': '/payments/1',
  '/assets/:file': '/assets/dashboard.css',
  '/questions/:file{[a-z][a-z0-9_]*\\.csv}': '/questions/s01_sales_by_currency.csv',
  '/questions/:file{[a-z][a-z0-9_]*\\.xlsx}': '/questions/s01_sales_by_currency.xlsx',
  '/questions/:name{[a-z][a-z0-9_]*}': '/questions/s01_sales_by_currency',
  '/saved/:file{[a-z0-9-]+\\.sql}': '/saved/late.sql',
  '/order/:table/:key': '/order/sales_order/1',
  '/run/:batch{[0-9]{1,12}}': '/run/1',
  '/catalogue/:table': '/catalogue/sales_order',
  '/table/:table': '/table/dim_staff',
  '/table/:table/row': '/table/fact_sales_order/row?key.sales_order_id=1',
  '/table/:table/rows.csv': '/table/dim_staff/rows.csv',
  '/table/:table/rows.xlsx': '/table/dim_staff/rows.xlsx',
}

const withQuery = (path: string, query: string): string =>
  `${path}${path.includes('?') ? '&' : '?'}${query}`

describe('the parameters of a route', () => {
  let system: TestSystem
  let role: TestReader
  let reader: Reader
  let app: Hono<ServerEnv>
  const ask = async (path: string, { accept = 'application/json', method = 'GET' } = {}) =>
    await app.request(
      path,
      { method, headers: { accept } },
      { incoming: { socket: { remoteAddress: '127.0.0.1' } } },
    )
  const problemOf = async (path: string) => {
    const response = await ask(path)
    const { code, parameter, allowed, detail } = (await response.json()) as Problem
    return { status: response.status, code, parameter, allowed, detail }
  }
  /** Every route of the server with an address that it answers. */
  const routes = () =>
    app.routes
      .filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => ({ method, path: ADDRESSES[path] ?? path }))

  beforeAll(async () => {
    system = await createSystem()
    await seedTotesys(system.sql)
    await system.run()
    role = await createTestReader(system)
    reader = createReader(role.warehouse)
    const { deps, log } = system
    app = createApp({
      project: totesys,
      extension: serverExtension,
      reader,
      questions,
      promiseMs: 1_800_000,
      access: readAccess(parseConfig({})),
      log,
      version: '1.2.3',
      pages: (presentation) =>
        pageRoutes({ presentation, dashboard, deps, extension: serverExtension, log }),
      problemPage: renderProblem,
      rate: { burst: 10_000, perSecond: 10_000 },
    })
  })
  afterAll(async () => {
    await reader[Symbol.asyncDispose]()
    await role[Symbol.asyncDispose]()
    await system[Symbol.asyncDispose]()
  })

  it('that it does not know are refused by every route, as JSON and as a page', async () => {
    expect(routes().length).toBeGreaterThan(25)
    for (const { method, path } of routes()) {
      expect(path, 'an address for the pattern').not.toMatch(/[:{*]/)
      for (const query of ['nonsense=1', 'nonsense', '=1', '__proto__=1', '%6eonsense=1']) {
        const response = await ask(withQuery(path, query), { method })
        expect(response.status, `${method} ${path}?${query}`).toBe(400)
        const problem = (await response.json()) as Problem
        expect(problem.code).toBe('UNKNOWN_PARAMETER')
        expect(problem.allowed, path).toBeInstanceOf(Array)
        expect(problem.parameter).toBe(new URLSearchParams(query).keys().next().value)
      }
      if (method !== 'GET') continue
      const page = await ask(withQuery(path, 'nonsense=1'), { accept: 'text/html,*/*;q=0.8' })
      expect(page.status, path).toBe(400)
      const isApi = /^\/(payments\/|health|events|openapi)/.test(path)
      const type = isApi ? 'application/problem+json' : 'text/html; charset=utf-8'
      expect(page.headers.get('content-type'), path).toBe(type)
      expect(await page.text(), path).toContain('nonsense')
    }
  })

  it('are named and listed in the problem, and a page escapes them', async () => {
    expect(await problemOf('/health?x=1')).toMatchObject({
      detail: 'The parameter “x” is unknown. This address takes no parameters',
      allowed: [],
    })
    const { allowed, detail } = await problemOf('/questions/s12_order_versions.csv?order=1')
    expect(allowed).toEqual(['order_id'])
    expect(detail).toContain('Allowed parameters: order_id')
    const page = await (await ask('/sales?<b>=1', { accept: 'text/html' })).text()
    expect(page).toContain('“&lt;b&gt;”')
    expect(page).toContain('Allowed parameters: period, from, to, currency')
    expect(page).not.toContain('“<b>”')
    const long = await problemOf(`/health?${'x'.repeat(500)}=1`)
    expect(long.parameter?.length).toBe(60)
  })

  it('are refused if they are given twice', async () => {
    for (const [path, parameter] of [
      ['/payments?limit=1&limit=1', 'limit'],
      ['/sales?currency=GBP&currency=EUR', 'currency'],
      ['/questions/s01_sales_by_currency.csv?currency=&currency=GBP', 'currency'],
      ['/order?key=1&table=payment&key=2', 'key'],
    ] as const) {
      expect(await problemOf(path), path).toMatchObject({
        status: 400,
        code: 'REPEATED_PARAMETER',
        parameter,
      })
    }
  })

  it('of a question must be what its SQL casts them to, in the file and on the page', async () => {
    for (const [query, parameter] of [
      ['from=soon', 'from'],
      ['to=2026-02-30', 'to'],
      ['from=infinity', 'from'],
      ['as_of=yesterday', 'as_of'],
      ['as_of=2026-13-01T00:00:00Z', 'as_of'],
      ['as_of=2026-01-01T24:00:00Z', 'as_of'],
      ['as_of=2026-01-01T00:00:00-23:28', 'as_of'],
      ['counterparty=x', 'counterparty'],
      ['design=-1', 'design'],
      ['design=99999999999', 'design'],
    ]) {
      for (const file of ['.csv', '.xlsx', '']) {
        const path = `/questions/s03_best_designs${file}`
        expect(await problemOf(`${path}?${query}`), `${path}?${query}`).toMatchObject({
          status: 400,
          code: 'BAD_FILTER',
          parameter,
        })
      }
    }
    for (const by of ['fortnight', 'decade', 'Week', 'week,month']) {
      const bad = await problemOf(`/questions/s02_sales_by_week.csv?by=${by}`)
      expect(bad, by).toMatchObject({ status: 400, code: 'BAD_FILTER', parameter: 'by' })
      expect(bad.detail).toContain('must be day, week, month, quarter or year')
    }
    for (const by of ['', 'day', 'quarter']) {
      const response = await ask(`/questions/s02_sales_by_week.csv?by=${by}`)
      await response.body?.cancel()
      expect(response.status, by).toBe(200)
    }
    expect(await problemOf('/questions/s04_rising_designs.csv?against=decade')).toMatchObject({
      code: 'BAD_FILTER',
      parameter: 'against',
      detail: expect.stringContaining('must be before, year or none'),
    })
    for (const against of ['', '&against=', '&against=year', '&against=none']) {
      for (const file of ['.csv', '.xlsx', '']) {
        const path = `/questions/s01_sales_by_currency${file}?from=2026-02-02&to=2026-02-01${against}`
        expect(await problemOf(path), path).toMatchObject({
          status: 400,
          code: 'BAD_FILTER',
          parameter: 'to',
          detail: expect.stringContaining('must not be before “from” (2026-02-02)'),
        })
        const day = await ask(path.replace('-02-02&', '-02-01&'))
        await day.body?.cancel()
        expect(day.status, path).toBe(200)
      }
    }
    const kept = 'from=&to=2026-02-28&as_of=2026-03-01T00:00:00Z&counterparty=1&currency=GBP'
    expect((await ask(`/questions/s03_best_designs.csv?${kept}`)).status).toBe(200)
    for (const ids of ['x', '1', '[1]', '%00']) {
      const bad = await ask(`/questions/order_names.csv?ids=${ids}`)
      expect([bad.status, ((await bad.json()) as Problem).code], ids).toEqual([400, 'BAD_FILTER'])
    }
  })

  it('that a page knows are named in the page if a value is not valid, as before', async () => {
    const response = await ask('/sales?from=2026-13-01&currency=XXX', { accept: 'text/html' })
    expect(response.status).toBe(200)
    expect(await response.text()).toContain('aria-invalid="true"')
  })

  it('are those of the API description, which has an example of each', async () => {
    const api = (await (await ask('/openapi.json')).json()) as ApiDescription
    expect(Object.keys(api.paths)).toContain('/questions/s01_sales_by_currency.csv')
    expect(Object.keys(api.paths)).toContain('/questions/s01_sales_by_currency.xlsx')
    for (const [path, { get }] of Object.entries(api.paths)) {
      const own = path.replace('{id}', '1')
      const { allowed } = await problemOf(`${own}?nonsense=1`)
      const query = get.parameters.filter((each) => each.in === 'query')
      expect(
        query.map(({ name }) => name),
        path,
      ).toEqual(allowed)
      for (const { name, example, description } of get.parameters) {
        expect(String(example), `${path} ${name}`).not.toBe('')
        expect(description, `${path} ${name}`).toMatch(/\.|:/)
      }
      // A workbook takes what the CSV takes, which is asked for below.
      const csv = api.paths[path.replace(/\.xlsx$/, '.csv')]
      expect(get.parameters, path).toEqual(csv?.get.parameters)
      if (path.endsWith('.xlsx')) continue
      for (const { name, example } of query.filter((each) => each.name !== 'cursor')) {
        const response = await ask(`${own}?${name}=${encodeURIComponent(example)}`)
        await response.body?.cancel()
        expect(response.status, `${path}?${name}=${example}`).toBe(200)
      }
    }
  })
})
