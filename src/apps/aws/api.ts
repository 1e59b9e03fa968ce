import { Hono, type Context } from 'hono'
import { type APIGatewayProxyResult, handle, type LambdaContext } from 'hono/aws-lambda'
import type { Config } from '../../platform/config.ts'
import type { Deps } from '../../platform/deps.ts'
import type { Warehouse } from '../../platform/warehouse/warehouse.ts'
import type { AppLog } from '../log.ts'
import { type GatewayContext, readGatewayAccess, type ServerEnv } from '../server/access.ts'
import { createApp, problemAnswer, securityHeaders } from '../server/app.ts'
import { pathOf } from '../server/auth.ts'
import { presentProject } from '../server/open-server.ts'
import type { ProblemOptions } from '../server/problem.ts'
import { createRenewingReader } from './renewing-reader.ts'

/** Of an event of an HTTP API (payload format 2.0), what is read here. */
export interface ApiEvent {
  readonly version: string
  readonly rawPath: string
  readonly rawQueryString: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly cookies?: readonly string[]
  readonly body?: string | null
  readonly isBase64Encoded: boolean
  readonly requestContext: GatewayContext & { readonly http: { readonly method: string } }
}

export interface ApiOptions {
  readonly config: Config
  /** For pages that show the lake; nothing is written, the source is not read. */
  readonly deps: Deps
  /** The warehouse with the reader's rights, apart from where it is. */
  readonly warehouse: Omit<Warehouse, 'url'>
  /** See `RenewingReaderOptions.readUrl`. */
  readonly readUrl: (state: { readonly isRefused: boolean }) => Promise<string>
  readonly log: AppLog
  readonly now?: () => Date
}

/** Disposing closes the connections to the warehouse. */
export interface Api extends AsyncDisposable {
  handle(
    event: ApiEvent,
    context?: Pick<LambdaContext, 'getRemainingTimeInMillis'>,
  ): Promise<APIGatewayProxyResult>
}

/**
 * Lambda takes an answer of 6 MB, written as JSON. Every body is sent as base64, whose length is
 * known before it is made; the rest is for the headers.
 */
export const MAX_ANSWER_BYTES = 4_600_000
/** What a gateway waits at most (HTTP API: 30 s), where the context does not say. */
const MAX_WAIT_MS = 29_000
/** Kept back to answer in. */
const SPARE_MS = 2000
/** A process is stopped between two requests, for minutes; what lies between it and the warehouse forgets. */
const MAX_IDLE_MS = 60_000

interface GatewayEnv {
  Bindings: ServerEnv['Bindings'] & { readonly lambdaContext?: LambdaContext }
}

/**
 * Pages and API behind an HTTP API whose authorizer has checked the token: the same app as
 * everywhere, one event in, one whole answer out. Nobody is asked before the first event. What would
 * be too large or take too long for the gateway is answered with a problem that says so, and the
 * statement is stopped.
 */
export function createApi({
  config,
  deps,
  warehouse,
  readUrl,
  log,
  now = () => new Date(),
}: ApiOptions): Api {
  const reader = createRenewingReader({ warehouse, readUrl, maxIdleMs: MAX_IDLE_MS })
  const access = readGatewayAccess(config)
  const options = presentProject({ config, deps, reader, log })
  const app = createApp({ ...options, access, events: 'once', now })
  const headers = securityHeaders(access)

  const refuse = async (c: Context, problem: ProblemOptions): Promise<Response> => {
    const { status, code } = problem
    log({ event: 'request_failed', level: 'warn', path: pathOf(c), status, code })
    const response = await problemAnswer(c, problem, options.problemPage)
    for (const [name, value] of headers) response.headers.set(name, value)
    return response
  }
  const answer = async (c: Context<GatewayEnv>, signal: AbortSignal): Promise<Response> => {
    const response = await app.fetch(new Request(c.req.raw, { signal }), c.env)
    const body = await gather(response).catch(() => BROKEN_OFF)
    if (body === undefined) return response
    if (!('code' in body)) return new Response(body, response)
    return await refuse(c, body)
  }

  const gateway = new Hono<GatewayEnv>()
  gateway.all('*', async (c) => {
    const leftMs = c.env.lambdaContext?.getRemainingTimeInMillis() ?? MAX_WAIT_MS
    const gone = new AbortController()
    let clock: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      clock = setTimeout(() => resolve('late'), Math.max(0, leftMs - SPARE_MS))
    })
    const answered = answer(c, gone.signal)
    const first = await Promise.race([answered, late]).finally(() => clearTimeout(clock))
    if (first !== 'late') return first
    answered.catch(() => {}) // nobody waits for it any more
    gone.abort()
    return await refuse(c, TOO_LATE)
  })
  const invoke = handle(gateway, { isContentTypeBinary: () => true })
  return {
    handle: async (event, context) =>
      await invoke(
        withEncodedPath(event) as Parameters<typeof invoke>[0],
        context as LambdaContext,
      ),
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  }
}

const TOO_LARGE: ProblemOptions = {
  status: 413,
  code: 'ANSWER_TOO_LARGE',
  detail: `The answer is larger than ${MAX_ANSWER_BYTES / 1_000_000} MB, more than fits through here: narrow it with filters, or accept gzip`,
}
const TOO_LATE: ProblemOptions = {
  status: 504,
  code: 'ANSWER_TOO_LATE',
  detail: 'The answer takes longer than can be waited for here: narrow it with filters',
}
const BROKEN_OFF: ProblemOptions = {
  status: 503,
  code: 'ANSWER_BROKEN_OFF',
  detail: 'The answer broke off on its way from the warehouse',
  headers: { 'retry-after': '5' },
}

/** A whole body, or why there is none; undefined where there is nothing to read. Throws when it breaks off. */
async function gather({
  body,
}: Response): Promise<Uint8Array<ArrayBuffer> | ProblemOptions | undefined> {
  if (body === null) return undefined
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  // Leaving the loop cancels the stream, which ends the statement behind it.
  for await (const chunk of body) {
    sizeBytes += chunk.length
    if (sizeBytes > MAX_ANSWER_BYTES) return TOO_LARGE
    chunks.push(chunk)
  }
  return new Uint8Array(Buffer.concat(chunks))
}

/**
 * An HTTP API decodes the path of its event, so that a `?` or `#` within it would begin something
 * else. Any other sign may stand as it is.
 */
function withEncodedPath(event: ApiEvent): ApiEvent {
  return { ...event, rawPath: event.rawPath.replaceAll(/[?#]/g, encodeURIComponent) }
}
