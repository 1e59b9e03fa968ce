import { DEFAULT_LIMITS, type Deps } from '../../src/platform/deps.ts'
import { ConflictError, TransientError } from '../../src/platform/errors.ts'
import { createMemory } from '../../src/platform/io/memory.ts'
import { type DuckDbPool } from '../../src/platform/io/duckdb-pool.ts'
import { run, type RunReport } from '../../src/platform/pipeline.ts'
import type { SnapshotIdentity } from '../../src/platform/source/identity.ts'
import type { SourceSnapshot } from '../../src/platform/source/source-snapshot.ts'
import type { CommittedState, SimulatedDatabase } from './database.ts'
import type { Planted } from './bugs.ts'
import { SHOP } from './project.ts'
import { openSimulated } from './snapshot.ts'
import type { Outcome } from './step.ts'
import { openObjects, type SharedObjects } from './store.ts'

type OnSnapshot = (runId: string, identity: SnapshotIdentity, state: CommittedState) => void

/** What a process of the simulation works with. */
export interface Workplace {
  readonly database: SimulatedDatabase
  readonly ingestion: SharedObjects
  readonly processed: SharedObjects
  readonly scratchDir: string
  readonly duckDbs: DuckDbPool
  readonly bug: Planted | undefined
  /** Called with each snapshot that is taken, and what was committed then. */
  readonly onSnapshot: OnSnapshot
}

/** A run that has ended, unless its process was killed. */
export interface EndedRun {
  readonly runId: string
  readonly report: RunReport | undefined
}

/** A process that runs Tidemark, one step at a time. */
export interface SimulatedProcess {
  readonly isRunning: boolean
  /** Starts a run that waits before its first step. Does nothing while one is under way. */
  start(runId: string, options?: { confirmDeletes?: ReadonlySet<string> }): Promise<void>
  /** Lets the waiting step happen, and waits for the next. Returns the name of the step. */
  goOn(outcome: Outcome): Promise<string | undefined>
  /** The runs that have ended since the last call. */
  takeEnded(): EndedRun[]
}

/** The process is gone: whatever it still asks for fails. */
class Killed extends Error {}

interface Waiting {
  readonly step: string
  readonly happen: (outcome: Outcome) => void
}

export function createProcess(workplace: Workplace): SimulatedProcess {
  let memory = createMemory()
  let life: { isKilled: boolean } = { isKilled: false }
  const waiting: Waiting[] = []
  let running: Promise<void> | undefined
  const ended: EndedRun[] = []
  let wake = (): void => {}

  /** Holds a step until it may happen. */
  const gate =
    (own: { isKilled: boolean }) =>
    async <T>(step: string, work: () => Promise<T>): Promise<T> => {
      if (own.isKilled) throw new Killed(step)
      const outcome = await new Promise<Outcome>((happen) => {
        waiting.push({ step, happen })
        wake()
      })
      const isAfter = outcome.endsWith('after')
      const result = outcome === 'done' || isAfter ? await work() : undefined
      if (outcome === 'done') return result as T
      if (outcome.startsWith('killed')) {
        own.isKilled = true
        throw new Killed(step)
      }
      throw new TransientError(`${step} ${outcome}`, { code: 'SIMULATED_FAULT' })
    }
  /** Resolves once a step waits or the run has ended. */
  const settle = async (): Promise<void> => {
    if (waiting.length > 0 || running === undefined) return
    await Promise.race([running, new Promise<void>((resolve) => (wake = resolve))])
  }
  return {
    get isRunning() {
      return running !== undefined
    },
    async start(runId, options = {}) {
      if (running !== undefined) return
      life = { isKilled: false }
      const own = life
      const deps = makeDeps(workplace, { gate: gate(own), memory, runId })
      const work = async (): Promise<void> => {
        const report = await run(deps, options)
        running = undefined
        ended.push({ runId, report: own.isKilled ? undefined : report })
        if (own.isKilled) memory = createMemory()
      }
      running = work()
      await settle()
    },
    async goOn(outcome) {
      const next = waiting.shift()
      if (next === undefined) return undefined
      next.happen(outcome)
      if (outcome.startsWith('killed')) {
        // Nothing that this process still had under way happens.
        for (const other of waiting.splice(0)) other.happen('killed')
        await running
      }
      await settle()
      return next.step
    },
    takeEnded: () => ended.splice(0),
  }
}

type Gate = <T>(step: string, work: () => Promise<T>) => Promise<T>

function makeDeps(
  { database, scratchDir, duckDbs, bug, onSnapshot, ...zones }: Workplace,
  { gate, memory, runId }: { gate: Gate; memory: Deps['memory']; runId: string },
): Deps {
  const ingestion = openObjects(zones.ingestion, gate)
  const processed = openObjects(zones.processed, gate)
  const world = { database, scratchDir, ingestion }
  const openSource = async (): Promise<SourceSnapshot> => {
    const snapshot = await openSimulated(database, {
      gate: (question) => gate(`ask ${question}`, async () => {}),
      bug: bug?.source?.(world) ?? {},
    })
    onSnapshot(runId, snapshot.identity, database.committed())
    return snapshot
  }
  return {
    project: SHOP,
    source: { title: SHOP.title, code: 'SOURCE', url: '' },
    openSource,
    warehouse: { title: 'the warehouse', code: 'WAREHOUSE', url: '', schema: 'public' },
    ingestion: bug?.ingestion?.(ingestion, world) ?? ingestion,
    processed: bug?.processed?.(processed, world) ?? processed,
    scratchDir,
    duckDbs,
    memory,
    log: () => {},
    runId,
    version: '0.0.0-simulation',
    limits: { ...DEFAULT_LIMITS, threads: 1, connections: 1 },
  }
}

/** Whether a run may fail in this way when it meets faults and other runs. */
export function isExpected(error: unknown): boolean {
  return error instanceof TransientError || error instanceof ConflictError
}
