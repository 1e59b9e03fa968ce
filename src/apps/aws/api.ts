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
import type { ServerExtension } from '../server/server-extension.ts'
import { createRenewingReader } from './renewing-reader.ts'
import { createRenewingSavedQuestions } from './renewing-saved-questions.ts'
import type { ReadUrl } from './renewing.ts'

/** The part of an HTTP API's event (payload format 2.0) that is read here. */
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

/** What the API answers from. */
export interface ApiOptions {
  readonly config: Config
  /** For pages that show the lake. Nothing is written, and the source is not read. */
  readonly deps: Deps
  /** What the project adds in code. */
  readonly extension: ServerExtension | undefined
  /** The warehouse with the reader's rights, without its connection string. */
  readonly warehouse: Omit<Warehouse, 'url'>
  readonly readUrl: ReadUrl
  /** For the connection as the saver. Undefined: nothing can be saved. */
  readonly readSaverUrl?: ReadUrl | undefined
  readonly log: AppLog
  readonly now?: () => Date
}

/** Answers events. Disposing closes the connections. */
export interface Api extends AsyncDisposable {
  handle(
    event: ApiEvent,
    context?: Pick<LambdaContext, 'getRemainingTimeInMillis'>,
  ): Promise<APIGatewayProxyResult>
}

/**
 * The largest body. Lambda takes an answer of 6 MB, written as JSON. Every body is sent as base64,
 * whose length is known in advance; the rest is for the headers.
 */
export const MAX_ANSWER_BYTES = 4_600_000
/** The longest that a gateway waits (HTTP API: 30 s), if the context does not say. */
const MAX_WAIT_MS = 29_000
/** Time kept back to send an answer. */
const SPARE_MS = 2000
/** Lambda stops a process between two requests for minutes, and connections are lost meanwhile. */
const MAX_IDLE_MS = 60_000

interface GatewayEnv {
  Bindings: ServerEnv['Bindings'] & { readonly lambdaContext?: LambdaContext }
}

/**
 * Pages and API behind an HTTP API whose authorizer has checked the token. It is the same app as
 * elsewhere: one event in, one whole answer out. Sends no request before the first event. If an
 * answer is too large or too late for the gateway, the answer is a problem that says so, and the
 * statement is stopped.
 */
export function createApi({
  config,
  deps,
  extension,
  warehouse,
  readUrl,
  readSaverUrl,
  log,
  now = () => new Date(),
}: ApiOptions): Api {
  const reader = createRenewingReader({ warehouse, readUrl, maxIdleMs: MAX_IDLE_MS })
  const access = readGatewayAccess(config)
  const saved =
    readSaverUrl === undefined ? undefined : createRenewingSavedQuestions({ readUrl: readSaverUrl })
  const options = presentProject({ config, deps, extension, reader, saved, log })
  const app = createApp({ ...options, access, events: 'once', now })
  const headers = securityHeaders(access)

  const refuse = async (c: Context, problem: ProblemOptions): Promise<Response> => {
    const { status, code } = problem
    log({ event: 'request_failed', level: 'warn', path: pathOf(c), status, code })
    const response = await problemAnswer(c, problem, options)
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
    answered.catch(() => {}) // nobody waits for it now
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
    async [Symbol.asyncDispose]() {
      await saved?.[Symbol.asyncDispose]()
      await reader[Symbol.asyncDispose]()
    },
  }
}

const TOO_LARGE: ProblemOptions = {
  status: 413,
  code: 'ANSWER_TOO_LARGE',
  detail: `The answer is larger than ${MAX_ANSWER_BYTES / 1_000_000} MB, more than fits through here: use filters, or accept gzip`,
}
const TOO_LATE: ProblemOptions = {
  status: 504,
  code: 'ANSWER_TOO_LATE',
  detail: 'The answer takes longer than the gateway waits: use filters',
}
const BROKEN_OFF: ProblemOptions = {
  status: 503,
  code: 'ANSWER_BROKEN_OFF',
  detail: 'The answer broke off on its way from the warehouse',
  headers: { 'retry-after': '5' },
}

/** A complete body, or why there is none. Undefined without a body. Throws if it breaks off. */
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
 * An HTTP API decodes the path of its event, so a `?` or `#` in it would begin a query or fragment.
 * Every other character may stay.
 */
function withEncodedPath(event: ApiEvent): ApiEvent {
  return { ...event, rawPath: event.rawPath.replaceAll(/[?#]/g, encodeURIComponent) }
}
