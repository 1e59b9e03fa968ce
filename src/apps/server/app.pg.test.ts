import { connect } from 'node:net'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestReader, type TestReader } from '../../../test/support/reader.ts'
import { createTestSaver } from '../../../test/support/saver.ts'
import { MOMENT, seedTotesys } from '../../../test/support/small-totesys.ts'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'
import { parseConfig } from '../../platform/config.ts'
import type { AppLogEntry } from '../log.ts'
import { createAnswers } from '../../platform/presentation/answer.ts'
import { readQuestions } from '../../platform/presentation/question.ts'
import { createReader, type Reader } from '../../platform/presentation/reader.ts'
import { createSavedQuestions } from '../../platform/presentation/saved-questions.ts'
import type { PaymentsAnswer } from '../../totesys/payments/payments.ts'
import { serverExtension } from '../../totesys/payments/server-extension.ts'
import { totesys } from '../../totesys/totesys.ts'
import { readAccess, type ServerEnv } from './access.ts'
import { createApp } from './app.ts'
import type { ApiDescription } from './openapi.ts'
import type { Problem } from './problem.ts'
import { type ServeOptions, startServer } from './serve.ts'

type Options = Omit<ServeOptions, 'port'>

const questions = readQuestions(new URL('../../totesys/presentation/', import.meta.url))

describe('the server', () => {
  let system: TestSystem
  let role: TestReader
  let reader: Reader
  const log: AppLogEntry[] = []
  const options = (more: Partial<Options> = {}): Options => ({
    project: totesys,
    extension: serverExtension,
    reader,
    questions,
    promiseMs: 1_800_000,
    access: readAccess(parseConfig({})),
    log: (entry) => log.push(entry),
    version: '1.2.3',
    ...more,
  })
  const asker = (more: Partial<Options> = {}) => {
    const app = createApp(options(more))
    return (path: string, init: RequestInit = {}) =>
      app.request(path, init, { incoming: { socket: { remoteAddress: '127.0.0.1' } } })
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

  it('passes saved questions to the pages, and says if they are refused or out of reach', async () => {
    const saver = await createTestSaver(system.warehouse)
    await using saved = createSavedQuestions({ url: saver.url })
    const ask = asker({
      saved,
      pages: (presentation) =>
        new Hono<ServerEnv>().get('/keep/:title', async (c) => {
          const title = c.req.param('title')
          const question = { name: 'late', title, sql: 'select 1', filters: {}, author: 'local' }
          return c.text((await presentation.saved?.save({ ...question, chart: 'auto' })) ?? 'off')
        }),
    })
    expect(await (await ask('/keep/Late')).text()).toBe('saved')
    const problem = async (path: string) => {
      const response = await ask(path)
      return { ...((await response.json()) as Problem), status: response.status }
    }
    expect(await problem('/keep/%00')).toMatchObject({ status: 400, code: 'SAVED_INVALID' })
    expect(await problem('/keep/%0A')).toMatchObject({
      status: 400,
      detail: 'The title must not be empty',
    })
    await saver.dropSchema()
    expect(await problem('/keep/Late')).toMatchObject({
      status: 503,
      code: 'SAVED_RIGHTS',
      detail: 'Saved questions cannot be reached now',
    })
    await saver[Symbol.asyncDispose]()
  })

  it('answers 503 until the first batch is loaded', async () => {
    const ask = asker()
    for (const path of ['/payments/last5', '/payments/next5', '/health']) {
      const response = await ask(path)
      expect(response.status, path).toBe(503)
      expect(response.headers.get('retry-after')).toBe('5')
      expect(response.headers.get('content-type')).toBe('application/problem+json')
      expect(((await response.json()) as Problem).code).toBe('WAREHOUSE_EMPTY')
    }
  })

  it('answers 503 while the warehouse is out of reach, and names no address', async () => {
    const url = new URL(role.warehouse.url)
    url.port = '1'
    await using away = createReader({ ...role.warehouse, url: url.href })
    const response = await asker({ reader: away })('/payments/last5')
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
    const text = await response.text()
    expect(text).toContain('WAREHOUSE_UNREACHABLE')
    expect(text).not.toMatch(/127\.0\.0\.1|reader/)
    expect(JSON.stringify(log)).not.toContain(url.password)
  })

  it('lists no payment as [], with its freshness', async () => {
    await seedTotesys(system.sql)
    await system.sql.query('delete from payment')
    await system.run()
    for (const path of ['/payments/last5', '/payments/next5']) {
      const response = await asker()(path, { headers: { accept: 'text/html' } })
      expect(response.headers.get('content-type')).toBe('application/json')
      const { payments, freshness } = (await response.json()) as PaymentsAnswer
      expect(payments).toEqual([])
      expect(freshness).toMatchObject({ batch: 1, promiseSeconds: 1800, isFresh: true })
    }
  })

  it('lists the last five and the next five payments in a stable order', async () => {
    const payment = (id: number, day: string, amount = '99.50', paid = false) =>
      `(${id}, ${MOMENT}, ${MOMENT}, ${id}, 1, ${amount}, 1, 1, ${paid}, '${day}', 1, 2)`
    await system.sql.query(`insert into transaction
      select n, 'SALE', null, null, ${MOMENT}, ${MOMENT} from generate_series(2, 9) as n`)
    await system.sql.query(
      `insert into payment values ${[
        payment(1, '2024-02-01'),
        payment(2, '2024-02-03', '0.10', true),
        payment(3, '2024-02-03', '12345678.90'),
        payment(4, '2024-02-04'),
        payment(5, '2024-01-01'),
        payment(6, '2024-01-02'),
        payment(7, '2024-02-06'),
        payment(8, '2024-02-05'),
        payment(9, '2024-02-05'),
      ].join(', ')}`,
    )
    await system.run()
    const ask = asker({ now: () => new Date('2024-02-04T23:59:59Z') })
    const ids = async (path: string) =>
      ((await (await ask(path)).json()) as PaymentsAnswer).payments.map(({ id }) => id)
    expect(await ids('/payments/last5')).toEqual([4, 3, 2, 1, 6])
    expect(await ids('/payments/next5')).toEqual([8, 9, 7])
    const last = (await (await ask('/payments/last5')).json()) as PaymentsAnswer
    expect(last.payments[2]).toEqual({
      id: 2,
      date: '2024-02-03',
      amount: '0.10',
      currency: 'GBP',
      type: 'SALES_RECEIPT',
      paid: true,
      counterparty: { id: 1, name: 'Acme' },
    })
    expect(last.payments[1]?.amount).toBe('12345678.90')
    const next = asker({ now: () => new Date('2024-02-05T00:00:00Z') })
    const after = (await (await next('/payments/next5')).json()) as PaymentsAnswer
    expect(after.payments.map(({ id }) => id)).toEqual([7])
  })

  it('answers 304 to a client that knows the answer, until it changes', async () => {
    const ask = asker()
    const first = await ask('/payments/last5')
    const etag = first.headers.get('etag') ?? ''
    expect(etag).toMatch(/^W\/"[\w-]+"$/)
    expect(first.headers.get('cache-control')).toBe('private, no-cache')
    for (const tag of [etag, '*', `"x", ${etag}`, etag.slice(2)]) {
      const known = await ask('/payments/last5', { headers: { 'if-none-match': tag } })
      expect([known.status, await known.text()], tag).toEqual([304, ''])
      expect(known.headers.get('tidemark-is-fresh')).toBe('true')
      expect(known.headers.get('etag')).toBe(etag)
    }
    const other = await ask('/payments/last5', { headers: { 'if-none-match': '"x"' } })
    expect(other.status).toBe(200)
    const late = asker({ promiseMs: 1 })
    expect((await late('/payments/last5', { headers: { 'if-none-match': etag } })).status).toBe(200)
    await system.sql.query('update payment set paid = true where payment_id = 4')
    await system.run()
    expect((await ask('/payments/last5', { headers: { 'if-none-match': etag } })).status).toBe(200)
  })

  it('says in headers how fresh it is, also in answer to HEAD', async () => {
    const response = await asker()('/payments/next5', { method: 'HEAD' })
    expect([response.status, await response.text()]).toEqual([200, ''])
    expect(response.headers.get('tidemark-complete-to')).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    expect(Number(response.headers.get('tidemark-lag-seconds'))).toBeGreaterThanOrEqual(0)
    const health = await asker({ promiseMs: 1 })('/health')
    expect(await health.json()).toMatchObject({ status: 'late', batch: 3 })
  })

  it('can only be read', async () => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const response = await asker()('/payments/last5', { method })
      expect([response.status, response.headers.get('allow')], method).toEqual([405, 'GET, HEAD'])
      expect(((await response.json()) as Problem).status).toBe(405)
    }
    expect((await asker()('/payments/last6')).status).toBe(404)
  })

  it('logs each read of the payments with its subject, and no payment', async () => {
    log.length = 0
    await asker()('/payments/last5')
    await asker()('/payments?currency=GBP')
    const read = { event: 'payments_read', status: 200, subject: 'local' }
    expect(log).toEqual([
      { ...read, path: '/payments/last5' },
      { ...read, path: '/payments' },
    ])
    expect((await asker()('/payments/last5?secret=1')).status).toBe(400)
    expect(JSON.stringify(log)).not.toMatch(/secret|GBP/)
  })

  it('puts the security headers on everything, refusals and faults too', async () => {
    const pages = () =>
      new Hono<ServerEnv>()
        .get('/fault', () => {
          throw new TypeError('with a secret')
        })
        .post('/echo', async (c) => c.text(await c.req.text()))
    log.length = 0
    const ask = asker({ pages })
    const all = [
      await ask('/payments/last5'),
      await ask('/docs'),
      await ask('/nothing'),
      await ask('/fault'),
      await ask('/health', { headers: { host: 'evil.example.org' } }),
      await ask(`/${'x'.repeat(9000)}`),
      await ask('/echo', { method: 'POST', body: 'x'.repeat(200_000) }),
    ]
    expect(all.map(({ status }) => status)).toEqual([200, 200, 404, 500, 421, 414, 413])
    for (const { headers } of all) {
      expect(headers.get('content-security-policy')).toMatch(
        /^default-src 'self';.*frame-ancestors 'none'$/,
      )
      expect(headers.get('content-security-policy')).not.toMatch(/script-src|unsafe-eval|\*/)
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('referrer-policy')).toBe('same-origin')
      expect(headers.get('strict-transport-security')).toBeNull()
      expect(headers.get('access-control-allow-origin')).toBeNull()
    }
    expect(await all[3]?.text()).not.toContain('secret')
    expect(JSON.stringify(log)).not.toContain('secret')
    expect(log).toContainEqual(expect.objectContaining({ event: 'request_failed', status: 500 }))
    const beyond = { host: '0.0.0.0', oidc: undefined }
    const refused = await asker({ access: beyond })('/health')
    expect([refused.status, refused.headers.get('strict-transport-security')]).toEqual([
      401,
      'max-age=31536000',
    ])
  })

  it('answers 429 to a client that asks too often', async () => {
    const ask = asker({ rate: { burst: 2, perSecond: 0.1 } })
    const statuses = [await ask('/docs'), await ask('/docs'), await ask('/docs')]
    expect(statuses.map(({ status }) => status)).toEqual([200, 200, 429])
    expect(statuses[2]?.headers.get('retry-after')).toBe('10')
  })

  it('sends what its API description says', async () => {
    const ask = asker()
    const api = (await (await ask('/openapi.json')).json()) as ApiDescription
    expect([api.openapi, api.info.version]).toEqual(['3.1.1', '1.2.3'])
    const answer = (await (await ask('/payments/last5')).json()) as object
    expect(Object.keys(api.components.schemas['PaymentsAnswer']?.properties ?? {})).toEqual(
      Object.keys(answer),
    )
    for (const path of Object.keys(api.paths)) {
      const response = await ask(path.replace('{id}', '4'))
      expect(response.status, path).toBe(200)
      await response.body?.cancel()
    }
    const page = await (await ask('/docs')).text()
    for (const [path, { get }] of Object.entries(api.paths)) {
      expect(page).toContain(`<code>GET ${path}</code>`)
      expect(page).toContain(`aria-label="Example of ${get.operationId}"`)
    }
    expect(page).toContain('payments[].counterparty.name')
    // The one script is the dashboard's; the icon names the namespace of SVG.
    expect(page.match(/<script[^>]*>/g)).toEqual([
      expect.stringMatching(/^<script type="module" src="\/assets\/dashboard-\w+\.js">$/),
    ])
    expect(page.match(/https?:\/\/[\w./]+/g)).toEqual(['http://www.w3.org/2000/svg'])
    expect((await ask('/')).headers.get('location')).toBe('/docs')
  })

  it('types everything that its API description names', async () => {
    const api = (await (await asker()('/openapi.json')).json()) as ApiDescription
    const bare: string[] = []
    const walk = (value: unknown, place: string): void => {
      if (typeof value !== 'object' || value === null) return
      const part = value as Record<string, unknown>
      const isTyped = 'properties' in part || 'additionalProperties' in part
      if (part['type'] === 'object' && !isTyped) bare.push(place)
      if (part['type'] === 'array' && !('items' in part)) bare.push(place)
      for (const [name, inner] of Object.entries(part)) walk(inner, `${place}/${name}`)
    }
    walk(api, '')
    expect(bare).toEqual([])
    for (const [path, { get }] of Object.entries(api.paths)) {
      for (const [status, { content = {} }] of Object.entries(get.responses)) {
        if (status === '304') continue
        const types = Object.values(content)
        expect(types.length, `${path} ${status}`).toBeGreaterThan(0)
        for (const { schema } of types) {
          const name = schema.$ref?.replace('#/components/schemas/', '')
          const known = name === undefined ? schema : api.components.schemas[name]
          expect(known?.type, `${path} ${status}`).toMatch(/^(object|string)$/)
        }
      }
    }
  })

  it('gives the pages answers and freshness, and handles their errors', async () => {
    const ask = asker({
      pages: ({ answers, freshness }) =>
        new Hono<ServerEnv>().get('/', async (c) => {
          const question = questions.get('y01_last_payments')!
          const { rows } = await answers.answer(question, c.req.query())
          return c.json({ rows: rows.length, batch: (await freshness()).batch })
        }),
    })
    expect(await (await ask('/?today=2024-01-01')).json()).toEqual({ rows: 1, batch: 3 })
    const bad = await ask('/?today=monday')
    expect([bad.status, ((await bad.json()) as Problem).code]).toEqual([400, 'BAD_FILTER'])
  })

  it('can answer every question of Totesys with its reader', async () => {
    const answers = createAnswers(reader)
    expect(questions.size).toBeGreaterThan(20)
    for (const question of questions.values()) {
      const filters = { as_of: new Date().toISOString(), from: '2024-01-01', to: '2024-12-31' }
      const { columns } = await answers.answer(question)
      expect(columns.length, question.name).toBeGreaterThan(0)
      expect((await answers.answer(question, filters)).columns, question.name).toEqual(columns)
    }
  })

  it('an open page hears of a finished run', async () => {
    await using server = await startServer({ ...options(), port: 0 })
    const response = await fetch(`${server.url}/events`)
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const heard = listen(response)
    const first = await heard.next((event) => event.batch === 3)
    expect(first).toMatchObject({ batch: 3, isFresh: true })
    await system.sql.query('update payment set paid = false where payment_id = 4')
    await system.run()
    await heard.next((event) => event.batch === 4)
    await response.body?.cancel().catch(() => {})
  })

  it('forgets a page that is closed', async () => {
    await using server = await startServer({ ...options(), port: 0 })
    const pages: { close(): void }[] = []
    const open = async () => {
      const gone = new AbortController()
      const response = await fetch(`${server.url}/events`, { signal: gone.signal })
      pages.push({ close: () => gone.abort() })
      return response.status
    }
    const statuses = await Promise.all(Array.from({ length: 20 }, open))
    expect(statuses).toEqual(Array.from({ length: 20 }, () => 200))
    expect(await open()).toBe(429)
    pages[0]?.close()
    await expect.poll(open).toBe(200)
    for (const page of pages) page.close()
  })

  it('ends open streams when it stops, and finishes the answers under way', async () => {
    // Longer than the test may take: it ends because nothing is under way.
    const server = await startServer({ ...options({ graceMs: 2 ** 31 - 1 }), port: 0 })
    const response = await fetch(`${server.url}/events`)
    const text = response.text()
    await server[Symbol.asyncDispose]()
    expect(await text).toContain('retry: 2000')
    await expect(fetch(`${server.url}/health`)).rejects.toThrow(/fetch failed/)
  })

  it('says that a port is taken, and that a host is not this machine', async () => {
    await using server = await startServer({ ...options(), port: 0 })
    await expect(startServer({ ...options(), port: server.port })).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      hint: `choose another one: --port ${server.port + 1}`,
    })
    const elsewhere = { host: '203.0.113.1', oidc: undefined }
    await expect(startServer({ ...options({ access: elsewhere }), port: 0 })).rejects.toMatchObject(
      {
        code: 'HOST_UNKNOWN',
      },
    )
    const beyond = { host: '0.0.0.0', oidc: undefined }
    await expect(startServer({ ...options({ access: beyond }), port: 0 })).rejects.toMatchObject({
      code: 'CONFIG_OIDC',
    })
  })

  it('refuses oversize headers and slow nonsense, and takes the address from the socket', async () => {
    await using server = await startServer({ ...options(), port: 0 })
    expect((await fetch(`${server.url}/health`)).status).toBe(200)
    const raw = (text: string) =>
      new Promise<string>((resolve, reject) => {
        let answer = ''
        const socket = connect(server.port, '127.0.0.1', () => socket.write(text))
        socket.on('data', (chunk) => (answer += chunk.toString()))
        socket.on('close', () => resolve(answer)).on('error', reject)
      })
    const get = (headers: string) =>
      raw(`GET /health HTTP/1.1\r\nConnection: close\r\n${headers}\r\n`)
    expect(await get(`Host: localhost\r\nX-Large: ${'x'.repeat(20_000)}\r\n`)).toMatch(
      /^HTTP\/1.1 431 /,
    )
    expect(await get('Host: evil.example.org\r\n')).toMatch(/^HTTP\/1.1 421 /)
    expect(await get('Host: localhost\r\n')).toMatch(/^HTTP\/1.1 200 /)
    expect(await get('')).toMatch(/^HTTP\/1.1 400 /)
    expect(await raw('nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /)
  })
})

interface HeadEvent {
  readonly batch: number
  readonly isFresh: boolean
}

/** The `head` events of a stream, one after the other. */
function listen(response: Response) {
  const decoder = new TextDecoder()
  const stream = response.body!.getReader()
  let text = ''
  return {
    async next(isWanted: (event: HeadEvent) => boolean): Promise<HeadEvent> {
      for (;;) {
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const [, data] = /^event: head\n.*^data: (.*)/ms.exec(text.slice(0, end)) ?? []
          text = text.slice(end + 2)
          if (data === undefined) continue
          const event = JSON.parse(data) as HeadEvent
          if (isWanted(event)) return event
        }
        const { done, value } = await stream.read()
        if (done) throw new Error('the stream ended')
        text += decoder.decode(value, { stream: true })
      }
    },
  }
}
