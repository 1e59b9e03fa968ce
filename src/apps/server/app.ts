import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { ConfigError, ContractError, TidemarkError, TransientError } from '../../platform/errors.ts'
import type { Log } from '../../platform/log.ts'
import { isLoopback } from '../../platform/loopback.ts'
import { createAnswers } from '../../platform/presentation/answer.ts'
import { type Freshness, readFreshness } from '../../platform/presentation/freshness.ts'
import type { Question } from '../../platform/presentation/question.ts'
import type { Reader } from '../../platform/presentation/reader.ts'
import type { Access, GatewayAccess, ServerEnv } from './access.ts'
import { authenticate, clientAddress, pathOf } from './auth.ts'
import type { Rate } from './buckets.ts'
import { docsPage } from './docs-page.ts'
import { createLedgerWatch, openEventStream, tellOnce } from './events.ts'
import type { Markup } from './markup.ts'
import { describeApi } from './openapi.ts'
import { freshnessHeaders, paymentRoutes } from './payments.ts'
import { type ProblemOptions, problemResponse } from './problem.ts'
import type { Presentation } from './presentation.ts'
import { limitRate } from './rate-limit.ts'

export interface AppOptions {
  readonly reader: Reader
  readonly questions: ReadonlyMap<string, Question>
  /** How old the warehouse may be and still count as fresh. */
  readonly promiseMs: number
  readonly access: Access | GatewayAccess
  readonly log: Log
  readonly version: string
  /** Routes of the pages, from `/` on; what they do not handle is for the API. */
  readonly pages?: (presentation: Presentation) => Hono<ServerEnv>
  /** What a browser is shown where the API answers with a problem. */
  readonly problemPage?: (problem: ProblemOptions) => Markup
  /**
   * Whether `/events` goes on for as long as the page is open, the standard, or answers with what is
   * known and ends: where an answer is sent only when it is whole.
   */
  readonly events?: 'stream' | 'once'
  /** Aborted when the server stops: streams end. */
  readonly signal?: AbortSignal
  readonly now?: () => Date
  readonly rate?: Rate
}

const MAX_BODY_BYTES = 128 * 1024
const MAX_URL_CHARS = 8192
const RATE: Rate = { burst: 200, perSecond: 50 }
const MAX_STREAMS = 200
const MAX_STREAMS_OF_ONE = 20

/**
 * The whole server as one function of requests. Everything passes the same gate first: who asks,
 * how often, how much. Every answer carries the security headers, refusals too.
 */
export function createApp({
  reader,
  questions,
  promiseMs,
  access,
  log,
  version,
  pages,
  problemPage,
  events = 'stream',
  signal,
  now = () => new Date(),
  rate = RATE,
}: AppOptions): Hono<ServerEnv> {
  const answers = createAnswers(reader, { now })
  const freshness = () => readFreshness(reader, { promiseMs, now: now() })
  const api = describeApi({ version })
  const app = new Hono<ServerEnv>()

  const answerProblem = (c: Context, problem: ProblemOptions): Promise<Response> =>
    problemAnswer(c, problem, problemPage)

  app.onError((error, c) => {
    const failure = describeFailure(error, reader.warehouse.code)
    if (failure.status >= 500) {
      const level = failure.status === 503 ? 'warn' : 'alert'
      log({
        event: 'request_failed',
        level,
        path: pathOf(c),
        status: failure.status,
        ...whatOf(error),
      })
    }
    return answerProblem(c, failure)
  })
  app.notFound((c) =>
    answerProblem(c, { status: 404, code: 'NOT_FOUND', detail: 'There is nothing here' }),
  )

  app.use(secureHeaders(access))
  app.use(async (c, next) => {
    if (c.req.url.length <= MAX_URL_CHARS) return next()
    return problemResponse({ status: 414, code: 'URL_TOO_LONG', detail: 'The address is too long' })
  })
  app.use(authenticate(access, log))
  app.use(limitRate(rate))
  app.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: () =>
        problemResponse({ status: 413, code: 'BODY_TOO_LARGE', detail: 'The body is too large' }),
    }),
  )

  app.route('/', paymentRoutes({ answers, questions, promiseMs, now, log }))
  app.get(
    '/events',
    events === 'once'
      ? async () => eventAnswer(await tellOnce(freshness))
      : eventRoute({ freshness, signal }),
  )
  app.get('/health', async (c) => {
    const fresh = await freshness()
    const { batch, completeTo, lagMs, isFresh } = fresh
    const status = isFresh ? 'fresh' : 'late'
    return c.json({ status, batch, completeTo, lagSeconds: lagMs / 1000 }, 200, {
      ...freshnessHeaders(fresh),
      'cache-control': 'no-store',
    })
  })
  app.get('/openapi.json', (c) => c.json(api, 200, { 'cache-control': 'no-cache' }))
  app.get('/docs', (c) => c.html(docsPage(api)))
  if (pages === undefined) app.get('/', (c) => c.redirect('/docs'))
  else app.route('/', pages({ reader, questions, answers, promiseMs, now, freshness }))
  return app
}

/** A problem as JSON, or as a page for a browser that asks for something that people look at. */
export async function problemAnswer(
  c: Context,
  problem: ProblemOptions,
  problemPage: AppOptions['problemPage'],
): Promise<Response> {
  const response = problemResponse(problem)
  if (problemPage === undefined || !wantsPage(c)) return response
  const headers = new Headers(response.headers)
  headers.set('content-type', 'text/html; charset=utf-8')
  return new Response(String(await problemPage(problem)), { status: problem.status, headers })
}

/** Whether a browser asks for something that people look at: the API answers in JSON always. */
function wantsPage(c: Context): boolean {
  const isApi = /^\/(payments\/|health$|events$|openapi\.json$)/.test(c.req.path)
  return !isApi && (c.req.header('accept') ?? '').includes('text/html')
}

/** Nothing from elsewhere, in no frame, no type guessed; charts need inline styles. */
const CONTENT_SECURITY_POLICY = [
  `default-src 'self'`,
  `style-src 'self' 'unsafe-inline'`,
  `img-src 'self' data:`,
  `object-src 'none'`,
  `base-uri 'none'`,
  `form-action 'self'`,
  `frame-ancestors 'none'`,
].join('; ')

/** What every answer carries. */
export function securityHeaders(access: Access | GatewayAccess): readonly [string, string][] {
  const headers: [string, string][] = [
    ['content-security-policy', CONTENT_SECURITY_POLICY],
    ['x-content-type-options', 'nosniff'],
    ['x-frame-options', 'DENY'],
    // Not `no-referrer`: forms of our own pages would then send `Origin: null`, as strangers do.
    ['referrer-policy', 'same-origin'],
    ['cross-origin-opener-policy', 'same-origin'],
    ['cross-origin-resource-policy', 'same-origin'],
    ['permissions-policy', 'camera=(), geolocation=(), microphone=()'],
  ]
  // Browsers heed it over TLS only; on this machine it would lock out every other local server.
  const isLocal = access.kind !== 'gateway' && isLoopback(access.host)
  if (!isLocal) headers.push(['strict-transport-security', 'max-age=31536000'])
  return headers
}

function secureHeaders(access: Access | GatewayAccess): MiddlewareHandler<ServerEnv> {
  const headers = securityHeaders(access)
  return async (c, next) => {
    await next()
    for (const [name, value] of headers) c.res.headers.set(name, value)
    c.res.headers.append('vary', 'Authorization')
  }
}

function eventRoute({
  freshness,
  signal,
}: {
  freshness: () => Promise<Freshness>
  signal: AbortSignal | undefined
}): MiddlewareHandler<ServerEnv> {
  const watch = createLedgerWatch(freshness)
  const open = new Map<string, number>()
  return async (c) => {
    const { subject, expiresAt } = c.get('caller')
    const client = expiresAt === undefined ? clientAddress(c) : `subject ${subject}`
    const own = open.get(client) ?? 0
    const all = [...open.values()].reduce((sum, count) => sum + count, 0)
    if (own >= MAX_STREAMS_OF_ONE || all >= MAX_STREAMS) {
      return problemResponse({
        status: 429,
        code: 'TOO_MANY_STREAMS',
        detail: 'Too many pages are listening already',
        headers: { 'retry-after': '10' },
      })
    }
    open.set(client, own + 1)
    const stream = openEventStream(watch, {
      signals: signal === undefined ? [c.req.raw.signal] : [c.req.raw.signal, signal],
      expiresAt,
      onEnd() {
        const left = (open.get(client) ?? 1) - 1
        if (left === 0) open.delete(client)
        else open.set(client, left)
      },
    })
    // Nothing comes after it, so that a server that stops need not wait for the client.
    return eventAnswer(stream, { 'x-accel-buffering': 'no', connection: 'close' })
  }
}

function eventAnswer(
  body: ReadableStream<Uint8Array> | string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(body, {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store', ...headers },
  })
}

/** Messages that name no place and hold no value are passed on; of all others only the code is. */
const PASSED_ON = new Set(['BAD_FILTER', 'WAREHOUSE_EMPTY', 'READER_BUSY'])

function describeFailure(error: unknown, warehouseCode: string) {
  if (!(error instanceof TidemarkError)) {
    return { status: 500, code: 'UNEXPECTED', detail: 'This is a fault of the server' }
  }
  const { code } = error
  const detail = PASSED_ON.has(code) ? error.message : 'The warehouse cannot be read just now'
  if (code === 'BAD_FILTER') return { status: 400, code, detail: `${detail}: ${error.hint ?? ''}` }
  const isOfWarehouse =
    (error instanceof ConfigError || error instanceof ContractError) &&
    code.startsWith(`${warehouseCode}_`)
  if (error instanceof TransientError || isOfWarehouse) {
    return {
      status: 503,
      code,
      detail,
      headers: { 'retry-after': code === 'READER_BUSY' ? '1' : '5' },
    }
  }
  return { status: 500, code, detail: 'This is a fault of the server' }
}

/** Where it happened, for the log: never the message of an error that is not ours. */
function whatOf(error: unknown): { code: string; message?: string; at?: string } {
  if (error instanceof TidemarkError) return { code: error.code, message: error.message }
  const [, at = ''] = /\n\s+at (.*)/.exec((error as Error).stack ?? '') ?? []
  return { code: 'UNEXPECTED', at: `${(error as Error).name} ${at}` }
}
