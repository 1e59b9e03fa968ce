import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Readable, Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { ConfigError, ContractError } from '../../errors.ts'
import { withScratchErrors } from '../../io/disk-errors.ts'
import { hashFile } from '../../io/hash-file.ts'
import { BodyDamagedError, readS3Error } from '../../io/s3-errors.ts'
import { type Bucket, type BucketOptions, openBucket } from '../../io/s3.ts'
import { checkKey, checkPrefix, isKey, type ObjectInfo, type ObjectStore } from './object-store.ts'

/** Where the bucket is, and how long its local copies are kept. */
export interface S3StoreOptions extends Omit<BucketOptions, 'kind'> {
  /**
   * A local copy that nobody asked for in this time is removed when another copy is made. Default 6
   * h.
   */
  readonly keepMs?: number
}

/** A store that holds connections until it is disposed of. */
export interface S3Store extends ObjectStore, AsyncDisposable {}

/** Metadata of every object: a unique name of the call that stored it, and its checksum. */
const WRITER = 'tidemark-writer'
const SHA256 = 'tidemark-sha256'

/** The content of a new object. It can be read more than once. */
interface Content {
  readonly sizeBytes: number
  readonly sha256: Buffer
  open(): Readable | Buffer
}

/**
 * An S3 bucket as an object store, see `openBucket`.
 *
 * One `PutObject` with `If-None-Match: *` creates an object, so the server decides who is first.
 * The server verifies the content against a signed SHA-256. The checksum is stored with the object
 * and checked again on every read. Each call leaves a unique name in the object's metadata. After a
 * refusal (412) the call compares that name with its own, so it recognizes its object even if the
 * first answer was lost.
 */
export function s3Store({ keepMs = 6 * 3_600_000, ...options }: S3StoreOptions): S3Store {
  const bucket = openBucket({ ...options, kind: 'zone' })
  const { client, location } = bucket
  const copies = keepCopies(keepMs)
  // A server that ignores the condition would overwrite objects, which must never change (I3).
  let isTrusted = false
  return {
    location,
    async get(key) {
      const target = targetOf(bucket, key)
      return await bucket.request(() => readWhole(client, { key, target }))
    },
    async putIfAbsent(key, body) {
      const sha256 = createHash('sha256').update(body).digest()
      const content = { sizeBytes: body.length, sha256, open: () => body }
      const outcome = await create(bucket, { key, content })
      if (outcome === 'created' && !isTrusted) {
        await checkCondition(bucket, { key, content })
        isTrusted = true
      }
      return outcome
    },
    async uploadIfAbsent(key, path) {
      checkKey(key)
      const { size: sizeBytes } = await stat(path)
      const sha256 = Buffer.from(await hashFile(path), 'hex')
      const content = { sizeBytes, sha256, open: () => createReadStream(path, CHUNKS) }
      return await create(bucket, { key, content })
    },
    async download(key, cacheDir) {
      const path = join(cacheDir, cacheName(location, key))
      if (!(await copyTo(bucket, { key, path, cacheDir }))) throw missing(key, location)
      await copies.keep(path)
      return path
    },
    async *list(wanted): AsyncIterable<ObjectInfo> {
      checkPrefix(wanted)
      for await (const { key, Size = 0, LastModified } of bucket.list(wanted)) {
        // Skips objects from other tools, such as a folder that a console created.
        if (isKey(key)) yield { key, sizeBytes: Size, modifiedAt: LastModified ?? new Date() }
      }
    },
    async remove(key) {
      const target = targetOf(bucket, key)
      await bucket.request(() => client.send(new DeleteObjectCommand(target)))
    },
    [Symbol.asyncDispose]: () => bucket[Symbol.asyncDispose](),
  }
}

function targetOf(bucket: Bucket, key: string): Target {
  checkKey(key)
  return bucket.at(key)
}

interface NewObject {
  readonly key: string
  readonly content: Content
}

/** Stores an object unless its key is taken. */
async function create(bucket: Bucket, { key, content }: NewObject): Promise<'created' | 'exists'> {
  const { client } = bucket
  const target = targetOf(bucket, key)
  const writer = randomUUID()
  return await bucket.request(async () => {
    try {
      await put(client, { ...target, writer, content })
      return 'created'
    } catch (error) {
      if (readS3Error(error).status !== 412) throw error
    }
    const there = await client.send(new HeadObjectCommand(target))
    return there.Metadata?.[WRITER] === writer ? 'created' : 'exists'
  })
}

/** Throws `ConfigError` if the server overwrites an existing object. */
async function checkCondition(bucket: Bucket, object: NewObject): Promise<void> {
  if ((await create(bucket, object)) === 'exists') return
  throw new ConfigError(
    `The server of ${bucket.location} ignores If-None-Match, so it cannot hold a zone`,
    {
      code: 'LAKE_UNSUPPORTED',
      hint: 'use AWS, or another S3 server that honours If-None-Match',
    },
  )
}

function missing(key: string, location: string): ContractError {
  return new ContractError(`The object ${key} is missing from ${location}`, {
    code: 'LAKE_OBJECT_MISSING',
    hint: 'restore it from a backup of the zone; Tidemark never deletes what a commit record names',
  })
}

/** The content of a small object; undefined if it does not exist. */
async function readWhole(
  client: S3Client,
  { key, target }: { key: string; target: Target },
): Promise<Buffer | undefined> {
  const found = await find(client, target)
  if (found === undefined) return undefined
  const chunks: Buffer[] = []
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk)
      done()
    },
  })
  await readBody(found, { key, sink })
  return Buffer.concat(chunks)
}

/**
 * Makes a local copy, unless a copy of the right size exists. Returns whether the object exists.
 */
async function copyTo(
  bucket: Bucket,
  { key, path, cacheDir }: { key: string; path: string; cacheDir: string },
): Promise<boolean> {
  const { client } = bucket
  const target = targetOf(bucket, key)
  const kept = await stat(path).catch(() => undefined)
  return await bucket.request(async () => {
    if (kept !== undefined && (await sizeOf(client, target)) === kept.size) return true
    const found = await find(client, target)
    if (found === undefined) return false
    await withScratchErrors(cacheDir, async () => {
      await mkdir(cacheDir, { recursive: true })
      await save(found, { key, path })
    })
    return true
  })
}

/** Bytes of a file that are in memory at a time. */
const CHUNKS = { highWaterMark: 256 * 1024 }

interface Target {
  readonly Bucket: string
  readonly Key: string
}

/** Sends one request. Rejects with the first error, from reading the content or from sending it. */
async function put(
  client: S3Client,
  { writer, content, ...target }: Target & { writer: string; content: Content },
): Promise<void> {
  const command = new PutObjectCommand({
    ...target,
    IfNoneMatch: '*',
    Body: content.open(),
    ContentLength: content.sizeBytes,
    ChecksumSHA256: content.sha256.toString('base64'),
    Metadata: { [WRITER]: writer, [SHA256]: content.sha256.toString('hex') },
  })
  // Signed with the checksum, so that every server verifies the content, streamed or not.
  command.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> }
      headers['x-amz-content-sha256'] = content.sha256.toString('hex')
      return next(args)
    },
    { step: 'build', name: 'signContent' },
  )
  const body = command.input.Body
  if (!(body instanceof Readable)) {
    await client.send(command)
    return
  }
  const aborting = new AbortController()
  const failedRead = new Promise<never>((_, reject) => {
    body.once('error', reject)
  })
  try {
    await Promise.race([client.send(command, { abortSignal: aborting.signal }), failedRead])
  } catch (error) {
    // After an early answer, the connection would wait for the rest of the body.
    aborting.abort()
    throw error
  } finally {
    body.destroy()
  }
}

/** The object with its body unread; `undefined` if it does not exist. */
async function find(client: S3Client, target: Target): Promise<GetObjectCommandOutput | undefined> {
  try {
    return await client.send(new GetObjectCommand(target))
  } catch (error) {
    if (readS3Error(error).name === 'NoSuchKey') return undefined
    throw error
  }
}

async function sizeOf(client: S3Client, target: Target): Promise<number | undefined> {
  try {
    return (await client.send(new HeadObjectCommand(target))).ContentLength
  } catch (error) {
    if (readS3Error(error).status === 404) return undefined
    throw error
  }
}

/**
 * Writes the body to `sink` and checks its size and checksum. Throws `BodyDamagedError` if it is
 * not the stored content.
 */
async function readBody(
  { Body, ContentLength, Metadata }: GetObjectCommandOutput,
  { key, sink }: { key: string; sink: Writable },
): Promise<void> {
  if (!(Body instanceof Readable)) throw new TypeError('the S3 client returned no stream')
  const hash = createHash('sha256')
  let sizeBytes = 0
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      sizeBytes += chunk.length
      done(undefined, chunk)
    },
  })
  await pipeline(Body, measure, sink)
  const stored = Metadata?.[SHA256]
  if (sizeBytes !== ContentLength || (stored !== undefined && hash.digest('hex') !== stored)) {
    throw new BodyDamagedError(key)
  }
}

/** Writes the body to a file that gets its final name only once it is complete. */
async function save(
  found: GetObjectCommandOutput,
  { key, path }: { key: string; path: string },
): Promise<void> {
  const partial = `${path}.${randomUUID()}`
  try {
    await readBody(found, { key, sink: createWriteStream(partial) })
    await rename(partial, path)
  } finally {
    await rm(partial, { force: true })
  }
}

/** Removes unused copies, so that a process that runs for weeks does not fill its disk. */
function keepCopies(keepMs: number): { keep(path: string): Promise<void> } {
  const askedAt = new Map<string, number>()
  return {
    async keep(path) {
      const now = Date.now()
      const isNew = !askedAt.has(path)
      askedAt.set(path, now)
      if (!isNew) return
      for (const [other, at] of askedAt) {
        if (now - at <= keepMs) continue
        askedAt.delete(other)
        await rm(other, { force: true })
      }
    },
  }
}

/** A flat file name for an object. A key may be longer than a file name can be. */
function cacheName(location: string, key: string): string {
  const id = createHash('sha256').update(`${location}\n${key}`).digest('hex').slice(0, 32)
  return `${id}-${basename(key).slice(-100)}`
}
