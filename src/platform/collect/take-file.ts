import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Deps } from '../deps.ts'
import { ContractError } from '../errors.ts'
import { duckLiteral } from '../io/sql.ts'
import { checkNotTaken } from '../lake/batch-log.ts'
import { type PendingBatch, stamp } from '../lake/batch.ts'
import type { FileRef } from '../lake/commit-record.ts'
import { writeParquet } from '../lake/parquet.ts'
import { areTooMany } from '../lake/quarantine/limits.ts'
import { selectRefused } from '../lake/quarantine/quarantine.ts'
import { sumRows } from '../lake/table-entry.ts'
import type { LakeTable } from '../lake/table-state.ts'
import { keyPart, padBatch } from '../lake/zone.ts'
import type { Feed } from '../project/source-contract.ts'
import type { FeedRows, RowFile } from './file/divide-lines.ts'
import type { FileFormat } from './file/format.ts'
import { readFeedFile } from './file/read-file.ts'

/** A local file as it came. It counts as taken once the batch that names it is committed. */
export interface OfferedFile {
  /** Where it came from, for people: `visit/july.csv`, `https://…`. */
  readonly name: string
  readonly version: string
  /** ISO 8601 UTC. */
  readonly modifiedAt: string
  readonly sizeBytes: number
  /** A local copy as it came. */
  readonly rawPath: string
  /**
   * The file with its rows, unpacked or made from an answer. Undefined if nothing can be read from
   * it.
   */
  readonly rows: { readonly path: string; readonly format: FileFormat } | undefined
  /** Values from the names of its folders, for columns that its rows lack. */
  readonly given: Readonly<Record<string, string | null>>
}

/**
 * What became of a file. `taken`: its rows were read, though single lines may be in quarantine.
 * `copy`: its content was taken before under another name. `empty`: it has no bytes. `refused`: it
 * cannot be read, or too many of its lines are refused, so nothing is taken from it.
 */
export type FileOutcome = 'taken' | 'copy' | 'empty' | 'refused'

/** A file that this batch has dealt with. */
export interface TakenFile {
  readonly file: OfferedFile
  readonly sha256: string
  readonly outcome: FileOutcome
  /** The archived file in the ingestion zone; undefined if it was not archived. */
  readonly archived: FileRef | undefined
  readonly files: readonly RowFile[]
  /** Local files with the refused lines. */
  readonly refusals: readonly string[]
  /** Lines that were read. A file that is refused as a whole counts as one. */
  readonly lines: number
  readonly refusedLines: number
  /**
   * How far its ordinals reach: each is at most this number plus the span of all files before it.
   */
  readonly span: number
}

/** A file and its place in the batch. */
export interface FilePlace {
  readonly feed: Feed
  readonly table: LakeTable
  readonly file: OfferedFile
  /** Number of the file in the batch, from 0. */
  readonly index: number
  /** No ordinal of the files before it is greater than this. */
  readonly before: number
  readonly isCopy: boolean
  /** SHA-256 of the file as it came. */
  readonly hashing: Promise<string>
}

/**
 * Archives a file as it came and reads its rows into local files. Refuses the whole file if it
 * cannot be read or if too many of its lines are refused.
 */
export async function takeFile(
  deps: Deps,
  batch: PendingBatch,
  place: FilePlace,
): Promise<TakenFile> {
  const { file, isCopy, hashing } = place
  if (isCopy || file.sizeBytes === 0) {
    return { ...NOTHING, file, sha256: await hashing, outcome: isCopy ? 'copy' : 'empty' }
  }
  const path = join(batch.db.scratchDir, `${batch.attempt}-${place.index}`)
  const { archived, read } = await archiveAndRead(deps, batch, { place, path })
  const taken = { file, sha256: archived.sha256, archived }
  const refuseWhole = async (reason: string): Promise<TakenFile> => {
    const whole = await writeWholeRefusal(batch, { place, path, reason, archived: archived.key })
    return { ...NOTHING, ...taken, ...whole }
  }
  if (read === undefined) return await refuseWhole('not_readable')
  const { files, refused, span } = read
  const refusedLines = sumRows(refused)
  const lines = sumRows(files) + refusedLines
  reportFields(deps, place, read)
  if (areTooMany({ rows: lines, refused: refusedLines }, deps.limits)) {
    for (const each of [...files, ...refused]) await rm(each.path)
    return await refuseWhole('too_many_rejected')
  }
  const refusals = refused.map((each) => each.path)
  return { ...taken, outcome: 'taken', files, refusals, lines, refusedLines, span }
}

/** The outcome of a file from which nothing is taken. */
const NOTHING = {
  archived: undefined,
  files: [],
  refusals: [],
  lines: 0,
  refusedLines: 0,
  span: 0,
} as const

/** Uploads a file and reads it at the same time. `read` is undefined if the file cannot be read. */
async function archiveAndRead(
  { limits }: Deps,
  batch: PendingBatch,
  { place, path }: { place: FilePlace; path: string },
): Promise<{ archived: FileRef; read: FeedRows | undefined }> {
  const { feed, table, file, index, before, hashing } = place
  const { rows, name, given } = file
  const ending = /(\.[a-z]+)?(\.gz)?$/i.exec(name)?.[0].toLowerCase() ?? ''
  const key =
    `raw/${keyPart(table.name)}/tidemark_date=${batch.takenAt.slice(0, 10)}/` +
    `${padBatch(batch.number)}-${batch.attempt}-${index}${ending}`
  const options = { before, path, limits, wide: feed.wide }
  await checkNotTaken(batch.zone, batch.number)
  // The file is uploaded before any of its rows.
  const [uploaded, hashed, read] = await Promise.allSettled([
    batch.zone.store.uploadIfAbsent(batch.zone.prefix + key, file.rawPath),
    hashing,
    rows && readFeedFile(batch, table, { file: { name, given, ...rows }, ...options }),
  ])
  if (uploaded.status === 'rejected') throw uploaded.reason
  if (hashed.status === 'rejected') throw hashed.reason
  const archived = { key, rows: 0, bytes: file.sizeBytes, sha256: hashed.value }
  if (read.status === 'fulfilled') return { archived, read: read.value }
  const error: unknown = read.reason
  if (error instanceof ContractError && error.code === 'FILE_UNREADABLE') {
    return { archived, read: undefined }
  }
  throw error
}

/** Logs the fields that the feed does not declare, and the empty cells. */
function reportFields(
  { log }: Deps,
  { table: { name: table }, file: { name: file } }: FilePlace,
  { unknown, absent = 0 }: FeedRows,
): void {
  if (unknown.length > 0) {
    const fields = unknown.slice(0, MAX_NAMED).map((name) => name.slice(0, MAX_NAMED))
    log({ event: 'fields_ignored', table, file, fields })
  }
  if (absent > 0) log({ event: 'cells_absent', table, file, cells: absent })
}

/** Limits how many unknown fields are logged, and how many characters of each name. */
const MAX_NAMED = 50

/** Writes the one quarantined row that stands for a whole refused file. */
async function writeWholeRefusal(
  batch: PendingBatch,
  {
    place: { file, before },
    path,
    reason,
    archived,
  }: { place: FilePlace; path: string; reason: string; archived: string },
): Promise<Pick<TakenFile, 'outcome' | 'refusals' | 'lines' | 'refusedLines' | 'span'>> {
  const columns = ['_file', '_archived'].map((name) => ({ name, type: 'VARCHAR' }))
  const row = `(select
      ${stamp(batch)}, ${before + 1} as _ordinal, 'insert' as _operation, null as _column,
      ${duckLiteral(reason)} as _reason, ${duckLiteral(file.name)} as _file,
      ${duckLiteral(archived)} as _archived)`
  const key = `json_object('file', _file)::varchar`
  const refused = `${path}.refused.parquet`
  await writeParquet(batch.db, selectRefused(row, { key, columns }), refused, columns)
  return { outcome: 'refused', refusals: [refused], lines: 1, refusedLines: 1, span: 1 }
}
