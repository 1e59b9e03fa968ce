import { cp, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { expect } from 'vitest'
import type { AppLog, AppLogEntry } from '../../src/apps/log.ts'
import { DEFAULT_LIMITS, type Deps, ingestionZone, processedZone } from '../../src/platform/deps.ts'
import type { ExtractOptions } from '../../src/platform/extract/extract.ts'
import { createMemory } from '../../src/platform/io/memory.ts'
import { readCommit } from '../../src/platform/lake/batch-log.ts'
import type { CommitRecord } from '../../src/platform/lake/commit-record.ts'
import { diskStore } from '../../src/platform/lake/store/disk-store.ts'
import type { ObjectStore } from '../../src/platform/lake/store/object-store.ts'
import { run, type RunReport } from '../../src/platform/pipeline.ts'
import { generationOf } from '../../src/platform/project/generation.ts'
import type { Project } from '../../src/platform/project/project.ts'
import { totesys } from '../../src/totesys/totesys.ts'
import { createDatabase, keepDatabase, type TestDatabase } from './database.ts'
import { checkDeclared } from './declared-events.ts'

/** A whole Tidemark on a real source, a real lake and a real warehouse, all its own. */
export interface TestSystem extends AsyncDisposable {
  readonly source: TestDatabase
  readonly warehouse: TestDatabase
  /** A client that may change the source. */
  readonly sql: pg.Client
  readonly deps: Deps
  readonly folder: string
  /** Everything logged so far. */
  readonly entries: AppLogEntry[]
  /** The log of `deps`, which writes them. It also takes the events of the apps. */
  readonly log: AppLog
  /** One run that must succeed; every batch it makes is accounted for (I10). */
  run(options?: ExtractOptions): Promise<RunReport>
  /** Rows of a warehouse query. */
  query<Row extends pg.QueryResultRow>(sql: string, params?: unknown[]): Promise<Row[]>
  /** Every commit record of a zone, in order. */
  records(zone?: 'ingestion' | 'processed'): Promise<CommitRecord[]>
}

export interface SystemOptions {
  readonly project?: Project
  readonly template?: 'totesys' | 'empty'
  /** Encoding of the source's database, such as `SQL_ASCII`. */
  readonly encoding?: string
  /** Dates what is captured, as the clock of a simulated source does. */
  readonly simulatedTime?: () => Date | undefined
  /** The store of a zone, which stays open; a directory below `folder` if not given. */
  readonly store?: (zone: 'ingestion' | 'processed') => ObjectStore
}

export async function createSystem({
  template = 'totesys',
  encoding = 'UTF8',
  ...options
}: SystemOptions = {}): Promise<TestSystem> {
  const source = await createDatabase({ template, encoding })
  const warehouse = await createDatabase({ template: 'empty' })
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-test-'))
  return await openSystem({ source, warehouse, folder }, options)
}

/** A prepared system that can be opened any number of times, one after the other. */
export interface PreparedSystem extends AsyncDisposable {
  /** The system that was opened before must have been disposed of. */
  open(): Promise<TestSystem>
}

/**
 * Prepares a system when it is first opened, and puts it back to that state each time: the same
 * source with the same evidence, the same lake and the same warehouse. Each time costs a copy.
 */
export function prepareSystem(prepare: (system: TestSystem) => Promise<void>): PreparedSystem {
  let kept: Promise<PreparedSystem> | undefined
  const keep = async (): Promise<PreparedSystem> => {
    const { source, warehouse, folder, ...system } = await createSystem()
    await prepare({ source, warehouse, folder, ...system })
    const databases = {
      source: await keepDatabase(source),
      warehouse: await keepDatabase(warehouse),
    }
    await rename(folder, `${folder}.kept`)
    return {
      async open() {
        const from = await databases.source.open()
        const to = await databases.warehouse.open()
        await cp(`${folder}.kept`, folder, { recursive: true, preserveTimestamps: true })
        return await openSystem({ source: from, warehouse: to, folder }, {})
      },
      async [Symbol.asyncDispose]() {
        for (const database of Object.values(databases)) await database[Symbol.asyncDispose]()
        await rm(`${folder}.kept`, { recursive: true })
      },
    }
  }
  return {
    open: async () => await (await (kept ??= keep())).open(),
    [Symbol.asyncDispose]: async () => await (await kept)?.[Symbol.asyncDispose](),
  }
}

async function systemIdOf(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ id: string }>(
    'select system_identifier::text as id from pg_control_system()',
  )
  return rows[0]!.id
}

async function openSystem(
  { source, warehouse, folder }: Pick<TestSystem, 'source' | 'warehouse' | 'folder'>,
  { project = totesys, store, simulatedTime }: Omit<SystemOptions, 'template' | 'encoding'>,
): Promise<TestSystem> {
  const sql = await source.client()
  const entries: AppLogEntry[] = []
  const log: AppLog = (entry) => {
    checkDeclared(entry)
    entries.push(entry)
  }
  const directory = (zone: string) => diskStore(join(folder, zone))
  const deps: Deps = {
    project,
    source: { title: project.title, code: 'SOURCE', url: source.readerUrl, attempts: 1 },
    warehouse: {
      title: 'the warehouse',
      code: 'WAREHOUSE',
      url: warehouse.url,
      schema: 'public',
      attempts: 1,
    },
    ingestion: (store ?? directory)('ingestion'),
    processed: (store ?? directory)('processed'),
    scratchDir: join(folder, 'scratch'),
    memory: createMemory(),
    log,
    runId: 'test',
    version: '0.0.0-test',
    // A run may wait for another one as long as a busy machine needs.
    limits: { ...DEFAULT_LIMITS, lockWaitMs: 600_000 },
    ...(simulatedTime === undefined
      ? {}
      : { simulation: { systemId: await systemIdOf(sql), isSource: true, simulatedTime } }),
  }
  const records = async (zone: 'ingestion' | 'processed' = 'ingestion') => {
    const where =
      zone === 'ingestion' ? ingestionZone(deps) : processedZone(deps, generationOf(project))
    const found: CommitRecord[] = []
    for (let batch = 1; ; batch++) {
      const record = await readCommit(where, batch)
      if (record === undefined) return found
      found.push(record)
    }
  }
  return {
    source,
    warehouse,
    sql,
    deps,
    folder,
    entries,
    log,
    records,
    query: (text, params) => warehouse.query(text, params),
    async run(options) {
      const report = await run(deps, options)
      if (report.failures.length > 0) throw report.failures[0]?.error
      for (const zone of ['ingestion', 'processed'] as const) {
        for (const record of await records(zone)) checkAccounted(record)
      }
      return report
    },
    async [Symbol.asyncDispose]() {
      await source.drop()
      await warehouse.drop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** I10: every row read is accepted, unchanged or quarantined, table by table. */
function checkAccounted(record: CommitRecord): void {
  for (const [table, { counts }] of Object.entries(record.tables)) {
    const where = `batch ${record.batch}, ${table}`
    expect(counts.accepted + counts.unchanged + counts.quarantined, where).toBe(counts.read)
  }
}
