import { readFileSync } from 'node:fs'
import type { HttpBindings } from '@hono/node-server'
import type { Context, MiddlewareHandler } from 'hono'
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JSONWebKeySet,
  jwtVerify,
  type JWTVerifyGetKey,
} from 'jose'
import type { Config } from '../../platform/config.ts'
import { ConfigError } from '../../platform/errors.ts'
import { isLoopback } from '../../platform/io/loopback.ts'
import type { AppLog } from '../log.ts'
import { createBuckets } from './buckets.ts'
import { problemResponse } from './problem.ts'

/** `finance` may read the payments, `analyst` everything else. */
export type Group = 'finance' | 'analyst'

/** Who asks. */
export interface Caller {
  /** The token's subject; `local` where nobody logs in. */
  readonly subject: string
  readonly groups: ReadonlySet<string>
  /** Milliseconds since 1970 after which a long answer must end; undefined where nobody logs in. */
  readonly expiresAt: number | undefined
}

/** What Hono carries through a request: from a socket of ours, or from a gateway's event. */
export interface ServerEnv {
  Bindings: Partial<HttpBindings> & { readonly requestContext?: GatewayContext }
  Variables: { caller: Caller }
}

/**
 * Who may ask. With `oidc` everybody needs a token, wherever they come from. Without it only this
 * machine may ask, and the server must listen there alone.
 */
export interface Access {
  readonly kind?: undefined
  readonly host: string
  readonly oidc: Oidc | undefined
}

/**
 * Who may ask behind a gateway that has checked the token before it calls: its signature is not
 * checked again, which would need the issuer's keys. What the claims say is.
 */
export interface GatewayAccess {
  readonly kind: 'gateway'
  /** What the claim `iss` must be; undefined where the gateway's word is enough. */
  readonly issuer: string | undefined
  /** What `aud` must hold, or `client_id` in a token without `aud`, as Cognito's access tokens are. */
  readonly audience: string | undefined
  readonly groupsClaim: string
}

/** Of an event of an HTTP API (payload format 2.0), what is read here. */
export interface GatewayContext {
  readonly http?: { readonly sourceIp?: string }
  readonly authorizer?: { readonly jwt?: { readonly claims?: Readonly<Record<string, unknown>> } }
}

export interface Oidc {
  readonly issuer: string
  readonly audience: string
  readonly groupsClaim: string
  readonly keys: JWTVerifyGetKey
}

/**
 * Who may ask, by the settings. Throws `ConfigError` when the server would listen beyond this
 * machine without a way to check tokens, or when that way is set half.
 */
export function readAccess(config: Config): Access {
  const host = config.TIDEMARK_HOST
  const {
    TIDEMARK_OIDC_ISSUER: issuer,
    TIDEMARK_OIDC_AUDIENCE: audience,
    TIDEMARK_OIDC_JWKS: jwks,
  } = config
  if (issuer !== undefined && audience !== undefined && jwks !== undefined) {
    const groupsClaim = config.TIDEMARK_OIDC_GROUPS_CLAIM
    return { host, oidc: { issuer, audience, groupsClaim, keys: readKeys(jwks) } }
  }
  const isHalfSet = [issuer, audience, jwks].some((setting) => setting !== undefined)
  if (!isHalfSet && isLoopback(host)) return { host, oidc: undefined }
  throw new ConfigError(
    isHalfSet
      ? 'Tokens cannot be checked: the issuer, the audience and the keys belong together'
      : `Listening on ${host} reaches beyond this machine, where every request needs a token`,
    {
      code: 'CONFIG_OIDC',
      hint: 'set TIDEMARK_OIDC_ISSUER, TIDEMARK_OIDC_AUDIENCE and TIDEMARK_OIDC_JWKS, or listen on 127.0.0.1',
    },
  )
}

/** Who may ask behind a gateway, by the settings; the address of the issuer's keys is the gateway's. */
export function readGatewayAccess(config: Config): GatewayAccess {
  return {
    kind: 'gateway',
    issuer: config.TIDEMARK_OIDC_ISSUER,
    audience: config.TIDEMARK_OIDC_AUDIENCE,
    groupsClaim: config.TIDEMARK_OIDC_GROUPS_CLAIM,
  }
}

function readKeys(jwks: string): Oidc['keys'] {
  if (/^https?:/i.test(jwks)) {
    const url = URL.canParse(jwks) ? new URL(jwks) : undefined
    if (url?.protocol === 'https:' || (url !== undefined && isLoopback(url.hostname))) {
      return createRemoteJWKSet(url, { timeoutDuration: 5000, cooldownDuration: 30_000 })
    }
    throw badKeys('must be an https:// address, or anybody on the way could put in keys')
  }
  try {
    return createLocalJWKSet(JSON.parse(readFileSync(jwks, 'utf8')) as JSONWebKeySet)
  } catch (error) {
    throw badKeys('is not a readable file with a JSON Web Key Set', error)
  }
}

function badKeys(why: string, cause?: unknown): ConfigError {
  return new ConfigError(`TIDEMARK_OIDC_JWKS ${why}`, {
    code: 'CONFIG_OIDC',
    hint: "give the issuer's jwks_uri, or a file with what it answers",
    cause,
  })
}

/** Signatures with a private key only: with a shared secret the public key could sign. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA']
const MAX_TOKEN_CHARS = 8192
const CLOCK_TOLERANCE_SECONDS = 30

/** Refusals of one address that are answered and logged one by one; then they are cut short. */
const REFUSALS = { burst: 30, perSecond: 1 }

/**
 * Finds out who asks, and refuses who may not ask for this path: 401 without a valid token, 403
 * outside its groups; both are logged with the subject where it is proven, never with the token. On
 * a server without a login, which listens to this machine alone, whoever connects from it needs no
 * token. What counts is the socket's address: a header can only ever shut the door, not open it.
 * Behind a gateway nobody is let in without the claims it has checked, wherever they come from.
 */
export function authenticate(
  access: Access | GatewayAccess,
  log: AppLog,
): MiddlewareHandler<ServerEnv> {
  const refusals = createBuckets(REFUSALS)
  return async (c, next) => {
    const address = addressOf(c)
    const needsLogin =
      access.kind === 'gateway' || access.oidc !== undefined || !isLoopback(access.host)
    if (!needsLogin && isLoopback(address)) {
      const stranger = findStranger(c)
      if (stranger !== undefined) return stranger
      c.set('caller', { subject: 'local', groups: new Set(GROUPS), expiresAt: undefined })
      return next()
    }
    const refuse = (status: 401 | 403, reason: string, subject?: string): Response => {
      // Behind a gateway many people have the address of what stands in front of it.
      const isKnown = access.kind === 'gateway' && subject !== undefined
      const waitSeconds = refusals.take(isKnown ? `subject ${subject}` : address)
      if (waitSeconds > 0) return tooMany(waitSeconds)
      log({ event: 'access_refused', level: 'warn', path: pathOf(c), status, reason, subject })
      return refusal(status, reason)
    }
    const caller = await callerOf(c, access)
    if (typeof caller === 'string') {
      if (caller !== KEYS_AWAY) return refuse(401, caller)
      log({ event: 'keys_unreachable', level: 'alert', path: pathOf(c) })
      return problemResponse({
        status: 503,
        code: 'KEYS_UNREACHABLE',
        detail: 'Tokens cannot be checked just now',
        headers: { 'retry-after': '10' },
      })
    }
    if (!isPermitted(c.req.path, caller)) {
      return refuse(403, 'group_missing', caller.subject)
    }
    c.set('caller', caller)
    return next()
  }
}

/** Who asks, or why that does not count. */
async function callerOf(
  c: Context<ServerEnv>,
  access: Access | GatewayAccess,
): Promise<Caller | string> {
  if (access.kind === 'gateway') {
    const claims = c.env?.requestContext?.authorizer?.jwt?.claims
    return claims === undefined ? 'token_missing' : readClaims(claims, access)
  }
  if (access.oidc === undefined) return 'no_login_here'
  const authorization = c.req.header('authorization')
  if (authorization === undefined) return 'token_missing'
  const token = /^Bearer +([\w.~+/=-]+)$/i.exec(authorization)?.[1]
  if (token === undefined || token.length > MAX_TOKEN_CHARS) return 'token_malformed'
  return await verify(token, access.oidc)
}

const GROUPS: readonly Group[] = ['finance', 'analyst']

/** One of these groups is needed for a path. What describes the API is for whoever may use any of it. */
export function groupsFor(path: string): readonly Group[] {
  if (/^\/(payments|order\/payment)(\/|$)/.test(path)) return ['finance']
  if (/^\/(docs|openapi\.json|health|order|events|assets\/[^/]+)$/.test(path)) return GROUPS
  return ['analyst']
}

/** Whether a caller's groups let them have what is at a path. */
function isPermitted(path: string, { groups }: Caller): boolean {
  // SQL of one's own can read the payments as well as everything else.
  if (/^\/ask(\.csv)?(\/|$)/.test(path)) return GROUPS.every((group) => groups.has(group))
  return groupsFor(path).some((group) => groups.has(group))
}

const KEYS_AWAY = 'keys_unreachable'

/** Who the token says asks, or why it does not count. */
async function verify(token: string, oidc: Oidc): Promise<Caller | string> {
  try {
    const { payload } = await jwtVerify(token, oidc.keys, {
      issuer: oidc.issuer,
      audience: oidc.audience,
      algorithms: ALGORITHMS,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      requiredClaims: ['exp', 'sub'],
    })
    const { sub, exp } = payload
    if (typeof sub !== 'string' || sub === '' || exp === undefined) return 'token_invalid'
    const groups = textsOf(ownClaim(payload, oidc.groupsClaim))
    return { subject: sub, groups: new Set(groups), expiresAt: exp * 1000 }
  } catch (error) {
    if (error instanceof errors.JWTExpired) return 'token_expired'
    const isOfToken =
      error instanceof errors.JOSEError &&
      !(error instanceof errors.JWKSTimeout) &&
      !(error instanceof errors.JWKSInvalid) &&
      error.code !== 'ERR_JOSE_GENERIC'
    return isOfToken ? 'token_invalid' : KEYS_AWAY
  }
}

/** Who the claims that a gateway has checked say asks, or why they do not count. */
function readClaims(
  claims: Readonly<Record<string, unknown>>,
  { issuer, audience, groupsClaim }: GatewayAccess,
): Caller | string {
  const claim = (name: string): unknown => ownClaim(claims, name)
  const subject = claim('sub')
  const expiresAt = secondsOf(claim('exp')) * 1000
  if (typeof subject !== 'string' || subject === '' || Number.isNaN(expiresAt)) {
    return 'token_invalid'
  }
  if (issuer !== undefined && claim('iss') !== issuer) return 'token_invalid'
  const audiences = listOf(claim('aud') ?? claim('client_id'))
  if (audience !== undefined && !audiences.includes(audience)) return 'token_invalid'
  if (expiresAt + CLOCK_TOLERANCE_SECONDS * 1000 <= Date.now()) return 'token_expired'
  return { subject, groups: new Set(listOf(claim(groupsClaim))), expiresAt }
}

/** A number, or the text that a gateway makes of it. */
function secondsOf(value: unknown): number {
  const isGiven = typeof value === 'number' || (typeof value === 'string' && value.trim() !== '')
  const seconds = isGiven ? Number(value) : Number.NaN
  return Number.isFinite(seconds) ? seconds : Number.NaN
}

/**
 * A list as it stands in a token, or as an HTTP API writes it into its event: `[finance analyst]`.
 * That form cannot tell a blank within a name from the one between two.
 */
function listOf(value: unknown): readonly string[] {
  if (typeof value !== 'string') return textsOf(value)
  const [, inner] = /^\[(.*)\]$/s.exec(value) ?? []
  if (inner === undefined) return [value]
  try {
    return textsOf(JSON.parse(value) as unknown)
  } catch {
    return inner.split(' ').filter((name) => name !== '')
  }
}

function textsOf(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : [value]).filter((each) => typeof each === 'string')
}

/** Never what every object has: a claim may be called `constructor`. */
function ownClaim(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined
}

const REASONS: Readonly<Record<string, string>> = {
  token_missing: 'A bearer token is needed',
  token_malformed: 'The header Authorization must be `Bearer <token>`',
  token_expired: 'The token has expired',
  token_invalid: 'The token is not valid here',
  group_missing: 'The token names no group that may read this',
  no_login_here: 'Only this machine may ask',
}

function refusal(status: 401 | 403, reason: string): Response {
  const error =
    status === 403
      ? ', error="insufficient_scope"'
      : reason === 'token_missing' || reason === 'no_login_here'
        ? ''
        : `, error="invalid_token", error_description="${reason}"`
  return problemResponse({
    status,
    code: reason.toUpperCase(),
    detail: REASONS[reason] ?? 'Refused',
    headers: { 'www-authenticate': `Bearer realm="tidemark"${error}` },
  })
}

function tooMany(waitSeconds: number): Response {
  return problemResponse({
    status: 429,
    code: 'TOO_MANY_REQUESTS',
    detail: 'Too many requests without a valid token',
    headers: { 'retry-after': String(Math.ceil(waitSeconds)) },
  })
}

/**
 * Nobody logs in on this machine, so a page of somebody else's in a browser here could ask too. It
 * cannot under its own name (DNS rebinding) and not from another site, except by a plain link.
 */
function findStranger(c: Context<ServerEnv>): Response | undefined {
  const host = c.req.header('host') ?? new URL(c.req.url).host
  const name = URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : ''
  if (!isLoopback(name)) {
    return problemResponse({
      status: 421,
      code: 'HOST_UNKNOWN',
      detail: 'This server answers as localhost only',
    })
  }
  const isForwarded = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'].some(
    (header) => c.req.header(header) !== undefined,
  )
  const site = c.req.header('sec-fetch-site')
  const isLink = c.req.header('sec-fetch-mode') === 'navigate' && c.req.method === 'GET'
  const isOtherSite = (site === 'cross-site' || site === 'same-site') && !isLink
  const origin = c.req.header('origin')
  const isOtherOrigin = origin !== undefined && origin !== `http://${host}`
  if (!isForwarded && !isOtherSite && !isOtherOrigin) return undefined
  return problemResponse({
    status: 403,
    code: isForwarded ? 'FORWARDED' : 'OTHER_SITE',
    detail: isForwarded
      ? 'Requests on behalf of others need a login: let the server listen beyond this machine'
      : 'Pages of other sites may not ask',
  })
}

/**
 * Where the connection comes from, or the request as the gateway saw it; empty, and so nowhere near,
 * when that is unknown.
 */
export function addressOf(c: Context<ServerEnv>): string {
  return c.env?.incoming?.socket.remoteAddress ?? c.env?.requestContext?.http?.sourceIp ?? ''
}

/** For the log: without the query, and not as long as somebody wants it. */
export function pathOf(c: Context<ServerEnv>): string {
  return c.req.path.slice(0, 200)
}
