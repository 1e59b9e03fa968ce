import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Readable, Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { ConfigError, ContractError } from '../../errors.ts'
import { withScratchErrors } from '../../io/disk-errors.ts'
import { BodyDamagedError, explainFault, isPassing, readFault } from '../../io/s3-errors.ts'
import { checkKey, checkPrefix, isKey, type ObjectInfo, type ObjectStore } from './object-store.ts'

export interface S3StoreOptions {
  readonly bucket: string
  /** Everything lies below it; empty, or without a slash at its end. */
  readonly prefix: string
  /** Another server than AWS, addressed by path (`http://host:port/bucket/key`). */
  readonly endpoint?: string | undefined
  /** Attempts of a request before it counts as failed. Default 6. */
  readonly attempts?: number
  /** Longest first pause between attempts; doubles each time up to 5 s. Default 200. */
  readonly pauseMs?: number
  /** A connection over which nothing moves for so long is given up. Default 30,000. */
  readonly idleMs?: number
  /** A local copy nobody asked for in this time is removed when another is made. Default 6 h. */
  readonly keepMs?: number
}

/** A store that holds connections until it is disposed of. */
export interface S3Store extends ObjectStore, AsyncDisposable {}

/** Metadata of every object: who stored it, by a name of that call's own, and its checksum. */
const WRITER = 'tidemark-writer'
const SHA256 = 'tidemark-sha256'

/** The content of an object to be, to be read more than once. */
interface Content {
  readonly sizeBytes: number
  readonly sha256: Buffer
  open(): Readable | Buffer
}

/**
 * An S3 bucket as an object store. Region and credentials are found as the AWS tools find them.
 *
 * An object is created by one `PutObject` with `If-None-Match: *`: the server decides who is first.
 * It verifies the content against a signed SHA-256, which is kept with the object and checked again
 * whenever it is read. A refusal (412) is compared with the name each call leaves in the metadata of
 * what it stores, so a call whose answer was lost knows its own object from an equal one.
 *
 * Faults that may pass are tried again, a bounded number of times, after pauses that double and are
 * drawn at random. Throws `ConfigError` where a setting, a permission or the server is wrong,
 * `TransientError` where it stayed away; no error holds a credential or a signed address.
 */
export function s3Store({
  bucket,
  prefix,
  endpoint,
  attempts = 6,
  pauseMs = 200,
  idleMs = 30_000,
  keepMs = 6 * 3_600_000,
}: S3StoreOptions): S3Store {
  const base = prefix === '' ? '' : `${prefix}/`
  const location = `s3://${bucket}/${prefix}`.replace(/\/$/, '')
  const client = new S3Client({
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    // Bodies are streams that are opened anew for each attempt: ours to repeat.
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Otherwise it warns on the console of every upload that is refused.
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    requestHandler: { connectionTimeout: Math.min(idleMs, 5000), socketTimeout: idleMs },
  })
  const at = (key: string) => {
    checkKey(key)
    return { Bucket: bucket, Key: base + key }
  }

  async function persist<Result>(request: () => Promise<Result>): Promise<Result> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await request()
      } catch (error) {
        if (attempt >= attempts || !isPassing(error)) throw explainFault(error, location)
      }
      await delay(Math.random() * Math.min(pauseMs * 2 ** (attempt - 1), 5000))
    }
  }

  async function create(key: string, content: Content): Promise<'created' | 'exists'> {
    const target = at(key)
    const writer = randomUUID()
    return await persist(async () => {
      try {
        await put(client, { ...target, writer, content })
        return 'created'
      } catch (error) {
        if (readFault(error).status !== 412) throw error
      }
      const there = await client.send(new HeadObjectCommand(target))
      return there.Metadata?.[WRITER] === writer ? 'created' : 'exists'
    })
  }

  const copies = keepCopies(keepMs)

  // A server that does not know the condition would overwrite what must never change (I3).
  let isTrusted = false
  async function checkServer(key: string, content: Content): Promise<void> {
    if ((await create(key, content)) === 'created') {
      throw new ConfigError(`The server of ${location} ignores If-None-Match: it is no zone`, {
        code: 'LAKE_UNSUPPORTED',
        hint: 'use AWS, or another server that creates an object only if it is absent',
      })
    }
    isTrusted = true
  }

  return {
    location,
    async get(key) {
      const target = at(key)
      return await persist(async () => {
        const found = await find(client, target)
        if (found === undefined) return undefined
        const chunks: Buffer[] = []
        await readBody(found, {
          key,
          sink: new Writable({
            write(chunk: Buffer, _encoding, done) {
              chunks.push(chunk)
              done()
            },
          }),
        })
        return Buffer.concat(chunks)
      })
    },
    async putIfAbsent(key, body) {
      const sha256 = createHash('sha256').update(body).digest()
      const content = { sizeBytes: body.length, sha256, open: () => body }
      const outcome = await create(key, content)
      if (outcome === 'created' && !isTrusted) await checkServer(key, content)
      return outcome
    },
    async uploadIfAbsent(key, path) {
      checkKey(key)
      const { size: sizeBytes } = await stat(path)
      const sha256 = await hashFile(path)
      return await create(key, { sizeBytes, sha256, open: () => createReadStream(path, CHUNKS) })
    },
    async download(key, cacheDir) {
      const target = at(key)
      const path = join(cacheDir, cacheName(location, key))
      const kept = await stat(path).catch(() => undefined)
      const isThere = await persist(async () => {
        if (kept !== undefined && (await sizeOf(client, target)) === kept.size) return true
        const found = await find(client, target)
        if (found === undefined) return false
        await withScratchErrors(cacheDir, async () => {
          await mkdir(cacheDir, { recursive: true })
          await save(found, { key, path })
        })
        return true
      })
      if (isThere) {
        await copies.keep(path)
        return path
      }
      throw new ContractError(`The object ${key} is missing from ${location}`, {
        code: 'LAKE_OBJECT_MISSING',
        hint: 'restore it from a backup of the zone; objects are never deleted by Tidemark',
      })
    },
    async *list(wanted): AsyncIterable<ObjectInfo> {
      checkPrefix(wanted)
      let next: string | undefined
      do {
        const page = await persist(() =>
          client.send(
            new ListObjectsV2Command({
              Bucket: bucket,
              Prefix: base + wanted,
              ...(next === undefined ? {} : { ContinuationToken: next }),
            }),
          ),
        )
        for (const { Key = '', Size = 0, LastModified } of page.Contents ?? []) {
          const key = Key.slice(base.length)
          // A folder made in a console is an object, too; it is none of ours.
          if (isKey(key)) {
            yield { key, sizeBytes: Size, modifiedAt: LastModified ?? new Date() }
          }
        }
        next = page.IsTruncated === true ? page.NextContinuationToken : undefined
      } while (next !== undefined)
    },
    async remove(key) {
      const target = at(key)
      await persist(() => client.send(new DeleteObjectCommand(target)))
    },
    async [Symbol.asyncDispose]() {
      client.destroy()
    },
  }
}

/** How much of a file is in memory at a time. */
const CHUNKS = { highWaterMark: 256 * 1024 }

interface Target {
  readonly Bucket: string
  readonly Key: string
}

/** One request. Rejects with what went wrong first: reading the content, or sending it. */
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
  const broken = new Promise<never>((_, reject) => {
    body.once('error', reject)
  })
  try {
    await Promise.race([client.send(command, { abortSignal: aborting.signal }), broken])
  } catch (error) {
    // An answer before the end of the body would leave the connection waiting for the rest.
    aborting.abort()
    throw error
  } finally {
    body.destroy()
  }
}

/** The object with its body unread, or `undefined` when there is none. */
async function find(client: S3Client, target: Target): Promise<GetObjectCommandOutput | undefined> {
  try {
    return await client.send(new GetObjectCommand(target))
  } catch (error) {
    if (readFault(error).name === 'NoSuchKey') return undefined
    throw error
  }
}

async function sizeOf(client: S3Client, target: Target): Promise<number | undefined> {
  try {
    return (await client.send(new HeadObjectCommand(target))).ContentLength
  } catch (error) {
    if (readFault(error).status === 404) return undefined
    throw error
  }
}

/** Passes the body on, whole and as it was stored; throws `BodyDamagedError` otherwise. */
async function readBody(
  { Body, ContentLength, Metadata }: GetObjectCommandOutput,
  { key, sink }: { key: string; sink: Writable },
): Promise<void> {
  if (!(Body instanceof Readable)) throw new TypeError('S3 gave no stream')
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

/** Writes the body to a file that has its name only once it is whole. */
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

/** Keeps the copies of a process that runs for weeks from filling its disk. */
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

/** One flat name for an object of a store: keys may be longer than the names of files. */
function cacheName(location: string, key: string): string {
  const id = createHash('sha256').update(`${location}\n${key}`).digest('hex').slice(0, 32)
  return `${id}-${basename(key).slice(-100)}`
}

async function hashFile(path: string): Promise<Buffer> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, CHUNKS), hash)
  return hash.digest()
}
