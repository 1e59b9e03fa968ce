import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DuckDBBlobVector, DuckDBDataChunk, DuckDBInstance } from '@duckdb/node-api'
import { withScratchErrors } from './disk-errors.ts'
import { explainDuckDbError } from './duckdb-errors.ts'
import { boundedMap } from './memory.ts'
import { duckLiteral, identifier } from './sql.ts'

/**
 * One in-memory DuckDB with its own scratch folder. Disposing of it waits for the queries that run
 * and removes both; from then on its functions throw. Its errors quote no values. All its queries
 * throw `ConfigError` if memory, the scratch folder or the number of open files is exhausted.
 */
export interface DuckDb extends AsyncDisposable {
  /** A private folder for temporary files. */
  readonly scratchDir: string
  run(sql: string): Promise<void>
  /** All rows as plain objects. For counts and names, never for the content of tables. */
  rows<Row>(sql: string): Promise<Row[]>
  /** The only row of a result. Throws `TypeError` unless there is exactly one. */
  row<Row>(sql: string): Promise<Row>
  /**
   * A result of `rows` rows as it is made, in order, some two thousand rows at a time. Only a few
   * pieces are in memory at once, however large the result is. Throws if it ends before.
   */
  chunks(select: string, rows: number): AsyncIterable<Chunk>
  /**
   * The columns of Parquet files, in the order of `paths`, in DuckDB's types. Each file is looked
   * into once, so a path must always lead to the same content.
   */
  parquetColumns(paths: readonly string[]): Promise<readonly (readonly FileColumn[])[]>
  /** Counts the rows of a relation: a name, or any other text that may follow `from`. */
  count(relation: string): Promise<number>
  /**
   * Keeps the rows of a select until the relation is disposed of. Its name is `as`, or one of its
   * own.
   */
  table(select: string, as?: string): Promise<Relation>
  /** A select that runs each time the view is read, until the relation is disposed of. */
  view(select: string, as?: string): Promise<Relation>
  /** Removes all files from the scratch folder, except those of open sessions. */
  clear(): Promise<void>
  /**
   * Opens another session of this database, to work side by side: with a scratch folder and
   * relations of its own, and within the same limits. Queries of one session wait for one another.
   * It must be disposed of before the database.
   */
  session(): Promise<DuckDb>
  /**
   * Whether the database is as good as new but for its files: no query has failed in any session,
   * and no relation is left.
   */
  isClean(): boolean
}

/** A column of a Parquet file. `type` is the DuckDB type in which it is read. */
export interface FileColumn {
  readonly name: string
  readonly type: string
}

/** Rows of a result, held column by column. */
export interface Chunk {
  readonly rows: number
  /**
   * For each column, the value in a row as the driver gives it, null if there is none. A BLOB is a
   * `Uint8Array`, to be used before the next chunk is read.
   */
  readonly columns: readonly ((row: number) => unknown)[]
}

/**
 * A temporary table or view, dropped when it is disposed of. Only models read relations by a known
 * name. All other relations have unique names and are passed on as values.
 */
export interface Relation extends AsyncDisposable {
  /** Its quoted name, ready to follow `from`. */
  readonly name: string
}

/** The folders inside the scratch folder for DuckDB itself, and for the files of sessions. */
const SPILL = 'spill'
const SESSIONS = 'sessions'

/** Where DuckDB may write, and how much it may use. */
export interface DuckDbOptions {
  /** Parent of the scratch folder; created if missing. */
  readonly scratchDir: string
  /** Above this, DuckDB spills to the scratch folder (I12). */
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
  // Loaded when it is first needed, because that takes longer than many commands do.
  // In a bundle, a CommonJS package has no other export than its default.
  const { default: duckDb } = await import('@duckdb/node-api')
  const instance = await duckDb.DuckDBInstance.create(':memory:', {
    memory_limit: `${memoryLimitMb}MB`,
    threads: String(threads),
    temp_directory: join(scratchDir, SPILL),
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    preserve_insertion_order: 'true',
    // Freed memory goes back to the system, not into the allocator's reserve.
    allocator_flush_threshold: '16MB',
    allocator_bulk_deallocation_flush_threshold: '16MB',
    // The cache knows a file by its path, but another file may have that path by then.
    enable_external_file_cache: 'false',
  })
  const shared: Shared = {
    instance,
    blobs: duckDb.DuckDBBlobVector,
    explain: (error) => explainDuckDbError(error, { scratchDir: parent, memoryLimitMb }),
    hasFailed: false,
    relations: 0,
    files: boundedMap(MAX_FILES),
  }
  return await openSession(shared, { scratchDir, onClose: () => instance.closeSync() })
}

/** Files whose columns are remembered at once. */
const MAX_FILES = 10_000

/** What the sessions of a database share. */
interface Shared {
  readonly instance: DuckDBInstance
  /** The class of columns that hold bytes. */
  readonly blobs: typeof DuckDBBlobVector
  readonly explain: (error: unknown) => unknown
  /** Whether a query has failed. */
  hasFailed: boolean
  /** The relations that are there. */
  relations: number
  /** The columns of the Parquet files that were looked into, by path. */
  readonly files: Map<string, readonly FileColumn[]>
}

/** Opens a connection to the database, with a scratch folder that exists. */
async function openSession(
  shared: Shared,
  { scratchDir, onClose }: { scratchDir: string; onClose: () => void },
): Promise<DuckDb> {
  const connection = await shared.instance.connect()
  await connection.run(`set timezone = ${duckLiteral('UTC')}`)
  const running = new Set<Promise<unknown>>()
  let isOpen = true
  const explained = async <T>(work: () => Promise<T>): Promise<T> => {
    if (!isOpen) throw new Error('a session of DuckDB was used after it was closed')
    const begun = work()
    running.add(begun)
    try {
      return await begun
    } catch (error) {
      shared.hasFailed = true
      throw shared.explain(error)
    } finally {
      running.delete(begun)
    }
  }
  const run = async (sql: string) => {
    await explained(() => connection.run(sql))
  }
  const rows = async <Row>(sql: string) => {
    const reader = await explained(() => connection.runAndReadAll(sql))
    return reader.getRowObjectsJS() as Row[]
  }
  const row = async <Row>(sql: string) => onlyOne(await rows<Row>(sql))
  async function* chunks(select: string, expected: number): AsyncGenerator<Chunk> {
    const result = await explained(() => connection.stream(select))
    let seen = 0
    for (;;) {
      const chunk = await explained(() => result.fetchChunk())
      if (chunk === null || chunk.rowCount === 0) break
      seen += chunk.rowCount
      yield readChunk(shared, chunk)
    }
    if (seen >= expected) return
    // The driver ends a result that fails as if it were complete. Once more and as a whole, the
    // statement says why.
    shared.hasFailed = true
    await rows(`select count(*) from (${select}) as failed where hash(failed) is null`)
    throw new Error(`a result ended after ${seen} of ${expected} rows`)
  }
  const create = createRelations(shared, run)
  return {
    scratchDir,
    run,
    rows,
    row,
    chunks,
    parquetColumns: (paths) => readColumns(shared, rows, paths),
    count: async (relation) => {
      const { rows: counted } = await row<{ rows: bigint }>(
        `select count(*) as rows from ${relation}`,
      )
      return Number(counted)
    },
    table: (select, as) => create('table', select, as),
    view: (select, as) => create('view', select, as),
    clear: () => clearFolder(scratchDir),
    session: () =>
      explained(async () => {
        const folder = await makeSessionFolder(scratchDir)
        return await openSession(shared, { scratchDir: folder, onClose: () => {} })
      }),
    isClean: () => !shared.hasFailed && shared.relations === 0,
    [Symbol.asyncDispose]: async () => {
      isOpen = false
      // The driver would crash the process if a connection were closed under a query.
      await Promise.allSettled(running)
      connection.closeSync()
      onClose()
      await rm(scratchDir, { recursive: true, force: true })
    },
  }
}

function onlyOne<Row>([found, ...more]: readonly Row[]): Row {
  if (found === undefined || more.length > 0)
    throw new TypeError('a query did not return exactly one row')
  return found
}

async function clearFolder(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name !== SPILL && name !== SESSIONS) {
      await rm(join(folder, name), { recursive: true, force: true })
    }
  }
}

async function makeSessionFolder(scratchDir: string): Promise<string> {
  const sessions = join(scratchDir, SESSIONS)
  return await withScratchErrors(scratchDir, async () => {
    await mkdir(sessions, { recursive: true })
    return await mkdtemp(join(sessions, 's-'))
  })
}

async function readColumns(
  { files }: Shared,
  rows: DuckDb['rows'],
  paths: readonly string[],
): Promise<readonly (readonly FileColumn[])[]> {
  // Look first: while this session reads, another one may push a file out of the map.
  const known = paths.map((path) => files.get(path))
  const unknown = [...new Set(paths)].filter((path) => !files.has(path))
  const read = new Map<string, FileColumn[]>(unknown.map((path) => [path, []]))
  if (unknown.length > 0) {
    const list = unknown.map(duckLiteral).join(', ')
    const found = await rows<FileColumn & { readonly path: string }>(`
      select file_name as path, name, duckdb_type as type
      from parquet_schema([${list}]) where duckdb_type is not null`)
    for (const { path, name, type } of found) read.get(path)?.push({ name, type })
  }
  const columns = paths.map((path, index) => known[index] ?? read.get(path) ?? [])
  for (const [path, own] of read) files.set(path, own)
  return columns
}

/** A column points into its chunk, but does not keep it alive. The functions close over the chunk. */
function readChunk({ blobs }: Shared, chunk: DuckDBDataChunk): Chunk {
  const columns = Array.from({ length: chunk.columnCount }, (_, index) => {
    const column = chunk.getColumnVector(index)
    // Reading bytes as such saves a copy of each.
    return column instanceof blobs
      ? (row: number) => column.getItemBytes(row)
      : (row: number) => column.getItem(row)
  })
  return { rows: chunk.rowCount, columns }
}

/** Creates relations, each under the name `as` or one of its own. */
function createRelations(
  shared: Shared,
  run: DuckDb['run'],
): (kind: 'table' | 'view', select: string, as?: string) => Promise<Relation> {
  let created = 0
  return async (kind, select, as) => {
    created += 1
    const name = identifier(as ?? `tidemark relation ${created}`)
    await run(`create temp ${kind} ${name} as ${select}`)
    shared.relations += 1
    let isThere = true
    return {
      name,
      async [Symbol.asyncDispose]() {
        // By then another relation may have the name.
        if (!isThere) return
        isThere = false
        shared.relations -= 1
        // A drop can fail only together with the database, which takes the relation with it.
        await run(`drop ${kind} ${name}`).catch(() => {})
      },
    }
  }
}
