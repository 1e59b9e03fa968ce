import type { LoginConfig } from '../login-config.ts'

/** What the tab keeps while its owner is at the issuer. */
export interface Attempt {
  /** Proves that the code is redeemed by the page that asked for it (RFC 7636). */
  readonly verifier: string
  /** Ties the token to this attempt (OpenID Connect Core, 3.1.2.1). */
  readonly nonce: string
  /** The path to go to afterwards. */
  readonly to: string
}

/** Why the login failed. `code` is a key of the page's texts. */
export class LoginError extends Error {
  readonly code: string
  /** The issuer's own name for it. */
  readonly said: string | undefined

  constructor(code: string, said?: string) {
    super(code)
    this.code = code
    this.said = said
  }
}

/**
 * Returns the wanted path if it is on this site, else the start page. To a browser, `//host` and
 * `/\host` are addresses of other sites.
 */
export function pathTo(wanted: string | null, origin: string): string {
  if (wanted === null || !/^\/(?![/\\])/.test(wanted) || !URL.canParse(wanted, origin)) return '/'
  const url = new URL(wanted, origin)
  const isLogin = url.pathname.startsWith('/login')
  return url.origin === origin && !isLogin ? `${url.pathname}${url.search}` : '/'
}

/** The issuer's address at which a login begins: code flow with PKCE (RFC 7636, S256). */
export async function authorizationUrl(
  config: LoginConfig,
  { verifier, nonce, state, origin }: Attempt & { readonly state: string; readonly origin: string },
): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))
  const url = new URL(config.authorizationEndpoint)
  const fields = {
    response_type: 'code',
    client_id: config.clientId,
    redirect_uri: `${origin}/login`,
    scope: config.scope ?? 'openid',
    state,
    nonce,
    code_challenge: base64url(new Uint8Array(hash)),
    code_challenge_method: 'S256',
  }
  for (const [name, value] of Object.entries(fields)) url.searchParams.set(name, value)
  return url.href
}

/** The tokens from the issuer, as text. */
export interface Tokens {
  readonly access: string
  readonly id: string
}

/**
 * Trades a code for tokens. Throws `LoginError`, with `expired` for a code that is not valid (now).
 */
export async function tradeCode(
  config: LoginConfig,
  { code, verifier, origin }: { code: string; verifier: string; origin: string },
): Promise<Tokens> {
  const response = await fetch(config.tokenEndpoint, {
    method: 'POST',
    credentials: 'omit',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: config.clientId,
      redirect_uri: `${origin}/login`,
      code,
      code_verifier: verifier,
    }),
  }).catch(() => {
    throw new LoginError('unreachable')
  })
  const answer = (await response.json().catch(() => ({}))) as Record<string, unknown>
  if (!response.ok) {
    const said = textOf(answer['error'])
    throw new LoginError(said === 'invalid_grant' ? 'expired' : 'issuer', said)
  }
  return { access: textOf(answer['access_token']) ?? '', id: textOf(answer['id_token']) ?? '' }
}

/** The page reports a clock that is wrong by more than this. */
const CLOCK_TOLERANCE_MS = 5 * 60_000

/**
 * Checks the id token, which came from the issuer itself over TLS, against the attempt (OpenID
 * Connect Core, 3.1.3.7). Throws `LoginError`.
 */
export function checkIdToken(
  id: string,
  { config, nonce, now }: { config: LoginConfig; nonce: string; now: number },
): void {
  const { iss, aud, nonce: told, iat, exp } = claimsOf(id)
  const audiences = Array.isArray(aud) ? (aud as unknown[]) : [aud]
  if (iss !== config.issuer || !audiences.includes(config.clientId)) throw new LoginError('config')
  if (told !== nonce) throw new LoginError('mixed-up')
  const isPast = typeof exp !== 'number' || exp * 1000 <= now
  const isAhead = typeof iat !== 'number' || iat * 1000 > now + CLOCK_TOLERANCE_MS
  if (isPast || isAhead) throw new LoginError('clock')
}

/** Seconds for which a token is valid from its creation, by the issuer's clock. */
export function lifetimeOf(token: string): number {
  const { iat, exp } = claimsOf(token)
  if (typeof iat !== 'number' || typeof exp !== 'number') throw new LoginError('config')
  return Math.floor(exp - iat)
}

/** Throws `LoginError` with `config` for a text that is not a JWT. */
function claimsOf(token: string): Record<string, unknown> {
  try {
    if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) throw new TypeError('not three parts')
    const [, payload = ''] = token.split('.')
    const bytes = Uint8Array.from(
      atob(payload.replaceAll('-', '+').replaceAll('_', '/')),
      (character) => character.charCodeAt(0),
    )
    return Object(JSON.parse(new TextDecoder().decode(bytes))) as Record<string, unknown>
  } catch {
    throw new LoginError('config')
  }
}

/** Returns 256 random bits as text. */
export function randomText(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)))
}

function base64url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes))
  return text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
