import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type FaultyProxy, startFaultyProxy } from '../../../test/support/faulty-proxy.ts'
import { isS3Missing, type S3Server, startS3Server } from '../../../test/support/s3-server.ts'
import { describeDrop, list, type TestDrop } from './drop.contract.ts'
import { s3Drop } from './s3-drop.ts'

describe.skipIf(isS3Missing)('s3Drop()', () => {
  let server: S3Server
  let proxy: FaultyProxy
  let client: S3Client
  let bucket: string
  let folder: string
  let made = 0
  const opened: AsyncDisposable[] = []
  beforeAll(async () => {
    server = await startS3Server()
    bucket = await server.createBucket()
    proxy = await startFaultyProxy(server.endpoint)
    client = new S3Client({ endpoint: server.endpoint, forcePathStyle: true })
    folder = await mkdtemp(join(tmpdir(), 'tidemark-s3-test-'))
  })
  afterAll(async () => {
    for (const drop of opened) await drop[Symbol.asyncDispose]()
    await proxy?.[Symbol.asyncDispose]()
    client?.destroy()
    await server?.[Symbol.asyncDispose]()
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  })
  beforeEach(() => {
    proxy.onRequest = () => undefined
  })
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  function open(options: Partial<Parameters<typeof s3Drop>[0]> = {}): TestDrop {
    const prefix = options.prefix ?? `drop-${(made += 1)}/deeper`
    const drop = s3Drop({ bucket, endpoint: server.endpoint, ...options, prefix })
    opened.push(drop)
    const base = prefix === '' ? '' : `${prefix}/`
    return {
      drop,
      async put(name, body) {
        await client.send(new PutObjectCommand({ Bucket: bucket, Key: base + name, Body: body }))
      },
      async remove(name) {
        await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: base + name }))
      },
      async snapshot() {
        const found: Record<string, string> = {}
        const page = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: base }))
        for (const { Key = '' } of page.Contents ?? []) {
          const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }))
          found[Key] = (await Body?.transformToString()) ?? ''
        }
        return found
      },
    }
  }

  describeDrop('a bucket', async () => open())

  it('can be a whole bucket, and ignores the folder objects that consoles make', async () => {
    const { drop, put } = open({ prefix: '' })
    await put('whole/', '')
    await put('whole/a.csv', 'x')
    expect((await list(drop, 'whole')).map(({ name }) => name)).toEqual(['whole/a.csv'])
    expect(drop.location).toBe(`s3://${bucket}`)
  })

  it('leaves no half of an object behind, and fetches all of it later', async () => {
    const { drop, put } = open({ endpoint: proxy.endpoint })
    await put('price/a.csv', 'x'.repeat(100_000))
    const [file] = await list(drop, 'price')
    if (file === undefined) throw new Error('a file was dropped')
    const path = join(folder, 'any')
    proxy.onRequest = (request) => (request.startsWith('GET') ? 'cut' : undefined)
    await expect(drop.fetch(file, path)).rejects.toMatchObject({
      name: 'TransientError',
      code: 'DROP_UNREACHABLE',
    })
    proxy.onRequest = () => undefined
    expect(await drop.fetch(file, path)).toBe(true)
  })

  it('reports why it cannot be read, with codes of its own', async () => {
    const cases: [
      string,
      Partial<Parameters<typeof s3Drop>[0]>,
      object,
      { status: number; code: string }?,
    ][] = [
      ['bucket', { bucket: 'tidemark-is-not-there' }, { name: 'ConfigError', code: 'DROP_BUCKET' }],
      [
        'denied',
        {},
        { name: 'ConfigError', code: 'DROP_DENIED' },
        { status: 403, code: 'AccessDenied' },
      ],
      [
        'region',
        {},
        { name: 'ConfigError', code: 'DROP_REGION' },
        { status: 301, code: 'PermanentRedirect' },
      ],
      [
        'credentials',
        {},
        { name: 'ConfigError', code: 'DROP_CREDENTIALS' },
        { status: 403, code: 'InvalidAccessKeyId' },
      ],
      [
        'away',
        {},
        { name: 'TransientError', code: 'DROP_UNREACHABLE' },
        { status: 503, code: 'SlowDown' },
      ],
      [
        'refused',
        { endpoint: 'http://127.0.0.1:1' },
        { name: 'TransientError', code: 'DROP_UNREACHABLE' },
      ],
    ]
    for (const [what, options, expected, mishap] of cases) {
      const { drop } = open({ endpoint: proxy.endpoint, ...options })
      proxy.onRequest = () => mishap
      const error: unknown = await list(drop, 'price').catch((fault: unknown) => fault)
      expect(error, what).toMatchObject({ ...expected, message: expect.stringContaining('drop') })
      expect(inspect(error), what).not.toMatch(/zone|PutObject/)
      expect(inspect(error), what).not.toContain(process.env['AWS_SECRET_ACCESS_KEY'])
    }
  })
})
