import { join } from 'node:path'
import { InterruptedError } from './errors.ts'
import type { Database } from './io/database.ts'
import type { DuckDbPool } from './io/duckdb-pool.ts'
import { type DuckDb, openDuckDb } from './io/duckdb.ts'
import type { Memory } from './io/memory.ts'
import { readLastCommit } from './lake/batch-log.ts'
import { findEdition } from './lake/edition.ts'
import { capturedProject, continuedProject } from './lake/mirrored-project.ts'
import type { QuarantineLimits } from './lake/quarantine/limits.ts'
import type { ObjectStore } from './lake/store/object-store.ts'
import type { Zone } from './lake/zone.ts'
import type { Log } from './log.ts'
import { generationOf, withEdition } from './project/generation.ts'
import type { Project } from './project/project.ts'
import type { FeedSources } from './source/feed-sources.ts'
import type { SourceSnapshot } from './source/source-snapshot.ts'
import type { Warehouse } from './warehouse/warehouse.ts'

/** Everything outside that the stages need. Built once in `apps/`, and by each test. */
export interface Deps {
  readonly project: Project
  readonly source: Database
  /** Opens a snapshot of another kind of source. Default: of the Postgres that `source` names. */
  readonly openSource?: () => Promise<SourceSnapshot>
  readonly warehouse: Warehouse
  readonly ingestion: ObjectStore
  readonly processed: ObjectStore
  /** An existing folder for temporary files. It may be emptied while nothing runs. */
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
   * Asks the stages to start no further table or batch. Finished work counts, and the next call
   * goes on from there.
   */
  readonly deadline?: AbortSignal
  /** The simulated source on this machine, if there is one. It has a lake of its own. */
  readonly simulation?: Simulation
  /** Where the rows of the project's feeds come from. */
  readonly feeds?: FeedSources
  /** What this process remembers between calls. */
  readonly memory: Memory
  /**
   * The edition of the processed zone that is in force, see `sharingEdition`. Without it, each stage
   * looks it up.
   */
  readonly edition?: Promise<number>
  /** Keeps DuckDB open between two uses. Default: each use opens one. */
  readonly duckDbs?: DuckDbPool
  /**
   * The clock that stamps feeds. The database's tables are stamped with the clock of the source.
   */
  readonly now?: () => Date
}

/** The embedded Postgres with the simulated source. */
export interface Simulation {
  /** System identifier of its cluster. */
  readonly systemId: string
  /** Whether `source` is a database in that cluster. */
  readonly isSource: boolean
  /**
   * The present moment of a simulated source, if that is not the real time. Batches are dated by it,
   * and marked.
   */
  readonly simulatedTime?: () => Date | undefined
}

/** Limits on memory, connections, waiting, deletions and refused rows. */
export interface Limits extends QuarantineLimits {
  /** Above this, DuckDB spills to the scratch folder. */
  readonly memoryLimitMb: number
  readonly threads: number
  /** Connections to the source for reading a large table as a whole. */
  readonly connections: number
  /** How long a load waits for another run to finish loading. */
  readonly lockWaitMs: number
  /**
   * If more than this share of a table's rows is gone at once, its deletions are held until they
   * are confirmed.
   */
  readonly brakeShare: number
  /** The brake does not act on a table with up to this many rows. */
  readonly brakeRows: number
}

/** The limits of the default settings. */
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

/** The zone that holds the captured changes. */
export function ingestionZone({ ingestion: store, scratchDir, memory }: Deps): Zone {
  return { store, prefix: '', cacheDir: join(scratchDir, 'cache'), memory }
}

/**
 * The same with the edition of the processed zone that is in force: the newest one. Each stage, and
 * all that reads the processed zone, begins with it. Deps that have an edition are returned unchanged;
 * for others it reads an object, see `findEdition`.
 */
export async function inForce(deps: Deps): Promise<Deps> {
  const { project } = deps
  if (project.edition !== undefined) return deps
  return { ...deps, project: withEdition(project, await (deps.edition ?? lookUpEdition(deps))) }
}

/**
 * The same deps for a few stages in a row, which share one look for the edition in force. It begins at
 * once, so that a stage can do other things meanwhile. If it fails, a stage that needs it fails.
 */
export function sharingEdition(deps: Deps): Deps {
  const edition = lookUpEdition(deps)
  edition.catch(() => {}) // reported by the stage that awaits it
  return { ...deps, edition }
}

/** Looks the edition in force up, whatever the deps say. Throws what reading an object throws. */
export async function lookUpEdition({ processed, project, memory }: Deps): Promise<number> {
  return await findEdition({ store: processed, project, memory })
}

/** The zone that holds what one generation of the models made from the captured changes. */
export function processedZone(
  { processed: store, scratchDir, memory }: Deps,
  generation: string,
): Zone {
  return { store, prefix: `${generation}/`, cacheDir: join(scratchDir, 'cache'), memory }
}

/**
 * The same with the project as the ingestion zone captured it last. Only a mirror differs: its tables
 * are those that were captured, under the names of history that were published. Reads the last record
 * of both zones.
 */
export async function asCaptured(deps: Deps): Promise<Deps> {
  if (deps.project.mirror === undefined) return deps
  const ingestion = ingestionZone(deps)
  const record = await readLastCommit(ingestion)
  const captured = await capturedProject(deps.project, ingestion, record)
  const { project } = await inForce(deps)
  const processed = processedZone(deps, generationOf(project))
  const transformed = await readLastCommit(processed)
  return { ...deps, project: await continuedProject(captured, processed, transformed) }
}

/** Whether there is a warehouse to load. Without one, there is only a lake. */
export function hasWarehouse({ warehouse }: Pick<Deps, 'warehouse'>): boolean {
  return warehouse.url !== ''
}

/**
 * Opens DuckDB with a scratch folder of its own, within the limits. Throws what `openDuckDb`
 * throws.
 */
export async function openScratchDb({
  scratchDir,
  limits: { memoryLimitMb, threads },
  duckDbs = { open: openDuckDb },
}: Pick<Deps, 'scratchDir' | 'limits'> & {
  readonly duckDbs?: Pick<DuckDbPool, 'open'>
}): Promise<DuckDb> {
  return await duckDbs.open({ scratchDir, memoryLimitMb, threads })
}

/** Whether the rest of the work is left for the next call. */
export function isPastDeadline({ deadline }: Pick<Deps, 'deadline'>): boolean {
  return deadline?.aborted === true
}

/**
 * Throws `InterruptedError` if the operator has asked to stop. Called only where stopping is safe.
 */
export function checkInterrupted({ signal }: Pick<Deps, 'signal'>): void {
  if (signal?.aborted !== true) return
  throw new InterruptedError('Stopped as asked; nothing was half-published', {
    code: 'INTERRUPTED',
    hint: 'to continue: tidemark run',
  })
}
