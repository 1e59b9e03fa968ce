import { rm } from 'fs/promises'
import { join } from 'path/posix'
import type { Deps } from '../deps.ts'
import { ContractError } from '../errors.ts'
import { duckLiteral } from '../io/sql.ts'
import { checkNotTaken } from '../lake/batch-log.ts'
import type { PendingBatch } from '../lake/batch.ts'
import { type FileRef, sumRows } from '../lake/commit-record.ts'
import { writeParquet } from '../lake/parquet.ts'
import { selectRefused } from '../lake/quarantine/quarantine.ts'
import type { LakeTable } from '../lake/table-state.ts'
import { keyPart, padBatch } from '../lake/zone.ts'
import type { Feed } from '../project/source-contract.ts'
import type { RowFile } from './file/divide-lines.ts'
import type { FileFormat } from './file/format.ts'
import { readFeedFile } from './file/read-file.ts'

/** A file at hand, as it came; taken when the batch that names it is committed. */
export interface OfferedFile {
  /** Where it came from, for people: `exchange_rate/july.csv`, `https://…`. */
  readonly name: string
  readonly version: string
  /** ISO 8601 UTC. */
  readonly modifiedAt: string
  readonly sizeBytes: number
  /** A local copy as it came. */
  readonly rawPath: string
  /** The rows in it, unpacked or made of it; undefined where nothing can be read of it. */
  readonly rows: { readonly path: string; readonly format: FileFormat } | undefined
  /** Values for columns that its rows lack, taken from the names of its folders. */
  readonly given: Readonly<Record<string, string | null>>
}

/**
 * What becomes of a file: `taken`, of which single lines may be in quarantine; `copy` of a file that
 * was taken under another name; `empty`; `refused` as a whole, for being unreadable or for too many bad lines.
 */
export type FileOutcome = 'taken' | 'copy' | 'empty' | 'refused'

export interface TakenFile {
  readonly file: OfferedFile
  readonly sha256: string
  readonly outcome: FileOutcome
  /** The file in the ingestion zone, where it was archived. */
  readonly archived: FileRef | undefined
  readonly files: readonly RowFile[]
  /** Local files of refused lines. */
  readonly refusals: readonly string[]
  /** Lines that were read; a file refused as a whole counts as one. */
  readonly lines: number
  readonly refusedLines: number
  /** No ordinal of the file is greater than those of the files before it and this. */
  readonly span: number
}

export async function takeFile(
  deps: Deps,
  batch: PendingBatch,
  {
    feed,
    table,
    file,
    index,
    before,
    isCopy,
    hashing,
  }: {
    feed: Feed
    table: LakeTable
    file: OfferedFile
    index: number
    before: number
    isCopy: boolean
    hashing: Promise<string>
  },
): Promise<TakenFile> {
  const nothing = {
    file,
    sha256: '',
    archived: undefined,
    files: [],
    refusals: [],
    lines: 0,
    refusedLines: 0,
    span: 0,
  }
  if (isCopy) return { ...nothing, sha256: await hashing, outcome: 'copy' }
  if (file.sizeBytes === 0) return { ...nothing, sha256: await hashing, outcome: 'empty' }
  const ending = /(\.[a-z]+)?(\.gz)?$/i.exec(file.name)?.[0].toLowerCase() ?? ''
  const key =
    `raw/${keyPart(table.name)}/tidemark_date=${batch.takenAt.slice(0, 10)}/` +
    `${padBatch(batch.number)}-${batch.attempt}-${index}${ending}`
  const path = join(batch.db.scratchDir, `${batch.attempt}-${index}`)
  const { rows } = file
  await checkNotTaken(batch.zone, batch.number)
  // Its lines are read while it is archived; nothing of them is uploaded before it is.
  const [uploaded, hashed, found] = await Promise.allSettled([
    batch.zone.store.uploadIfAbsent(batch.zone.prefix + key, file.rawPath),
    hashing,
    rows === undefined
      ? undefined
      : readFeedFile(batch, table, {
          file: { name: file.name, given: file.given, ...rows },
          before,
          path,
          limits: deps.limits,
          wide: feed.wide,
        }),
  ])
  if (uploaded.status === 'rejected') throw uploaded.reason
  if (hashed.status === 'rejected') throw hashed.reason
  const sha256 = hashed.value
  const archived: FileRef = { key, rows: 0, bytes: file.sizeBytes, sha256 }
  const refuseWhole = async (reason: string): Promise<TakenFile> => {
    const whole = `${path}.refused.parquet`
    await writeWholeRefusal(batch, {
      file,
      path: whole,
      reason,
      archived: key,
      ordinal: before + 1,
    })
    return {
      ...nothing,
      sha256,
      archived,
      outcome: 'refused',
      refusals: [whole],
      lines: 1,
      refusedLines: 1,
      span: 1,
    }
  }
  if (found.status === 'rejected') {
    const error: unknown = found.reason
    if (!(error instanceof ContractError && error.code === 'FILE_UNREADABLE')) throw error
  }
  if (found.status === 'rejected' || found.value === undefined) {
    return await refuseWhole('not_readable')
  }
  const { files, refused, span, unknown, absent = 0 } = found.value
  const refusedLines = sumRows(refused)
  const lines = sumRows(files) + refusedLines
  if (unknown.length > 0) {
    const fields = unknown.slice(0, MAX_NAMED).map((name) => name.slice(0, MAX_NAMED))
    deps.log({ event: 'fields_ignored', table: table.name, file: file.name, fields })
  }
  if (absent > 0) {
    deps.log({ event: 'cells_absent', table: table.name, file: file.name, cells: absent })
  }
  const refusals = refused.map((each) => each.path)
  if (
    refusedLines > deps.limits.quarantineRows &&
    refusedLines > lines * deps.limits.quarantineShare
  ) {
    for (const each of [...files, ...refused]) await rm(each.path)
    return await refuseWhole('too_many_rejected')
  }
  return { file, sha256, outcome: 'taken', archived, files, refusals, lines, refusedLines, span }
}

/** Of the fields that a feed does not have, no more are named, and none with more characters. */
const MAX_NAMED = 50

/** One entry of quarantine for a file of which nothing was taken. */
async function writeWholeRefusal(
  { db, number, takenAt }: PendingBatch,
  {
    file,
    path,
    reason,
    archived,
    ordinal,
  }: { file: OfferedFile; path: string; reason: string; archived: string; ordinal: number },
): Promise<void> {
  const columns = ['_file', '_archived'].map((name) => ({ name, type: 'VARCHAR' }))
  const row = `(select
      ${number}::bigint as _batch, ${duckLiteral(takenAt)}::timestamptz as _captured_at,
      ${ordinal} as _ordinal, 'insert' as _operation, null as _column,
      ${duckLiteral(reason)} as _reason, ${duckLiteral(file.name)} as _file,
      ${duckLiteral(archived)} as _archived)`
  const key = `json_object('file', _file)::varchar`
  await writeParquet(db, selectRefused(row, { key, columns }), path)
}
