import { Hono } from 'hono'
import { beforeEach, describe, expect, it } from 'vitest'
import { parseConfig } from '../../platform/config.ts'
import type { AppLogEntry } from '../log.ts'
import { type GatewayAccess, readGatewayAccess, type ServerEnv } from './access.ts'
import { authenticate } from './auth.ts'
import { totesys } from '../../totesys/totesys.ts'

const ISSUER = 'https://login.example.org/'
const AUDIENCE = 'tidemark'

let log: AppLogEntry[] = []
beforeEach(() => {
  log = []
})

describe('behind a gateway that has checked the token', () => {
  const access = readGatewayAccess(
    parseConfig({
      TIDEMARK_HOST: '0.0.0.0',
      TIDEMARK_OIDC_ISSUER: ISSUER,
      TIDEMARK_OIDC_AUDIENCE: AUDIENCE,
      TIDEMARK_OIDC_JWKS: '',
      TIDEMARK_OIDC_GROUPS_CLAIM: 'cognito:groups',
    }),
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
    app.use(authenticate(by, { project: totesys, log: (entry) => log.push(entry) }))
    return app.all('*', (c) => {
      const { subject, groups, expiresAt } = c.get('caller')
      return c.json({ subject, groups: [...groups], expiresAt })
    })
  }
  const askWith = (env: ServerEnv['Bindings'], { path = '/payments/next5', app = guard() } = {}) =>
    app.request(path, { headers: { authorization: 'Bearer not.looked.at' } }, env)
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

  it('reads the caller from the claims', async () => {
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
    // Cognito allows any character in a name but a blank, so none of these is two groups.
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

  it('refuses a caller without claims, wherever they come from and whatever they send', async () => {
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

  it('accepts an id token for its audience, and a time in any notation', async () => {
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

  it('trusts the gateway if the settings name no issuer and no audience', async () => {
    const by = readGatewayAccess(parseConfig({ TIDEMARK_OIDC_GROUPS_CLAIM: 'cognito:groups' }))
    expect((await ask(claims({ iss: 'x', client_id: 'y' }), guard(by))).status).toBe(200)
    expect((await ask(claims({ exp: seconds(-60) }), guard(by))).status).toBe(401)
  })

  it('does not read a property that every object has as a claim', async () => {
    const by = { ...access, groupsClaim: 'constructor' }
    expect((await ask(claims(), guard(by))).status).toBe(403)
  })

  it('cuts refusals short for a caller that goes on, and for nobody else behind the same address', async () => {
    const analyst = { 'cognito:groups': '[analyst]' }
    const app = guard()
    const statuses: number[] = []
    for (let n = 0; n < 35; n++) statuses.push((await ask(claims(analyst), app)).status)
    expect([statuses[0], statuses.at(-1)]).toEqual([403, 429])
    expect((await ask(claims({ ...analyst, sub: 'grace' }), app)).status).toBe(403)
    expect((await ask(claims(), app)).status).toBe(200)
  })
})
