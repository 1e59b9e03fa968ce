import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect, promisify } from 'node:util'
import { DeleteObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type FaultyProxy,
  type Mishap,
  startFaultyProxy,
} from '../../../../test/support/faulty-proxy.ts'
import { isS3Missing, type S3Server, startS3Server } from '../../../../test/support/s3-server.ts'
import { describeObjectStore } from './object-store.contract.ts'
import { type S3Store, s3Store, type S3StoreOptions } from './s3-store.ts'

describe.skipIf(isS3Missing)('s3Store()', () => {
  let server: S3Server
  let proxy: FaultyProxy
  let bucket: string
  let folder: string
  let made = 0
  const opened: S3Store[] = []
  beforeAll(async () => {
    server = await startS3Server()
    bucket = await server.createBucket()
    proxy = await startFaultyProxy(server.endpoint)
    folder = await mkdtemp(join(tmpdir(), 'tidemark-s3-test-'))
  })
  afterAll(async () => {
    for (const store of opened) await store[Symbol.asyncDispose]()
    await proxy?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  })
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  function open({
    prefix = `zone-${(made += 1)}/deeper`,
    ...options
  }: Partial<S3StoreOptions> = {}): S3Store {
    const store = s3Store({ bucket, prefix, endpoint: server.endpoint, pauseMs: 5, ...options })
    opened.push(store)
    return store
  }

  describeObjectStore('a bucket', async () => open())

  it('can use a whole bucket', async () => {
    const store = open({ bucket: await server.createBucket(), prefix: '' })
    expect(store.location).toMatch(/^s3:\/\/[^/]+$/)
    await store.putIfAbsent('a/b', Buffer.from('x'))
    expect(await store.list('')[Symbol.asyncIterator]().next()).toEqual({
      done: false,
      value: { key: 'a/b', sizeBytes: 1, modifiedAt: expect.any(Date) },
    })
    expect(await store.get('a/b')).toEqual(Buffer.from('x'))
  })

  it('lists objects from other tools only if their keys are valid in a zone', async () => {
    const store = open({ prefix: 'foreign' })
    const client = new S3Client({ endpoint: server.endpoint, forcePathStyle: true })
    for (const key of ['foreign/', 'foreign/a/', 'foreign/.hidden', 'foreign/a/b', 'foreigner']) {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: 'x' }))
    }
    client.destroy()
    const keys: string[] = []
    for await (const { key } of store.list('')) keys.push(key)
    expect(keys).toEqual(['a/b'])
    // An object without our metadata is read without a check.
    expect(await store.get('a/b')).toEqual(Buffer.from('x'))
  })

  it('download() keeps a copy while its size is right, and removes it when nobody has asked for long enough', async () => {
    const store = open({ keepMs: 0 })
    const cacheDir = join(folder, 'copies')
    await store.putIfAbsent('a', Buffer.from('12345'))
    await store.putIfAbsent('b', Buffer.from('b'))
    const path = await store.download('a', cacheDir)
    await writeFile(path, 'local')
    expect(await readFile(await store.download('a', cacheDir), 'utf8')).toBe('local')
    await truncate(path, 3)
    expect(await readFile(await store.download('a', cacheDir), 'utf8')).toBe('12345')
    const other = await store.download('b', cacheDir)
    expect((await readdir(cacheDir)).map((name) => join(cacheDir, name))).toEqual([other])
  })

  it('download() gives no copy of an object that is gone', async () => {
    const store = open({ prefix: 'gone' })
    await store.putIfAbsent('a', Buffer.from('x'))
    await store.download('a', folder)
    const client = new S3Client({ endpoint: server.endpoint, forcePathStyle: true })
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'gone/a' }))
    client.destroy()
    await expect(store.download('a', folder)).rejects.toMatchObject({ code: 'LAKE_OBJECT_MISSING' })
  })

  it('two stores that race for thirty keys create each key once', async () => {
    const prefix = 'race'
    const [left, right] = [open({ prefix }), open({ prefix })]
    const keys = Array.from({ length: 30 }, (_, index) => `batch/${index}.json`)
    const outcomes = await Promise.all(
      keys.map((key) =>
        Promise.all([
          left.putIfAbsent(key, Buffer.from('left')),
          right.putIfAbsent(key, Buffer.from('right')),
        ]),
      ),
    )
    for (const [index, outcome] of outcomes.entries()) {
      expect(outcome.toSorted()).toEqual(['created', 'exists'])
      const winner = outcome[0] === 'created' ? 'left' : 'right'
      expect(String(await left.get(keys[index] ?? ''))).toBe(winner)
    }
  })

  it('uploads and downloads 200 MB in flat memory', async () => {
    const path = join(folder, 'big')
    const block = Buffer.alloc(1024 * 1024)
    const blocks = Array.from({ length: 200 }, (_, index) => Buffer.from(block.fill(index)))
    await writeFile(path, blocks)
    const program = fileURLToPath(
      new URL('../../../../dist/platform/lake/store/s3-store.js', import.meta.url),
    )
    const script = `
      const { readFileSync } = await import('node:fs')
      const peakKb = () => Number(/VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1])
      const { s3Store } = await import(${JSON.stringify(program)})
      const store = s3Store(${JSON.stringify({ bucket, prefix: 'big', endpoint: server.endpoint })})
      await store.putIfAbsent('small', Buffer.from('x'))
      await store.download('small', ${JSON.stringify(folder)})
      const before = peakKb()
      const outcome = await store.uploadIfAbsent('big', ${JSON.stringify(path)})
      const copy = await store.download('big', ${JSON.stringify(folder)})
      await store[Symbol.asyncDispose]()
      const grownKb = peakKb() - before
      console.log(JSON.stringify({ outcome, copy, grownKb }))`
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', script],
      { env: { ...process.env, ...server.env } },
    )
    const { outcome, copy, grownKb } = JSON.parse(stdout) as {
      outcome: string
      copy: string
      grownKb: number
    }
    expect(outcome).toBe('created')
    const digests = [path, copy].map(async (file) =>
      createHash('sha256')
        .update(await readFile(file))
        .digest('hex'),
    )
    expect(await digests[1]).toBe(await digests[0])
    console.log(`200 MB up and down: ${Math.round(grownKb / 1024)} MB of memory more`)
    expect(grownKb).toBeLessThan(80 * 1024)
  })

  describe('when a request fails on the way', () => {
    let store: S3Store
    /** A store that does not wait long for an answer, and so retries sooner. */
    let impatient: S3Store
    /** The failures of the next requests with a method, in order. */
    let coming: [method: string, mishap: Mishap][]
    beforeEach(() => {
      store = open({ endpoint: proxy.endpoint, attempts: 3 })
      impatient = open({
        endpoint: proxy.endpoint,
        prefix: `zone-${made}/deeper`,
        idleMs: 600,
        attempts: 20,
      })
      coming = []
      proxy.requests.length = 0
      proxy.onRequest = (request) => {
        if (!request.startsWith(`${coming[0]?.[0]} `)) return undefined
        return coming.shift()?.[1]
      }
    })
    const file = async (sizeBytes: number) => {
      const path = join(folder, `file-${sizeBytes}`)
      await writeFile(path, Buffer.alloc(sizeBytes, 'tide'))
      return path
    }
    const puts = () => proxy.requests.filter((request) => request.startsWith('PUT')).length

    it('I4 recognizes its own object after the answer was lost', async () => {
      await store.putIfAbsent('first', Buffer.from('1'))
      proxy.requests.length = 0
      coming = [['PUT', 'lose']]
      expect(await store.putIfAbsent('a', Buffer.from('x'))).toBe('created')
      expect(proxy.requests.map((request) => request.split(' ')[0])).toEqual(['PUT', 'PUT', 'HEAD'])
      coming = [
        ['PUT', 'lose'],
        ['HEAD', { status: 503 }],
      ]
      expect(await store.uploadIfAbsent('b', await file(3_000_000))).toBe('created')
      expect(coming).toEqual([])
    })

    it("I4 does not take another writer's equal object for its own when no answer came", async () => {
      await store.putIfAbsent('first', Buffer.from('1'))
      const other = s3Store({
        bucket,
        prefix: `zone-${made}/deeper`,
        endpoint: server.endpoint,
      })
      opened.push(other)
      proxy.onRequest = async (request) => {
        if (puts() > 3 || !request.startsWith('PUT')) return undefined
        await other.putIfAbsent('a', Buffer.from('x'))
        return 'stall'
      }
      expect(await impatient.putIfAbsent('a', Buffer.from('x'))).toBe('exists')
    })

    it.each([
      ['503 SlowDown', { status: 503, code: 'SlowDown' }],
      ['500 InternalError', { status: 500, code: 'InternalError' }],
      ['409 ConditionalRequestConflict', { status: 409, code: 'ConditionalRequestConflict' }],
      ['429', { status: 429, code: 'TooManyRequests' }],
      ['silence', 'stall'],
    ] as [string, Mishap][])('tries again after %s', async (_, mishap) => {
      const asking = mishap === 'stall' ? impatient : store
      coming = [
        ['PUT', mishap],
        ['PUT', mishap],
      ]
      expect(await asking.putIfAbsent('a', Buffer.from('x'))).toBe('created')
      coming = [['PUT', mishap]]
      expect(await asking.uploadIfAbsent('b', await file(2_500_000))).toBe('created')
      coming = [
        ['GET', mishap],
        ['GET', mishap],
      ]
      expect(await asking.get('a')).toEqual(Buffer.from('x'))
      coming = [['GET', mishap]]
      const listed: string[] = []
      for await (const { key } of asking.list('')) listed.push(key)
      expect(listed).toEqual(['a', 'b'])
      expect(coming).toEqual([])
    })

    it('reads an object again if the answer was cut, damaged or stalled', async () => {
      const path = await file(3_000_000)
      await store.uploadIfAbsent('a', path)
      for (const mishap of ['cut', 'damage', 'stall-midway', 'lose'] as const) {
        const asking = mishap === 'stall-midway' ? impatient : store
        coming = [['GET', mishap]]
        expect((await asking.get('a'))?.length, mishap).toBe(3_000_000)
        coming = [['GET', mishap]]
        const cacheDir = join(folder, mishap)
        const copy = await asking.download('a', cacheDir)
        expect((await readFile(copy)).equals(await readFile(path)), mishap).toBe(true)
        expect(await readdir(cacheDir), mishap).toHaveLength(1)
        expect(coming, mishap).toEqual([])
      }
    })

    it('names an object that stays damaged, and leaves no partial copy', async () => {
      await store.putIfAbsent('a/b', Buffer.from('x'))
      const damaged = {
        name: 'ContractError',
        code: 'LAKE_DAMAGED',
        message: expect.stringContaining('a/b'),
      }
      proxy.onRequest = () => 'damage'
      await expect(store.get('a/b')).rejects.toMatchObject(damaged)
      const cacheDir = join(folder, 'damaged')
      await expect(store.download('a/b', cacheDir)).rejects.toMatchObject(damaged)
      expect(await readdir(cacheDir)).toEqual([])
    })

    it('gives up in bounded time and attempts', async () => {
      proxy.onRequest = () => ({ status: 503, code: 'SlowDown' })
      const away = { name: 'TransientError', code: 'LAKE_UNREACHABLE' }
      await expect(store.putIfAbsent('a', Buffer.from('x'))).rejects.toMatchObject(away)
      expect(puts()).toBe(3)
      proxy.onRequest = () => 'stall'
      await using brief = open({ endpoint: proxy.endpoint, idleMs: 600, attempts: 3 })
      await expect(brief.get('a')).rejects.toMatchObject(away)
      await using nowhere = open({ endpoint: 'http://127.0.0.1:1', attempts: 2 })
      await expect(nowhere.get('a')).rejects.toMatchObject({
        ...away,
        message: expect.stringContaining('ECONNREFUSED'),
      })
    })

    it('does not retry a request that cannot succeed', async () => {
      proxy.onRequest = () => ({ status: 501, code: 'NotImplemented' })
      await expect(store.putIfAbsent('a', Buffer.from('x'))).rejects.toMatchObject({
        name: 'ConfigError',
        code: 'LAKE_REFUSED',
      })
      expect(puts()).toBe(1)
    })

    it('I3 refuses a server that would overwrite', async () => {
      proxy.onRequest = (request) => (request.startsWith('PUT') ? { status: 200 } : undefined)
      await expect(store.putIfAbsent('a', Buffer.from('x'))).rejects.toMatchObject({
        name: 'ConfigError',
        code: 'LAKE_UNSUPPORTED',
      })
    })

    it('holds no connection after refused uploads', async () => {
      const path = await file(3_000_000)
      await store.uploadIfAbsent('a', path)
      for (let count = 0; count < 20; count++) {
        expect(await store.uploadIfAbsent('a', path)).toBe('exists')
      }
      expect(await proxy.countConnections()).toBeLessThan(10)
    })
  })

  it('names the error in bucket, credentials or region, and no secret', async () => {
    const faults = async (): Promise<unknown[]> => {
      await using store = s3Store({ bucket, prefix: '', endpoint: server.endpoint, attempts: 2 })
      const path = join(folder, 'any')
      await writeFile(path, 'x')
      const calls = [
        store.get('a'),
        store.putIfAbsent('a', Buffer.from('x')),
        store.uploadIfAbsent('a', path),
        store.download('a', folder),
        store.list('')[Symbol.asyncIterator]().next(),
      ]
      return (await Promise.allSettled(calls)).map(
        (outcome) => outcome.status === 'rejected' && (outcome.reason as unknown),
      )
    }
    const secret = server.env['AWS_SECRET_ACCESS_KEY'] ?? ''
    const expectAll = async (code: string) => {
      const errors = await faults()
      for (const error of errors) expect(error).toMatchObject({ name: 'ConfigError', code })
      const shown = inspect(errors, { depth: 10, showHidden: true })
      expect(shown).not.toContain(secret)
      expect(shown).not.toMatch(/AKIAWRONG|Signature=|X-Amz-|authorization/i)
    }
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'wrong')
    await expectAll('LAKE_CREDENTIALS')
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAWRONG')
    await expectAll('LAKE_CREDENTIALS')
    vi.stubEnv('AWS_ACCESS_KEY_ID', '')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', '')
    await expectAll('LAKE_CREDENTIALS')
    vi.unstubAllEnvs()
    vi.stubEnv('AWS_REGION', undefined)
    await expectAll('LAKE_REGION')
    vi.unstubAllEnvs()
    const right = bucket
    bucket = 'tidemark-none'
    await expectAll('LAKE_BUCKET').finally(() => (bucket = right))
  })
})
