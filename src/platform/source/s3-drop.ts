import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { explainFault, readFault } from '../io/s3-errors.ts'
import { type Drop, isLeftover } from './drop.ts'

export interface S3DropOptions {
  readonly bucket: string
  /** Feeds' folders lie below it; empty, or without a slash at its end. */
  readonly prefix: string
  /** Another server than AWS, addressed by path. */
  readonly endpoint?: string | undefined
}

/**
 * A prefix of a bucket as a drop. An object is complete once it is listed; its version is its ETag.
 * Objects that stand for folders are not listed.
 */
export function s3Drop({ bucket, prefix, endpoint }: S3DropOptions): Drop & AsyncDisposable {
  const base = prefix === '' ? '' : `${prefix}/`
  const location = `s3://${bucket}/${prefix}`.replace(/\/$/, '')
  const client = new S3Client({
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    maxAttempts: 4,
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: 5000, socketTimeout: 30_000 },
  })
  return {
    location,
    async *list(feed, onIgnored) {
      let from: string | undefined
      let ignored: string | undefined
      do {
        const page = await client
          .send(
            new ListObjectsV2Command({
              Bucket: bucket,
              Prefix: `${base}${feed}/`,
              ...(from === undefined ? {} : { ContinuationToken: from }),
            }),
          )
          .catch((error: unknown) => {
            throw explainFault(error, location, 'drop')
          })
        for (const {
          Key: key,
          Size: sizeBytes = 0,
          ETag: version,
          LastModified: at,
        } of page.Contents ?? []) {
          if (key === undefined || version === undefined || key.endsWith('/')) continue
          const name = key.slice(base.length)
          const leftover = findLeftover(name, feed)
          if (leftover !== undefined) {
            if (leftover !== ignored) onIgnored?.(leftover)
            ignored = leftover
            continue
          }
          yield { name, sizeBytes, version, modifiedAt: (at ?? new Date(0)).toISOString() }
        }
        from = page.NextContinuationToken
      } while (from !== undefined)
    },
    async fetch({ name, version }, path) {
      try {
        const { Body: body } = await client.send(
          new GetObjectCommand({ Bucket: bucket, Key: base + name, IfMatch: version }),
        )
        if (!(body instanceof Readable)) throw new TypeError('an object has no body')
        await pipeline(body, createWriteStream(path))
        return true
      } catch (error) {
        await rm(path, { force: true })
        const { status } = readFault(error)
        if (status === 404 || status === 412) return false
        throw explainFault(error, location, 'drop')
      }
    },
    async [Symbol.asyncDispose]() {
      client.destroy()
    },
  }
}

/** The outermost leftover in a name, a folder or the file; a folder ends with a slash. */
function findLeftover(name: string, feed: string): string | undefined {
  const parts = name.slice(feed.length + 1).split('/')
  const at = parts.findIndex(isLeftover)
  if (at === -1) return undefined
  const end = at < parts.length - 1 ? '/' : ''
  return `${feed}/${parts.slice(0, at + 1).join('/')}${end}`
}
