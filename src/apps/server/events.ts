import { TidemarkError } from '../../platform/errors.ts'
import type { Freshness } from '../../platform/presentation/freshness.ts'

/** What an open page is told: where the ledger's head is, or that it cannot be read. */
export type News =
  | { readonly event: 'head'; readonly freshness: Freshness }
  | { readonly event: 'away'; readonly code: string }

/** Watches the ledger for everybody at once; asks nothing while nobody listens. */
export interface LedgerWatch {
  /** Tells what is known at once and whatever changes from then on. Returns how to stop. */
  subscribe(listener: (news: News) => void): () => void
}

/**
 * A watch that asks every `everyMs` (by default twice a second, so that a finished run is heard of
 * within one). News is another batch, a later moment the warehouse is complete to, the promise
 * missed or kept again, the warehouse gone or back.
 */
export function createLedgerWatch(
  readFreshness: () => Promise<Freshness>,
  { everyMs = 500 }: { everyMs?: number } = {},
): LedgerWatch {
  const listeners = new Set<(news: News) => void>()
  let last: News | undefined
  let timer: NodeJS.Timeout | undefined
  let isAsking = false

  const ask = async (): Promise<void> => {
    isAsking = true
    const news = await readNews(readFreshness)
    isAsking = false
    if (listeners.size === 0) {
      last = undefined
      return
    }
    const isNews = last === undefined || keyOf(last) !== keyOf(news)
    last = news
    if (isNews) for (const listener of listeners) listener(news)
    timer = setTimeout(() => void ask(), everyMs)
  }

  return {
    subscribe(listener) {
      const own = (news: News): void => listener(news)
      listeners.add(own)
      if (last !== undefined) own(last)
      else if (!isAsking) void ask()
      return () => {
        listeners.delete(own)
        if (listeners.size > 0 || isAsking) return
        clearTimeout(timer)
        last = undefined
      }
    },
  }
}

/** What is known now; never throws. */
async function readNews(readFreshness: () => Promise<Freshness>): Promise<News> {
  return await readFreshness().then(
    (freshness): News => ({ event: 'head', freshness }),
    (error: unknown): News => ({
      event: 'away',
      code: error instanceof TidemarkError ? error.code : 'UNEXPECTED',
    }),
  )
}

function keyOf(news: News): string {
  if (news.event === 'away') return news.code
  const { generation, batch, completeTo, isFresh } = news.freshness
  return JSON.stringify([generation, batch, completeTo, isFresh])
}

export interface EventStreamOptions {
  /** Ends the stream: the server stops, or the client has gone. */
  readonly signals: readonly AbortSignal[]
  /** Milliseconds since 1970 when whoever listens must log in again. */
  readonly expiresAt: number | undefined
  /** Called once when the stream has ended, however it did. */
  readonly onEnd: () => void
}

const HEARTBEAT_MS = 15_000
/** Messages that a client may be behind before its stream is ended; it will connect again. */
const MAX_BEHIND = 100

/**
 * Server-sent events (HTML standard, 9.2): `head` with batch and freshness as JSON, its id the
 * batch, and `away` with a code. A heartbeat keeps proxies from ending a quiet stream.
 */
export function openEventStream(
  watch: LedgerWatch,
  { signals, expiresAt, onEnd }: EventStreamOptions,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let end = (): void => {}
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const timers: NodeJS.Timeout[] = []
        let unsubscribe = (): void => {}
        let isEnded = false
        end = () => {
          if (isEnded) return
          isEnded = true
          for (const timer of timers) clearInterval(timer)
          for (const signal of signals) signal.removeEventListener('abort', close)
          unsubscribe()
          onEnd()
        }
        const close = (): void => {
          if (isEnded) return
          end()
          controller.close()
        }
        const send = (text: string): void => {
          if (isEnded) return
          if ((controller.desiredSize ?? 0) < -MAX_BEHIND) close()
          else controller.enqueue(encoder.encode(text))
        }
        for (const signal of signals) signal.addEventListener('abort', close)
        send('retry: 2000\n\n')
        timers.push(setInterval(() => send(': still here\n\n'), HEARTBEAT_MS))
        if (expiresAt !== undefined) {
          timers.push(setTimeout(close, Math.min(2 ** 31 - 1, Math.max(0, expiresAt - Date.now()))))
        }
        unsubscribe = watch.subscribe((news) => send(messageOf(news)))
        if (signals.some((signal) => signal.aborted)) close()
      },
      cancel: () => end(),
    },
    { highWaterMark: 1 },
  )
}

/** How soon a page asks again that is told once. */
const ONCE_RETRY_MS = 15_000

/**
 * What is known now as a whole stream of events, which says with `end` that it ends on purpose and
 * with `retry` when to ask again: whoever listens has lost nothing.
 */
export async function tellOnce(readFreshness: () => Promise<Freshness>): Promise<string> {
  const news = await readNews(readFreshness)
  return `retry: ${ONCE_RETRY_MS}\n\n${messageOf(news)}event: end\ndata: {}\n\n`
}

function messageOf(news: News): string {
  if (news.event === 'away') return `event: away\ndata: ${JSON.stringify({ code: news.code })}\n\n`
  const { batch, generation, completeTo, lagMs, promiseMs, isFresh } = news.freshness
  const data = {
    batch,
    generation,
    completeTo,
    lagSeconds: lagMs / 1000,
    promiseSeconds: promiseMs / 1000,
    isFresh,
  }
  return `event: head\nid: ${batch}\ndata: ${JSON.stringify(data)}\n\n`
}
