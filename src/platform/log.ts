export type Level = 'info' | 'warn' | 'alert'

/** One thing that happened. `event` is a stable snake_case name; fields are counts, names, times. */
export interface LogEntry {
  readonly event: string
  readonly level?: Level
  readonly [field: string]: unknown
}

/** Where entries go; made in `apps/`. Never given a row, a value or a connection string. */
export type Log = (entry: LogEntry) => void
