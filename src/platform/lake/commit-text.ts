import { createHash } from 'node:crypto'
import { ContractError } from '../errors.ts'
import {
  type BatchContent,
  chainedRecord,
  type CommitRecord,
  damaged,
  FORMAT,
  type TableEntry,
  unchainedRecord,
} from './commit-record.ts'
import { splitContent, type StoredRecord } from './standing.ts'
import { namedRecord } from '../project/named-record.ts'

/** The place of a new batch in the log: the records that it continues. */
export interface Continued {
  readonly lake: string | undefined
  /** The batch before it in the same zone; undefined for the first batch. */
  readonly previous: CommitRecord | undefined
  /** Processed zone: checksum of the ingestion record from which the batch is made. */
  readonly madeFrom?: string | undefined
}

/** A batch that is about to be committed: its record, and the bytes to store. */
export interface WrittenRecord {
  readonly record: CommitRecord
  readonly body: Buffer
}

/**
 * Serializes the record of a new batch for storage, see `splitContent`. The last member is a
 * SHA-256 of all bytes before it. These include the checksum of the record before, so the newest
 * record vouches for the whole log (I14).
 */
export function writeRecord(
  content: BatchContent,
  { lake, previous, madeFrom }: Continued,
): WrittenRecord {
  const { snapshot, collectedAt, ignored, contract, tests, writer } = content
  const batch = (previous?.batch ?? 0) + 1
  const tables = dateShapes(content, previous)
  const { stored, elsewhere, standing } = splitContent({ ...content, tables }, previous)
  const text = JSON.stringify({
    format: FORMAT,
    lake,
    batch,
    previous: batch - 1,
    previousChecksum: previous?.checksum,
    madeFrom,
    snapshot,
    tables: stored,
    standing: elsewhere,
    collectedAt,
    ignored: standing.ignored === batch ? ignored : undefined,
    contract,
    tests,
    writer,
  })
  const start = text.slice(0, -1)
  const sum = hash(start)
  return {
    record: {
      ...content,
      tables,
      lake,
      batch,
      previous: batch - 1,
      previousChecksum: previous?.checksum,
      madeFrom,
      checksum: sum,
      standing,
    },
    body: Buffer.from(`${start}${END}${sum}"}\n`),
  }
}

/** The entries, each with the batch since which its table has had its present schema. */
function dateShapes({ tables }: BatchContent, previous: CommitRecord | undefined) {
  const batch = (previous?.batch ?? 0) + 1
  const dated = Object.entries(tables).map(([name, entry]): [string, TableEntry] => {
    const before = previous?.tables[name]
    if (entry.fingerprint === undefined) return [name, entry]
    if (before?.fingerprint !== entry.fingerprint) return [name, { ...entry, shapeSince: batch }]
    const { shapeSince } = before
    return [name, shapeSince === undefined ? entry : { ...entry, shapeSince }]
  })
  return namedRecord(dated)
}

const END = ',"checksum":"'

/**
 * Parses a stored record and checks its checksum. Throws `ContractError`, naming the key, if the
 * record is damaged (`LAKE_DAMAGED`) or newer than this code (`LAKE_NEWER`).
 */
export function parseRecord(body: Buffer, key: string): StoredRecord {
  const json = parseJson(body, key)
  const format = (json as { format?: unknown } | null)?.format
  if (typeof format === 'number' && format > FORMAT) {
    throw new ContractError(`${key} has format ${format}; this version reads up to ${FORMAT}`, {
      code: 'LAKE_NEWER',
      hint: 'update Tidemark; nothing was changed',
    })
  }
  if (format === 1) {
    const parsed = unchainedRecord.safeParse(json)
    if (!parsed.success) throw damaged(key, 'it is not a commit record', parsed.error)
    const { format: _format, ...record } = parsed.data
    const none = { lake: undefined, previousChecksum: undefined, madeFrom: undefined }
    return { ...record, ...none, checksum: hash(body), standing: undefined }
  }
  const parsed = chainedRecord.safeParse(json)
  if (!parsed.success) throw damaged(key, 'it is not a commit record', parsed.error)
  checkSum(body, key)
  const { format: _format, lake, previousChecksum, madeFrom, standing, ...record } = parsed.data
  return { ...record, lake, previousChecksum, madeFrom, standing }
}

function parseJson(body: Buffer, key: string): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (cause) {
    throw damaged(key, 'it is not JSON', cause)
  }
}

/** Throws `ContractError` if any byte of a record has changed. */
function checkSum(body: Buffer, key: string): void {
  const { end, checksum } = readEnd(body)
  if (end !== checksum) throw damaged(key, 'its checksum differs')
}

/** Whether a stored record has this checksum and all its bytes are unchanged. */
export function hasChecksum(body: Buffer, wanted: string): boolean {
  const { end, checksum } = readEnd(body)
  // The checksum of a format 1 record covers all its bytes.
  return checksum === `${END}${wanted}"}\n` ? end === checksum : hash(body) === wanted
}

/** The last member of a record: as stored, and as computed from the bytes before it. */
function readEnd(body: Buffer): { end: string; checksum: string } {
  const length = END.length + 64 + 3
  const start = body.subarray(0, -length)
  const end = body.subarray(-length).toString('latin1')
  return { end, checksum: `${END}${hash(start)}"}\n` }
}

function hash(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}
