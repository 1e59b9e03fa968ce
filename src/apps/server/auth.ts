import type { Context, MiddlewareHandler } from 'hono'
import { isLoopback } from '../../platform/io/loopback.ts'
import type { AppLog } from '../log.ts'
import type { Access, Caller, GatewayAccess, ServerEnv } from './access.ts'
import { createBuckets } from './buckets.ts'
import { groupsOf, type Guarded, mayAsk, mayRead } from './groups.ts'
import { problemResponse } from './problem.ts'
import { KEYS_AWAY, MAX_TOKEN_CHARS, readClaims, verifyToken } from './token.ts'

/** Up to this rate, refusals of one address are answered and logged one by one. Beyond it, by 429. */
const REFUSALS = { burst: 30, perSecond: 1 }

/**
 * Identifies the caller of each request and refuses those who may not read its path: 401 without a
 * valid token, 403 outside the path's groups. Refusals are logged with the subject if it is proven,
 * never with the token. A server without a login listens on this machine only and asks callers from
 * this machine for no token. The socket's address decides that: headers can only close the door.
 * Behind a gateway every caller needs the claims that the gateway has checked.
 */
export function authenticate(
  access: Access | GatewayAccess,
  { project, log }: { project: Guarded; log: AppLog },
): MiddlewareHandler<ServerEnv> {
  const refusals = createBuckets(REFUSALS)
  return async (c, next) => {
    const address = clientAddress(c)
    const needsLogin =
      access.kind === 'gateway' || access.oidc !== undefined || !isLoopback(access.host)
    if (!needsLogin && isLoopback(address)) {
      const stranger = findStranger(c)
      if (stranger !== undefined) return stranger
      c.set('caller', {
        subject: 'local',
        groups: new Set(groupsOf(project)),
        expiresAt: undefined,
      })
      return next()
    }
    const refuse = (status: 401 | 403, reason: string, subject?: string): Response => {
      // Behind a gateway many callers share one address, so a known subject is counted instead.
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
        detail: 'The server cannot check tokens now: the keys of the issuer are out of reach',
        headers: { 'retry-after': '10' },
      })
    }
    if (!isPermitted(c.req.path, caller, project)) {
      return refuse(403, 'group_missing', caller.subject)
    }
    c.set('caller', caller)
    return next()
  }
}

/** The caller, or the reason for refusing them. */
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
  return await verifyToken(token, access.oidc)
}

/** Whether a caller's groups may read a path. */
function isPermitted(path: string, { groups }: Caller, project: Guarded): boolean {
  if (/^\/(ask(\.csv|\.xlsx)?|my|saved|table)(\/|$)/.test(path)) return mayAsk(groups, project)
  return mayRead(path, groups, project)
}

const REASONS: Readonly<Record<string, string>> = {
  token_missing: 'A bearer token is needed',
  token_malformed: 'The header Authorization must be `Bearer <token>`',
  token_expired: 'The token has expired',
  token_invalid: 'The token is not valid for this server',
  group_missing: 'None of the groups in the token may read this',
  no_login_here: 'This server answers only its own machine',
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
 * Refuses a request that another web site sends through a browser on this machine, where nobody logs
 * in: one under a host name of its own (DNS rebinding), or one from another site. Following a plain
 * link is allowed.
 */
function findStranger(c: Context<ServerEnv>): Response | undefined {
  const host = c.req.header('host') ?? new URL(c.req.url).host
  const name = URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : ''
  if (!isLoopback(name)) {
    return problemResponse({
      status: 421,
      code: 'HOST_UNKNOWN',
      detail: 'This server answers only as localhost',
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
      ? 'Requests through a proxy need a login: set TIDEMARK_OIDC_ISSUER, _AUDIENCE and _JWKS'
      : 'Requests from other web sites are refused',
  })
}

/**
 * The address of the client: of the socket, or as the gateway saw it. Empty if it is unknown, which
 * never counts as this machine.
 */
export function clientAddress(c: Context<ServerEnv>): string {
  return c.env?.incoming?.socket.remoteAddress ?? c.env?.requestContext?.http?.sourceIp ?? ''
}

/** The path for the log: without the query, cut to 200 characters. */
export function pathOf(c: Context<ServerEnv>): string {
  return c.req.path.slice(0, 200)
}
