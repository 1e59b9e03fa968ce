import { createReadStream, createWriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { PassThrough, Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { crc32, createGunzip, createInflateRaw } from 'node:zlib'
import { ContractError } from '../errors.ts'
import { explainScratchError } from '../io/disk-errors.ts'
import { isLeftover } from './drop.ts'

/** The limit for the size of an unpacked file. */
const MAX_UNPACKED_BYTES = 20 * 1024 ** 3

/**
 * Unpacks a gzip file as a stream. Throws `ContractError` (`FILE_UNREADABLE`) if the file is cut
 * off or damaged (DuckDB would take a cut-off file for a complete one), or if it unpacks to more
 * than `maxBytes`. Throws `ConfigError` if this machine cannot write the copy.
 */
export async function gunzipFile(
  from: string,
  to: string,
  { maxBytes = MAX_UNPACKED_BYTES }: { maxBytes?: number } = {},
): Promise<void> {
  await unpack({ kind: 'gzip', to }, () =>
    pipeline(createReadStream(from), createGunzip(), bound(maxBytes), createWriteStream(to)),
  )
}

/**
 * Unpacks the one data file in a ZIP archive as a stream, and returns its name. Folders and
 * leftovers (`isLeftover`) do not count. The file's CRC-32 is checked. Throws `ContractError`
 * (`FILE_UNREADABLE`) if the archive holds no data file or several, if the file is encrypted,
 * damaged or cut off, if it unpacks to more than `maxBytes`, or if the archive needs ZIP64 (4 GB
 * and more). Throws `ConfigError` if this machine cannot write the copy. APPNOTE.TXT 6.3, 4.3.
 */
export async function unzipFile(
  from: string,
  to: string,
  { maxBytes = MAX_UNPACKED_BYTES }: { maxBytes?: number } = {},
): Promise<string> {
  return await unpack({ kind: 'ZIP', to }, async () => {
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
    if (found !== crc) throw new Error('the checksum differs')
    return name
  })
}

/** Passes bytes on, and fails after `maxBytes`. */
function bound(maxBytes: number): Transform {
  let sizeBytes = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sizeBytes += chunk.length
      done(sizeBytes > maxBytes ? new Error('too large') : null, chunk)
    },
  })
}

/**
 * Turns an error into `ContractError`, which blames the file that is unpacked. An error of this
 * machine, such as a full disk, is explained as one of the scratch folder: the file may be good.
 */
async function unpack<Result>(
  { kind, to }: { kind: string; to: string },
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    const local = explainScratchError(error, dirname(to))
    if (local !== undefined) throw local
    throw new ContractError(`A file cannot be unpacked: it is not a complete ${kind} file`, {
      code: 'FILE_UNREADABLE',
      hint: 'drop it again',
    })
  }
}

const DEFLATED = 8
/** Size of the record at the end of the directory, and of the longest comment after it. */
const END_BYTES = 22
const MAX_COMMENT_BYTES = 65_535
const MAX_DIRECTORY_BYTES = 16 * 1024 ** 2

/** A file in the archive, and where its bytes are. */
interface Entry {
  readonly name: string
  readonly method: number
  readonly crc: number
  readonly start: number
  readonly sizeBytes: number
}

/**
 * Reads the archive's directory and returns its one data file. Throws if the archive has another
 * form.
 */
async function findEntry(path: string): Promise<Entry> {
  await using file = await open(path)
  const { size } = await file.stat()
  const readAt = async (position: number, length: number): Promise<Buffer> => {
    // Checked before memory is allocated, because the file may claim any length.
    if (position + length > size || length > MAX_DIRECTORY_BYTES) throw new Error('cut off')
    const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position)
    if (bytesRead < length) throw new Error('cut off')
    return buffer
  }
  const tailBytes = Math.min(size, END_BYTES + MAX_COMMENT_BYTES)
  const tail = await readAt(size - tailBytes, tailBytes)
  const end = tail.lastIndexOf('PK\x05\x06', tail.length - END_BYTES, 'latin1')
  if (end === -1) throw new Error('it has no directory')
  const directory = await readAt(tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12))
  const entries = [...entriesOf(directory, tail.readUInt16LE(end + 10))].filter(({ name }) =>
    name.split('/').every((part) => part !== '' && part !== '__MACOSX' && !isLeftover(part)),
  )
  const [entry, ...others] = entries
  if (entry === undefined || others.length > 0)
    throw new Error('it does not hold exactly one data file')
  const isKnown = entry.method === 0 || entry.method === DEFLATED
  if (!isKnown || entry.isEncrypted) throw new Error('unknown compression, or encrypted')
  const header = await readAt(entry.start, 30)
  if (header.readUInt32LE(0) !== 0x04034b50) throw new Error('no file at its place')
  // The names and extra fields of both headers may differ in length.
  const start = entry.start + 30 + header.readUInt16LE(26) + header.readUInt16LE(28)
  return { ...entry, start }
}

/** The entries of the directory, in order. */
function* entriesOf(
  directory: Buffer,
  count: number,
): Generator<Entry & { readonly isEncrypted: boolean }> {
  let at = 0
  for (let index = 0; index < count; index++) {
    if (directory.readUInt32LE(at) !== 0x02014b50) throw new Error('no entry at its place')
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
