import { ContractError } from '../../errors.ts'
import { DuckDbError } from '../../io/duckdb-errors.ts'
import { duckLiteral } from '../../io/sql.ts'

/** What a file is, by the end of its name; each but Parquet may be gzipped (`.gz`). */
export type FileFormat = 'json' | 'jsonl' | 'csv' | 'parquet'

const ENDINGS: Readonly<Record<string, FileFormat>> = {
  json: 'json',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  csv: 'csv',
  parquet: 'parquet',
}

/** The format of a file by its name, `undefined` for one that is nothing a feed takes. */
export function formatOf(name: string): FileFormat | undefined {
  const [, ending = '', gzip] = /\.([a-z]+)(\.gz)?$/i.exec(name) ?? []
  const format = ENDINGS[ending.toLowerCase()]
  return format === 'parquet' && gzip !== undefined ? undefined : format
}

/** Whether a file may be taken, by its name: in one of the formats, or a ZIP archive. */
export function isTaken(name: string): boolean {
  return formatOf(name) !== undefined || isArchive(name)
}

/** Whether a file is a ZIP archive, by its name. */
export function isArchive(name: string): boolean {
  return /\.zip$/i.test(name)
}

/** A local file of a feed, unpacked. */
export interface FeedFile {
  /** What it is called where it came from: in quarantine with the line. */
  readonly name: string
  readonly path: string
  readonly format: FileFormat
  /** Values for columns that its rows lack, by column, taken from its folders' names. */
  readonly given?: Readonly<Record<string, string | null>>
}

/**
 * The values in the names of a file's folders, as Spark and Hive write partitions:
 * `rate_date=2026-11-20/…`. Names are percent-decoded; Hive's name for null becomes null.
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
 * Percent-decodes part of a name. A NUL would end the text in some places, so it is not decoded.
 */
function decode(part: string): string {
  try {
    const decoded = decodeURIComponent(part)
    return decoded.includes('\0') ? part : decoded
  } catch {
    return part
  }
}

/** The fault of a file as a whole. */
export function unreadable(file: FeedFile, why: string): ContractError {
  return new ContractError(`The file ${file.name} cannot be read: ${why}`, {
    code: 'FILE_UNREADABLE',
    hint: 'correct it and drop it again, under this name or another',
  })
}

/** What is wrong with a file, in words that hold nothing of it. */
export function describeDuckDbError(error: unknown): string {
  const says = (pattern: RegExp) =>
    error instanceof DuckDbError
      ? error.says(pattern)
      : error instanceof Error && pattern.test(error.message)
  if (says(/JSON/i)) return 'it is not complete JSON'
  if (says(/parquet|magic bytes|thrift/i)) return 'it is not a complete Parquet file'
  return 'it is not what its name says'
}

/** Limits what a file's folders give to columns that it lacks: what the file says counts more. */
export function limitGiven(file: FeedFile, columns: readonly string[]): FeedFile {
  const given = Object.entries(file.given ?? {}).filter(([name]) => !columns.includes(name))
  return { ...file, given: Object.fromEntries(given) }
}

/** What a file's folders give a column; null if they say that it has no value. */
export function givenOf({ given = {} }: FeedFile, column: string): string | null | undefined {
  return Object.hasOwn(given, column) ? given[column] : undefined
}

/** SQL for a column's text, with the folder's value for rows that have none. */
export function withGiven(text: string | undefined, given: string | null | undefined): string {
  const stand = given === undefined || given === null ? undefined : duckLiteral(given)
  if (text === undefined) return `${stand ?? 'null'}::varchar`
  return stand === undefined ? text : `coalesce(${text}, ${stand})`
}
