import { createReadStream } from 'node:fs'
import { dirname } from 'node:path'
import { withScratchErrors } from './disk-errors.ts'

/**
 * A block of a file: whole lines with their line feeds, none longer than allowed; or one longer
 * line, given by its byte offsets. `to` is the offset of its line feed, or of the end of the file.
 */
export type LineBlock = { readonly lines: Buffer } | { readonly from: number; readonly to: number }

const CHUNK_BYTES = 1 << 20
const LINE_FEED = 10

/**
 * Reads a file in blocks of whole lines, in order. The length of a line includes its line feed. A
 * line of more than `maxLineBytes` (at least 1 MB) is not held in memory. The last line may lack
 * its line feed. Throws `ConfigError` if the file cannot be read.
 */
export async function* readLineBlocks(
  path: string,
  { maxLineBytes }: { maxLineBytes: number },
): AsyncGenerator<LineBlock> {
  // Bytes that were read but not yielded yet. They begin at `offset`.
  let held: Buffer[] = []
  let heldBytes = 0
  let offset = 0
  let isLong = false
  for await (const chunk of readChunks(path, {})) {
    let rest = chunk
    if (isLong) {
      const end = rest.indexOf(LINE_FEED)
      if (end < 0) {
        heldBytes += rest.length
        continue
      }
      yield { from: offset, to: offset + heldBytes + end }
      offset += heldBytes + end + 1
      ;[held, heldBytes, isLong] = [[], 0, false]
      rest = rest.subarray(end + 1)
    }
    const first = rest.indexOf(LINE_FEED)
    if (first < 0) {
      held.push(rest)
      heldBytes += rest.length
    } else {
      // A line that began in an earlier chunk may be too long. A line within one chunk cannot be.
      const begun = heldBytes + first + 1
      if (begun > maxLineBytes) {
        yield { from: offset, to: offset + begun - 1 }
        offset += begun
        ;[held, heldBytes] = [[], 0]
        rest = rest.subarray(first + 1)
      }
      const end = rest.lastIndexOf(LINE_FEED) + 1
      if (end > 0) {
        const lines = Buffer.concat([...held, rest.subarray(0, end)])
        offset += lines.length
        yield { lines }
        ;[held, heldBytes] = [[], 0]
      }
      if (end < rest.length) {
        held.push(rest.subarray(end))
        heldBytes += rest.length - end
      }
    }
    if (heldBytes > maxLineBytes) [held, isLong] = [[], true]
  }
  if (isLong) yield { from: offset, to: offset + heldBytes }
  else if (heldBytes > 0) yield { lines: Buffer.concat(held) }
}

/**
 * The bytes of a file between two offsets, in pieces. By default the whole file. Throws
 * `ConfigError` if the file cannot be read.
 */
export async function* readChunks(
  path: string,
  { from = 0, to }: { from?: number; to?: number },
): AsyncGenerator<Buffer> {
  if (to !== undefined && to <= from) return
  const stream = createReadStream(path, {
    highWaterMark: CHUNK_BYTES,
    start: from,
    ...(to === undefined ? {} : { end: to - 1 }),
  })
  const pieces = stream.iterator() as AsyncIterator<Buffer>
  for (;;) {
    const { done, value } = await withScratchErrors(dirname(path), () => pieces.next())
    if (done === true) return
    yield value
  }
}
