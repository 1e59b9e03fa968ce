import { pipeline, Readable } from 'node:stream'
import { crc32, createDeflateRaw } from 'node:zlib'

/** A file of an archive. Its body is read once, piece by piece. */
export interface ZipFile {
  /** The path in the archive; plain ASCII. */
  readonly name: string
  readonly body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

/** What a ZIP archive without ZIP64 cannot exceed, for a file and for the archive. */
const MAX_ZIP_BYTES = 0xffff_ffff

const [FILE, DESCRIPTOR, DIRECTORY, END] = [0x04034b50, 0x08074b50, 0x02014b50, 0x06054b50]
/** Version 2.0, sizes after the file, deflated, on 1 January 1980 at midnight. */
const KIND = [20, 1 << 3, 8, 0, (1 << 5) | 1]

/**
 * Writes a ZIP archive (APPNOTE.TXT 6.3, 4.3) as a stream, in constant memory: a file's size and
 * checksum follow it. Compresses outside the main thread. Reads a body no faster than the archive is
 * taken, and stops when the taker stops. Throws what a body throws, and `RangeError` above 4 GB.
 */
export async function* zipArchive(files: readonly ZipFile[]): AsyncGenerator<Uint8Array> {
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, body } of files) {
    const start = offset
    const head = Buffer.concat([
      record([[4, FILE], ...KIND.map(short), [4, 0], [4, 0], [4, 0], short(name.length), short(0)]),
      Buffer.from(name),
    ])
    yield head
    const sum = { crc: 0, bytes: 0 }
    let packedBytes = 0
    for await (const chunk of deflate(body, sum)) {
      packedBytes += chunk.length
      yield chunk
    }
    const sizes: Field[] = [
      [4, sum.crc],
      [4, packedBytes],
      [4, sum.bytes],
    ]
    const tail = record([[4, DESCRIPTOR], ...sizes])
    yield tail
    offset += head.length + packedBytes + tail.length
    if (sum.bytes > MAX_ZIP_BYTES || offset > MAX_ZIP_BYTES) {
      throw new RangeError(`${name} is too large for a ZIP archive`)
    }
    directory.push(
      record([
        [4, DIRECTORY],
        ...[20, ...KIND].map(short),
        ...sizes,
        ...[name.length, 0, 0, 0, 0].map(short),
        [4, 0],
        [4, start],
      ]),
      Buffer.from(name),
    )
  }
  const entries = Buffer.concat(directory)
  yield entries
  const counts = [0, 0, files.length, files.length].map(short)
  yield record([[4, END], ...counts, [4, entries.length], [4, offset], short(0)])
}

/** The deflated bytes of a body. Adds up the checksum and the size of the plain ones. */
function deflate(
  body: ZipFile['body'],
  sum: { crc: number; bytes: number },
): AsyncIterable<Uint8Array> {
  async function* measured(): AsyncGenerator<Uint8Array> {
    for await (const piece of body) {
      sum.crc = crc32(piece, sum.crc)
      sum.bytes += piece.length
      if (piece.length > 0) yield piece
    }
  }
  const plain = Readable.from(measured(), { objectMode: false, highWaterMark: 1 })
  // An error of the body ends the packed stream too, so the callback has nothing to do.
  return pipeline(plain, createDeflateRaw(), () => {})
}

/** The size in bytes, 2 or 4, and the value of a field. */
type Field = readonly [size: 2 | 4, value: number]

function short(value: number): Field {
  return [2, value]
}

/** The fields one after the other, little end first. */
function record(fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.map(([size, value]) => {
      const bytes = Buffer.alloc(size)
      bytes.writeUIntLE(value, 0, size)
      return bytes
    }),
  )
}
