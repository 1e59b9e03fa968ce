import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type JWTPayload, jwtVerify, SignJWT } from 'jose'

export const CLIENT = 'client-of-the-tests'

/** A small issuer (OpenID Connect, code flow with PKCE): a page with two buttons instead of passwords. */
export interface Issuer extends AsyncDisposable {
  readonly url: string
  /** What its tokens say beyond the usual. */
  claims: JWTPayload
  /** What its next token answers say instead of the truth. */
  lie: { readonly error?: string; readonly nonce?: string }
  readonly lifetimeSeconds: number
  /** An access token of somebody who has logged in. */
  makeToken(seconds: number): Promise<string>
  /** Claims of a token of its own that has not expired, as an authorizer has them; else undefined. */
  verify(token: string): Promise<JWTPayload | undefined>
}

interface Asked {
  readonly nonce: string
  readonly challenge: string
  readonly redirectUri: string
}

export async function startIssuer(): Promise<Issuer> {
  const key = new TextEncoder().encode(randomUUID() + randomUUID())
  const codes = new Map<string, Asked>()
  let url = ''
  const sign = (claims: JWTPayload, seconds: number) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer(url)
      .setSubject('5f1e-ada')
      .setIssuedAt()
      .setExpirationTime(Math.floor(Date.now() / 1000) + seconds)
      .sign(key)

  const authorize = (query: URLSearchParams, response: ServerResponse): void => {
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
    const back = (fields: Record<string, string>) =>
      `${wanted('redirect_uri')}?${new URLSearchParams({ ...fields, state: wanted('state') }).toString()}`.replaceAll(
        '&',
        '&amp;',
      )
    response.writeHead(200, { 'content-type': 'text/html' }).end(`<!doctype html>
      <title>Issuer</title><link rel="icon" href="data:,">
      <a href="${back({ code })}">Allow</a>
      <a href="${back({ error: 'access_denied' })}">Deny</a>`)
  }

  const answerToken = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const form = new URLSearchParams(Buffer.concat(chunks).toString())
    const answer = (status: number, body: object): void => {
      response
        .writeHead(status, {
          'content-type': 'application/json',
          'access-control-allow-origin': request.headers.origin ?? '',
        })
        .end(JSON.stringify(body))
    }
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
    const { error, nonce } = issuer.lie
    issuer.lie = {}
    if (!isGranted || error !== undefined) {
      answer(400, { error: error ?? 'invalid_grant' })
      return
    }
    const { lifetimeSeconds: seconds } = issuer
    answer(200, {
      token_type: 'Bearer',
      expires_in: seconds,
      access_token: await issuer.makeToken(seconds),
      id_token: await sign({ aud: CLIENT, nonce: nonce ?? asked.nonce }, seconds),
    })
  }

  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', url)
    if (pathname === '/authorize') authorize(searchParams, response)
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
