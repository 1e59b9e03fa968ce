import type { DuckDb } from '../io/duckdb.ts'
import type { Fact } from '../project/model.ts'
import { CHANGE_COLUMNS } from '../project/source-contract.ts'
import { incomingRelation } from './change-file.ts'
import type { FileRef, TableEntry } from './commit-record.ts'
import { describeFiles } from './describe-select.ts'
import type { Column } from './lake-type.ts'
import { readPublishedSchema, versionColumns } from './published-schema.ts'
import { selectFiles } from './table-state.ts'
import { openFiles, type Zone } from './zone.ts'

/** How to read a fact's versions from the processed zone, as the warehouse holds them. */
export interface PublishedVersions {
  /** None if the fact has no files. */
  readonly columns: readonly Column[]
  /** SQL of the versions in some of the fact's files, which may follow `from`. */
  readonly select: (files: readonly FileRef[]) => Promise<string>
}

/**
 * Finds the columns of a fact's versions. `files` are its files of all batches, in order, and `entry`
 * is its entry in the newest record. If a column has become text, earlier values are read as the text
 * into which the warehouse turned them.
 */
export async function readVersions(
  db: DuckDb,
  zone: Zone,
  {
    model,
    isMirror,
    entry,
    files,
  }: {
    readonly model: Fact
    readonly isMirror: boolean
    readonly entry: TableEntry | undefined
    readonly files: readonly FileRef[]
  },
): Promise<PublishedVersions> {
  const { fingerprint } = entry ?? {}
  const schema =
    fingerprint === undefined
      ? undefined
      : await readPublishedSchema(zone, model.table, fingerprint)
  if (schema !== undefined && (isMirror || schema.columns.some(({ was }) => was !== undefined))) {
    const columns = versionColumns(model, schema)
    const select = async (some: readonly FileRef[]) =>
      `(${await selectFiles(db, await openFiles(zone, some), columns)})`
    return { columns, select }
  }
  const columns = await readFileColumns(db, zone, files)
  const table = { name: model.table, key: [model.recordId], columns }
  return {
    columns,
    select: async (some) => incomingRelation(table, await openFiles(zone, some)),
  }
}

/** The columns of the newest file, without the change columns; none if there are no files. */
export async function readFileColumns(
  db: DuckDb,
  zone: Zone,
  files: readonly FileRef[],
): Promise<readonly Column[]> {
  const paths = await openFiles(zone, files.slice(-1))
  if (paths.length === 0) return []
  const columns = await describeFiles(db, paths)
  return columns.filter(({ name }) => !CHANGE_COLUMNS.has(name))
}
