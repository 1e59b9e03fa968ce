import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { accepts } from 'hono/accepts'
import { bodyLimit } from 'hono/body-limit'
import { ConfigError, ContractError, TidemarkError, TransientError } from '../../platform/errors.ts'
import { isLoopback } from '../../platform/io/loopback.ts'
import { createAnswers } from '../../platform/presentation/answer.ts'
import { type Freshness, readFreshness } from '../../platform/presentation/freshness.ts'
import type { Question } from '../../platform/presentation/question.ts'
import type { Reader } from '../../platform/presentation/reader.ts'
import type { SavedQuestions } from '../../platform/presentation/saved-questions.ts'
import type { Project } from '../../platform/project/project.ts'
import type { AppLog } from '../log.ts'
import type { Access, GatewayAccess, ServerEnv } from './access.ts'
import { authenticate, clientAddress, pathOf } from './auth.ts'
import type { Rate } from './buckets.ts'
import { answerDocs } from './docs-page.ts'
import { createLedgerWatch, openEventStream, tellOnce } from './events.ts'
import { freshnessHeaders } from './freshness-headers.ts'
import type { Markup } from './markup.ts'
import { describeApi } from './openapi.ts'
import { takes } from './parameters.ts'
import type { Presentation } from './presentation.ts'
import { ProblemError, type ProblemOptions, problemResponse } from './problem.ts'
import { limitRate } from './rate-limit.ts'
import type { ServerExtension } from './server-extension.ts'
import { answerTagged } from './tagged-answer.ts'

/** What the server is made from. */
export interface AppOptions {
  readonly project: Project
  /** What the project adds in code. */
  readonly extension?: ServerExtension | undefined
  readonly reader: Reader
  readonly questions: ReadonlyMap<string, Question>
  /** Undefined: nothing can be saved. */
  readonly saved?: SavedQuestions | undefined
  /** How old the data may be and still count as fresh. */
  readonly promiseMs: number
  readonly access: Access | GatewayAccess
  readonly log: AppLog
  readonly version: string
  /** Creates the routes of the pages. Requests that they do not handle go to the API. */
  readonly pages?: (presentation: Presentation) => Hono<ServerEnv>
  /** Renders the page that a browser gets in place of a problem as JSON. */
  readonly problemPage?: (problem: ProblemOptions, project: Project) => Markup
  /**
   * Whether `/events` streams for as long as a page is open, which is the default, or tells once and
   * ends. Use `once` where an answer is sent only after it is complete.
   */
  readonly events?: 'stream' | 'once'
  /** Aborted when the server stops, which ends the streams. */
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
 * Creates the whole server, as one function of requests. Each request first passes the same gate: who
 * asks, how often, and how much is sent. Every answer carries the security headers, refusals too.
 */
export function createApp({
  project,
  extension,
  reader,
  questions,
  saved,
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
  const hasPages = pages !== undefined
  const api = describeApi({
    version,
    project,
    questions: hasPages ? questions : new Map(),
    extension: extension?.api,
  })
  const problems: ProblemAnswerOptions = {
    project,
    extension,
    ...(problemPage === undefined ? {} : { problemPage }),
  }
  const app = new Hono<ServerEnv>()

  app.onError((error, c) => {
    const failure = describeFailure(error, reader.warehouse.code)
    if (failure.status >= 500) logFailure(log, { error, path: pathOf(c), status: failure.status })
    return problemAnswer(c, failure, problems)
  })
  app.notFound((c) => problemAnswer(c, describeAbsence(app, c), problems))

  app.use(secureHeaders(access))
  app.use(async (c, next) => {
    if (c.req.url.length <= MAX_URL_CHARS) return next()
    return problemResponse({ status: 414, code: 'URL_TOO_LONG', detail: 'The address is too long' })
  })
  app.use(authenticate(access, { project, log }))
  app.use(limitRate(rate))
  app.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: () =>
        problemResponse({ status: 413, code: 'BODY_TOO_LARGE', detail: 'The body is too large' }),
    }),
  )

  if (extension !== undefined) {
    app.route('/', extension.api.routes({ answers, questions, promiseMs, now, log, hasPages }))
  }
  app.get(
    '/events',
    takes(),
    events === 'once'
      ? async () => eventAnswer(await tellOnce(freshness))
      : eventRoute({ freshness, signal }),
  )
  app.get('/health', takes(), async (c) => healthAnswer(c, await freshness()))
  app.get('/openapi.json', takes(), (c) =>
    answerTagged(c, {
      body: JSON.stringify(api),
      headers: { 'content-type': 'application/json', 'cache-control': 'no-cache' },
    }),
  )
  app.get('/docs', takes(), (c) => answerDocs(c, { project, api, freshness }))
  if (pages === undefined) app.get('/', takes(), (c) => c.redirect('/docs'))
  else
    app.route('/', pages({ project, reader, questions, answers, saved, promiseMs, now, freshness }))
  return app
}

/** Why there is no answer: nothing is at the address, or what is there can only be read. */
function describeAbsence(app: Hono<ServerEnv>, c: Context): ProblemOptions {
  const isRead = c.req.method === 'GET' || c.req.method === 'HEAD'
  const isThere = app.router
    .match('GET', c.req.path)[0]
    .some(([[, { method }]]) => method === 'GET')
  if (isRead || !isThere) {
    return { status: 404, code: 'NOT_FOUND', detail: 'There is nothing here' }
  }
  return {
    status: 405,
    code: 'METHOD_NOT_ALLOWED',
    detail: 'This can only be read',
    headers: { allow: 'GET, HEAD' },
  }
}

function logFailure(
  log: AppLog,
  { error, path, status }: { error: unknown; path: string; status: number },
): void {
  const level = status === 503 ? 'warn' : 'alert'
  log({ event: 'request_failed', level, path, status, ...describeForLog(error) })
}

function healthAnswer(c: Context, freshness: Freshness): Response {
  const { batch, completeTo, lagMs, isFresh } = freshness
  const status = isFresh ? 'fresh' : 'late'
  return c.json({ status, batch, completeTo, lagSeconds: lagMs / 1000 }, 200, {
    ...freshnessHeaders(freshness),
    'cache-control': 'no-store',
  })
}

/** What an answer to a problem depends on. */
export type ProblemAnswerOptions = Pick<AppOptions, 'project' | 'extension' | 'problemPage'>

/** Answers a problem as JSON, or as a page if a browser asks for a page. */
export async function problemAnswer(
  c: Context,
  problem: ProblemOptions,
  { project, extension, problemPage }: ProblemAnswerOptions,
): Promise<Response> {
  const response = problemResponse(problem)
  if (problemPage === undefined || !wantsPage(c, extension)) return response
  const headers = new Headers(response.headers)
  headers.set('content-type', 'text/html; charset=utf-8')
  return new Response(String(await problemPage(problem, project)), {
    status: problem.status,
    headers,
  })
}

/** Whether a browser asks for a page. The API always answers in JSON. */
function wantsPage(c: Context, extension: ServerExtension | undefined): boolean {
  const isApi =
    /^\/(health|events|openapi\.json)$/.test(c.req.path) ||
    extension?.api.onlyJson.test(c.req.path) === true
  if (isApi) return false
  const supports = ['text/html', 'application/json', 'application/problem+json', 'text/csv']
  return accepts(c, { header: 'Accept', supports, default: '' }) === 'text/html'
}

/** Allows nothing from other sites and no frames. Charts need inline styles. */
const CONTENT_SECURITY_POLICY = [
  `default-src 'self'`,
  `style-src 'self' 'unsafe-inline'`,
  `img-src 'self' data:`,
  `object-src 'none'`,
  `base-uri 'none'`,
  `form-action 'self'`,
  `frame-ancestors 'none'`,
].join('; ')

/** The headers that every answer carries. */
export function securityHeaders(access: Access | GatewayAccess): readonly [string, string][] {
  const headers: [string, string][] = [
    ['content-security-policy', CONTENT_SECURITY_POLICY],
    ['x-content-type-options', 'nosniff'],
    ['x-frame-options', 'DENY'],
    // Not `no-referrer`: the forms of our own pages would then send `Origin: null`.
    ['referrer-policy', 'same-origin'],
    ['cross-origin-opener-policy', 'same-origin'],
    ['cross-origin-resource-policy', 'same-origin'],
    ['permissions-policy', 'camera=(), geolocation=(), microphone=()'],
  ]
  // Not on this machine: it would block every other local server that does without TLS.
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
        detail: 'Too many pages are open already',
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
    // Close the connection after the stream, so that a server that stops need not wait for it.
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

/** The errors whose messages are passed on: they name no address and hold no value. */
const PASSED_ON = new Set(['BAD_FILTER', 'WAREHOUSE_EMPTY', 'READER_BUSY', 'SAVED_INVALID'])

function describeFailure(error: unknown, warehouseCode: string): ProblemOptions {
  if (error instanceof ProblemError) return error.problem
  if (!(error instanceof TidemarkError)) {
    return { status: 500, code: 'UNEXPECTED', detail: 'The server failed; its log says more' }
  }
  const { code } = error
  const isOfSaved = code.startsWith('SAVED_')
  const away = isOfSaved
    ? 'Saved questions cannot be reached now'
    : 'The warehouse cannot be read now'
  const detail = PASSED_ON.has(code) ? error.message : away
  if (code === 'BAD_FILTER') return { status: 400, code, detail: `${detail}: ${error.hint ?? ''}` }
  if (code === 'SAVED_INVALID') return { status: 400, code, detail }
  const isOfDatabase =
    (error instanceof ConfigError || error instanceof ContractError) &&
    (isOfSaved || code.startsWith(`${warehouseCode}_`))
  if (error instanceof TransientError || isOfDatabase) {
    return {
      status: 503,
      code,
      detail,
      headers: { 'retry-after': code === 'READER_BUSY' ? '1' : '5' },
    }
  }
  return { status: 500, code, detail: 'The server failed; its log says more' }
}

/** What the log says of an error: never the message of an error that is not ours. */
function describeForLog(error: unknown): { code: string; message?: string; at?: string } {
  if (error instanceof TidemarkError) return { code: error.code, message: error.message }
  const [, at = ''] = /\n\s+at (.*)/.exec((error as Error).stack ?? '') ?? []
  return { code: 'UNEXPECTED', at: `${(error as Error).name} ${at}` }
}
