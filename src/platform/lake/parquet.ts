import type { DuckDb } from '../io/duckdb.ts'
import { duckLiteral } from '../io/sql.ts'

/**
 * Options for every Parquet file that is written. Row groups are a third of DuckDB's usual size,
 * because each thread holds a whole group, and wide rows would not fit into memory. Tables with
 * many columns (`width`) get smaller groups down to the smallest that DuckDB writes, and smaller
 * text dictionaries than the usual 1 MB per column.
 */
export function parquetOptions(width: number): string {
  const [rows, dictionaryBytes] =
    width <= 30 ? [40960, 1 << 20] : width <= 100 ? [8192, 1 << 17] : [2048, 1 << 14]
  return `format parquet, compression zstd, row_group_size ${rows},
    string_dictionary_page_size_limit ${dictionaryBytes}`
}

/**
 * Writes a query's result as one Parquet file and returns the number of rows. `width` is the number
 * of columns; it may be omitted for narrow results.
 */
export async function writeParquet(
  db: DuckDb,
  select: string,
  path: string,
  { width = 0 }: { width?: number } = {},
): Promise<number> {
  const written = await db.row<{ Count: bigint }>(
    `copy (${select}) to ${duckLiteral(path)} (${parquetOptions(width)})`,
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
