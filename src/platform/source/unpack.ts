import { createReadStream, createWriteStream } from 'node:fs'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { ContractError } from '../errors.ts'

/** A gzipped file may unpack to no more than this. */
const MAX_UNPACKED_BYTES = 20 * 1024 ** 3

/**
 * Unpacks a gzip file, streamed. DuckDB reads one that was cut off as if it ended there; this
 * throws `ContractError` (`FILE_UNREADABLE`), and for one that never ends as well.
 */
export async function gunzipFile(
  from: string,
  to: string,
  { maxBytes = MAX_UNPACKED_BYTES }: { maxBytes?: number } = {},
): Promise<void> {
  let sizeBytes = 0
  const bounded = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sizeBytes += chunk.length
      done(sizeBytes > maxBytes ? new Error('too large') : null, chunk)
    },
  })
  try {
    await pipeline(createReadStream(from), createGunzip(), bounded, createWriteStream(to))
  } catch (error) {
    const isOfDisk = ['ENOSPC', 'EACCES', 'EIO'].includes(
      (error as NodeJS.ErrnoException).code ?? '',
    )
    if (isOfDisk) throw error
    throw new ContractError('A file cannot be unpacked: it is no whole gzip file', {
      code: 'FILE_UNREADABLE',
      hint: 'drop it again',
    })
  }
}
