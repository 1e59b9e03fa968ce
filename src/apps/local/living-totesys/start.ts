import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { createLiving, newestOrder, type Living, type LivingEvents } from './living.ts'
import { createClock, type SimulatedClock } from './simulated-clock.ts'

/** Which source lives, and how fast. */
export interface StartLivingOptions {
  /** Connection string of a role that may write the source. */
  url: string
  seed: number
  /** Simulated seconds per real second until the present is reached. Default 600. */
  speed?: number
  /** Real milliseconds between two ticks. Default 500. */
  tickMs?: number
  /** Called after every tick in which something happened. */
  onEvents?: (events: LivingEvents & { simulatedTime: Date }) => void
  /** Called with each failure. The next tick connects again. */
  onError?: (error: unknown) => void
  now?: () => Date
}

/** A source that lives in this process. */
export interface RunningLiving {
  /** Ends the loop and its connection after the current tick. May be repeated. */
  stop(): Promise<void>
}

/**
 * Lets the source live in this process, from where its data ends (an empty source begins now).
 * Nothing is dated later than the real time. Never throws: failures go to `onError`.
 */
export function startLiving(options: StartLivingOptions): RunningLiving {
  const stopping = new AbortController()
  const ended = live(options, stopping.signal)
  return {
    stop() {
      stopping.abort()
      return ended
    },
  }
}

interface Session {
  client: pg.Client
  living: Living
}

async function live(options: StartLivingOptions, signal: AbortSignal): Promise<void> {
  const now = options.now ?? (() => new Date())
  let session: Session | undefined
  let clock: SimulatedClock | undefined
  while (!signal.aborted) {
    try {
      session ??= await connect(options, now())
      clock ??= createClock({
        seed: options.seed,
        speed: options.speed ?? 600,
        start: await session.living.reached(),
        now,
      })
      const simulatedTime = clock.advance()
      const events = await session.living.advanceTo(simulatedTime)
      if (events.created + events.changed + events.deleted > 0) {
        options.onEvents?.({ ...events, simulatedTime })
      }
    } catch (error) {
      await session?.client.end().catch(() => undefined)
      session = undefined
      options.onError?.(error)
    }
    await delay(options.tickMs ?? 500, undefined, { signal }).catch(() => undefined)
  }
  await session?.client.end().catch(() => undefined)
}

async function connect(options: StartLivingOptions, now: Date): Promise<Session> {
  const client = new pg.Client(options.url)
  // If the connection is lost between two ticks, the next query fails and says so.
  client.on('error', () => undefined)
  await client.connect()
  try {
    const start = (await newestOrder(client)) ?? now
    return { client, living: createLiving(client, { seed: options.seed, start }) }
  } catch (error) {
    await client.end()
    throw error
  }
}
