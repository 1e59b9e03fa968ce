/**
 * What the login page reads from `/login/config.json`. The deployment writes that file beside the
 * page (`login/config.json` in the bucket, never cached). Nothing in it is secret: the client is
 * public, uses PKCE and has no secret.
 *
 * Register the client at the issuer with the code flow, the redirect address `https://<site>/login`
 * and, for after the logout, `https://<site>/login/out`.
 */
export interface LoginConfig {
  /** The claim `iss` in its tokens: `https://cognito-idp.<region>.amazonaws.com/<pool>`. */
  readonly issuer: string
  readonly clientId: string
  /** `https://<domain of the hosted UI>/oauth2/authorize` */
  readonly authorizationEndpoint: string
  /** `https://<domain of the hosted UI>/oauth2/token`; the page itself asks it (CORS). */
  readonly tokenEndpoint: string
  /**
   * The complete address to which a logout leads:
   * `https://<domain>/logout?client_id=<id>&logout_uri=<address>`. Without it, the site forgets the
   * login but the issuer does not.
   */
  readonly logoutUrl?: string
  /** Default: `openid`. */
  readonly scope?: string
  /**
   * The token that the API's authorizer takes. Default: `access`. Use `id` for an issuer whose access
   * tokens are not JWTs.
   */
  readonly token?: 'access' | 'id'
}

/**
 * The headers that answers from the bucket (`/login*`, `/assets/*`) must carry. The app sends its own.
 * The login page may connect to the issuer's token endpoint and to nothing else outside.
 */
export function siteHeaders({
  tokenEndpoint,
}: Pick<LoginConfig, 'tokenEndpoint'>): Readonly<Record<string, string>> {
  const policy = [
    `default-src 'none'`,
    `script-src 'self'`,
    `style-src 'self'`,
    `font-src 'self'`,
    `img-src 'self' data:`,
    `connect-src 'self' ${originOf(tokenEndpoint)}`,
    `form-action 'none'`,
    `base-uri 'none'`,
    `frame-ancestors 'none'`,
  ]
  return {
    'content-security-policy': policy.join('; '),
    'strict-transport-security': 'max-age=31536000',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    // For a moment the address of the page holds the code.
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  }
}

/** `new URL().origin` would refuse an address that is known only after deployment (a CDK token). */
function originOf(address: string): string {
  return address.split('/').slice(0, 3).join('/')
}

/** How long browsers keep files from the bucket. A hash in an asset's name changes with its content. */
export const SITE_CACHING = {
  'login.html': 'no-cache',
  'login/config.json': 'no-store',
  'assets/': 'public, max-age=31536000, immutable',
} as const
