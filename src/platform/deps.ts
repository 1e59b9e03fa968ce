import { join } from 'node:path'
import { InterruptedError } from './errors.ts'
import type { Database } from './io/database.ts'
import { type DuckDb, openDuckDb } from './io/duckdb.ts'
import type { QuarantineLimits } from './lake/quarantine/limits.ts'
import type { ObjectStore } from './lake/store/object-store.ts'
import type { Zone } from './lake/zone.ts'
import type { Log } from './log.ts'
import type { Memory } from './memory.ts'
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
  /** What this process remembers between calls. */
  readonly memory: Memory
  /** The clock feeds are stamped with; the database's tables go by its own. */
  readonly now?: () => Date
}

export interface Simulation {
  /** System identifier of its cluster. */
  readonly systemId: string
  /** Whether `source` is in it. */
  readonly isSource: boolean
}

export interface Limits extends QuarantineLimits {
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

/** The zone of captured changes. */
export function ingestionZone({ ingestion: store, scratchDir, memory }: Deps): Zone {
  return { store, prefix: '', cacheDir: join(scratchDir, 'cache'), memory }
}

/** The zone of what one generation of the models makes of them. */
export function processedZone(
  { processed: store, scratchDir, memory }: Deps,
  generation: string,
): Zone {
  return { store, prefix: `${generation}/`, cacheDir: join(scratchDir, 'cache'), memory }
}

/** DuckDB in a scratch folder of its own, within the limits. */
export async function openScratchDb({
  scratchDir,
  limits,
}: Pick<Deps, 'scratchDir' | 'limits'>): Promise<DuckDb> {
  return await openDuckDb({ scratchDir, ...limits })
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
