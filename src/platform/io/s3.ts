import { type _Object as S3Object, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { retry } from './retry.ts'
import { explainS3Error, isPassing, type S3Place } from './s3-errors.ts'

/** Where a bucket is, and how long to try. */
export interface BucketOptions {
  readonly bucket: string
  /** Everything is below it. Empty, or without a slash at its end. */
  readonly prefix: string
  /** What errors call the bucket. */
  readonly kind: S3Place['kind']
  /** A server other than AWS. The bucket is part of the path (`http://host:port/bucket/key`). */
  readonly endpoint?: string | undefined
  /** How many times a request may run before its error counts. Default 6. */
  readonly attempts?: number | undefined
  /** First pause between attempts in ms. Doubles each time up to 5 s. Default 200. */
  readonly pauseMs?: number | undefined
  /** A connection is given up if nothing moves over it for this long, in ms. Default 30,000. */
  readonly idleMs?: number | undefined
}

/** A prefix of an S3 bucket. Holds connections until it is disposed of. */
export interface Bucket extends AsyncDisposable {
  /** `s3://bucket/prefix`, for people. */
  readonly location: string
  readonly client: S3Client
  /** The bucket and the full key of an object, by its key below the prefix. */
  at(key: string): { readonly Bucket: string; readonly Key: string }
  /**
   * Runs a request. Repeats it, a limited number of times, if its error may pass. Throws
   * `ConfigError` if a setting, a permission or the server is wrong, and `TransientError` if the
   * server stays unreachable. No error holds a credential or a signed address.
   */
  request<Result>(work: () => Promise<Result>): Promise<Result>
  /**
   * Every object whose key begins with `start`, by its key below the prefix. Throws what `request`
   * throws.
   */
  list(start: string): AsyncIterable<S3Object & { readonly key: string }>
}

/**
 * Opens a bucket without sending a request. Finds region and credentials where the AWS tools do.
 */
export function openBucket({
  bucket,
  prefix,
  kind,
  endpoint,
  attempts = 6,
  pauseMs = 200,
  idleMs = 30_000,
}: BucketOptions): Bucket {
  const base = prefix === '' ? '' : `${prefix}/`
  const location = `s3://${bucket}/${prefix}`.replace(/\/$/, '')
  const client = new S3Client({
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    // A body is a stream, which the SDK cannot rewind for another attempt.
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Otherwise the SDK warns on the console about every refused upload.
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    requestHandler: { connectionTimeout: Math.min(idleMs, 5000), socketTimeout: idleMs },
  })
  const request = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await retry(work, { attempts, isPassing, pauseMs })
    } catch (error) {
      throw explainS3Error(error, { location, kind })
    }
  }
  return {
    location,
    client,
    at: (key) => ({ Bucket: bucket, Key: base + key }),
    request,
    async *list(start) {
      let next: string | undefined
      do {
        const command = new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: base + start,
          ContinuationToken: next,
        })
        const page = await request(() => client.send(command))
        for (const object of page.Contents ?? []) {
          yield { ...object, key: (object.Key ?? '').slice(base.length) }
        }
        next = page.IsTruncated === true ? page.NextContinuationToken : undefined
      } while (next !== undefined)
    },
    async [Symbol.asyncDispose]() {
      client.destroy()
    },
  }
}
