import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { FeedRows, RowFile } from '../../src/platform/collect/file/divide-lines.ts'
import { type FeedFile, formatOf } from '../../src/platform/collect/file/format.ts'
import { readFeedFile, type ReadOptions } from '../../src/platform/collect/file/read-file.ts'
import { type DuckDb, openDuckDb } from '../../src/platform/io/duckdb.ts'
import { duckLiteral } from '../../src/platform/io/sql.ts'
import type { LakeTable } from '../../src/platform/lake/table-state.ts'

/** A file to read: its format follows from its name unless it is given, and no line is before it. */
export type FileToRead = Omit<FeedFile, 'format'> &
  Partial<Pick<FeedFile, 'format'>> &
  Partial<Pick<ReadOptions, 'before' | 'wide'>>

/** A folder and a database in which a test reads files of feeds. */
export interface FeedFiles extends AsyncDisposable {
  readonly folder: string
  readonly db: DuckDb
  /** Writes a file into the folder and returns its path. */
  write(name: string, content: string | Buffer): Promise<string>
  /** Writes the rows of a select as a Parquet file into the folder and returns its path. */
  writeParquet(name: string, select: string): Promise<string>
  /** Reads a file as a batch does. Call `take` before the next read. */
  read(table: LakeTable, file: FileToRead): Promise<FeedRows>
  /** Selects from the rows of files that were read, in order, and removes the files. */
  take<Row>(files: readonly RowFile[], select: string): Promise<Row[]>
}

export async function openFeedFiles(): Promise<FeedFiles> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-test-'))
  const db = await openDuckDb({ scratchDir: folder })
  return {
    folder,
    db,
    async write(name, content) {
      const path = join(folder, name)
      await writeFile(path, content)
      return path
    },
    async writeParquet(name, select) {
      const path = join(folder, name)
      await db.run(`copy (${select}) to ${duckLiteral(path)} (format parquet)`)
      return path
    },
    async read(table, { before = 0, wide, format: given, ...file }) {
      const format = given ?? formatOf(file.name)
      if (format === undefined) throw new TypeError(`${file.name} has no format`)
      return await readFeedFile({ db, number: 7, takenAt: '2026-11-20T10:00:00Z' }, table, {
        file: { ...file, format },
        before,
        path: join(folder, 'made'),
        wide,
      })
    },
    async take<Row>(files: readonly RowFile[], select: string) {
      let rows: Row[] = []
      for (const { path, rows: count } of files) {
        const found = await db.rows<Row>(
          `select ${select} from read_parquet(${duckLiteral(path)}) order by _ordinal`,
        )
        expect(found).toHaveLength(count)
        rows = rows.concat(found)
        await rm(path)
      }
      return rows
    },
    async [Symbol.asyncDispose]() {
      await db[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
