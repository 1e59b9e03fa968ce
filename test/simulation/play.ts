import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createDuckDbPool, type DuckDbPool } from '../../src/platform/io/duckdb-pool.ts'
import { createMemory } from '../../src/platform/io/memory.ts'
import { commitKey, type Zone } from '../../src/platform/lake/zone.ts'
import { generationOf } from '../../src/platform/project/generation.ts'
import type { Planted } from './bugs.ts'
import { checkLake, type Claim, snapshotKey, type Violation } from './check.ts'
import { type CommittedState, SimulatedDatabase, TABLES, type Values } from './database.ts'
import { createProcess, isExpected, type SimulatedProcess } from './process.ts'
import { SHOP } from './project.ts'
import { momentOf } from './snapshot.ts'
import type { Step, WriteStep } from './step.ts'
import { createObjects, openObjects, type SharedObjects } from './store.ts'

/** How a history went. */
export interface Played {
  readonly violations: readonly Violation[]
  readonly batches: number
  readonly runs: number
  /** Of everything that happened, in order. The same history always gives the same. */
  readonly hash: string
  /** What happened, a line each. */
  readonly trace: readonly string[]
}

/** A place to play histories in, one after the other. */
export interface Stage extends AsyncDisposable {
  play(steps: readonly Step[], options?: { bug?: Planted | undefined }): Promise<Played>
}

const PROCESSES = 3
/** The transaction of another system. */
const OTHERS = 99
/** A run takes far fewer steps. */
const MAX_STEPS = 500

/** A stage in a folder of its own below `folder`. */
export async function openStage(folder: string): Promise<Stage> {
  const own = await mkdtemp(join(folder, 'simulation-'))
  const places = await Promise.all(
    Array.from({ length: PROCESSES + 1 }, async (_, index) => {
      const scratchDir = join(own, `scratch-${index}`)
      await mkdir(scratchDir)
      return { scratchDir, duckDbs: createDuckDbPool() }
    }),
  )
  let plays = 0
  return {
    async play(steps, { bug } = {}) {
      const lake = join(own, `lake-${plays++}`)
      try {
        return await new Play({ lake, places, bug }).run(steps)
      } finally {
        await rm(lake, { recursive: true, force: true })
      }
    },
    async [Symbol.asyncDispose]() {
      for (const { duckDbs } of places) await duckDbs[Symbol.asyncDispose]()
      await rm(own, { recursive: true, force: true })
    },
  }
}

interface Place {
  readonly scratchDir: string
  readonly duckDbs: DuckDbPool
}

interface PlayOptions {
  readonly lake: string
  readonly places: readonly Place[]
  readonly bug: Planted | undefined
}

/** The ingestion zone as it was copied, and what stands in its place meanwhile. */
interface LakeCopy {
  readonly bodies: ReadonlyMap<string, Buffer>
  readonly batches: number
}

class Play {
  readonly #options: PlayOptions
  readonly #database = new SimulatedDatabase()
  readonly #oracle = new Map<string, CommittedState>()
  /** What was committed at the last snapshot of each run. */
  readonly #newest = new Map<string, CommittedState>()
  readonly #claims: Claim[] = []
  readonly #trace: string[] = []
  readonly #violations: Violation[] = []
  #processes: SimulatedProcess[] = []
  #zones!: { ingestion: SharedObjects; processed: SharedObjects }
  #copy: LakeCopy | undefined
  /** The objects that the copy has replaced. */
  #replaced: ReadonlyMap<string, Buffer> | undefined
  #runs = 0

  constructor(options: PlayOptions) {
    this.#options = options
  }

  async run(steps: readonly Step[]): Promise<Played> {
    const { lake, places, bug } = this.#options
    this.#zones = {
      ingestion: await createObjects('ingestion', join(lake, 'ingestion')),
      processed: await createObjects('processed', join(lake, 'processed')),
    }
    this.#processes = places.slice(0, PROCESSES).map((place) =>
      createProcess({
        ...place,
        ...this.#zones,
        database: this.#database,
        bug,
        onSnapshot: (runId, identity, state) => {
          this.#oracle.set(snapshotKey(runId, identity), state)
          this.#newest.set(runId, state)
        },
      }),
    )
    for (const step of steps) {
      await this.#take(step)
      if (this.#violations.length > 0) break
    }
    await this.#end()
    const trace = this.#trace
    const hash = createHash('sha256').update(trace.join('\n')).digest('hex').slice(0, 16)
    return {
      violations: this.#violations,
      batches: countBatches(this.#zones.ingestion),
      runs: this.#runs,
      hash,
      trace,
    }
  }

  /** Lets every process end, runs once more without faults, and checks everything. */
  async #end(): Promise<void> {
    for (const process of this.#processes) await this.#finish(process)
    this.#putOriginalBack()
    this.#database.readFrom(undefined)
    for (const table of TABLES) {
      if (!this.#database.describe(table).columns.includes('units') && table === 'orders') {
        this.#database.alter(table, { column: 'units', value: null })
      }
    }
    const confirmDeletes = new Set<string>(TABLES)
    const [last] = this.#processes
    for (const options of [{}, { confirmDeletes }]) {
      await last?.start(this.#nextRun(), options)
      if (last !== undefined) await this.#finish(last, { mustSucceed: true })
    }
    if (this.#violations.length > 0) return
    const place = this.#options.places[PROCESSES]
    if (place === undefined) return
    await using db = await place.duckDbs.open({ scratchDir: place.scratchDir, threads: 1 })
    const found = await checkLake({
      db,
      ingestion: this.#zone('ingestion'),
      processed: this.#zone('processed'),
      oracle: this.#oracle,
      claims: this.#claims,
    })
    this.#violations.push(...found)
  }

  #zone(name: 'ingestion' | 'processed'): Zone {
    const store = openObjects(this.#zones[name], (_step, put) => put())
    const prefix = name === 'ingestion' ? '' : `${generationOf(SHOP)}/`
    return { store, prefix, cacheDir: this.#options.lake, memory: createMemory() }
  }

  #nextRun(): string {
    this.#runs += 1
    return `run-${this.#runs}`
  }

  async #take(step: Step): Promise<void> {
    const database = this.#database
    database.tick()
    this.#trace.push(JSON.stringify(step))
    switch (step.do) {
      case 'begin':
        return database.begin(step.tx)
      case 'commit':
        return database.commit(step.tx)
      case 'rollback':
        return database.rollback(step.tx)
      case 'savepoint':
        return database.savepoint(step.tx)
      case 'rollback to savepoint':
        return database.rollbackToSavepoint(step.tx)
      case 'prepare':
        return database.prepare(step.tx)
      case 'write':
        return this.#write(step.tx, step.write)
      case 'truncate':
        return database.truncate(step.table)
      case 'attach':
      case 'detach':
        return database.movePartition(step.table, step.do)
      case 'alter':
        return database.alter(step.table, step)
      case 'spend xids':
        return database.spendXids(BigInt(step.count))
      case 'checkpoint':
        return database.checkpoint()
      case 'restart':
        return database.restart()
      case 'backup':
        return database.backup()
      case 'restore':
        return database.restore()
      case 'failover':
        return database.failover(step.lag)
      case 'read standby':
        return database.readFrom(step.lag)
      case 'read primary':
        return database.readFrom(undefined)
      case 'copy lake':
        return this.#copyLake()
      case 'put lake back':
        return this.#putBack()
      case 'put another lake there':
        return await this.#putAnother(step.batches)
      case 'start':
      case 'finish':
      case 'go on':
        return await this.#move(step)
    }
  }

  async #move(step: Extract<Step, { process: number }>): Promise<void> {
    const process = this.#processes[step.process]
    if (process === undefined) return
    if (step.do === 'start') await process.start(this.#nextRun())
    else if (step.do === 'finish') await this.#finish(process)
    else if (step.do === 'go on') {
      for (let steps = 0; steps < step.steps; steps++) await this.#goOn(process, step.outcome)
    }
    this.#checkEnded(process)
  }

  async #goOn(
    process: SimulatedProcess,
    outcome: Extract<Step, { do: 'go on' }>['outcome'],
  ): Promise<void> {
    const before = this.#countObjects()
    const happened = await process.goOn(outcome)
    if (happened === undefined) return
    this.#trace.push(`  ${happened.replaceAll(/-[0-9a-f]{8}-/g, '-')} ${outcome}`)
    if (this.#replaced !== undefined && this.#countObjects() > before) {
      this.#violations.push({ kind: 'I14', detail: `${happened} into a lake that was put back` })
    }
  }

  #countObjects(): number {
    return this.#zones.ingestion.created + this.#zones.processed.created
  }

  async #finish(process: SimulatedProcess, { mustSucceed = false } = {}): Promise<void> {
    for (let steps = 0; process.isRunning; steps++) {
      if (steps > MAX_STEPS) throw new TypeError('a run does not end')
      await this.#goOn(process, 'done')
    }
    this.#checkEnded(process, { mustSucceed })
  }

  /** A run may fail, but only in ways that faults and other runs explain. */
  #checkEnded(process: SimulatedProcess, { mustSucceed = false } = {}): void {
    for (const { runId, report } of process.takeEnded()) {
      const errors = report?.failures.map(({ error }) => error) ?? []
      const text = errors.map(String).join('; ')
      this.#trace.push(`  ${runId} ${report === undefined ? 'was killed' : text || 'succeeded'}`)
      const left = report?.extracted?.record
      const state = this.#newest.get(runId)
      if (errors.length === 0 && left !== undefined && state !== undefined) {
        this.#claims.push({ runId, batch: left.batch, checksum: left.checksum, state })
      }
      const isForeign = this.#replaced !== undefined
      const isWrong = mustSucceed ? errors.length > 0 : !errors.every(isExpected) && !isForeign
      if (isWrong) this.#violations.push({ kind: 'error', detail: `${runId}: ${text}` })
    }
  }

  #write(tx: number, { table, key, how, value }: WriteStep): void {
    const at = momentOf(this.#database.tick())
      .replace('T', ' ')
      .replace(/(\.\d*?)0*Z$/, '$1')
      .replace(/\.$/, '')
    const made = (before: Values | undefined): Values =>
      table === 'orders'
        ? {
            ...before,
            id: key,
            customer_id: String(1 + (value % 6)),
            units: String(value),
            changed_at: at,
          }
        : { ...before, id: key, name: `name ${value}`, changed_at: at }
    const change = (before: Values | undefined): Values | undefined => {
      if (how === 'delete' || how === 'rekey') return undefined
      if (how === 'insert') return before ?? made(undefined)
      if (before === undefined) return undefined
      if (how === 'touch') return before
      if (how === 'update') return made(before)
      return { ...made(before), changed_at: before['changed_at'] ?? null }
    }
    let moved: Values | undefined
    this.#database.write(tx, table, {
      key,
      change(before) {
        moved = before
        return change(before)
      },
    })
    if (how !== 'rekey' || moved === undefined) return
    const to = String(((Number(key) + value) % 12) + 1)
    const own = moved
    this.#database.write(tx, table, { key: to, change: (there) => there ?? { ...own, id: to } })
  }

  #copyLake(): void {
    const { bodies } = this.#zones.ingestion
    if (this.#replaced !== undefined) return
    this.#copy = { bodies: new Map(bodies), batches: countBatches(this.#zones.ingestion) }
  }

  /** Puts an older copy of the ingestion zone in its place, or the original back. */
  #putBack(): void {
    if (this.#processes.some(({ isRunning }) => isRunning)) return
    if (this.#replaced !== undefined) return this.#putOriginalBack()
    const { ingestion, processed } = this.#zones
    // Otherwise nothing that is left could know that the lake is not what it was.
    if (this.#copy === undefined || this.#copy.batches >= countBatches(processed)) return
    this.#replaced = new Map(ingestion.bodies)
    replaceAll(ingestion.bodies, this.#copy.bodies)
  }

  /**
   * Puts an older copy of the ingestion zone in its place that another system has carried on, until it
   * has at least as many batches. The next run must notice.
   */
  async #putAnother(more: number): Promise<void> {
    this.#putBack()
    if (this.#replaced === undefined) return
    const { ingestion, processed } = this.#zones
    const place = this.#options.places[PROCESSES]
    if (place === undefined) return
    const elsewhere = await createObjects('elsewhere', processed.folder)
    const other = createProcess({
      ...place,
      database: this.#database,
      ingestion,
      processed: elsewhere,
      bug: undefined,
      onSnapshot: () => {},
    })
    const wanted = countBatches(processed) + more
    for (let tries = 0; countBatches(ingestion) < wanted && tries < MAX_STEPS; tries++) {
      this.#database.begin(OTHERS)
      this.#write(OTHERS, {
        table: 'orders',
        key: String(1 + (tries % 12)),
        how: 'insert',
        value: tries % 4,
      })
      this.#write(OTHERS, {
        table: 'orders',
        key: String(1 + (tries % 12)),
        how: 'update',
        value: tries % 5,
      })
      this.#database.commit(OTHERS)
      await other.start(`other-${tries}`)
      while (other.isRunning) await other.goOn('done')
    }
  }

  #putOriginalBack(): void {
    if (this.#replaced === undefined) return
    replaceAll(this.#zones.ingestion.bodies, this.#replaced)
    this.#replaced = undefined
  }
}

function replaceAll(target: Map<string, Buffer>, content: ReadonlyMap<string, Buffer>): void {
  target.clear()
  for (const [key, body] of content) target.set(key, body)
}

function countBatches({ bodies, name }: SharedObjects): number {
  const prefix = name === 'ingestion' ? '' : `${generationOf(SHOP)}/`
  let count = 0
  while (bodies.has(prefix + commitKey(count + 1))) count += 1
  return count
}
