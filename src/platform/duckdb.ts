import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { duckLiteral } from './sql.ts'

/** One in-memory DuckDB with a scratch folder of its own; both are gone when it is disposed. */
export interface DuckDb extends AsyncDisposable {
  /** A private folder for files on their way in or out. */
  readonly scratchDir: string
  run(sql: string): Promise<void>
  /** All rows as plain objects: for counts and names, never for table contents. */
  rows<Row>(sql: string): Promise<Row[]>
}

export interface DuckDbOptions {
  /** Parent of the scratch folder; must exist. */
  readonly scratchDir: string
  /** Beyond this DuckDB spills to the scratch folder (I12). */
  readonly memoryLimitMb?: number
  readonly threads?: number
}

/** Opens DuckDB with bounded memory, UTC, and no way to the network or to extensions. */
export async function openDuckDb({
  scratchDir: parent,
  memoryLimitMb = 192,
  threads = 2,
}: DuckDbOptions): Promise<DuckDb> {
  const scratchDir = await mkdtemp(join(parent, 'duckdb-'))
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${memoryLimitMb}MB`,
    threads: String(threads),
    temp_directory: join(scratchDir, 'spill'),
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
  return {
    scratchDir,
    run: async (sql) => {
      await connection.run(sql)
    },
    rows: async <Row>(sql: string) => {
      const reader = await connection.runAndReadAll(sql)
      return reader.getRowObjectsJS() as Row[]
    },
    [Symbol.asyncDispose]: async () => {
      connection.closeSync()
      instance.closeSync()
      await rm(scratchDir, { recursive: true, force: true })
    },
  }
}
