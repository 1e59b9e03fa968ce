import { createReadStream, createWriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { PassThrough, Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { crc32, createGunzip, createInflateRaw } from 'node:zlib'
import { ContractError } from '../errors.ts'
import { isLeftover } from './drop.ts'

/** A packed file may unpack to no more than this. */
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
  await unpack('gzip', () =>
    pipeline(createReadStream(from), createGunzip(), bound(maxBytes), createWriteStream(to)),
  )
}

/**
 * Unpacks the one data file of a ZIP archive, streamed, and returns its name. Folders and leftovers
 * (`isLeftover`) do not count. The file's CRC-32 is checked. Throws `ContractError`
 * (`FILE_UNREADABLE`) if there is no such file or more than one, if it is encrypted, damaged or cut
 * off, if it unpacks to more than `maxBytes`, or if the archive needs ZIP64 (4 GB and more).
 * APPNOTE.TXT 6.3, 4.3.
 */
export async function unzipFile(
  from: string,
  to: string,
  { maxBytes = MAX_UNPACKED_BYTES }: { maxBytes?: number } = {},
): Promise<string> {
  return await unpack('ZIP', async () => {
    const { name, method, crc, start, sizeBytes } = await findEntry(from)
    const packed =
      sizeBytes === 0
        ? Readable.from([])
        : createReadStream(from, { start, end: start + sizeBytes - 1 })
    const plain = method === DEFLATED ? createInflateRaw() : new PassThrough()
    const sum = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        found = crc32(chunk, found)
        done(null, chunk)
      },
    })
    let found = 0
    await pipeline(packed, plain, bound(maxBytes), sum, createWriteStream(to))
    if (found !== crc) throw new Error('another sum')
    return name
  })
}

/** Passes on what it is given, and fails beyond `maxBytes`. */
function bound(maxBytes: number): Transform {
  let sizeBytes = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sizeBytes += chunk.length
      done(sizeBytes > maxBytes ? new Error('too large') : null, chunk)
    },
  })
}

async function unpack<Result>(kind: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    const isOfDisk = ['ENOSPC', 'EACCES', 'EIO'].includes(
      (error as NodeJS.ErrnoException).code ?? '',
    )
    if (isOfDisk) throw error
    throw new ContractError(`A file cannot be unpacked: it is not a complete ${kind} file`, {
      code: 'FILE_UNREADABLE',
      hint: 'drop it again',
    })
  }
}

const DEFLATED = 8
/** The end of the directory, and the longest comment that may follow it. */
const END_BYTES = 22
const MAX_COMMENT_BYTES = 65_535
const MAX_DIRECTORY_BYTES = 16 * 1024 ** 2

interface Entry {
  readonly name: string
  readonly method: number
  readonly crc: number
  readonly start: number
  readonly sizeBytes: number
}

async function findEntry(path: string): Promise<Entry> {
  await using file = await open(path)
  const { size } = await file.stat()
  const readAt = async (position: number, length: number): Promise<Buffer> => {
    // Checked before memory is allocated: a length in the file may be anything.
    if (position + length > size || length > MAX_DIRECTORY_BYTES) throw new Error('cut off')
    const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position)
    if (bytesRead < length) throw new Error('cut off')
    return buffer
  }
  const tailBytes = Math.min(size, END_BYTES + MAX_COMMENT_BYTES)
  const tail = await readAt(size - tailBytes, tailBytes)
  const end = tail.lastIndexOf('PK\x05\x06', tail.length - END_BYTES, 'latin1')
  if (end === -1) throw new Error('no directory')
  const directory = await readAt(tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12))
  const entries = [...entriesOf(directory, tail.readUInt16LE(end + 10))].filter(({ name }) =>
    name.split('/').every((part) => part !== '' && part !== '__MACOSX' && !isLeftover(part)),
  )
  const [entry, ...others] = entries
  if (entry === undefined || others.length > 0) throw new Error('not one file')
  const isKnown = entry.method === 0 || entry.method === DEFLATED
  if (!isKnown || entry.isEncrypted) throw new Error('another method')
  const header = await readAt(entry.start, 30)
  if (header.readUInt32LE(0) !== 0x04034b50) throw new Error('no file where it should be')
  // The names and extra fields of both headers may differ in length.
  const start = entry.start + 30 + header.readUInt16LE(26) + header.readUInt16LE(28)
  return { ...entry, start }
}

function* entriesOf(
  directory: Buffer,
  count: number,
): Generator<Entry & { readonly isEncrypted: boolean }> {
  let at = 0
  for (let index = 0; index < count; index++) {
    if (directory.readUInt32LE(at) !== 0x02014b50) throw new Error('no entry')
    const nameBytes = directory.readUInt16LE(at + 28)
    const name = directory.toString('utf8', at + 46, at + 46 + nameBytes)
    yield {
      name,
      isEncrypted: (directory.readUInt16LE(at + 8) & 1) === 1,
      method: directory.readUInt16LE(at + 10),
      crc: directory.readUInt32LE(at + 16),
      sizeBytes: directory.readUInt32LE(at + 20),
      start: directory.readUInt32LE(at + 42),
    }
    at += 46 + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32)
  }
}
