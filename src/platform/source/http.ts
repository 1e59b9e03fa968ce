import { createHash } from 'node:crypto'
import { ConfigError, type TidemarkError, TransientError } from '../errors.ts'
import { retry } from '../io/retry.ts'

export interface FetchOptions {
  /** `HttpAnswer.version` of the last answer. The server does not send the same answer again. */
  readonly known?: string | undefined
  /** Longest time for one attempt, body included. Default 10,000. */
  readonly timeoutMs?: number
  /** Longest answer that is accepted. Default 10 MB. */
  readonly maxBytes?: number
  /** Attempts before the error counts. Default 3. */
  readonly attempts?: number
  /** First pause between attempts, shortened at random. Doubles each time. Default 500. */
  readonly pauseMs?: number
  readonly signal?: AbortSignal | undefined
}

/** The body of an answer, and its version to ask with next time. */
export interface HttpAnswer {
  readonly body: Buffer
  /** The server's own name for this answer (ETag or time of change), otherwise its checksum. */
  readonly version: string
}

/**
 * Asks a server with GET. Returns undefined if the answer has not changed. Errors that may pass (no
 * answer, 408, 425, 429, 5xx) are tried again after random pauses. Redirects are not followed.
 * Throws `TransientError` (`FEED_UNREACHABLE`) or `ConfigError` (`FEED_REFUSED`, `FEED_TOO_LARGE`).
 * Neither shows the query of the address, which may hold a key.
 */
export async function fetchAnswer(
  url: URL,
  options: FetchOptions = {},
): Promise<HttpAnswer | undefined> {
  const { attempts = 3, pauseMs = 500, signal } = options
  const isPassing = (error: unknown) => explainRequestError(error, url) instanceof TransientError
  try {
    return await retry(() => fetchOnce(url, options), { attempts, pauseMs, isPassing, signal })
  } catch (error) {
    throw explainRequestError(error, url)
  }
}

async function fetchOnce(
  url: URL,
  { known = '', timeoutMs = 10_000, maxBytes = 10 * 1024 ** 2, signal }: FetchOptions,
): Promise<HttpAnswer | undefined> {
  const limit = AbortSignal.timeout(timeoutMs)
  const response = await fetch(url, {
    redirect: 'error',
    signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
    headers: { 'user-agent': 'tidemark', ...conditions(known) },
  })
  if (response.status === 304) {
    await response.body?.cancel()
    return undefined
  }
  if (!response.ok) {
    await response.body?.cancel()
    throw statusError(response.status, url)
  }
  const body = await readBody(response, { maxBytes, url })
  const sha256 = createHash('sha256').update(body).digest('hex')
  const version = versionOf(response.headers) ?? `sha256 ${sha256}`
  return version === known ? undefined : { body, version }
}

function conditions(known: string): Record<string, string> {
  const [kind, ...rest] = known.split(' ')
  if (kind === 'etag') return { 'if-none-match': rest.join(' ') }
  if (kind === 'modified') return { 'if-modified-since': rest.join(' ') }
  return {}
}

function versionOf(headers: Headers): string | undefined {
  const etag = headers.get('etag')
  if (etag !== null) return `etag ${etag}`
  const modified = headers.get('last-modified')
  return modified === null ? undefined : `modified ${modified}`
}

async function readBody(
  response: Response,
  { maxBytes, url }: { maxBytes: number; url: URL },
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of response.body ?? []) {
    sizeBytes += chunk.length
    if (sizeBytes > maxBytes) {
      throw new ConfigError(
        `${addressWithoutQuery(url)} answers with more than ${maxBytes} bytes`,
        {
          code: 'FEED_TOO_LARGE',
          hint: 'check the address: no answer with rows for a feed is that long',
        },
      )
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function statusError(status: number, url: URL): TidemarkError {
  if (status >= 500 || [408, 425, 429].includes(status)) {
    return new TransientError(`${addressWithoutQuery(url)} cannot answer just now [${status}]`, {
      code: 'FEED_UNREACHABLE',
      hint: 'nothing is lost; the next run asks again',
    })
  }
  return new ConfigError(`${addressWithoutQuery(url)} refuses the request [${status}]`, {
    code: 'FEED_REFUSED',
    hint: 'check the address and the key in it',
  })
}

function explainRequestError(error: unknown, url: URL): TidemarkError {
  if (error instanceof ConfigError || error instanceof TransientError) return error
  const { name, cause } = error as Error & { cause?: { code?: string } }
  const why =
    name === 'TimeoutError' ? 'no answer in time' : (cause?.code ?? 'the connection failed')
  return new TransientError(`${addressWithoutQuery(url)} cannot be reached: ${why}`, {
    code: 'FEED_UNREACHABLE',
    hint: 'nothing is lost; the next run asks again',
    cause: error,
  })
}

/**
 * Throws `TransientError` (`FEED_EMPTY`) if a server answered without a single row. Such a server
 * has lost its rows, so nothing of the answer is kept and it is asked again. `rows` is undefined if
 * the answer does not have its format. That is another problem, and it is not reported here.
 */
export function checkAnswer(
  body: Buffer,
  { rows, url }: { rows: readonly unknown[] | undefined; url: URL },
): void {
  if (body.length > 0 && rows?.length !== 0) return
  throw new TransientError(`${addressWithoutQuery(url)} answered without a single row`, {
    code: 'FEED_EMPTY',
    hint: 'nothing is lost; the next run asks again',
  })
}

/** An address without credentials and query. */
export function addressWithoutQuery(url: URL): string {
  return `${url.origin}${url.pathname}`
}
