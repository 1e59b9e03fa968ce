/** The newest batch and its freshness, as the server's stream of events sends them. */
export interface Head {
  readonly batch: number
  readonly generation: string
  readonly completeTo: string
  readonly lagSeconds: number
  readonly promiseSeconds: number
  readonly isFresh: boolean
}

/** Hears what the server tells. */
export interface Listener {
  onHead(head: Head): void
  /** The warehouse is out of reach, the stream is lost, or the login has expired. */
  onLost(why: 'connection' | 'login'): void
}

const RETRY_MS = 2000
/** Asking again does not bring back a login, so ask less often. */
const LOGGED_OUT_RETRY_MS = 30_000

/**
 * Listens for as long as the page is open, and again each time the stream ends. A stream that ends is
 * lost, unless the server says that it ends on purpose and when to ask again, as a server does that
 * cannot stream. Then a hidden page waits until somebody looks at it. Reads with `fetch` and not with
 * `EventSource`, because only `fetch` shows that a login has expired.
 */
export async function listen(listener: Listener): Promise<never> {
  for (;;) {
    let isLoggedIn = true
    let retryMs: number | undefined
    try {
      const response = await fetch('/events', { headers: { accept: 'text/event-stream' } })
      isLoggedIn = response.status !== 401
      if (response.ok && response.body !== null) retryMs = await readEvents(response.body, listener)
    } catch {
      // For whatever reason, the page says that the connection is lost and tries again.
    }
    if (retryMs === undefined) listener.onLost(isLoggedIn ? 'connection' : 'login')
    const pauseMs = isLoggedIn ? (retryMs ?? RETRY_MS) : LOGGED_OUT_RETRY_MS
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
    if (retryMs !== undefined || !isLoggedIn) await untilLookedAt()
  }
}

async function untilLookedAt(): Promise<void> {
  while (document.hidden) {
    await new Promise((resolve) => {
      document.addEventListener('visibilitychange', resolve, { once: true })
    })
  }
}

/** Resolves when the stream ends. If it ended on purpose, returns when to ask again. */
async function readEvents(
  body: ReadableStream<Uint8Array>,
  listener: Listener,
): Promise<number | undefined> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  let retryMs = RETRY_MS
  let isEnded = false
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return isEnded ? retryMs : undefined
    text += decoder.decode(value, { stream: true })
    const messages = text.split('\n\n')
    text = messages.pop() ?? ''
    for (const message of messages) {
      const { event, retry, data } = parseMessage(message)
      if (/^\d+$/.test(retry)) retryMs = Number(retry)
      if (event === 'end') isEnded = true
      if (event === 'away') listener.onLost('connection')
      if (event === 'head') listener.onHead(JSON.parse(data) as Head)
    }
  }
}

/** Parses a message of the stream (HTML standard, 9.2.6). Ours have one line of data. */
function parseMessage(message: string): { event: string; retry: string; data: string } {
  const field = (name: string): string =>
    message
      .split('\n')
      .find((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2) ?? ''
  return { event: field('event'), retry: field('retry'), data: field('data') }
}
