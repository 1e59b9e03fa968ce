import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { GetObjectCommand } from '@aws-sdk/client-s3'
import { readS3Error } from '../io/s3-errors.ts'
import { type Bucket, type BucketOptions, openBucket } from '../io/s3.ts'
import { type Drop, type DroppedFile, isLeftover } from './drop.ts'

/**
 * A prefix of a bucket as a drop, with a folder for each feed. An object is complete once it is
 * listed, and its version is its ETag. Objects that stand for folders are not listed. Throws what
 * `Bucket.request` throws.
 */
export function s3Drop(options: Omit<BucketOptions, 'kind'>): Drop & AsyncDisposable {
  const bucket = openBucket({ ...options, kind: 'drop' })
  return {
    location: bucket.location,
    async *list(feed, onIgnored) {
      let ignored: string | undefined
      for await (const object of bucket.list(`${feed}/`)) {
        const { key: name, Size: sizeBytes = 0, ETag: version, LastModified: at } = object
        if (version === undefined || name.endsWith('/')) continue
        const leftover = findLeftover(name, feed)
        if (leftover !== undefined) {
          if (leftover !== ignored) onIgnored?.(leftover)
          ignored = leftover
          continue
        }
        yield { name, sizeBytes, version, modifiedAt: (at ?? new Date(0)).toISOString() }
      }
    },
    fetch: (file, path) => bucket.request(() => fetchObject(bucket, file, path)),
    [Symbol.asyncDispose]: () => bucket[Symbol.asyncDispose](),
  }
}

/**
 * Writes an object to a local file. Returns false if the object is gone or was replaced since it
 * was listed.
 */
async function fetchObject(
  { client, at }: Bucket,
  { name, version }: DroppedFile,
  path: string,
): Promise<boolean> {
  try {
    const { Body: body } = await client.send(
      new GetObjectCommand({ ...at(name), IfMatch: version }),
    )
    if (!(body instanceof Readable)) throw new TypeError('an object has no body')
    await pipeline(body, createWriteStream(path))
    return true
  } catch (error) {
    await rm(path, { force: true })
    const { status } = readS3Error(error)
    if (status === 404 || status === 412) return false
    throw error
  }
}

/** The outermost leftover in a name: the file or a folder, which then ends with a slash. */
function findLeftover(name: string, feed: string): string | undefined {
  const parts = name.slice(feed.length + 1).split('/')
  const at = parts.findIndex(isLeftover)
  if (at === -1) return undefined
  const end = at < parts.length - 1 ? '/' : ''
  return `${feed}/${parts.slice(0, at + 1).join('/')}${end}`
}
