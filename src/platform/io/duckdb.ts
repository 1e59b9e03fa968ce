import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { withScratchErrors } from './disk-errors.ts'
import { explainDuckDbFault } from './duckdb-errors.ts'
import { duckLiteral, identifier } from './sql.ts'

/**
 * One in-memory DuckDB with a scratch folder of its own; both are gone when it is disposed. Its
 * errors quote no values. `run` and `rows` throw `ConfigError` if memory, the scratch folder or the
 * number of open files is exhausted.
 */
export interface DuckDb extends AsyncDisposable {
  /** A private folder for files on their way in or out. */
  readonly scratchDir: string
  run(sql: string): Promise<void>
  /** All rows as plain objects: for counts and names, never for table contents. */
  rows<Row>(sql: string): Promise<Row[]>
  /** Drops all temporary tables and views, and removes all files of the scratch folder. */
  clear(): Promise<void>
}

/** DuckDB's own folder inside the scratch folder. */
const SPILL = 'spill'

export interface DuckDbOptions {
  /** Parent of the scratch folder; created if missing. */
  readonly scratchDir: string
  /** Beyond this DuckDB spills to the scratch folder (I12). */
  readonly memoryLimitMb?: number
  readonly threads?: number
}

/**
 * Opens DuckDB with bounded memory, in UTC, without access to the network or to extensions. Throws
 * `ConfigError` if the scratch folder cannot be written.
 */
export async function openDuckDb({
  scratchDir: parent,
  memoryLimitMb = 192,
  threads = 2,
}: DuckDbOptions): Promise<DuckDb> {
  const scratchDir = await withScratchErrors(parent, async () => {
    await mkdir(parent, { recursive: true })
    return await mkdtemp(join(parent, 'duckdb-'))
  })
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${memoryLimitMb}MB`,
    threads: String(threads),
    temp_directory: join(scratchDir, SPILL),
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    preserve_insertion_order: 'true',
    // What a statement has freed goes back to the system, not into the allocator's reserve.
    allocator_flush_threshold: '16MB',
    allocator_bulk_deallocation_flush_threshold: '16MB',
    // It would remember a file by its path, though another one may lie there by then.
    enable_external_file_cache: 'false',
  })
  const connection = await instance.connect()
  await connection.run(`set timezone = ${duckLiteral('UTC')}`)
  const explained = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw explainDuckDbFault(error, { scratchDir: parent, memoryLimitMb })
    }
  }
  const run = async (sql: string) => {
    await explained(() => connection.run(sql))
  }
  const rows = async <Row>(sql: string) => {
    const reader = await explained(() => connection.runAndReadAll(sql))
    return reader.getRowObjectsJS() as Row[]
  }
  return {
    scratchDir,
    run,
    rows,
    async clear() {
      const made = await rows<{ kind: string; name: string }>(`
        select 'view' as kind, view_name as name from duckdb_views() where temporary and not internal
        union all
        select 'table' as kind, table_name as name from duckdb_tables() where temporary`)
      for (const { kind, name } of made) await run(`drop ${kind} temp.${identifier(name)}`)
      for (const name of await readdir(scratchDir)) {
        if (name !== SPILL) await rm(join(scratchDir, name), { recursive: true, force: true })
      }
    },
    [Symbol.asyncDispose]: async () => {
      connection.closeSync()
      instance.closeSync()
      await rm(scratchDir, { recursive: true, force: true })
    },
  }
}
