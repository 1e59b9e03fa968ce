import { join } from 'node:path'
import { InterruptedError } from './errors.ts'
import type { Database } from './io/database.ts'
import type { ObjectStore } from './lake/store/object-store.ts'
import type { Zone } from './lake/zone.ts'
import type { Log } from './log.ts'
import type { Project } from './project/project.ts'
import type { FeedSources } from './source/feed-sources.ts'
import type { Warehouse } from './warehouse/warehouse.ts'

/** Everything the stages need of the outside; built once in `apps/`, and by each test. */
export interface Deps {
  readonly project: Project
  readonly source: Database
  readonly warehouse: Warehouse
  readonly ingestion: ObjectStore
  readonly processed: ObjectStore
  /** An existing folder for files on their way through; safe to empty when nothing runs. */
  readonly scratchDir: string
  readonly log: Log
  /** Identifies this process's work in commit records and the ledger. */
  readonly runId: string
  /** Version of Tidemark that writes. */
  readonly version: string
  readonly limits: Limits
  /** Asks the stages to stop at the next safe point. */
  readonly signal?: AbortSignal
  /**
   * Asks the stages to begin no other piece of work (a table, a batch) once one is done: what is
   * done counts, and the next call goes on from there.
   */
  readonly deadline?: AbortSignal
  /** The simulated source of this machine, where there is one: its lake is its own. */
  readonly simulation?: Simulation
  /** Where the rows of the project's feeds come from. */
  readonly feeds?: FeedSources
  /** The clock feeds are stamped with; the database's tables go by its own. */
  readonly now?: () => Date
}

export interface Simulation {
  /** System identifier of its cluster. */
  readonly systemId: string
  /** Whether `source` is in it. */
  readonly isSource: boolean
}

export interface Limits {
  /** DuckDB spills to disk beyond this. */
  readonly memoryLimitMb: number
  readonly threads: number
  /** Source connections for a large first read. */
  readonly connections: number
  /** How long a load waits for another run's. */
  readonly lockWaitMs: number
  /** More than this share of a table's rows gone at once is held back until confirmed. */
  readonly brakeShare: number
  /** Tables of up to this many rows have no brake. */
  readonly brakeRows: number
  /** More than this share of a table's rows in a batch unfit for it holds the table back instead. */
  readonly quarantineShare: number
  /** Batches of up to this many rows of a table are never held for that. */
  readonly quarantineRows: number
}

export const DEFAULT_LIMITS: Limits = {
  memoryLimitMb: 192,
  threads: 2,
  connections: 2,
  lockWaitMs: 10_000,
  brakeShare: 0.5,
  brakeRows: 100,
  quarantineShare: 0.2,
  quarantineRows: 100,
}

export function ingestionZone(deps: Deps): Zone {
  return { store: deps.ingestion, prefix: '', cacheDir: join(deps.scratchDir, 'cache') }
}

export function processedZone(deps: Deps, generation: string): Zone {
  return {
    store: deps.processed,
    prefix: `${generation}/`,
    cacheDir: join(deps.scratchDir, 'cache'),
  }
}

/** Whether what is left of the work is for the next call. */
export function isPastDeadline({ deadline }: Pick<Deps, 'deadline'>): boolean {
  return deadline?.aborted === true
}

/** Throws `InterruptedError` once the operator has asked to stop; called where stopping is safe. */
export function checkInterrupted({ signal }: Pick<Deps, 'signal'>): void {
  if (signal?.aborted !== true) return
  throw new InterruptedError('Stopped as asked; nothing was half-published', {
    code: 'INTERRUPTED',
    hint: 'tidemark run goes on where this one stopped',
  })
}
