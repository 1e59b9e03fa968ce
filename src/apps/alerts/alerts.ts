import { setTimeout as delay } from 'node:timers/promises'
import type { AppLog } from '../log.ts'
import type { DeliveryStore } from '../mail/deliveries.ts'
import type { Seen } from './causes.ts'
import { nextEntry } from './episodes.ts'
import { type Numbered, openJournal } from './journal.ts'
import { memoryStore } from './memory-store.ts'
import type { Recipient } from './recipients.ts'
import { describe, tellAll } from './tell.ts'

/** What is needed to alert. */
export interface AlertOptions {
  readonly recipients: readonly Recipient[]
  /** Where it is recorded what was wrong and who was told. */
  readonly store: DeliveryStore
  /** Its name in subject lines. */
  readonly project: string
  /** Identifies this process. */
  readonly runId: string
  readonly log: AppLog
  /** The real time. Default: the clock of this machine. */
  readonly now?: () => Date
}

/** Finds out what is new after each look, and tells people. */
export interface Alerts {
  /** Takes what one look found, and returns at once. Of several that wait, the last one counts. */
  take(seen: Seen): void
  /**
   * Waits until all is told that can be told now; each server has some seconds. After `graceMs`, what
   * is under way is given up, for another process or a later run.
   */
  settle(graceMs?: number): Promise<void>
}

/**
 * Starts alerts. A look that finds what is known already costs one request. No failure of a channel
 * or of the store stops the caller: it is logged. If the store cannot be used, this process goes on
 * from memory, so that people hear of a full disk too.
 */
export function createAlerts({
  recipients,
  store,
  project,
  runId: by,
  log,
  now = () => new Date(),
}: AlertOptions): Alerts {
  let journal = openJournal(store, { by, now })
  let known: Numbered | undefined
  let waiting: Seen | undefined
  let working: Promise<void> | undefined
  const giveUp = new AbortController()

  const look = async (seen: Seen): Promise<void> => {
    for (;;) {
      known = await journal.last()
      const entry = nextEntry(known.entry, seen, now())
      const next = entry && { number: known.number + 1, entry }
      // If another process wrote an entry meanwhile, look again.
      if (next !== undefined && !(await journal.write(next))) continue
      await tellAll(recipients, next ?? known, {
        journal,
        project,
        log,
        now,
        signal: giveUp.signal,
      })
      return
    }
  }
  const lookSafely = async (seen: Seen): Promise<void> => {
    try {
      await look(seen)
    } catch (error) {
      log({ event: 'alert_failed', level: 'warn', channel: 'state', ...describe(error) })
      journal = openJournal(memoryStore(), { by, now, ...(known && { start: known }) })
      await look(seen).catch(() => {}) // nothing is left to try
    }
  }
  const work = async (): Promise<void> => {
    while (waiting !== undefined) {
      const seen = waiting
      waiting = undefined
      await lookSafely(seen)
    }
    working = undefined
  }
  return {
    take(seen) {
      waiting = seen
      working ??= work()
    },
    async settle(graceMs) {
      if (working === undefined) return
      if (graceMs === undefined) return await working
      const over = new AbortController()
      const late = delay(graceMs, undefined, { signal: over.signal }).then(
        () => giveUp.abort(),
        () => {},
      )
      await working
      over.abort()
      await late
    },
  }
}
