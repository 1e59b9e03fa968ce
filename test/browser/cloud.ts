import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import vm from 'node:vm'
import type { JWTPayload } from 'jose'
import type { Api, ApiEvent } from '../../src/apps/aws/api.ts'
import { type LoginConfig, SITE_CACHING, siteHeaders } from '../../src/apps/aws/login-config.ts'

/** A stand-in for AWS around the handler: CloudFront, a bucket, a gateway with its authorizer. */
export interface Cloud extends AsyncDisposable {
  readonly url: string
  /** What `/login/config.json` holds. Undefined: there is no such file. */
  config: LoginConfig | undefined
  /** The events that the handler received. */
  readonly events: ApiEvent[]
}

/** The parts behind the stand-in: the handler, the files of the site, and the authorizer. */
export interface CloudOptions {
  readonly api: Pick<Api, 'handle'>
  /** The folder that scripts/build-site.js writes. */
  readonly folder: string
  /** The authorizer: returns the claims of a valid token. */
  readonly authorize: (token: string) => Promise<JWTPayload | undefined>
}

interface Field {
  readonly value: string
}
interface CloudFrontRequest {
  readonly method: string
  uri: string
  readonly querystring: Record<string, Field & { readonly multiValue?: readonly Field[] }>
  readonly headers: Record<string, Field>
  readonly cookies: Record<string, Field>
}
interface CloudFrontResponse {
  readonly statusCode: number
  readonly headers: Record<string, Field>
  readonly body?: string
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
}

/** Starts it on a free port of this machine. */
export async function startCloud({ api, folder, authorize }: CloudOptions): Promise<Cloud> {
  const source = new URL('../../src/apps/aws/viewer-request.js', import.meta.url)
  const runtime = vm.createContext({ Buffer })
  vm.runInContext(readFileSync(source, 'utf8'), runtime)
  const { handler } = runtime as {
    handler: (event: { request: CloudFrontRequest }) => CloudFrontRequest | CloudFrontResponse
  }

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const [, query = ''] = (request.url ?? '').split('?')
    const outcome = handler({ request: cloudFrontRequest(request) })
    if ('statusCode' in outcome) {
      response.writeHead(outcome.statusCode, plain(outcome.headers)).end(outcome.body)
      return
    }
    if (/^\/(login|assets\/)/.test(outcome.uri)) {
      serveFile(outcome.uri, response)
      return
    }
    const [, token = ''] = /^Bearer (.*)$/.exec(outcome.headers['authorization']?.value ?? '') ?? []
    const claims = await authorize(token)
    if (claims === undefined) {
      response
        .writeHead(401, { 'content-type': 'application/json', 'www-authenticate': 'Bearer' })
        .end('{"message":"Unauthorized"}')
      return
    }
    const event = apiEvent(outcome, { query, claims, body: Buffer.concat(chunks) })
    cloud.events.push(event)
    const result = await api.handle(event)
    response
      .writeHead(result.statusCode, result.headers as Record<string, string>)
      .end(Buffer.from(result.body, result.isBase64Encoded ? 'base64' : 'utf8'))
  }

  const serveFile = (uri: string, response: ServerResponse): void => {
    const headers = { ...siteHeaders({ tokenEndpoint: cloud.config?.tokenEndpoint ?? '' }) }
    const [, caching = ''] =
      Object.entries(SITE_CACHING).find(([start]) => uri.startsWith(`/${start}`)) ?? []
    try {
      if (uri === '/login/config.json' && cloud.config === undefined) throw new Error('no file')
      const body =
        uri === '/login/config.json'
          ? JSON.stringify(cloud.config)
          : readFileSync(path.join(folder, uri))
      const type = TYPES[path.extname(uri)] ?? 'application/octet-stream'
      response.writeHead(200, { ...headers, 'content-type': type, 'cache-control': caching })
      response.end(body)
    } catch {
      response.writeHead(403, { ...headers, 'content-type': 'application/xml' }).end('<Error/>')
    }
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      process.stderr.write(`${String(error)}\n`)
      response.destroy()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cloud: Cloud = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    config: undefined,
    events: [],
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return cloud
}

function cloudFrontRequest({ method = 'GET', url = '/', headers }: IncomingMessage) {
  const [uri = '/', query = ''] = url.split('?')
  const { cookie = '', ...others } = headers
  const fields = Object.entries(others).map(([name, value]): [string, Field] => [
    name,
    // Browsers reach CloudFront by TLS, and trust this machine as much without it.
    { value: String(value).replace(/^http:(?=\/\/127)/, name === 'origin' ? 'https:' : 'http:') },
  ])
  return {
    method,
    uri,
    querystring: fieldsOf(query, '&'),
    headers: Object.fromEntries(fields),
    cookies: fieldsOf(cookie, /; */),
  }
}

/** The names and values as they were sent, without decoding. */
function fieldsOf(text: string, separator: string | RegExp): Record<string, Field> {
  const pairs = text.split(separator).filter((pair) => pair !== '')
  const entries = pairs.map((pair): [string, Field] => {
    const end = pair.indexOf('=')
    return end < 0 ? [pair, { value: '' }] : [pair.slice(0, end), { value: pair.slice(end + 1) }]
  })
  return Object.fromEntries(entries)
}

function plain(fields: Record<string, Field>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, { value }]) => [name, value]))
}

/** The event that API Gateway makes from a request: claims become text, the body base64. */
function apiEvent(
  { method, uri, headers, cookies }: CloudFrontRequest,
  { query, claims, body }: { query: string; claims: JWTPayload; body: Buffer },
): ApiEvent {
  const texts = Object.entries(claims).map(([name, value]) => [
    name,
    Array.isArray(value) ? `[${value.join(' ')}]` : String(value),
  ])
  return {
    version: '2.0',
    rawPath: decodeURIComponent(uri),
    rawQueryString: query,
    headers: { ...plain(headers), host: 'api.execute-api.example.org' },
    cookies: Object.entries(cookies).map(([name, { value }]) => `${name}=${value}`),
    ...(body.length === 0 ? {} : { body: body.toString('base64') }),
    isBase64Encoded: body.length > 0,
    requestContext: {
      http: { method, sourceIp: '198.51.100.4' },
      authorizer: { jwt: { claims: Object.fromEntries(texts) as Record<string, string> } },
    },
  }
}
