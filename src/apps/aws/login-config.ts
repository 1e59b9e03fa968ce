/**
 * What the login page reads from `/login/config.json`, which the deployment writes beside it
 * (`login/config.json` in the bucket, never cached). Nothing in it is secret: the client is a public
 * one, with PKCE and without a secret of its own.
 *
 * At the issuer the client is registered with the code flow, the redirect address
 * `https://<site>/login` and the address after logging out `https://<site>/login/out`.
 */
export interface LoginConfig {
  /** The claim `iss` of its tokens: `https://cognito-idp.<region>.amazonaws.com/<pool>`. */
  readonly issuer: string
  readonly clientId: string
  /** `https://<domain of the hosted UI>/oauth2/authorize` */
  readonly authorizationEndpoint: string
  /** `https://<domain of the hosted UI>/oauth2/token`; asked by the page itself (CORS). */
  readonly tokenEndpoint: string
  /**
   * Where logging out goes on to, whole: `https://<domain>/logout?client_id=<id>&logout_uri=<address>`.
   * Without it the site forgets the login and the issuer does not.
   */
  readonly logoutUrl?: string
  /** Standard: `openid`. */
  readonly scope?: string
  /**
   * Which token the API's authorizer takes. Standard: `access`; `id` for an issuer whose access
   * tokens are no JWT.
   */
  readonly token?: 'access' | 'id'
}

/**
 * What the answers of the bucket (`/login*`, `/assets/*`) must carry: they are not made by the app,
 * which sends its own. The page asks the issuer for the token, and nobody else for anything.
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
    // The address of the page holds the code for a moment.
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  }
}

/** `new URL().origin` would refuse what is only known once it is deployed (a token of the CDK). */
function originOf(address: string): string {
  return address.split('/').slice(0, 3).join('/')
}

/** How long browsers keep what is in the bucket. A hash in the name changes with the content. */
export const SITE_CACHING = {
  'login.html': 'no-cache',
  'login/config.json': 'no-store',
  'assets/': 'public, max-age=31536000, immutable',
} as const
