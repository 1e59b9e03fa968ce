/** What the server's stream of events tells. */
export interface Head {
  readonly batch: number
  readonly generation: string
  readonly completeTo: string
  readonly lagSeconds: number
  readonly promiseSeconds: number
  readonly isFresh: boolean
}

export interface Listener {
  onHead(head: Head): void
  /** The warehouse is away, or the stream is lost. */
  onLost(): void
}

const RETRY_MS = 2000

/**
 * Listens for as long as the page is open, and again when the stream ends. Read with `fetch`, which
 * goes where `EventSource` cannot: it carries what a login needs.
 */
export async function listen(listener: Listener): Promise<never> {
  for (;;) {
    try {
      const response = await fetch('/events', { headers: { accept: 'text/event-stream' } })
      if (response.ok && response.body !== null) await readEvents(response.body, listener)
    } catch {
      // Whatever it was, the page says that it hears nothing, and tries again.
    }
    listener.onLost()
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
}

async function readEvents(body: ReadableStream<Uint8Array>, listener: Listener): Promise<void> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    text += decoder.decode(value, { stream: true })
    const messages = text.split('\n\n')
    text = messages.pop() ?? ''
    for (const message of messages) tell(message, listener)
  }
}

/** One message of the stream (HTML standard, 9.2.6); ours have one line of data. */
function tell(message: string, listener: Listener): void {
  const field = (name: string): string | undefined =>
    message
      .split('\n')
      .find((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2)
  const event = field('event')
  if (event === 'away') listener.onLost()
  if (event === 'head') listener.onHead(JSON.parse(field('data') ?? '{}') as Head)
}
