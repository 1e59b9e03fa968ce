import type { ProjectConfig } from '../../platform/project/project-config.ts'

/** What to open. Everything that is left out is found as the command line finds it. */
export interface OpenOptions {
  /** The folder of the project, or its config file. */
  readonly project?: string
  /**
   * Settings by their names, such as `TIDEMARK_SOURCE_URL`. They override the environment and
   * `.env`.
   */
  readonly settings?: Readonly<Record<string, string>>
  /** Ends a run at its next safe point. */
  readonly signal?: AbortSignal
  /** Is called with each event of the log. */
  readonly log?: (event: LogEvent) => void
}

/** An event of the log, with fields of its own. */
export interface LogEvent {
  readonly event: string
  readonly [field: string]: unknown
}

/** An open Tidemark: one project with its source, its lake and its warehouse. */
export interface Tidemark extends AsyncDisposable {
  /** The name of the project. */
  readonly project: NonNullable<ProjectConfig['name']>
  /**
   * Runs once, as `tidemark run` does: captures what changed in the source, and brings lake and
   * warehouse up to date. May be repeated, and called while another process runs. Does not throw if
   * a stage fails: `errors` says which ones did, and the next run catches up.
   */
  run(options?: RunOptions): Promise<RunOutcome>
  /**
   * Compares source, lake and warehouse at one snapshot, as `tidemark verify` does, after it has
   * brought them up to that snapshot. Differences are returned, not thrown.
   */
  verify(options?: { readonly table?: string }): Promise<VerifyOutcome>
  /** Says how fresh the warehouse is, and what waits, as `tidemark status` does. Changes nothing. */
  status(): Promise<StatusOutcome>
  /**
   * Every version of one row, oldest first, as `tidemark history` shows them; none if no run has seen
   * it. A key of several columns is a list of its values.
   */
  history(table: string, key: string | number | readonly (string | number)[]): Promise<RowHistory>
  /** Closes every connection. Disposing does the same. May be repeated. */
  close(): Promise<void>
}

/** What a run may do. */
export interface RunOptions {
  /** Tables whose mass deletion is right. */
  readonly confirmDeletes?: readonly string[]
}

/** What a run did. */
export interface RunOutcome {
  /** Whether every stage succeeded. */
  readonly ok: boolean
  /** The newest batch in the lake. Undefined if there is none, or if it is unknown. */
  readonly batch: number | undefined
  /** Rows of the source that this run captured, by what happened to them. */
  readonly inserted: number
  readonly updated: number
  readonly deleted: number
  /** Rows that this run refused. They are in quarantine. */
  readonly quarantined: number
  /** Tables that are held, and why. */
  readonly held: readonly { readonly table: string; readonly reason: string }[]
  /** The warehouse holds everything that was committed before this moment, ISO 8601 in UTC. */
  readonly completeTo: string | undefined
  readonly durationMs: number
  /** The errors of the stages that failed. */
  readonly errors: readonly unknown[]
}

/** What a verification found. */
export interface VerifyOutcome {
  readonly isEqual: boolean
  readonly batch: number
  /** The moment of the snapshot, ISO 8601 in UTC. */
  readonly snapshotAt: string
  readonly tables: readonly VerifiedRows[]
  /** Breaks in the chain of batches. */
  readonly faults: readonly {
    readonly place: string
    readonly batch: number
    readonly detail: string
  }[]
}

/** A table as one place holds it. */
export interface VerifiedRows {
  readonly table: string
  /** What was compared, such as `lake` or `history`. */
  readonly where: string
  readonly rows: number
  readonly missing: number
  readonly extra: number
  readonly different: number
}

/** How far each place has come. */
export interface StatusOutcome {
  /** Whether there is a lake and no warehouse. Then nothing says how fresh the lake is. */
  readonly isLakeOnly: boolean
  /** Whether the warehouse keeps the promise of `TIDEMARK_PROMISE_MINUTES`. */
  readonly isFresh: boolean
  /** Undefined before the first load. */
  readonly completeTo: string | undefined
  /** The age of the warehouse in milliseconds. Undefined before the first load. */
  readonly lagMs: number | undefined
  /** The newest batch in each place; 0 if it holds none. */
  readonly batches: {
    readonly ingestion: number
    readonly processed: number
    readonly warehouse: number
  }
  /** Each table in the lake. */
  readonly tables: readonly { readonly table: string; readonly rows: number }[]
  /** Rows in quarantine. */
  readonly quarantined: number
}

/** All versions of one row. */
export interface RowHistory {
  /** The table in the lake. */
  readonly table: string
  readonly key: readonly string[]
  readonly versions: readonly RowVersion[]
}

/** A state that a row has been in. */
export interface RowVersion {
  /** Counted from 1. */
  readonly version: number
  /** A row leaves if its fact's model no longer selects it, although the source still has it. */
  readonly operation: 'insert' | 'update' | 'delete' | 'leave'
  /** ISO 8601 in UTC. `validTo` is undefined for the newest version. */
  readonly validFrom: string
  readonly validTo: string | undefined
  readonly batch: number
  /** Every column as text; undefined for null. */
  readonly values: Readonly<Record<string, string | undefined>>
  /** The columns that differ from the version before. */
  readonly changed: readonly string[]
}
