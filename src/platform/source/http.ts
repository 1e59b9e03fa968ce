import { createHash } from 'node:crypto'
import { ConfigError, type TidemarkError, TransientError } from '../errors.ts'
import { retry } from '../io/retry.ts'

export interface FetchOptions {
  /** What the last answer said it was (`HttpAnswer.version`); an answer that is still the same is not sent again. */
  readonly known?: string | undefined
  /** Longest time for one attempt, the body included. Default 10,000. */
  readonly timeoutMs?: number
  /** An answer may be this long. Default 10 MB. */
  readonly maxBytes?: number
  /** Default 3. */
  readonly attempts?: number
  /** Longest first pause between attempts; doubles each time. Default 500. */
  readonly pauseMs?: number
  readonly signal?: AbortSignal | undefined
}

export interface HttpAnswer {
  readonly body: Buffer
  /** The server's own name for this answer, else its checksum. */
  readonly version: string
}

/**
 * Asks a server with GET; `undefined` when it says that nothing has changed. What may pass (no
 * answer, 408, 425, 429, 5xx) is tried again after pauses drawn at random; redirects are not followed.
 * Throws `TransientError` (`FEED_UNREACHABLE`) and `ConfigError` (`FEED_REFUSED`, `FEED_TOO_LARGE`);
 * neither holds the address's query, in which there may be a key.
 */
export async function fetchAnswer(
  url: URL,
  options: FetchOptions = {},
): Promise<HttpAnswer | undefined> {
  const { attempts = 3, pauseMs = 500, signal } = options
  const isPassing = (error: unknown) => explain(error, url) instanceof TransientError
  try {
    return await retry(() => fetchOnce(url, options), { attempts, pauseMs, isPassing, signal })
  } catch (error) {
    throw explain(error, url)
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
          hint: 'check the address: this is no answer of the kind it should be',
        },
      )
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function statusError(status: number, url: URL): TidemarkError {
  if (status >= 500 || [408, 425, 429].includes(status)) {
    return new TransientError(`${addressWithoutQuery(url)} could not answer just now [${status}]`, {
      code: 'FEED_UNREACHABLE',
      hint: 'nothing is lost; the next run asks again',
    })
  }
  return new ConfigError(`${addressWithoutQuery(url)} refuses the request [${status}]`, {
    code: 'FEED_REFUSED',
    hint: 'check the address and the key in it',
  })
}

function explain(error: unknown, url: URL): TidemarkError {
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
 * Throws `TransientError` (`FEED_EMPTY`) if a server answered without a single row: it has lost
 * what it ought to know, and is asked again. Nothing of the answer is kept. `rows` is undefined if
 * the answer is not in its format, which is a different fault.
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
