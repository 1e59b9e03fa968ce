import { setTimeout as delay } from 'node:timers/promises'

/** When to try again, and how long to wait. */
export interface RetryOptions {
  /** How many times the work may run before its error counts. */
  readonly attempts: number
  /** Whether another attempt can succeed. */
  readonly isPassing: (error: unknown) => boolean
  /** First pause in ms, 0 by default. Pauses double up to `maxPauseMs`, 5,000 by default. */
  readonly pauseMs?: number
  readonly maxPauseMs?: number
  /** Called before each further attempt. */
  readonly onRetry?: (error: unknown, attempt: number) => void | Promise<void>
  /** Ends a pause and all further attempts. The last error is thrown. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Runs `work` until it succeeds, fails for good, or has failed `attempts` times. Throws its last
 * error. Each pause is up to half longer, at random, so that callers that failed together do not
 * return together. `work` gets the number of the attempt, from 1.
 */
export async function retry<T>(
  work: (attempt: number) => Promise<T>,
  { attempts, isPassing, pauseMs = 0, maxPauseMs = 5000, onRetry, signal }: RetryOptions,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt)
    } catch (error) {
      if (attempt >= attempts || !isPassing(error)) throw error
      await onRetry?.(error, attempt)
      const shortestMs = Math.min(pauseMs * 2 ** (attempt - 1), maxPauseMs)
      const ms = shortestMs * (1 + Math.random() / 2)
      if (ms > 0) await delay(ms, undefined, { signal }).catch(() => {})
      if (signal?.aborted === true) throw error
    }
  }
}
