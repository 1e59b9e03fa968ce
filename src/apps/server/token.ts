import { errors, jwtVerify } from 'jose'
import type { Caller, GatewayAccess, Oidc } from './access.ts'

/** Only signatures by a private key: with a shared secret, the public key could sign a token. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA']
/** Longer tokens are refused unread. */
export const MAX_TOKEN_CHARS = 8192
const CLOCK_TOLERANCE_SECONDS = 30

/** The result of a check that could not be made: the issuer's keys cannot be fetched. */
export const KEYS_AWAY = 'keys_unreachable'

/**
 * Checks a token's signature, issuer, audience and expiry. Returns its caller, or the reason why the
 * token is refused; `KEYS_AWAY` means that it may be valid and cannot be checked now.
 */
export async function verifyToken(token: string, oidc: Oidc): Promise<Caller | string> {
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

/**
 * Reads the caller from claims that a gateway has checked. Returns the reason if the issuer, the
 * audience or the expiry do not fit.
 */
export function readClaims(
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

/** Seconds from a number, or from the text that a gateway writes for it. NaN for anything else. */
function secondsOf(value: unknown): number {
  const isGiven = typeof value === 'number' || (typeof value === 'string' && value.trim() !== '')
  const seconds = isGiven ? Number(value) : Number.NaN
  return Number.isFinite(seconds) ? seconds : Number.NaN
}

/**
 * A list from a token, or from the text that an HTTP API writes for it: `[analyst admin]`. That
 * text cannot tell a space within a name from a space between two names.
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

/** Reads own properties only: a claim may be called `constructor`. */
function ownClaim(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined
}
