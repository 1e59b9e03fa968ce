import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DEFAULT_LIMITS, type Deps } from '../src/platform/deps.ts'
import { createConnectionPool } from '../src/platform/io/connection-pool.ts'
import { createDuckDbPool } from '../src/platform/io/duckdb-pool.ts'
import { createMemory } from '../src/platform/io/memory.ts'
import { diskStore } from '../src/platform/lake/store/disk-store.ts'
import type { ObjectStore } from '../src/platform/lake/store/object-store.ts'
import type { Project } from '../src/platform/project/project.ts'
import { totesys } from '../src/totesys/totesys.ts'

/** Where a Tidemark under measurement reads and writes; plain data, for a child process too. */
export interface Place {
  /** The role that may only select. */
  readonly sourceUrl: string
  readonly warehouseUrl: string
  /** The role that the warehouse's loader lets read. */
  readonly readerUrl: string
  readonly schema: string
  /** Of the lake and the scratch files. */
  readonly folder: string
}

/** One of each for the process, as a process has them that runs on a schedule. */
const memory = createMemory()
const pool = createConnectionPool()
const duckDbs = createDuckDbPool()
const zones = new Map<string, ObjectStore>()

/** Deps with the limits every user has, at a place. */
export function depsAt(place: Place, project: Project = totesys): Deps {
  const scratchDir = join(place.folder, 'scratch')
  mkdirSync(scratchDir, { recursive: true })
  return {
    project,
    source: { title: project.title, code: 'SOURCE', url: place.sourceUrl, attempts: 1, pool },
    warehouse: {
      title: 'the warehouse',
      code: 'WAREHOUSE',
      url: place.warehouseUrl,
      schema: place.schema,
      readerRole: 'tidemark_reader',
      attempts: 1,
      pool,
    },
    ingestion: zoneIn(place.folder, 'ingestion'),
    processed: zoneIn(place.folder, 'processed'),
    scratchDir,
    memory,
    duckDbs,
    log: () => {},
    runId: 'bench',
    version: '0.0.0-bench',
    limits: DEFAULT_LIMITS,
  }
}

function zoneIn(folder: string, name: string): ObjectStore {
  const path = join(folder, name)
  const zone = zones.get(path) ?? diskStore(path)
  zones.set(path, zone)
  return zone
}

/** Totesys with some of its tables and models only. */
export function partOfTotesys(part: {
  readonly tables: readonly string[]
  readonly models: readonly string[]
}): Project {
  return {
    ...totesys,
    source: {
      ...totesys.source,
      tables: totesys.source.tables.filter(({ name }) => part.tables.includes(name)),
    },
    models: totesys.models.filter(({ table }) => part.models.includes(table)),
    // They read tables that are left out here.
    tests: [],
  }
}

/** Objects in both zones at a place. */
export function countObjects(folder: string): number {
  return ['ingestion', 'processed'].flatMap((zone) => filesBelow(join(folder, zone))).length
}

/** What lies in a folder, without what is only scratch, in MB. */
export function folderMb(folder: string): number {
  const bytes = filesBelow(folder)
    .filter((path) => !path.startsWith(join(folder, 'scratch')))
    .reduce((sum, path) => sum + statSync(path).size, 0)
  return bytes / 1e6
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}
