import { stat } from 'node:fs/promises'
import { ContractError } from '../errors.ts'
import { hashFile } from '../io/hash-file.ts'
import { boundedMap, inMemory, type Memory } from '../io/memory.ts'
import type { FileRef } from './commit-record.ts'
import type { ObjectStore } from './store/object-store.ts'

/** An append-only log of batches in an object store (I3). */
export interface Zone {
  readonly store: ObjectStore
  /** Prefix of every key: empty, or ending in `/`. */
  readonly prefix: string
  /** Local folder for copies of remote objects. */
  readonly cacheDir: string
  /** What this process remembers about the zone. */
  readonly memory: Memory
}

/** Key of a batch's commit record within its zone. */
export function commitKey(batch: number): string {
  return `batch/${padBatch(batch)}.json`
}

/** A batch number with leading zeros, so that numbers sort as text. */
export function padBatch(batch: number): string {
  return String(batch).padStart(12, '0')
}

/**
 * A table or model name as one part of a key, in `[A-Za-z0-9_%-]`. Takes any name, and gives
 * different names different parts.
 */
export function keyPart(name: string): string {
  return [...Buffer.from(name, 'utf8')]
    .map((byte) => {
      const char = String.fromCharCode(byte)
      return /[A-Za-z0-9_-]/.test(char) ? char : `%${byte.toString(16).padStart(2, '0')}`
    })
    .join('')
}

/**
 * Uploads a local file under a key, unless the key is taken. Returns how the commit record names
 * the file.
 */
export async function uploadFile(
  zone: Zone,
  key: string,
  { path, rows }: { path: string; rows: number },
): Promise<FileRef> {
  const [sha256, { size }] = await Promise.all([hashFile(path), stat(path)])
  await zone.store.uploadIfAbsent(zone.prefix + key, path)
  return { key, rows, bytes: size, sha256 }
}

/** Checksums of the files already verified, by path, size and modification time. */
const verifiedIn = inMemory(() => boundedMap<string, string>(10_000))

/**
 * Local paths of the files, in the same order. Checks size and checksum of each file, once while
 * the local copy stays the same. Throws `ContractError` (`LAKE_DAMAGED`) that names the first
 * damaged object.
 */
export async function openFiles(zone: Zone, files: readonly FileRef[]): Promise<string[]> {
  const verified = verifiedIn(zone.memory)
  const paths: string[] = []
  for (const file of files) {
    const path = await zone.store.download(zone.prefix + file.key, zone.cacheDir)
    const { size, mtimeMs } = await stat(path)
    const mark = `${path}:${size}:${mtimeMs}`
    if (verified.get(mark) !== file.sha256) {
      if (size !== file.bytes || (await hashFile(path)) !== file.sha256) {
        throw new ContractError(
          `The object ${zone.prefix}${file.key} in ${zone.store.location} is damaged: its checksum differs`,
          { code: 'LAKE_DAMAGED', hint: 'restore the object from a backup of the zone' },
        )
      }
      verified.set(mark, file.sha256)
    }
    paths.push(path)
  }
  return paths
}
