import { createReadStream, createWriteStream } from 'node:fs'
import { type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { crc32, createGunzip } from 'node:zlib'
import { type Entry, openPromise, type ZipFile } from 'yauzl'
import { codeOf, ContractError } from '../errors.ts'
import { isLeftover } from './drop.ts'

/** The limit for the size of an unpacked file. */
const MAX_UNPACKED_BYTES = 20 * 1024 ** 3

/** The limit for the number of files in an archive. */
const MAX_ENTRIES = 65_535

/**
 * Unpacks a gzip file as a stream. Throws `ContractError` (`FILE_UNREADABLE`) if the file is cut
 * off or damaged (DuckDB would take a cut-off file for a complete one), or if it unpacks to more
 * than `maxBytes`.
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
 * Unpacks the one data file in a ZIP archive as a stream, and returns its name. Folders and
 * leftovers (`isLeftover`) do not count. The file's CRC-32 is checked. Throws `ContractError`
 * (`FILE_UNREADABLE`) if the archive holds no data file or several, if the file is encrypted,
 * damaged or cut off, or if it unpacks to more than `maxBytes`. APPNOTE.TXT 6.3, 4.3.
 */
export async function unzipFile(
  from: string,
  to: string,
  { maxBytes = MAX_UNPACKED_BYTES }: { maxBytes?: number } = {},
): Promise<string> {
  return await unpack('ZIP', async () => {
    // Names are read below: they only show what is a data file, and no path is made from them.
    const archive = await openPromise(from, { autoClose: false, decodeStrings: false })
    try {
      const { entry, bytes } = await openDataFile(archive)
      let sum = 0
      const summing = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          sum = crc32(chunk, sum)
          done(null, chunk)
        },
      })
      await pipeline(bytes, bound(maxBytes), summing, createWriteStream(to))
      if (sum !== entry.crc32) throw new Error('the checksum differs')
      return nameOf(entry)
    } finally {
      archive.close()
    }
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

/** Turns errors into `ContractError`, except errors of the disk: the file itself is to blame. */
async function unpack<Result>(kind: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (['ENOSPC', 'EACCES', 'EIO'].includes(codeOf(error))) throw error
    throw new ContractError(`A file cannot be unpacked: it is not a complete ${kind} file`, {
      code: 'FILE_UNREADABLE',
      hint: 'drop it again',
    })
  }
}

/**
 * Opens the archive's one data file: its entry, and its bytes as a stream. The stream fails if
 * their number differs from the directory's. Throws if the archive has another form.
 */
async function openDataFile(archive: ZipFile): Promise<{ entry: Entry; bytes: Readable }> {
  if (archive.entryCount > MAX_ENTRIES) throw new Error('it holds too many files')
  let found: Entry | undefined
  // One entry is in memory at a time: each may claim a name and a comment of 64 kB.
  for await (const entry of archive.eachEntry()) {
    if (!nameOf(entry).split('/').every(isOfData)) continue
    if (found !== undefined) throw new Error('it holds several data files')
    found = entry
  }
  if (found === undefined) throw new Error('it holds no data file')
  return { entry: found, bytes: await archive.openReadStreamPromise(found) }
}

/** Whether a part of a path can lead to a data file. The last part of a folder's path is empty. */
function isOfData(part: string): boolean {
  return part !== '' && part !== '__MACOSX' && !isLeftover(part)
}

/** The name in UTF-8, which most programs write even if they do not say so. */
function nameOf({ fileNameRaw }: Entry): string {
  return fileNameRaw.toString('utf8')
}
