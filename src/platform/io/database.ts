import type { ConnectionPool } from './connection-pool.ts'

/** A database that Tidemark talks to, as people and errors name it. */
export interface Database {
  /** Its name in a sentence: `Totesys` or `the warehouse`. */
  readonly title: string
  /** Prefix of its error codes and settings: `SOURCE` or `WAREHOUSE`. */
  readonly code: string
  /** Connection string; never logged. */
  readonly url: string
  /** Connection attempts before giving up, with exponential pauses. Default 4. */
  readonly attempts?: number
  /** First pause between attempts; doubles each time. Default 500. */
  readonly pauseMs?: number
  /**
   * How long a statement may be silent before the server is asked about it, in ms. Default 30,000.
   */
  readonly silenceMs?: number
  /** Keeps connections between two uses. Default: each use connects again. */
  readonly pool?: ConnectionPool
}
