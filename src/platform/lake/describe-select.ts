import type { DuckDb } from '../io/duckdb.ts'
import type { Column } from './lake-type.ts'
import { readParquet } from './parquet.ts'

/**
 * The columns of a select, in order, in the lake's types. Reads none of its rows. Throws DuckDB's
 * error if the select does not fit the relations that it names.
 */
export async function describeSelect(db: DuckDb, select: string): Promise<Column[]> {
  const found = await db.rows<{ column_name: string; column_type: string }>(
    `select column_name, column_type from (describe ${select})`,
  )
  return found.map((row) => ({ name: row.column_name, type: shortType(row.column_type) }))
}

/** The name by which the lake knows a DuckDB type. DuckDB describes `TIMESTAMPTZ` by its long name. */
export function shortType(duckDbType: string): string {
  return duckDbType === 'TIMESTAMP WITH TIME ZONE' ? 'TIMESTAMPTZ' : duckDbType
}

/**
 * The columns that `readParquet` gives for these files, in the lake's types. Files that were written
 * alike, as most are, are looked into once in the life of the DuckDB.
 */
export async function describeFiles(db: DuckDb, paths: readonly string[]): Promise<Column[]> {
  const [first = [], ...others] = await db.parquetColumns(paths)
  const text = JSON.stringify(first)
  const areAlike = others.every((other) => JSON.stringify(other) === text)
  if (!areAlike) return await describeSelect(db, `select * from ${readParquet(paths)}`)
  return first.map(({ name, type }) => ({ name, type: shortType(type) }))
}
