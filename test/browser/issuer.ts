import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type JWTPayload, jwtVerify, SignJWT } from 'jose'

/** The id of the client that asks for tokens. */
export const CLIENT = 'client-of-the-tests'

/** A small issuer (OpenID Connect, code flow with PKCE): a page with two links instead of a password. */
export interface Issuer extends AsyncDisposable {
  readonly url: string
  /** The claims that its tokens add. */
  claims: JWTPayload
  /** What its next answer to a request for a token says instead of the truth. */
  lie: { readonly error?: string; readonly nonce?: string }
  readonly lifetimeSeconds: number
  /** An access token for a person who has logged in. */
  makeToken(seconds: number): Promise<string>
  /** The claims of its own token, as an authorizer reads them. Undefined if it is not valid. */
  verify(token: string): Promise<JWTPayload | undefined>
}

interface AskedCode {
  readonly nonce: string
  readonly challenge: string
  readonly redirectUri: string
}

/** Starts an issuer on a free port of this machine. */
export async function startIssuer(): Promise<Issuer> {
  const key = new TextEncoder().encode(randomUUID() + randomUUID())
  const codes = new Map<string, AskedCode>()
  let url = ''
  const sign = (claims: JWTPayload, seconds: number) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer(url)
      .setSubject('5f1e-ada')
      .setIssuedAt()
      .setExpirationTime(Math.floor(Date.now() / 1000) + seconds)
      .sign(key)

  const answerToken = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const asked = redeemCode(codes, await readForm(request))
    const { error, nonce } = issuer.lie
    issuer.lie = {}
    const { lifetimeSeconds: seconds } = issuer
    const isGranted = asked !== undefined && error === undefined
    const body = isGranted
      ? {
          token_type: 'Bearer',
          expires_in: seconds,
          access_token: await issuer.makeToken(seconds),
          id_token: await sign({ aud: CLIENT, nonce: nonce ?? asked.nonce }, seconds),
        }
      : { error: error ?? 'invalid_grant' }
    response
      .writeHead(isGranted ? 200 : 400, {
        'content-type': 'application/json',
        'access-control-allow-origin': request.headers.origin ?? '',
      })
      .end(JSON.stringify(body))
  }

  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', url)
    if (pathname === '/authorize') answerAuthorize(searchParams, response, codes)
    else if (pathname === '/token') void answerToken(request, response)
    else if (pathname === '/logout') {
      response.writeHead(302, { location: searchParams.get('logout_uri') ?? '' }).end()
    } else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const issuer: Issuer = {
    url,
    claims: { 'cognito:groups': ['finance', 'analyst'] },
    lie: {},
    lifetimeSeconds: 3600,
    makeToken: (seconds) =>
      sign({ client_id: CLIENT, token_use: 'access', ...issuer.claims }, seconds),
    verify: async (token) =>
      await jwtVerify(token, key, { issuer: url }).then(
        ({ payload }) => payload,
        () => undefined,
      ),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return issuer
}

/** A page with a link for each answer that a person can give. Refuses a request that is not whole. */
function answerAuthorize(
  query: URLSearchParams,
  response: ServerResponse,
  codes: Map<string, AskedCode>,
): void {
  const wanted = (name: string): string => query.get(name) ?? ''
  const isWhole =
    wanted('response_type') === 'code' &&
    wanted('client_id') === CLIENT &&
    wanted('code_challenge_method') === 'S256' &&
    wanted('scope') === 'openid' &&
    /^[\w-]{43}$/.test(wanted('state')) &&
    /^[\w-]{43}$/.test(wanted('nonce')) &&
    wanted('redirect_uri').endsWith('/login')
  if (!isWhole) {
    response.writeHead(400).end('bad request')
    return
  }
  const code = randomUUID()
  codes.set(code, {
    nonce: wanted('nonce'),
    challenge: wanted('code_challenge'),
    redirectUri: wanted('redirect_uri'),
  })
  const back = (fields: Record<string, string>): string => {
    const answer = new URLSearchParams({ ...fields, state: wanted('state') }).toString()
    return `${wanted('redirect_uri')}?${answer}`.replaceAll('&', '&amp;')
  }
  response.writeHead(200, { 'content-type': 'text/html' }).end(`<!doctype html>
    <title>Issuer</title><link rel="icon" href="data:,">
    <a href="${back({ code })}">Allow</a>
    <a href="${back({ error: 'access_denied' })}">Deny</a>`)
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return new URLSearchParams(Buffer.concat(chunks).toString())
}

/** Takes a code, once, from the client that asked for it and proves so (RFC 7636); else undefined. */
function redeemCode(codes: Map<string, AskedCode>, form: URLSearchParams): AskedCode | undefined {
  const code = form.get('code') ?? ''
  const asked = codes.get(code)
  codes.delete(code)
  const challenge = createHash('sha256')
    .update(form.get('code_verifier') ?? '')
    .digest('base64url')
  const isGranted =
    form.get('grant_type') === 'authorization_code' &&
    form.get('client_id') === CLIENT &&
    asked?.challenge === challenge &&
    asked.redirectUri === form.get('redirect_uri')
  return isGranted ? asked : undefined
}
