import type { DuckDb } from '../io/duckdb.ts'
import { duckLiteral } from '../io/sql.ts'
import { type Column, fileType, isFloat } from './lake-type.ts'

/** What decides how a file is written. */
type Columns = readonly Pick<Column, 'type'>[]

/**
 * Options for every Parquet file that is written. Row groups are a third of DuckDB's usual size,
 * because each thread holds a whole group, and wide rows would not fit into memory. Tables with
 * many columns get smaller groups down to the smallest that DuckDB writes, and smaller text
 * dictionaries than the usual 1 MB per column.
 *
 * A file with floats has no dictionaries: in a dictionary, DuckDB writes -0.0 as 0.0 or the reverse,
 * whichever comes first (duckdb/duckdb#25781). Such a file is about as large.
 */
export function parquetOptions(columns: Columns): string {
  const width = columns.length
  const [rows, dictionaryBytes] =
    width <= 30 ? [40960, 1 << 20] : width <= 100 ? [8192, 1 << 17] : [2048, 1 << 14]
  const hasFloats = columns.some(({ type }) => isFloat(fileType(type)))
  return `format parquet, compression zstd, row_group_size ${rows},
    string_dictionary_page_size_limit ${dictionaryBytes}${hasFloats ? ', dictionary_size_limit 0' : ''}`
}

/**
 * Writes a query's result as one Parquet file and returns the number of rows. `columns` are those of
 * the table; those that every file has need not be among them.
 */
export async function writeParquet(
  db: DuckDb,
  select: string,
  path: string,
  columns: Columns,
): Promise<number> {
  const written = await db.row<{ Count: bigint }>(
    `copy (${select}) to ${duckLiteral(path)} (${parquetOptions(columns)})`,
  )
  return Number(written.Count)
}

/**
 * SQL that reads Parquet files as one relation. The `tidemark_date=` part of a path does not become
 * a column.
 */
export function readParquet(paths: readonly string[]): string {
  const list = paths.map(duckLiteral).join(', ')
  return `read_parquet([${list}], hive_partitioning = false, union_by_name = true)`
}
