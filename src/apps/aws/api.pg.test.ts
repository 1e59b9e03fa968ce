import { gunzipSync } from 'node:zlib'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTestReader, type TestReader } from '../../../test/support/reader.ts'
import { seedTotesys } from '../../../test/support/small-totesys.ts'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'
import { readXlsx } from '../../../test/support/xlsx.ts'
import { type Config, parseConfig } from '../../platform/config.ts'
import type { AppLogEntry } from '../log.ts'
import type {
  PaymentHistory,
  PaymentPage,
  PaymentsAnswer,
} from '../../totesys/payments/payments.ts'
import { type Api, type ApiEvent, type ApiOptions, createApi, MAX_ANSWER_BYTES } from './api.ts'
import { serverExtension } from '../../totesys/payments/server-extension.ts'
import type { Problem } from '../server/problem.ts'

const ISSUER = 'https://cognito-idp.eu-west-2.amazonaws.com/eu-west-2_Example'
const CLIENT = '1example23456789'

/** Secrets Manager as `api.lambda.ts` sees it. */
const secrets = vi.hoisted(() => ({ url: '', forgotten: 0 }))
vi.mock('./secrets.ts', () => ({
  readDatabaseUrl: async () => secrets.url,
  forgetSecrets: () => (secrets.forgotten += 1),
}))

interface Asked {
  readonly groups?: string
  readonly claims?: Readonly<Record<string, unknown>> | null
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** How an API gateway sends a body that is not text. */
  readonly isBase64?: boolean
  readonly leftMs?: number
}

/** What API Gateway sends for a request that its JWT authorizer let pass. */
function eventOf(address: string, asked: Asked = {}): ApiEvent {
  const { method = 'GET', headers = {}, body, isBase64 = false } = asked
  const { groups = '[finance analyst]', claims } = asked
  const [rawPath = '', rawQueryString = ''] = address.split('?')
  const jwt = {
    claims: {
      sub: '5f1e',
      iss: ISSUER,
      client_id: CLIENT,
      token_use: 'access',
      exp: String(Math.floor(Date.now() / 1000) + 3600),
      'cognito:groups': groups,
      ...claims,
    },
    scopes: null,
  }
  const event = {
    version: '2.0',
    routeKey: 'ANY /{proxy+}',
    rawPath,
    rawQueryString,
    cookies: ['other=1'],
    headers: {
      host: 'abc.execute-api.eu-west-2.amazonaws.com',
      authorization: 'Bearer a.secret.token',
      'x-forwarded-for': '127.0.0.1',
      via: '2.0 cloudfront.net',
      ...headers,
    },
    requestContext: {
      accountId: '123456789012',
      domainName: 'abc.execute-api.eu-west-2.amazonaws.com',
      http: { method, path: rawPath, protocol: 'HTTP/1.1', sourceIp: '198.51.100.4' },
      stage: '$default',
      ...(claims === null ? {} : { authorizer: { jwt } }),
    },
    ...(body === undefined ? {} : { body }),
    isBase64Encoded: isBase64,
  }
  // It comes as JSON.
  return JSON.parse(JSON.stringify(event)) as ApiEvent
}

interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Buffer
  readonly text: string
  /** The length of the answer as Lambda counts it. */
  readonly sizeBytes: number
}

async function askApi(api: Pick<Api, 'handle'>, address: string, asked: Asked = {}) {
  const context = { getRemainingTimeInMillis: () => asked.leftMs ?? 29_000 }
  const result = await api.handle(eventOf(address, asked), context)
  const json = JSON.stringify(result)
  const { statusCode, headers = {}, body, isBase64Encoded } = result
  const bytes = Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8')
  const plain = headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes
  return {
    status: statusCode,
    headers: headers as Readonly<Record<string, string>>,
    bytes,
    text: plain.toString('utf8'),
    sizeBytes: Buffer.byteLength(json),
  } satisfies Answered
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const formOf = (fields: Record<string, string>) => new URLSearchParams(fields).toString()

describe('the API behind API Gateway', () => {
  let system: TestSystem
  let role: TestReader
  let api: Api
  let config: Config
  const log: AppLogEntry[] = []
  const make = (more: Partial<ApiOptions> = {}): Api =>
    createApi({
      config,
      deps: { ...system.deps, log: (entry) => log.push(entry) },
      extension: serverExtension,
      warehouse: role.warehouse,
      readUrl: async () => role.warehouse.url,
      log: (entry) => log.push(entry),
      ...more,
    })
  const ask = (address: string, asked?: Asked) => askApi(api, address, asked)

  beforeAll(async () => {
    system = await createSystem()
    await seedTotesys(system.sql)
    await system.run()
    role = await createTestReader(system)
    config = parseConfig({
      TIDEMARK_OIDC_ISSUER: ISSUER,
      TIDEMARK_OIDC_AUDIENCE: CLIENT,
      TIDEMARK_OIDC_GROUPS_CLAIM: 'cognito:groups',
    })
    api = make()
  })
  beforeEach(() => {
    log.length = 0
  })
  afterAll(async () => {
    await api[Symbol.asyncDispose]()
    await role[Symbol.asyncDispose]()
    await system[Symbol.asyncDispose]()
  })

  it('shows the payments to finance alone, and says who read them', async () => {
    const { status, headers, text } = await ask('/payments/last5', { groups: '[finance]' })
    expect([status, headers['content-type']]).toEqual([200, 'application/json'])
    const answer = JSON.parse(text) as PaymentsAnswer
    expect(answer.freshness.batch).toBe(1)
    expect(answer.payments.length).toBeGreaterThan(0)
    expect(log).toEqual([
      { event: 'payments_read', path: '/payments/last5', status: 200, subject: '5f1e' },
    ])
    const refused = await ask('/payments/last5', { groups: '[analyst]' })
    expect([refused.status, (JSON.parse(refused.text) as Problem).code]).toEqual([
      403,
      'GROUP_MISSING',
    ])
    expect(log.at(-1)).toMatchObject({ event: 'access_refused', subject: '5f1e', status: 403 })
    expect(await ask('/sales', { groups: '[finance]' })).toMatchObject({ status: 403 })
    expect(await ask('/sales', { groups: '[]' })).toMatchObject({ status: 403 })
  })

  it('gives finance all payments by the same address as the page, with their parameters', async () => {
    const json = { accept: 'application/json' }
    const { status, headers, text } = await ask('/payments?direction=in&limit=1', {
      groups: '[finance]',
      headers: json,
    })
    expect([status, headers['content-type']]).toEqual([200, 'application/json'])
    expect(headers['vary']).toContain('Accept')
    expect((JSON.parse(text) as PaymentPage).payments.map(({ id }) => id)).toEqual([1])
    const tag = headers['etag'] ?? ''
    const known = await ask('/payments?direction=in&limit=1', {
      headers: { ...json, 'if-none-match': tag },
    })
    expect([known.status, known.text]).toEqual([304, ''])
    const csv = await ask('/payments', { headers: { accept: 'text/csv' } })
    expect(csv.text).toMatch(/^id,date,amount,.*\r\n1,2024-02-03,99\.50,GBP,/)
    const one = await ask('/payments/1', { groups: '[finance]' })
    expect((JSON.parse(one.text) as PaymentHistory).versions).toHaveLength(1)
    for (const path of ['/payments', '/payments?limit=1', '/payments/1', '/payments/x']) {
      const refused = await ask(path, { groups: '[analyst]', headers: json })
      expect(refused.status, path).toBe(403)
    }
    for (const query of ['limit=1&limit=2', 'limit', 'x=1']) {
      const bad = await ask(`/payments?${query}`, { headers: json })
      expect(bad.status, query).toBe(400)
    }
  })

  it('answers 401 without the claims of the authorizer, or with those of another client', async () => {
    for (const path of ['/', '/payments/last5', '/health', '/docs', '/nothing']) {
      const { status, headers } = await ask(path, {
        claims: null,
        headers: { host: 'localhost', 'x-forwarded-for': '127.0.0.1' },
      })
      expect([status, headers['www-authenticate']], path).toEqual([401, 'Bearer realm="tidemark"'])
    }
    expect(await ask('/', { claims: { client_id: 'another' } })).toMatchObject({ status: 401 })
    expect(await ask('/', { claims: { iss: 'https://evil.example.org' } })).toMatchObject({
      status: 401,
    })
    expect(JSON.stringify(log)).not.toMatch(/secret|Bearer/)
  })

  it.each(['/', '/sales', '/purchases', '/payments', '/changes', '/order', '/ask'])(
    'shows the page %s',
    async (path) => {
      const { status, headers, text } = await ask(path, { headers: { accept: 'text/html' } })
      expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=UTF-8'])
      expect(text).toMatch(/<!doctype html>[\s\S]*<main id="main"[\s\S]*<\/html>/)
      expect(text).not.toContain('class="failure"')
    },
  )

  it.each(['/pipeline', '/run/1', '/quarantine', '/catalogue', '/catalogue/sales_order'])(
    'shows the page %s, which reads the lake',
    async (path) => {
      const { status, text } = await ask(path, { headers: { accept: 'text/html' } })
      expect([status, text.includes('<main id="main"')]).toEqual([200, true])
    },
  )

  it('shows where each version of an order comes from', async () => {
    const { status, text } = await ask('/order/sales_order/1', {
      headers: { accept: 'text/html' },
    })
    expect(status).toBe(200)
    expect(text).toContain('href="/run/1"')
  })

  it('gives a CSV file, compressed if the client accepts that', async () => {
    const path = '/questions/s02_sales_by_week.csv?from=2020-01-01'
    const { status, headers, text } = await ask(path)
    expect(status).toBe(200)
    expect(headers['content-type']).toMatch(/^text\/csv/)
    expect(headers['content-disposition']).toMatch(/^attachment; filename="s02_sales_by_week_/)
    expect(text).toMatch(/^\uFEFF[\w,]+\r\n/)
    const packed = await ask(path, { headers: { 'accept-encoding': 'gzip, br' } })
    expect(packed.headers['content-encoding']).toBe('gzip')
    expect(packed.text).toBe(text)
  })

  it('gives a workbook byte for byte, whatever the client accepts', async () => {
    const path = '/questions/s02_sales_by_week.xlsx?from=2020-01-01'
    const { status, headers, bytes } = await ask(path, { headers: { 'accept-encoding': 'gzip' } })
    expect([status, headers['content-encoding']]).toEqual([200, undefined])
    expect(headers['content-disposition']).toMatch(/^attachment; filename="s02_[^"]*\.xlsx"$/)
    expect(readXlsx(bytes).rows[0]?.[0]?.value).toBe('currency_code')
  })

  it('gives a font and a packed script byte for byte', async () => {
    const page = (await ask('/', { headers: { accept: 'text/html' } })).text
    const [font = ''] = /\/assets\/[^"]+\.woff2/.exec(page) ?? []
    const [script = ''] = /\/assets\/[^"]+\.js/.exec(page) ?? []
    const { status, headers, bytes } = await ask(font)
    expect([status, headers['content-type']]).toEqual([200, 'font/woff2'])
    expect(bytes.subarray(0, 4).toString('latin1')).toBe('wOF2')
    const packed = await ask(script, { headers: { 'accept-encoding': 'gzip' } })
    expect(packed.headers['content-encoding']).toBe('gzip')
    expect(packed.text).toContain('/events')
    expect(packed.sizeBytes).toBeLessThan(6_000_000)
  })

  it('answers 304 to a client that knows the answer, and HEAD without a body', async () => {
    const first = await ask('/payments/next5')
    const { etag = '' } = first.headers
    const known = await ask('/payments/next5', { headers: { 'if-none-match': etag } })
    expect([known.status, known.bytes.length]).toEqual([304, 0])
    expect(known.headers['tidemark-is-fresh']).toBe('true')
    const head = await ask('/payments/next5', { method: 'HEAD' })
    expect([head.status, head.bytes.length, head.headers['etag']]).toEqual([200, 0, etag])
  })

  it('answers the SQL of a form, sent as text, as base64 and as parts', async () => {
    const sql = 'select 6 * 7 as "Antwörten"'
    const fields = { sql, chart: 'none', question: '' }
    const sent = await ask('/ask', { method: 'POST', headers: FORM, body: formOf(fields) })
    expect(sent.status).toBe(303)
    const address = sent.headers['location']?.replace(/#.*/, '') ?? ''
    const whole = await ask(address)
    expect(whole.status).toBe(200)
    expect(whole.text).toMatch(/Antwörten[\s\S]*42/)
    const packed = Buffer.from(formOf(fields)).toString('base64')
    const same = { method: 'POST', headers: FORM, body: packed, isBase64: true }
    expect((await ask('/ask', same)).headers['location']).toBe(`${address}#result`)
    const parts = Object.entries(fields)
      .map(
        ([name, value]) =>
          `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
      )
      .join('')
    const csv = await ask('/ask.csv', {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
      body: Buffer.from(`${parts}--b--\r\n`).toString('base64'),
      isBase64: true,
    })
    expect(csv.text).toBe('\uFEFFAntwörten\r\n42\r\n')
    expect((await ask('/ask?sql=drop')).status).toBe(400)
    const finance = { method: 'POST', headers: FORM, body: formOf(fields), groups: '[finance]' }
    expect((await ask('/ask', finance)).status).toBe(403)
    expect(JSON.stringify(log)).not.toMatch(/6 \* 7|Antw/)
  })

  it('says that an answer is too large, unless it fits compressed', async () => {
    const sql = `select repeat('0123456789', 40) as x from generate_series(1, 20000)`
    const form = { method: 'POST', body: formOf({ sql }) }
    const plain = await ask('/ask.csv', { ...form, headers: FORM })
    expect(plain.status).toBe(413)
    expect(plain.headers).toMatchObject({
      'content-type': 'application/problem+json',
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringContaining("default-src 'self'") as string,
      'cache-control': 'no-store',
    })
    expect(plain.headers['content-disposition']).toBeUndefined()
    expect((JSON.parse(plain.text) as Problem).code).toBe('ANSWER_TOO_LARGE')
    expect(log.at(-1)).toMatchObject({ event: 'request_failed', code: 'ANSWER_TOO_LARGE' })
    const headers = { ...FORM, 'accept-encoding': 'gzip' }
    const packed = await ask('/ask.csv', { ...form, headers })
    expect(packed.status).toBe(200)
    expect(packed.text.length).toBeGreaterThan(MAX_ANSWER_BYTES)
  })

  it('lets the largest answer that is sent through Lambda', async () => {
    const lines = Math.floor(MAX_ANSWER_BYTES / 1002) - 1
    const sql = `select repeat('"', 499) as x from generate_series(1, ${lines})`
    const form = { method: 'POST', headers: FORM, body: formOf({ sql }) }
    const { status, bytes, sizeBytes } = await ask('/ask.csv', form)
    expect(status).toBe(200)
    expect(bytes.length).toBeGreaterThan(MAX_ANSWER_BYTES * 0.98)
    expect(sizeBytes).toBeLessThan(6_291_556)
  })

  it('says that an answer takes too long, and stops asking for it', async () => {
    const sql = 'select count(*) from generate_series(1, 1e6) as a, generate_series(1, 1e6) as b'
    const late = await ask(`/ask?sql=${encodeURIComponent(sql)}`, { leftMs: 2500 })
    expect([late.status, (JSON.parse(late.text) as Problem).code]).toEqual([504, 'ANSWER_TOO_LATE'])
    expect(late.headers['strict-transport-security']).toBeDefined()
    await expect
      .poll(() =>
        system.query(`select 1 from pg_stat_activity where state = 'active' and query like $1`, [
          '%fetch%',
        ]),
      )
      .toHaveLength(1) // this very question
    expect((await ask('/health')).status).toBe(200)
  })

  it('tells an open page where the head is, and ends', async () => {
    const { status, headers, text } = await ask('/events')
    expect([status, headers['content-type'], headers['cache-control']]).toEqual([
      200,
      'text/event-stream',
      'no-store',
    ])
    expect(text).toMatch(/^retry: 15000\n\nevent: head\nid: 1\n[\s\S]*event: end\ndata: {}\n\n$/)
    expect(headers['connection']).toBeUndefined()
  })

  it('puts the security headers on everything', async () => {
    const all = [
      await ask('/'),
      await ask('/payments/last5'),
      await ask('/nothing'),
      await ask('/', { claims: null }),
      await ask('/events'),
      await ask(`/${'x'.repeat(9000)}`),
      await ask('/payments/last5', { method: 'DELETE' }),
    ]
    expect(all.map(({ status }) => status)).toEqual([200, 200, 404, 401, 200, 414, 405])
    for (const { headers } of all) {
      expect(headers['content-security-policy']).toMatch(/^default-src 'self';/)
      expect(headers['strict-transport-security']).toBe('max-age=31536000')
      expect(headers['x-content-type-options']).toBe('nosniff')
      expect(headers['x-frame-options']).toBe('DENY')
      expect(headers['vary']).toContain('Authorization')
    }
  })

  it('finds a decoded path as it was meant', async () => {
    expect(await ask('/questions/ä ?from=1', {})).toMatchObject({ status: 404 })
    const event = eventOf('/sales')
    const odd = { ...event, rawPath: '/payments#/../sales' }
    const context = { getRemainingTimeInMillis: () => 29_000 }
    expect(await api.handle(odd, context)).toMatchObject({ statusCode: 200 })
    const asked = { ...eventOf('/x', { groups: '[analyst]' }), rawPath: '/payments/last5?x' }
    expect((await api.handle(asked, context)).statusCode).toBe(403)
    for (const rawPath of ['//evil.example.org/', '/%', '/a b', '/\\evil']) {
      const { statusCode } = await api.handle({ ...event, rawPath }, context)
      expect(statusCode, rawPath).toBe(404)
    }
  })

  describe('while a process is warm', () => {
    const endConnections = () =>
      system.query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = $1`, [
        role.role,
      ])
    const changePassword = async (password: string): Promise<string> => {
      await system.query(`alter role ${role.role} password '${password}'`)
      const url = new URL(role.warehouse.url)
      url.password = password
      return url.href
    }

    afterEach(() => changePassword(new URL(role.warehouse.url).password))

    it('a caller does not notice that a connection was dropped in between', async () => {
      await using own = make()
      expect((await askApi(own, '/sales')).status).toBe(200)
      await endConnections()
      expect((await askApi(own, '/purchases')).status).toBe(200)
      await endConnections()
      expect((await askApi(own, '/payments/last5')).status).toBe(200)
      expect(log.filter(({ level }) => level !== undefined)).toEqual([])
    })

    it.each<[string, string, Asked]>([
      ['a page', '/sales', {}],
      ['a page with a connection of its own', '/pipeline', {}],
      ['a file', '/questions/s02_sales_by_week.csv', {}],
      ['a statement', '/ask?sql=select+1', {}],
    ])(
      'a caller that asks for %s does not notice that the password has changed',
      async (_, path, asked) => {
        const told: boolean[] = []
        let url = role.warehouse.url
        await using own = make({
          async readUrl({ isRefused }) {
            told.push(isRefused)
            return url
          },
        })
        expect((await askApi(own, '/payments/last5')).status).toBe(200)
        url = await changePassword(`new${Math.random()}`)
        // Open connections stay open and would go on.
        await endConnections()
        const answered = await askApi(own, path, asked)
        expect(answered.status, answered.text).toBe(200)
        expect(told.slice(0, 2)).toEqual([false, true])
        expect((await askApi(own, path, asked)).status).toBe(200)
        expect(log.filter(({ level }) => level !== undefined)).toEqual([])
        await changePassword(new URL(role.warehouse.url).password)
      },
    )

    it('says 503, and no password, while the secret has not followed', async () => {
      await using own = make()
      expect((await askApi(own, '/payments/last5')).status).toBe(200)
      await changePassword('another-one')
      await endConnections()
      const away = await askApi(own, '/payments/last5')
      expect([away.status, (JSON.parse(away.text) as Problem).code]).toEqual([
        503,
        'WAREHOUSE_PASSWORD',
      ])
      await changePassword(new URL(role.warehouse.url).password)
      expect((await askApi(own, '/payments/last5')).status).toBe(200)
      expect(JSON.stringify(log)).not.toContain(new URL(role.warehouse.url).password)
    })

    it('asks for the connection string again after it could not be read', async () => {
      let isAway = true
      await using own = make({
        async readUrl() {
          if (isAway) throw new TypeError('away')
          return role.warehouse.url
        },
      })
      expect((await askApi(own, '/health')).status).toBe(500)
      isAway = false
      expect((await askApi(own, '/health')).status).toBe(200)
    })
  })

  describe('the handler', () => {
    const scratch = mkdtempSync(join(tmpdir(), 'tidemark-api-'))
    afterAll(() => {
      vi.unstubAllEnvs()
      rmSync(scratch, { recursive: true, force: true })
    })

    it('is made from the settings by the first request that finds them complete', async () => {
      vi.stubEnv('TIDEMARK_SCRATCH', scratch)
      vi.stubEnv('TIDEMARK_INGESTION', join(system.folder, 'ingestion'))
      vi.stubEnv('TIDEMARK_PROCESSED', join(system.folder, 'processed'))
      vi.stubEnv('TIDEMARK_OIDC_ISSUER', ISSUER)
      vi.stubEnv('TIDEMARK_OIDC_AUDIENCE', CLIENT)
      vi.stubEnv('TIDEMARK_OIDC_GROUPS_CLAIM', 'cognito:groups')
      const { handler } = await import('./api.lambda.ts')
      await expect(askApi({ handle: handler }, '/health')).rejects.toMatchObject({
        name: 'ConfigError',
        message: expect.stringContaining('TIDEMARK_WAREHOUSE_READER_SECRET') as string,
      })
      vi.stubEnv('TIDEMARK_WAREHOUSE_READER_SECRET', 'tidemark/reader')
      const url = new URL(role.warehouse.url)
      url.password = 'old'
      secrets.url = url.href
      expect((await askApi({ handle: handler }, '/health')).status).toBe(503)
      expect(secrets.forgotten).toBeGreaterThan(0)
      secrets.url = role.warehouse.url
      for (const path of ['/health', '/', '/pipeline', '/payments/last5']) {
        const asked = { headers: { accept: 'text/html' } }
        expect((await askApi({ handle: handler }, path, asked)).status, path).toBe(200)
      }
    })
  })
})
