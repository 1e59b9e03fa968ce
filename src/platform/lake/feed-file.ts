import { DuckDbError } from '../duckdb-fault.ts'
import { ContractError } from '../errors.ts'
import { duckLiteral } from '../sql.ts'

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

/** Whether a file may be taken, by its name: one of a format, or a ZIP archive with such a file in it. */
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
  /** Values of columns that its rows lack, by name: the folders it lies in hold them. */
  readonly given?: Readonly<Record<string, string | null>>
}

/**
 * The values that a file's folders hold, as Spark and Hive write them: `rate_date=2026-11-20/…`. The
 * name is percent-decoded; Hive's word for a null is null.
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

/** A NUL ends a text in some places, so a name with one stays as it is written. */
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
export function describeFault(error: unknown): string {
  const says = (pattern: RegExp) =>
    error instanceof DuckDbError
      ? error.says(pattern)
      : error instanceof Error && pattern.test(error.message)
  if (says(/JSON/i)) return 'it is no whole JSON'
  if (says(/parquet|magic bytes|thrift/i)) return 'it is no whole Parquet file'
  return 'it is not what its name says'
}

/** A file whose folders give nothing to the columns that it has itself. */
export function givenWhatIsLacking(file: FeedFile, columns: readonly string[]): FeedFile {
  const given = Object.entries(file.given ?? {}).filter(([name]) => !columns.includes(name))
  return { ...file, given: Object.fromEntries(given) }
}

/** What a file's folders give a column; null where they say that it has no value. */
export function givenOf({ given = {} }: FeedFile, column: string): string | null | undefined {
  return Object.hasOwn(given, column) ? given[column] : undefined
}

/** SQL of a column's text, or of a folder's value where the row has none. */
export function withGiven(text: string | undefined, given: string | null | undefined): string {
  const stand = given === undefined || given === null ? undefined : duckLiteral(given)
  if (text === undefined) return `${stand ?? 'null'}::varchar`
  return stand === undefined ? text : `coalesce(${text}, ${stand})`
}
