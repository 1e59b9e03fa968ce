import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { DemoClock } from './clock.ts'
import type { Life, LivingEvents, SimulatedSource } from './simulated-source.ts'

/** Which source lives, and by which clock. */
export interface LiveOptions {
  readonly source: Pick<SimulatedSource, 'open'>
  /** Connection string of a role that owns the databases. */
  readonly url: string
  readonly clock: Pick<DemoClock, 'now'>
  /** Real milliseconds between two ticks. Default: 500. */
  readonly tickMs?: number
  /** Called after every tick in which something happened. */
  readonly onEvents?: (events: LivingEvents) => void
  /** Called with each failure. The next tick connects again. */
  readonly onError?: (error: unknown) => void
}

/** A source that lives in this process. Disposing ends it after the current tick. */
export type RunningLife = AsyncDisposable

/**
 * Lets a simulated source live by a clock, from the moment it has reached. If that was long ago, the
 * first tick catches up on everything since. Never throws: failures go to `onError`.
 */
export function startLife(options: LiveOptions): RunningLife {
  const stopping = new AbortController()
  const ended = live(options, stopping.signal)
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await ended
    },
  }
}

interface Session extends AsyncDisposable {
  readonly life: Life
}

async function live(
  { source, url, clock, tickMs = 500, onEvents, onError }: LiveOptions,
  signal: AbortSignal,
): Promise<void> {
  let session: Session | undefined
  const end = async () => {
    await session?.[Symbol.asyncDispose]()
    session = undefined
  }
  while (!signal.aborted) {
    try {
      session ??= await openSession(source, url)
      const events = await session.life.passTime(clock.now())
      if (events.created + events.changed + events.deleted > 0) onEvents?.(events)
    } catch (error) {
      await end()
      onError?.(error)
    }
    await delay(tickMs, undefined, { signal }).catch(() => undefined)
  }
  await end()
}

async function openSession({ open }: LiveOptions['source'], url: string): Promise<Session> {
  const client = new pg.Client(url)
  // If the connection is lost between two ticks, the next query fails and says so.
  client.on('error', () => undefined)
  await client.connect()
  const close = () => client.end().catch(() => undefined)
  try {
    return { life: await open(client), [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}
