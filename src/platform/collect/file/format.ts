import { ContractError } from '../../errors.ts'
import { DuckDbError } from '../../io/duckdb-errors.ts'
import { duckLiteral } from '../../io/sql.ts'

/**
 * The format of a file, which follows from the end of its name. All formats but Parquet may be
 * compressed with gzip (`.gz`).
 */
export type FileFormat = 'json' | 'jsonl' | 'csv' | 'parquet'

const ENDINGS: Readonly<Record<string, FileFormat>> = {
  json: 'json',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  csv: 'csv',
  parquet: 'parquet',
}

/** The format that the name of a file says. Undefined for a file that no feed takes. */
export function formatOf(name: string): FileFormat | undefined {
  const [, ending = '', gzip] = /\.([a-z]+)(\.gz)?$/i.exec(name) ?? []
  const format = ENDINGS[ending.toLowerCase()]
  return format === 'parquet' && gzip !== undefined ? undefined : format
}

/** Whether a feed takes a file with this name: one in a known format, or a ZIP archive. */
export function isTaken(name: string): boolean {
  return formatOf(name) !== undefined || isArchive(name)
}

/** Whether the name of a file says that it is a ZIP archive. */
export function isArchive(name: string): boolean {
  return /\.zip$/i.test(name)
}

/** A local file of a feed, unpacked. */
export interface FeedFile {
  /** Its name at the source. A quarantined line carries it. */
  readonly name: string
  readonly path: string
  readonly format: FileFormat
  /** Values from the names of its folders, for columns that its rows lack. */
  readonly given?: Readonly<Record<string, string | null>>
}

/**
 * The values in the names of a file's folders, as Spark and Hive write partitions:
 * `rate_date=2026-11-20/…`. Names are percent-decoded, and Hive's name for null becomes null.
 */
export function valuesOfFolders(name: string): Readonly<Record<string, string | null>> {
  const folders = name.split('/').slice(0, -1)
  const values = folders.flatMap((folder): [string, string | null][] => {
    const [, column, value] = /^([^=]+)=(.*)$/s.exec(folder) ?? []
    if (column === undefined || value === undefined) return []
    return [[decode(column), value === '__HIVE_DEFAULT_PARTITION__' ? null : decode(value)]]
  })
  return Object.fromEntries(values)
}

/**
 * Percent-decodes part of a name. Leaves a NUL encoded, because some programs would end the text
 * there.
 */
function decode(part: string): string {
  try {
    const decoded = decodeURIComponent(part)
    return decoded.includes('\0') ? part : decoded
  } catch {
    return part
  }
}

/** The error for a file that cannot be read as a whole. */
export function unreadable(file: FeedFile, why: string): ContractError {
  return new ContractError(`The file ${file.name} cannot be read: ${why}`, {
    code: 'FILE_UNREADABLE',
    hint: 'correct it and drop it again, under this name or another',
  })
}

/** Says why DuckDB cannot read a file, without quoting its content. */
export function describeDuckDbError(error: unknown): string {
  const says = (pattern: RegExp) =>
    error instanceof DuckDbError
      ? error.says(pattern)
      : error instanceof Error && pattern.test(error.message)
  if (says(/JSON/i)) return 'it is not complete JSON'
  if (says(/parquet|magic bytes|thrift/i)) return 'it is not a complete Parquet file'
  return 'it is not what its name says'
}

/** Drops the folder values for columns that the file itself has: the file takes precedence. */
export function limitGiven(file: FeedFile, columns: readonly string[]): FeedFile {
  const given = Object.entries(file.given ?? {}).filter(([name]) => !columns.includes(name))
  return { ...file, given: Object.fromEntries(given) }
}

/**
 * The value that a file's folders give to a column: null if they say that it has no value,
 * undefined if they do not name it.
 */
export function givenOf({ given = {} }: FeedFile, column: string): string | null | undefined {
  return Object.hasOwn(given, column) ? given[column] : undefined
}

/** SQL of a column's text. The folder's value fills rows that have none. */
export function withGiven(text: string | undefined, given: string | null | undefined): string {
  const stand = given === undefined || given === null ? undefined : duckLiteral(given)
  if (text === undefined) return `${stand ?? 'null'}::varchar`
  return stand === undefined ? text : `coalesce(${text}, ${stand})`
}
