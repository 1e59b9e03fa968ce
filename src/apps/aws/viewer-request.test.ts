import { readFileSync } from 'node:fs'
import vm from 'node:vm'
import { transform } from 'esbuild'
import { UnsecuredJWT } from 'jose'
import { describe, expect, it } from 'vitest'

const SOURCE = readFileSync(new URL('./viewer-request.js', import.meta.url), 'utf8')
const NAME = '__Host-tidemark'

interface Field {
  readonly value: string
  readonly multiValue?: readonly { readonly value: string }[]
}
interface ViewerRequest {
  readonly method?: string
  readonly uri?: string
  readonly querystring?: Readonly<Record<string, Field>>
  readonly headers?: Readonly<Record<string, string>>
  readonly cookies?: Readonly<Record<string, Field>>
}
interface Outcome {
  readonly statusCode?: number
  readonly uri?: string
  readonly headers: Readonly<Record<string, Field>>
  readonly cookies?: object
  readonly querystring?: object
  readonly body?: string
}

/** Runs the deployed file with only the globals that the runtime has. */
function run({ headers = {}, ...request }: ViewerRequest): Outcome {
  const context = vm.createContext({ Buffer })
  vm.runInContext(SOURCE, context)
  const { handler } = context as { handler: (event: object) => Outcome }
  const fields = Object.entries({ host: 'tidemark.example.org', ...headers })
  return handler({
    version: '1.0',
    context: { eventType: 'viewer-request' },
    viewer: { ip: '198.51.100.4' },
    request: {
      method: 'GET',
      uri: '/',
      querystring: {},
      cookies: {},
      ...request,
      headers: Object.fromEntries(fields.map(([name, value]) => [name, { value }])),
    },
  })
}

const tokenOf = (seconds: number): string =>
  `${new UnsecuredJWT({ sub: 'ada' }).setExpirationTime(Math.floor(Date.now() / 1000) + seconds).encode()}c2lnbmF0dXJl`
const VALID = tokenOf(600)
const EXPIRED = tokenOf(-1)
const cookie = (value: string) => ({ [NAME]: { value } })
const PAGE = {
  accept: 'text/html,application/xhtml+xml',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
  'sec-fetch-site': 'none',
}
const bearerOf = ({ headers }: Outcome): string | undefined => headers['authorization']?.value

describe('viewer-request.js', () => {
  it('is small enough, and nothing in it is newer than its runtime', async () => {
    expect(Buffer.byteLength(SOURCE)).toBeLessThan(10_240)
    // It uses nothing that esbuild rewrites for ES 5, except what the runtime has beyond ES 5.
    const known = { 'const-and-let': true, 'template-literal': true, arrow: true }
    const options = { charset: 'utf8', supported: known } as const
    const [old, plain] = await Promise.all([
      transform(SOURCE, { ...options, target: 'es5' }),
      transform(SOURCE, { ...options, target: 'esnext' }),
    ])
    expect(old.code).toBe(plain.code)
    expect(SOURCE).not.toMatch(/\bfor \([^;)]* of |\bimport\b|\beval\b|\$\{[A-Z]\w+\}/)
  })

  it('makes a bearer token from the cookie, and passes on no cookie', () => {
    const cookies = { ...cookie(VALID), other: { value: '1' } }
    for (const headers of [PAGE, { accept: '*/*', 'sec-fetch-site': 'same-origin' }, {}]) {
      const outcome = run({ uri: '/sales', headers, cookies })
      expect(bearerOf(outcome)).toBe(`Bearer ${VALID}`)
      expect(outcome.cookies).toEqual({})
      expect([outcome.uri, outcome.statusCode]).toEqual(['/sales', undefined])
    }
  })

  it('keeps the header of a client that sends one, and then reads no cookie', () => {
    const headers = { authorization: 'Bearer its.own.token', 'sec-fetch-site': 'cross-site' }
    for (const cookies of [{}, cookie(VALID), cookie(EXPIRED)]) {
      const outcome = run({ method: 'POST', uri: '/ask', headers, cookies })
      expect(bearerOf(outcome)).toBe('Bearer its.own.token')
      expect(outcome.cookies).toEqual({})
    }
  })

  it('sends a person who opens a page without a token to the login, and back to that page', () => {
    const querystring = {
      period: { value: '4w' },
      name: { value: 'a%20b%26c' },
      twice: { value: '1', multiValue: [{ value: '1' }, { value: '2' }] },
      empty: { value: '' },
    }
    const { statusCode, headers } = run({ uri: '/sales', headers: PAGE, querystring })
    expect([statusCode, headers['cache-control']?.value]).toEqual([302, 'no-store'])
    const location = new URL(headers['location']?.value ?? '', 'https://tidemark.example.org')
    expect(location.pathname).toBe('/login')
    expect(location.searchParams.get('to')).toBe(
      '/sales?period=4w&name=a%20b%26c&twice=1&twice=2&empty',
    )
    expect(run({ headers: PAGE }).headers['location']?.value).toBe('/login')
    expect(run({ headers: { accept: 'text/html' } }).statusCode).toBe(302)
  })

  it('says that a token has expired', () => {
    const { statusCode, headers } = run({ uri: '/sales', headers: PAGE, cookies: cookie(EXPIRED) })
    expect([statusCode, headers['location']?.value]).toEqual([302, '/login?to=%2Fsales&expired'])
    expect(run({ headers: PAGE, cookies: cookie(EXPIRED) }).headers['location']?.value).toBe(
      '/login?expired',
    )
  })

  it.each<[string, ViewerRequest]>([
    ['a script', { headers: { accept: 'text/event-stream', 'sec-fetch-mode': 'cors' } }],
    ['a script that wants HTML', { headers: { ...PAGE, 'sec-fetch-mode': 'cors' } }],
    ['a download', { headers: { ...PAGE, 'sec-fetch-dest': 'empty' } }],
    ['a client of the API', { headers: { accept: 'application/json' } }],
    ['a form', { method: 'POST', headers: { ...PAGE, 'sec-fetch-site': 'same-origin' } }],
  ])('leaves it to the authorizer to refuse %s', (_, request) => {
    for (const cookies of [{}, cookie(EXPIRED)]) {
      const outcome = run({ ...request, uri: '/sales', cookies })
      expect([outcome.statusCode, bearerOf(outcome)]).toEqual([undefined, undefined])
    }
  })

  it.each<[string, Record<string, Field>]>([
    ['no token', cookie('abc')],
    ['an empty one', cookie('')],
    ['one that ends the header', cookie(`${VALID}\r\nx-evil: 1`)],
    ['one with a line feed at its end', cookie(`${VALID}\n`)],
    ['one with a second one behind a comma', cookie(`${VALID}, Bearer x`)],
    ['a huge one', cookie(`${VALID}${'x'.repeat(5000)}`)],
    [
      'two of the name',
      { [NAME]: { value: VALID, multiValue: [{ value: VALID }, { value: EXPIRED }] } },
    ],
    ['one that never expires', cookie(`${new UnsecuredJWT({ sub: 'ada' }).encode()}c2ln`)],
    ['one whose time is text', cookie(`e30.${btoa('{"exp":"9999999999"}').replace(/=+$/, '')}.x`)],
    ['one whose claims are not JSON', cookie('e30.bm8.x')],
    ['one whose claims are null', cookie(`e30.${btoa('null')}.x`)],
    ['one by another name', { '__host-tidemark': { value: VALID }, tidemark: { value: VALID } }],
  ])('takes %s for none', (_, cookies) => {
    const script = run({ uri: '/sales', cookies, headers: { accept: '*/*' } })
    expect([script.statusCode, bearerOf(script), script.cookies]).toEqual([
      undefined,
      undefined,
      {},
    ])
    expect(run({ uri: '/sales', cookies, headers: PAGE }).headers['location']?.value).toMatch(
      /^\/login\?to=%2Fsales(&expired)?$/,
    )
  })

  it.each([
    '//evil.example.org/',
    '/\\evil.example.org',
    '/a\r\nset-cookie: x=1',
    '/a\\..\\b',
    '/ä',
    '/\ud800',
    `/${'x'.repeat(3000)}`,
  ])('returns from %j to the start page', (uri) => {
    expect(run({ uri, headers: PAGE }).headers['location']?.value).toBe('/login')
  })

  it('returns to an address whose query looks like another site, and only there', () => {
    const querystring = { to: { value: '//evil.example.org' }, next: { value: 'https://e.org' } }
    const location = run({ uri: '/sales', headers: PAGE, querystring }).headers['location']
    expect(location?.value).toBe(
      '/login?to=%2Fsales%3Fto%3D%2F%2Fevil.example.org%26next%3Dhttps%3A%2F%2Fe.org',
    )
  })

  const own = 'https://tidemark.example.org'
  it.each<[string, Record<string, string>]>([
    ['from another site', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }],
    ['from a neighbour', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate' }],
    ['from nowhere', {}],
    ['from another origin', { origin: 'https://evil.example.org' }],
    ['from the same name without TLS', { origin: 'http://tidemark.example.org' }],
    ['from an origin that hides', { origin: 'null', 'sec-fetch-site': 'same-origin' }],
    ['that contradicts itself', { origin: 'https://e.org', 'sec-fetch-site': 'same-origin' }],
  ])('refuses a form %s with the cookie', (_, headers) => {
    const outcome = run({ method: 'POST', uri: '/ask', headers, cookies: cookie(VALID) })
    expect([outcome.statusCode, bearerOf(outcome)]).toEqual([403, undefined])
    expect(JSON.parse(outcome.body ?? '')).toMatchObject({ status: 403, code: 'OTHER_SITE' })
    expect(JSON.stringify(outcome)).not.toContain(VALID)
  })

  it.each<[string, Record<string, string>]>([
    ['from our own page', { origin: own, 'sec-fetch-site': 'same-origin' }],
    ['from our own page in an older browser', { origin: own }],
  ])('takes a form %s', (_, headers) => {
    const outcome = run({ method: 'POST', uri: '/ask', headers, cookies: cookie(VALID) })
    expect(bearerOf(outcome)).toBe(`Bearer ${VALID}`)
  })

  it('lets another site link here, and load nothing', () => {
    const cookies = cookie(VALID)
    const link = { ...PAGE, 'sec-fetch-site': 'cross-site' }
    expect(bearerOf(run({ uri: '/sales', headers: link, cookies }))).toBe(`Bearer ${VALID}`)
    for (const site of ['cross-site', 'same-site']) {
      const headers = { 'sec-fetch-site': site, 'sec-fetch-mode': 'no-cors' }
      expect(run({ uri: '/sales.csv', headers, cookies }).statusCode).toBe(403)
    }
  })

  it.each([
    ['/login', '/login.html'],
    ['/login/out', '/login.html'],
    ['/login/config.json', '/login/config.json'],
    ['/login.html', '/login.html'],
    ['/loginx', '/loginx'],
    ['/assets/dashboard-ABC.js', '/assets/dashboard-ABC.js'],
  ])('asks the bucket for %s without saying who asks', (uri, file) => {
    const outcome = run({
      uri,
      headers: { ...PAGE, authorization: 'Bearer a.b.c' },
      cookies: cookie(VALID),
      querystring: { code: { value: 'secret' } },
    })
    expect(outcome).toMatchObject({ uri: file, cookies: {}, querystring: {} })
    expect(bearerOf(outcome)).toBeUndefined()
  })
})
