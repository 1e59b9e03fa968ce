import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { ConflictError, ContractError } from '../errors.ts'
import { type CommitRecord, type FileRef, parseCommitRecord } from './commit-record.ts'
import type { ObjectStore } from './object-store.ts'

/** An append-only log of batches in an object store (I3). */
export interface Zone {
  readonly store: ObjectStore
  /** Put before every key, empty or ending in `/`. */
  readonly prefix: string
  /** Where copies of remote objects may lie. */
  readonly cacheDir: string
}

/** Key of a batch's commit record within its zone. */
export function commitKey(batch: number): string {
  return `batch/${padBatch(batch)}.json`
}

/** Batch numbers sort as text. */
export function padBatch(batch: number): string {
  return String(batch).padStart(12, '0')
}

/** A table or model name as one part of a key: any name, unambiguously, in `[A-Za-z0-9_%-]`. */
export function keyPart(name: string): string {
  return [...Buffer.from(name, 'utf8')]
    .map((byte) => {
      const char = String.fromCharCode(byte)
      return /[A-Za-z0-9_-]/.test(char) ? char : `%${byte.toString(16).padStart(2, '0')}`
    })
    .join('')
}

/** The commit record of a batch, or `undefined` when the batch does not exist. */
export async function readCommit(zone: Zone, batch: number): Promise<CommitRecord | undefined> {
  const key = zone.prefix + commitKey(batch)
  const body = await zone.store.get(key)
  if (body === undefined) return undefined
  const record = parseCommitRecord(body, key)
  if (record.batch !== batch) {
    throw new ContractError(`${key} speaks of batch ${record.batch}`, {
      code: 'LAKE_DAMAGED',
      hint: 'restore the object from a backup of the zone',
    })
  }
  return record
}

/** As `readCommit`, for a batch that must be there. */
export async function readExistingCommit(zone: Zone, batch: number): Promise<CommitRecord> {
  const record = await readCommit(zone, batch)
  if (record !== undefined) return record
  throw new ContractError(
    `The commit record ${zone.prefix}${commitKey(batch)} is missing from ${zone.store.location}`,
    { code: 'LAKE_OBJECT_MISSING', hint: 'restore the object from a backup of the zone' },
  )
}

/**
 * The newest batch's commit record, `undefined` in an empty zone. Batch numbers have no gaps, so
 * it is found in O(log n) requests from `hint` (a batch known to exist, or 0), without a listing.
 */
export async function readLastCommit(zone: Zone, hint = 0): Promise<CommitRecord | undefined> {
  let last = hint > 0 ? await readCommit(zone, hint) : undefined
  let low = last?.batch ?? 0
  let step = 1
  for (;;) {
    const next = await readCommit(zone, low + step)
    if (next === undefined) break
    last = next
    low += step
    step *= 2
  }
  let high = low + step
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    const found = await readCommit(zone, middle)
    if (found === undefined) {
      high = middle
    } else {
      last = found
      low = middle
    }
  }
  return last
}

/**
 * Makes a batch exist: the one irreversible step. Every file it names must have been uploaded.
 * Throws `ConflictError` when another run has already committed this batch number.
 */
export async function commitBatch(zone: Zone, record: CommitRecord): Promise<void> {
  const body = Buffer.from(`${JSON.stringify(record, undefined, 1)}\n`)
  const outcome = await zone.store.putIfAbsent(zone.prefix + commitKey(record.batch), body)
  if (outcome === 'exists') {
    throw new ConflictError(`Another run has committed batch ${record.batch} first`, {
      code: 'BATCH_TAKEN',
      hint: 'nothing is lost; its changes are in that batch or will be in the next',
    })
  }
}

/** Uploads a local file under a key and returns how the commit record names it. */
export async function uploadFile(
  zone: Zone,
  key: string,
  { path, rows }: { path: string; rows: number },
): Promise<FileRef> {
  const [sha256, { size }] = await Promise.all([hashFile(path), stat(path)])
  await zone.store.uploadIfAbsent(zone.prefix + key, path)
  return { key, rows, bytes: size, sha256 }
}

/** Files already checked by this process, by path, size and modification time; forgotten when too many. */
const verified = new Set<string>()
const MAX_VERIFIED = 10_000

/**
 * Local paths of the files, in the same order, each checked against its recorded checksum.
 * Throws `ContractError` naming the first damaged object.
 */
export async function openFiles(zone: Zone, files: readonly FileRef[]): Promise<string[]> {
  const paths: string[] = []
  for (const file of files) {
    const path = await zone.store.download(zone.prefix + file.key, zone.cacheDir)
    const { size, mtimeMs } = await stat(path)
    const mark = `${path}:${size}:${mtimeMs}:${file.sha256}`
    if (!verified.has(mark)) {
      if (size !== file.bytes || (await hashFile(path)) !== file.sha256) {
        throw new ContractError(
          `The object ${zone.prefix}${file.key} in ${zone.store.location} is damaged: its checksum differs`,
          { code: 'LAKE_DAMAGED', hint: 'restore the object from a backup of the zone' },
        )
      }
      if (verified.size >= MAX_VERIFIED) verified.clear()
      verified.add(mark)
    }
    paths.push(path)
  }
  return paths
}

/** SHA-256 of a local file in hexadecimal, streamed. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash)
  return hash.digest('hex')
}
