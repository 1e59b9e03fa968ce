import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DuckDb } from '../io/duckdb.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { type PendingBatch, stamp } from './batch.ts'
import type { FileRef } from './commit-record.ts'
import { type Column, fileValues } from './lake-type.ts'
import { readParquet, writeParquet } from './parquet.ts'
import { keyColumns, type LakeTable, selectNothing } from './table-state.ts'
import { keyPart, padBatch, uploadFile } from './zone.ts'

/** Maximum number of rows in one change file, so that no file grows with its table. */
const ROWS_PER_FILE = 1_000_000

/**
 * Writes the relation `changes`, which has `rows` rows, as change files ordered by key, and uploads
 * them. Ordinals begin at 1 and continue from file to file. Readers see the files once the batch is
 * committed. No rows, no file.
 */
export async function prepareChanges(
  batch: PendingBatch,
  table: LakeTable,
  { changes, rows }: { changes: string; rows: number },
): Promise<FileRef[]> {
  if (rows === 0) return []
  const columns = fileValues(table.columns)
  // Numbers the rows as they leave the sort, because a sort can spill to disk and a window function
  // cannot.
  const inOrder = `
    select *, row_number() over () as _ordinal
    from (
        select ${columns}, _operation, ${stamp(batch)}
        from ${changes}
        order by ${orderOf(table)}
    )`
  const written = await writeInFiles(batch.db, inOrder, { rows, columns: table.columns })
  const files: FileRef[] = []
  for (const [index, file] of written.entries()) {
    files.push(await prepareFile(batch, table, { ...file, index }))
  }
  return files
}

/** A local Parquet file. */
export interface LocalFile {
  readonly path: string
  readonly rows: number
}

/**
 * Writes a select of `rows` rows to local files of bounded size, in its order. If there can be
 * several files, its column `ordinal` numbers the rows from `first` without a gap. `columns` are those
 * of the table.
 */
export async function writeInFiles(
  db: DuckDb,
  select: string,
  {
    rows,
    columns,
    ordinal = '_ordinal',
    first = 1,
  }: { rows: number; columns: readonly Column[]; ordinal?: string; first?: number },
): Promise<LocalFile[]> {
  const path = () => join(db.scratchDir, `${randomUUID()}.parquet`)
  if (rows <= ROWS_PER_FILE) {
    const only = path()
    return [{ path: only, rows: await writeParquet(db, select, only, columns) }]
  }
  await using ordered = await db.table(select)
  const files: LocalFile[] = []
  const number = identifier(ordinal)
  for (let from = first; from < first + rows; from += ROWS_PER_FILE) {
    const part = path()
    const some = `select * from ${ordered.name} where ${number} >= ${from} and ${number} < ${from + ROWS_PER_FILE}`
    files.push({ path: part, rows: await writeParquet(db, some, part, columns) })
  }
  return files
}

/**
 * The order of a batch's changes: by key. To Postgres, the keys 1.0 and 1.00 are one key, so the
 * deletion of one comes before the insert of the other.
 */
function orderOf(table: LakeTable): string {
  const isByValue = keyColumns(table).some(({ hasManyTexts }) => hasManyTexts)
  return `${isByValue ? `_operation <> 'delete', ` : ''}${identifiers(table.key)}`
}

/**
 * Uploads a local Parquet file as a change file of the batch and removes the local file. `index`
 * makes the name unique among the table's files of this batch. `folder` is empty or ends in `/`.
 * Returns how the commit record names the file.
 */
export async function prepareFile(
  batch: PendingBatch,
  table: { readonly name: string },
  {
    path,
    rows,
    index,
    folder = '',
  }: { path: string; rows: number; index: number; folder?: string },
): Promise<FileRef> {
  const key =
    `${folder}${keyPart(table.name)}/tidemark_date=${batch.takenAt.slice(0, 10)}/` +
    `${padBatch(batch.number)}-${batch.attempt}-${index}.parquet`
  const file = await uploadFile(batch.zone, key, { path, rows })
  await rm(path)
  return file
}

/**
 * SQL of the rows in converted files; of an empty relation with the table's columns if there are no
 * files.
 */
export function incomingRelation(table: LakeTable, paths: readonly string[]): string {
  if (paths.length > 0) return readParquet(paths)
  return `(${selectNothing(table.columns)})`
}
