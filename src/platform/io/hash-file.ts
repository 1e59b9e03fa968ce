import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'

/** SHA-256 of a local file in hexadecimal. Streams the file. Throws errors of the disk unchanged. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  const { size } = await stat(path)
  // Most files are small, and a megabyte for each makes the collector of garbage run all the time.
  const highWaterMark = Math.min(1 << 20, Math.max(size, 1))
  await pipeline(createReadStream(path, { highWaterMark }), hash)
  return hash.digest('hex')
}
