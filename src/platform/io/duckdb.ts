import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { withScratchErrors } from './disk-errors.ts'
import { explainDuckDbError } from './duckdb-errors.ts'
import { duckLiteral, identifier } from './sql.ts'

/**
 * One in-memory DuckDB with its own scratch folder. Disposing of it removes both. Its errors quote
 * no values. All its queries throw `ConfigError` if memory, the scratch folder or the number of
 * open files is exhausted.
 */
export interface DuckDb extends AsyncDisposable {
  /** A private folder for temporary files. */
  readonly scratchDir: string
  run(sql: string): Promise<void>
  /** All rows as plain objects. For counts and names, never for the content of tables. */
  rows<Row>(sql: string): Promise<Row[]>
  /** The only row of a result. Throws `TypeError` unless there is exactly one. */
  row<Row>(sql: string): Promise<Row>
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
  const instance = await DuckDBInstance.create(':memory:', {
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
  return await openSession(instance, {
    scratchDir,
    explain: (error) => explainDuckDbError(error, { scratchDir: parent, memoryLimitMb }),
    onClose: () => instance.closeSync(),
  })
}

/** Opens a connection to the database, with a scratch folder that exists. */
async function openSession(
  instance: DuckDBInstance,
  {
    scratchDir,
    explain,
    onClose,
  }: { scratchDir: string; explain: (error: unknown) => unknown; onClose: () => void },
): Promise<DuckDb> {
  const connection = await instance.connect()
  await connection.run(`set timezone = ${duckLiteral('UTC')}`)
  const explained = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw explain(error)
    }
  }
  const run = async (sql: string) => {
    await explained(() => connection.run(sql))
  }
  const rows = async <Row>(sql: string) => {
    const reader = await explained(() => connection.runAndReadAll(sql))
    return reader.getRowObjectsJS() as Row[]
  }
  const row = async <Row>(sql: string) => {
    const [found, ...more] = await rows<Row>(sql)
    if (found === undefined || more.length > 0)
      throw new TypeError('a query did not return exactly one row')
    return found
  }
  const create = createRelations(run)
  return {
    scratchDir,
    run,
    rows,
    row,
    count: async (relation) => {
      const { rows: counted } = await row<{ rows: bigint }>(
        `select count(*) as rows from ${relation}`,
      )
      return Number(counted)
    },
    table: (select, as) => create('table', select, as),
    view: (select, as) => create('view', select, as),
    async clear() {
      for (const name of await readdir(scratchDir)) {
        if (name !== SPILL && name !== SESSIONS)
          await rm(join(scratchDir, name), { recursive: true, force: true })
      }
    },
    async session() {
      const sessions = join(scratchDir, SESSIONS)
      const folder = await withScratchErrors(scratchDir, async () => {
        await mkdir(sessions, { recursive: true })
        return await mkdtemp(join(sessions, 's-'))
      })
      return await openSession(instance, { scratchDir: folder, explain, onClose: () => {} })
    },
    [Symbol.asyncDispose]: async () => {
      connection.closeSync()
      onClose()
      await rm(scratchDir, { recursive: true, force: true })
    },
  }
}

/** Creates relations, each under the name `as` or one of its own. */
function createRelations(
  run: DuckDb['run'],
): (kind: 'table' | 'view', select: string, as?: string) => Promise<Relation> {
  let created = 0
  return async (kind, select, as) => {
    created += 1
    const name = identifier(as ?? `tidemark relation ${created}`)
    await run(`create temp ${kind} ${name} as ${select}`)
    let isThere = true
    return {
      name,
      async [Symbol.asyncDispose]() {
        // By then another relation may have the name.
        if (!isThere) return
        isThere = false
        // A drop can fail only together with the database, which takes the relation with it.
        await run(`drop ${kind} ${name}`).catch(() => {})
      },
    }
  }
}
