import type { ConnectionPool } from './connection-pool.ts'

/** A database that Tidemark talks to, as people and errors name it. */
export interface Database {
  /** Its name in a sentence: `the library` or `the warehouse`. */
  readonly title: string
  /** Prefix of its error codes: `SOURCE` or `WAREHOUSE`. */
  readonly code: string
  /** The setting with its connection string, for hints. Default: `TIDEMARK_<code>_URL`. */
  readonly setting?: string
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

/** The setting with a database's connection string. */
export function settingOf({ code, setting }: Pick<Database, 'code' | 'setting'>): string {
  return setting ?? `TIDEMARK_${code}_URL`
}
