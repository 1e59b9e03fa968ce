import { duckLiteral } from '../io/sql.ts'
import { type Column, isReadAsNumber } from './lake-type.ts'

// COPY's text format (manual, COPY, "Text Format"): one row per line, tabs
// between columns, NULL as \N, and backslash escapes for characters that would break a line. It is
// not CSV, because CSV takes the server twice as long to write and cannot be read in parallel
// safely (a value may hold a line break), and because servers before 18 take a line `\.` inside
// quotes for the end of the data.

/**
 * The longest row that is accepted, as COPY writes it, with its line feed. Longer rows are refused:
 * DuckDB's reader buffers whole lines, and every later step needs several times a row's size of
 * memory.
 */
export const MAX_ROW_BYTES = 16 * 1024 * 1024

/** Room for the fields that `separateLines` puts before a line. */
const LEAD_BYTES = 1024

/**
 * Smallest read buffer. DuckDB keeps several buffers per file, so they are no larger than its lines
 * need.
 */
const MIN_BUFFER_BYTES = 4 * 1024 * 1024

/**
 * SQL of the rows in a file that `copyToFile` wrote, with no line longer than `maxLineBytes` (at
 * most `MAX_ROW_BYTES`). Whole and decimal numbers are read as numbers, which is exact and saves a
 * pass. Every other column is read as its text, still escaped; `lakeValue` turns both into values.
 * `lead` are the columns before the table's own: the empty first column, under a name that no
 * source column may have, or the columns that `separateLines` adds.
 */
export function readCopyText(
  path: string,
  columns: readonly Column[],
  {
    lead = [{ name: '_ordinal', type: 'VARCHAR' }],
    maxLineBytes = MAX_ROW_BYTES,
  }: { lead?: readonly Column[]; maxLineBytes?: number } = {},
): string {
  const types = [...lead, ...columns].map(
    ({ name, type }) => `${duckLiteral(name)}: '${isReadAsNumber(type) ? type : 'VARCHAR'}'`,
  )
  const bufferBytes = Math.max(maxLineBytes + LEAD_BYTES, MIN_BUFFER_BYTES)
  return `read_csv(${duckLiteral(path)}, columns = {${types.join(', ')}}, header = false,
    auto_detect = false, delim = '\t', quote = '', escape = '', new_line = '\\n', nullstr = '\\N',
    max_line_size = ${bufferBytes}, buffer_size = ${bufferBytes})`
}
