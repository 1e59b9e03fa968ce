import { ContractError } from '../errors.ts'

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

/** A local file of a feed, unpacked. */
export interface FeedFile {
  /** What it is called where it came from: in quarantine with the line. */
  readonly name: string
  readonly path: string
  readonly format: FileFormat
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
  const message = error instanceof Error ? error.message : ''
  if (/Malformed JSON|JSON/i.test(message)) return 'it is no whole JSON'
  if (/parquet|magic bytes|thrift/i.test(message)) return 'it is no whole Parquet file'
  return 'it is not what its name says'
}
