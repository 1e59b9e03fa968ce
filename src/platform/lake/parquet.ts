import type { DuckDb } from '../io/duckdb.ts'
import { duckLiteral } from '../io/sql.ts'

/**
 * How every Parquet file is written. Row groups are a third of DuckDB's usual, because each thread
 * holds one whole: wide rows would not fit into the memory allowed. Tables of many columns (`width`)
 * get the smallest groups there are, and dictionaries of text that take less than DuckDB's 1 MB a
 * column.
 */
export function parquetOptions(width: number): string {
  const [rows, dictionaryBytes] =
    width <= 30 ? [40960, 1 << 20] : width <= 100 ? [8192, 1 << 17] : [2048, 1 << 14]
  return `format parquet, compression zstd, row_group_size ${rows},
    string_dictionary_page_size_limit ${dictionaryBytes}`
}

/** Writes a query's result as one Parquet file; returns its rows. `width` is its columns, if many. */
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

/** SQL that reads Parquet files as one relation; the paths' `tidemark_date=` parts are not columns. */
export function readParquet(paths: readonly string[]): string {
  const list = paths.map(duckLiteral).join(', ')
  return `read_parquet([${list}], hive_partitioning = false, union_by_name = true)`
}
