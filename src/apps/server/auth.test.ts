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
import type { LogEntry } from '../../platform/log.ts'
import { type GatewayAccess, readAccess, readGatewayAccess, type ServerEnv } from './access.ts'
import { authenticate, groupsFor } from './auth.ts'

const ISSUER = 'https://login.example.org/'
const AUDIENCE = 'tidemark'

let folder: string
let jwks: string
let key: CryptoKey
let publicPem: string
let log: LogEntry[] = []

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

function guarded(config = settings()) {
  const app = new Hono<ServerEnv>()
  app.use(authenticate(readAccess(config), (entry) => log.push(entry)))
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
  it('lets a token of the group in, and only to what the group may read', async () => {
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
    // SQL of one's own reads both.
    const both = bearer(await token({ claims: { groups: ['finance', 'analyst'] } }))
    for (const path of ['/ask', '/ask.csv', '/ask/', '/%61sk']) {
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

  it('refuses whoever has no token, whatever the headers claim and wherever from', async () => {
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
  ])('takes %j for no group', async (groups) => {
    const response = await guarded()('/payments/last5', bearer(await token({ claims: { groups } })))
    expect(response.status).toBe(403)
    expect(response.headers.get('www-authenticate')).toContain('insufficient_scope')
  })

  it('reads groups from the claim it is told', async () => {
    const ask = guarded(settings({ TIDEMARK_OIDC_GROUPS_CLAIM: 'cognito:groups' }))
    const claims = { groups: [], 'cognito:groups': 'finance' }
    expect((await ask('/payments/last5', bearer(await token({ claims })))).status).toBe(200)
    const proto = guarded(settings({ TIDEMARK_OIDC_GROUPS_CLAIM: 'constructor' }))
    expect((await proto('/payments/last5', bearer(await token()))).status).toBe(403)
  })

  it('cuts refusals short for an address that goes on, and no one else', async () => {
    const ask = guarded()
    const statuses: number[] = []
    for (let n = 0; n < 40; n++) statuses.push((await ask('/health', bearer('abc'))).status)
    expect(statuses.slice(0, 30)).toEqual(Array.from({ length: 30 }, () => 401))
    expect(statuses.at(-1)).toBe(429)
    expect(log.length).toBeLessThan(35)
    expect((await ask('/health', bearer('abc'), '203.0.113.8')).status).toBe(401)
    expect((await ask('/health', bearer(await token()))).status).toBe(200)
  })

  it('asks the issuer for its keys, and says when they cannot be had', async () => {
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
  it('asks everybody for a token, whatever the address, the name and the headers', async () => {
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

  it('lets nobody else in, whatever the headers claim', async () => {
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
  ])('answers under its own name only, not as %s', async (host) => {
    expect((await local()('/health', { host }, '127.0.0.1')).status).toBe(421)
  })

  it('answers no page of another site, and no proxy, but a plain link', async () => {
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

describe('behind a gateway that has checked the token', () => {
  const access = readGatewayAccess(
    settings({ TIDEMARK_OIDC_GROUPS_CLAIM: 'cognito:groups', TIDEMARK_OIDC_JWKS: '' }),
  )
  const seconds = (after: number): string => String(Math.floor(Date.now() / 1000) + after)
  // As an HTTP API writes the claims of a Cognito access token: all of them text.
  const claims = (more: Record<string, unknown> = {}) => ({
    sub: 'ada.byron',
    iss: ISSUER,
    client_id: AUDIENCE,
    exp: seconds(300),
    'cognito:groups': '[finance]',
    token_use: 'access',
    ...more,
  })
  const guard = (by: GatewayAccess = access) => {
    const app = new Hono<ServerEnv>()
    app.use(authenticate(by, (entry) => log.push(entry)))
    return app.all('*', (c) => {
      const { subject, groups, expiresAt } = c.get('caller')
      return c.json({ subject, groups: [...groups], expiresAt })
    })
  }
  const askWith = (env: ServerEnv['Bindings'], { path = '/payments/next5', app = guard() } = {}) =>
    app.request(path, { headers: bearer('not.looked.at') }, env)
  const ask = (given: Record<string, unknown>, app = guard()) =>
    askWith(
      {
        requestContext: {
          http: { sourceIp: '203.0.113.7' },
          authorizer: { jwt: { claims: given } },
        },
      },
      { app },
    )

  it('takes who asks from its claims', async () => {
    const exp = seconds(300)
    const response = await ask(claims({ exp }))
    expect(await response.json()).toEqual({
      subject: 'ada.byron',
      groups: ['finance'],
      expiresAt: Number(exp) * 1000,
    })
  })

  it.each<[unknown, string[]]>([
    ['[finance analyst]', ['finance', 'analyst']],
    ['[finance]', ['finance']],
    ['finance', ['finance']],
    [
      ['finance', 'analyst'],
      ['finance', 'analyst'],
    ],
    ['["finance","analyst"]', ['finance', 'analyst']],
    // Cognito lets a name have any sign but a blank: none of these is two groups.
    ['[finance,x]', ['finance,x']],
    ['finance analyst', ['finance analyst']],
    ['[[finance]]', ['[finance]']],
    ['[]', []],
    ['', ['']],
    [undefined, []],
    [null, []],
    [7, []],
    [{ finance: true }, []],
    [[['finance']], []],
  ])('reads %j as groups', async (groups, expected) => {
    const given = claims({ 'cognito:groups': groups })
    const response = await ask(given)
    const { groups: read } = (await response.json()) as { groups?: string[] }
    expect([response.status, read]).toEqual(
      expected.includes('finance') ? [200, expected] : [403, undefined],
    )
  })

  it('refuses whoever comes without claims, wherever from and whatever they carry', async () => {
    for (const env of [
      {},
      { requestContext: {} },
      { requestContext: { http: { sourceIp: '127.0.0.1' } } },
      { requestContext: { http: { sourceIp: '::1' }, authorizer: {} } },
      { requestContext: { http: { sourceIp: '127.0.0.1' }, authorizer: { jwt: {} } } },
      { incoming: { socket: { remoteAddress: '127.0.0.1' } } } as ServerEnv['Bindings'],
    ]) {
      const response = await askWith(env, { path: '/health' })
      expect(response.status, JSON.stringify(env)).toBe(401)
      expect(response.headers.get('www-authenticate')).toBe('Bearer realm="tidemark"')
    }
    expect(log).toHaveLength(6)
    expect(JSON.stringify(log)).not.toContain('looked')
  })

  it.each<[string, Record<string, unknown>]>([
    ['of another issuer', { iss: 'https://evil.example.org/' }],
    ['of no issuer', { iss: undefined }],
    ['for another client', { client_id: 'another' }],
    ['for another audience', { aud: 'another' }],
    ['for other audiences', { aud: '[another more]', client_id: AUDIENCE }],
    ['for nobody', { client_id: undefined }],
    ['expired', { exp: seconds(-60) }],
    ['that never expires', { exp: undefined }],
    ['that expires at no time', { exp: 'tomorrow' }],
    ['that expires at an empty time', { exp: '' }],
    ['that expires at infinity', { exp: 'Infinity' }],
    ['without a subject', { sub: '' }],
    ['with two subjects', { sub: ['ada.byron', 'eve.mallory'] }],
  ])('refuses claims %s', async (_, more) => {
    const response = await ask(claims(more))
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toContain('error="invalid_token"')
    expect(log).toMatchObject([{ event: 'access_refused', status: 401 }])
    expect(JSON.stringify(log)).not.toMatch(/ada\.byron|eve\.mallory/)
  })

  it('takes an id token for its audience, and a time in any notation', async () => {
    const inFive = Math.floor(Date.now() / 1000) + 300
    for (const more of [
      { client_id: undefined, aud: AUDIENCE },
      { client_id: undefined, aud: [AUDIENCE, 'another'] },
      { client_id: undefined, aud: `[another ${AUDIENCE}]` },
      { exp: inFive },
      { exp: inFive.toExponential() },
    ]) {
      expect((await ask(claims(more))).status, JSON.stringify(more)).toBe(200)
    }
  })

  it('goes by the word of the gateway where the settings name no issuer and no audience', async () => {
    const by = readGatewayAccess(parseConfig({ TIDEMARK_OIDC_GROUPS_CLAIM: 'cognito:groups' }))
    expect((await ask(claims({ iss: 'x', client_id: 'y' }), guard(by))).status).toBe(200)
    expect((await ask(claims({ exp: seconds(-60) }), guard(by))).status).toBe(401)
  })

  it('takes no claim for one that every object has', async () => {
    const by = { ...access, groupsClaim: 'constructor' }
    expect((await ask(claims(), guard(by))).status).toBe(403)
  })

  it('cuts refusals short for whoever goes on, and no one else behind the same address', async () => {
    const analyst = { 'cognito:groups': '[analyst]' }
    const app = guard()
    const statuses: number[] = []
    for (let n = 0; n < 35; n++) statuses.push((await ask(claims(analyst), app)).status)
    expect([statuses[0], statuses.at(-1)]).toEqual([403, 429])
    expect((await ask(claims({ ...analyst, sub: 'grace' }), app)).status).toBe(403)
    expect((await ask(claims(), app)).status).toBe(200)
  })
})

describe('groupsFor()', () => {
  it('gives a path without a rule to analysts alone', () => {
    expect(groupsFor('/anything')).toEqual(['analyst'])
    expect(groupsFor('/paymentsx')).toEqual(['analyst'])
    expect(groupsFor('/payments/')).toEqual(['finance'])
  })
})
