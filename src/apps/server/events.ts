import { TidemarkError } from '../../platform/errors.ts'
import type { Freshness } from '../../platform/presentation/freshness.ts'

/** What an open page is told: the newest batch in the ledger, or that it cannot be read. */
export type News =
  | { readonly event: 'head'; readonly freshness: Freshness }
  | { readonly event: 'away'; readonly code: string }

/** One watch on the ledger for all listeners. It asks nothing while nobody listens. */
export interface LedgerWatch {
  /** Tells what is known now, and then every change. Returns a function that ends it. */
  subscribe(listener: (news: News) => void): () => void
}

/**
 * Creates a watch that asks every `everyMs`; by default twice a second, so that listeners hear of a
 * finished run within one. News is another batch, a later moment up to which the warehouse is
 * complete, a promise that is missed or kept again, and a warehouse that is out of reach or back.
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

/** What is known now. Never throws. */
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

/** When a stream ends. */
export interface EventStreamOptions {
  /** Aborted when the server stops or the client is gone; either ends the stream. */
  readonly signals: readonly AbortSignal[]
  /** Milliseconds since 1970 when the caller must log in again. Undefined without a login. */
  readonly expiresAt: number | undefined
  /** Called once when the stream has ended, for whatever reason. */
  readonly onEnd: () => void
}

const HEARTBEAT_MS = 15_000
/** How many messages a client may be behind before its stream is ended. It connects again. */
const MAX_BEHIND = 100

/**
 * A stream of server-sent events (HTML standard, 9.2): `head` with the batch, as its id, and the
 * freshness as JSON, and `away` with a code. A heartbeat keeps proxies from ending a quiet stream.
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

/** How soon a page that is told once asks again. */
const ONCE_RETRY_MS = 15_000

/**
 * The present news as a complete stream of events. `end` says that it ends on purpose, and `retry`
 * says when to ask again, so that the page does not take the connection for lost.
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
