import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Hono } from 'hono'
import {
  type CryptoKey,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWTPayload,
  SignJWT,
  UnsecuredJWT,
} from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parseConfig } from '../../platform/config.ts'
import type { AppLogEntry } from '../log.ts'
import { readAccess, type ServerEnv } from './access.ts'
import { authenticate } from './auth.ts'
import { totesys } from '../../totesys/totesys.ts'
import { groupsFor, type Guarded } from './groups.ts'

const ISSUER = 'https://login.example.org/'
const AUDIENCE = 'tidemark'

let folder: string
let jwks: string
let key: CryptoKey
let publicPem: string
let log: AppLogEntry[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-auth-'))
  jwks = join(folder, 'jwks.json')
  const pair = await generateKeyPair('RS256', { extractable: true })
  key = pair.privateKey
  publicPem = await exportSPKI(pair.publicKey)
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }
  writeFileSync(jwks, JSON.stringify({ keys: [jwk] }))
})
afterAll(() => rmSync(folder, { recursive: true }))
beforeEach(() => {
  log = []
})

const settings = (more: Record<string, string> = {}) =>
  parseConfig({
    TIDEMARK_HOST: '0.0.0.0',
    TIDEMARK_OIDC_ISSUER: ISSUER,
    TIDEMARK_OIDC_AUDIENCE: AUDIENCE,
    TIDEMARK_OIDC_JWKS: jwks,
    ...more,
  })

function guarded(config = settings(), project: Guarded = totesys) {
  const app = new Hono<ServerEnv>()
  app.use(authenticate(readAccess(config), { project, log: (entry) => log.push(entry) }))
  app.all('*', (c) => c.json({ subject: c.get('caller').subject }))
  return (path: string, headers: Record<string, string> = {}, from = '203.0.113.7') =>
    app.request(path, { headers }, { incoming: { socket: { remoteAddress: from } } })
}

interface TokenOptions {
  readonly claims?: JWTPayload
  readonly issuer?: string
  readonly audience?: string
  readonly expires?: number | string
  readonly kid?: string
  readonly alg?: string
  readonly key?: CryptoKey | Uint8Array
}

async function token(options: TokenOptions = {}): Promise<string> {
  const jwt = new SignJWT({ sub: 'ada.byron', groups: ['finance'], ...options.claims })
    .setProtectedHeader({ alg: options.alg ?? 'RS256', kid: options.kid ?? 'one' })
    .setIssuer(options.issuer ?? ISSUER)
    .setAudience(options.audience ?? AUDIENCE)
  if (options.expires !== '') jwt.setExpirationTime(options.expires ?? '5m')
  return await jwt.sign(options.key ?? key)
}

const bearer = (text: string) => ({ authorization: `Bearer ${text}` })

describe('beyond this machine', () => {
  it('lets a token of a group read what the group may read, and nothing else', async () => {
    const ask = guarded()
    const finance = bearer(await token())
    const analyst = bearer(await token({ claims: { groups: ['x', 'analyst'] } }))
    expect(await (await ask('/payments/next5', finance)).json()).toEqual({ subject: 'ada.byron' })
    const status = async (path: string, headers: Record<string, string>) =>
      (await ask(path, headers)).status
    expect(await status('/sales', finance)).toBe(403)
    expect(await status('/sales', analyst)).toBe(200)
    expect(await status('/payments/next5', analyst)).toBe(403)
    expect(await status('/payments', analyst)).toBe(403)
    expect(await status('/%70ayments/next5', analyst)).toBe(403)
    for (const path of ['/payments.xlsx', '/list/payment.xlsx', '/list/payment%2exlsx']) {
      expect(await status(path, analyst), path).toBe(403)
      expect(await status(path, finance), path).not.toBe(403)
    }
    // A caller's own SQL can read both.
    const both = bearer(await token({ claims: { groups: ['finance', 'analyst'] } }))
    for (const path of ['/ask', '/ask.csv', '/ask.xlsx', '/ask/', '/%61sk', '/ask%2Exlsx']) {
      expect(await status(path, finance), path).toBe(403)
      expect(await status(path, analyst), path).toBe(403)
      expect(await status(path, both), path).not.toBe(403)
    }
    expect(await status('/docs', finance)).toBe(200)
    expect(await status('/health', analyst)).toBe(200)
    expect(log).toContainEqual(
      expect.objectContaining({ event: 'access_refused', status: 403, subject: 'ada.byron' }),
    )
  })

  it.each([
    '/ask.xlsx',
    '/ask/save',
    '/my',
    '/my/',
    '/my/page.csv',
    '/%6dy',
    '/saved',
    '/saved/',
    '/saved/late',
    '/saved/late.csv',
    '/s%61ved/late',
  ])('lets only callers of both groups to saved questions: %s', async (path) => {
    const ask = guarded()
    const status = async (...groups: string[]) =>
      (await ask(path, bearer(await token({ claims: { groups } })))).status
    expect(await status('finance')).toBe(403)
    expect(await status('analyst')).toBe(403)
    expect(await status('finance', 'analyst')).not.toBe(403)
  })

  it('asks for one group only on paths that merely begin like those', async () => {
    const ask = guarded()
    const analyst = bearer(await token({ claims: { groups: ['analyst'] } }))
    for (const path of ['/mystery', '/savedness', '/asked']) {
      expect((await ask(path, analyst)).status, path).not.toBe(403)
    }
  })

  it('refuses a caller without a token, whatever the headers claim and wherever they come from', async () => {
    const ask = guarded()
    for (const from of ['203.0.113.7', '127.0.0.1', '::1', '']) {
      const response = await ask(
        '/health',
        { host: 'localhost', 'x-forwarded-for': '127.0.0.1', forwarded: 'for=127.0.0.1' },
        from,
      )
      expect(response.status, from).toBe(401)
      expect(response.headers.get('www-authenticate')).toBe('Bearer realm="tidemark"')
      expect(response.headers.get('content-type')).toBe('application/problem+json')
    }
  })

  const wrong: [string, () => Promise<string>][] = [
    ['expired', () => token({ expires: Math.floor(Date.now() / 1000) - 60 })],
    ['never expiring', () => token({ expires: '' })],
    ['of another issuer', () => token({ issuer: 'https://evil.example.org/' })],
    ['for another audience', () => token({ audience: 'another' })],
    ['not valid yet', () => token({ claims: { nbf: Math.floor(Date.now() / 1000) + 600 } })],
    ['without a subject', () => token({ claims: { sub: '' } })],
    ['signed with an unknown key', () => token({ kid: 'two' })],
    [
      'signed by somebody else',
      async () => token({ key: (await generateKeyPair('RS256')).privateKey }),
    ],
    [
      'signed with the public key as a secret',
      () => token({ alg: 'HS256', key: new TextEncoder().encode(publicPem) }),
    ],
    [
      'not signed',
      async () =>
        new UnsecuredJWT({ sub: 'ada.byron', groups: ['finance'] })
          .setIssuer(ISSUER)
          .setAudience(AUDIENCE)
          .setExpirationTime('5m')
          .encode(),
    ],
    [
      'of another algorithm',
      async () => token({ alg: 'ES256', key: (await generateKeyPair('ES256')).privateKey }),
    ],
    [
      'with its claims changed',
      async () => {
        const [head, , signature] = (await token()).split('.')
        const claims = {
          sub: 'eve.mallory',
          groups: ['finance'],
          iss: ISSUER,
          aud: AUDIENCE,
          exp: 9_999_999_999,
        }
        return [head, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join(
          '.',
        )
      },
    ],
    ['cut short', async () => (await token()).slice(0, -10)],
    ['no token', async () => 'abc'],
    ['no JSON', async () => 'e30.e30.e30'],
    ['too long', async () => token({ claims: { padding: 'x'.repeat(9000) } })],
  ]
  it.each(wrong)('refuses a token that is %s', async (_, make) => {
    const text = await make()
    const response = await guarded()('/payments/next5', bearer(text))
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toContain('error="invalid_token"')
    expect(log).toHaveLength(1)
    expect(JSON.stringify(log)).not.toContain(text.slice(0, 40))
    expect(JSON.stringify(log)).not.toMatch(/ada\.byron|eve\.mallory/)
    expect(await response.text()).not.toContain(text.slice(0, 40))
  })

  it.each(['Basic YTpi', 'Bearer', 'Bearer a b', 'Bearer a, Bearer b', 'bearer\ttoken', ''])(
    'refuses the header %j',
    async (authorization) => {
      expect((await guarded()('/health', { authorization })).status).toBe(401)
    },
  )

  it.each([
    [undefined],
    [[]],
    [['Finance']],
    ['financeer'],
    [{ finance: true }],
    [null],
    [['fin', 'ance']],
  ])('finds no group in %j', async (groups) => {
    const response = await guarded()('/payments/last5', bearer(await token({ claims: { groups } })))
    expect(response.status).toBe(403)
    expect(response.headers.get('www-authenticate')).toContain('insufficient_scope')
  })

  it('reads groups from the claim that the settings name', async () => {
    const ask = guarded(settings({ TIDEMARK_OIDC_GROUPS_CLAIM: 'cognito:groups' }))
    const claims = { groups: [], 'cognito:groups': 'finance' }
    expect((await ask('/payments/last5', bearer(await token({ claims })))).status).toBe(200)
    const proto = guarded(settings({ TIDEMARK_OIDC_GROUPS_CLAIM: 'constructor' }))
    expect((await proto('/payments/last5', bearer(await token()))).status).toBe(403)
  })

  it('cuts refusals short for an address that goes on, and for nobody else', async () => {
    const ask = guarded()
    const statuses: number[] = []
    for (let n = 0; n < 40; n++) statuses.push((await ask('/health', bearer('abc'))).status)
    expect(statuses.slice(0, 30)).toEqual(Array.from({ length: 30 }, () => 401))
    expect(statuses.at(-1)).toBe(429)
    expect(log.length).toBeLessThan(35)
    expect((await ask('/health', bearer('abc'), '203.0.113.8')).status).toBe(401)
    expect((await ask('/health', bearer(await token()))).status).toBe(200)
  })

  it('fetches the keys of the issuer, and says if they are out of reach', async () => {
    let answer = () => ({ status: 500, body: '' })
    const issuer: Server = createServer((_, response) => {
      const { status, body } = answer()
      response.writeHead(status, { 'content-type': 'application/json' }).end(body)
    })
    await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve))
    try {
      const { port } = issuer.address() as AddressInfo
      const config = settings({ TIDEMARK_OIDC_JWKS: `http://127.0.0.1:${port}/keys` })
      const away = await guarded(config)('/health', bearer(await token()))
      expect([away.status, away.headers.get('retry-after')]).toEqual([503, '10'])
      expect(log).toContainEqual(expect.objectContaining({ event: 'keys_unreachable' }))
      const pair = await generateKeyPair('ES256', { extractable: true })
      const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'new' }
      answer = () => ({ status: 200, body: JSON.stringify({ keys: [jwk] }) })
      const rotated = await token({ alg: 'ES256', kid: 'new', key: pair.privateKey })
      expect((await guarded(config)('/health', bearer(rotated))).status).toBe(200)
    } finally {
      issuer.close()
    }
  })
})

describe('on this machine, with a login', () => {
  it('asks every caller for a token, whatever the address, the host name and the headers', async () => {
    for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
      const ask = guarded(settings({ TIDEMARK_HOST: host }))
      for (const path of ['/payments/next5', '/', '/health', '/events', '/openapi.json', '/ask']) {
        for (const headers of [
          {},
          { 'x-forwarded-for': '127.0.0.1' },
          { host: 'localhost:4100' },
        ]) {
          const response = await ask(path, { host: '127.0.0.1:4100', ...headers }, '127.0.0.1')
          expect(response.status, `${host} ${path}`).toBe(401)
        }
      }
      const own = { host: 'tidemark.example.org', ...bearer(await token()) }
      const proxied = await ask(
        '/payments/next5',
        { ...own, 'x-forwarded-for': '203.0.113.7' },
        '::1',
      )
      expect(await proxied.json()).toEqual({ subject: 'ada.byron' })
      expect((await ask('/sales', own, '127.0.0.1')).status).toBe(403)
    }
  })
})

describe('on this machine', () => {
  const local = () => guarded(parseConfig({}))

  it.each(['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1'])(
    'needs no login from %s',
    async (from) => {
      const response = await local()('/payments/next5', { host: 'localhost:4100' }, from)
      expect(await response.json()).toEqual({ subject: 'local' })
    },
  )

  it('refuses every other machine, whatever the headers claim', async () => {
    for (const from of ['203.0.113.7', '::ffff:10.0.0.1', '10.127.0.1', '', '127.0.0.1.evil.org']) {
      const headers = {
        host: 'localhost',
        'x-forwarded-for': '127.0.0.1',
        'x-real-ip': '127.0.0.1',
      }
      expect((await local()('/health', headers, from)).status, from).toBe(401)
    }
  })

  it.each([
    'evil.example.org',
    'evil.example.org:4100',
    'localhost.evil.org',
    '10.0.0.1',
    '[::2]',
    'a b',
    '@',
  ])('answers only under its own name, not as %s', async (host) => {
    expect((await local()('/health', { host }, '127.0.0.1')).status).toBe(421)
  })

  it('refuses pages of other sites and proxies, and follows a plain link', async () => {
    const status = async (headers: Record<string, string>) =>
      (await local()('/health', { host: '127.0.0.1:4100', ...headers }, '127.0.0.1')).status
    expect(await status({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' })).toBe(403)
    expect(await status({ 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' })).toBe(403)
    expect(await status({ origin: 'http://evil.example.org' })).toBe(403)
    expect(await status({ origin: 'null' })).toBe(403)
    expect(await status({ 'x-forwarded-for': '203.0.113.7' })).toBe(403)
    expect(await status({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' })).toBe(200)
    expect(await status({ 'sec-fetch-site': 'same-origin', origin: 'http://127.0.0.1:4100' })).toBe(
      200,
    )
    expect(await status({ 'sec-fetch-site': 'none' })).toBe(200)
  })
})

describe('groupsFor()', () => {
  it('gives a path without a rule to analysts alone', () => {
    expect(groupsFor('/anything', totesys)).toEqual(['analyst'])
    expect(groupsFor('/paymentsx', totesys)).toEqual(['analyst'])
    expect(groupsFor('/payments/', totesys)).toEqual(['finance'])
  })
})
