import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type CommitRecord, FORMAT } from './commit-record.ts'
import { diskStore } from './disk-store.ts'
import { prepareSchema, readSchema } from './schema.ts'
import {
  commitBatch,
  commitKey,
  keyPart,
  openFiles,
  readCommit,
  readExistingCommit,
  readLastCommit,
  uploadFile,
  type Zone,
} from './zone.ts'

let folder: string
let zone: Zone
let made = 0
/** Keys asked for with `get`. */
let asked: string[]
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-zone-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))
beforeEach(() => {
  asked = []
  const store = diskStore(join(folder, String((made += 1))))
  const get = (key: string) => {
    asked.push(key)
    return store.get(key)
  }
  zone = { store: { ...store, get }, prefix: 'gen/', cacheDir: folder }
})

function record(batch: number): CommitRecord {
  return {
    format: FORMAT,
    batch,
    previous: batch - 1,
    snapshot: {
      xmin: '1',
      xmax: '1',
      inFlight: [],
      takenAt: '2024-01-01T00:00:00.000000Z',
      systemId: 's',
      timeline: 1,
      standby: false,
    },
    tables: {},
    writer: { version: '0', runId: 'test' },
  }
}

async function commitUpTo(last: number): Promise<void> {
  for (let batch = 1; batch <= last; batch++) await commitBatch(zone, record(batch))
}

describe('commitBatch()', () => {
  it('I3 makes a batch exist, once', async () => {
    expect(await readCommit(zone, 1)).toBeUndefined()
    await commitBatch(zone, record(1))
    expect(await readCommit(zone, 1)).toEqual(record(1))
    const other = { ...record(1), writer: { version: '0', runId: 'other' } }
    await expect(commitBatch(zone, other)).rejects.toMatchObject({
      name: 'ConflictError',
      code: 'BATCH_TAKEN',
    })
    expect(await readExistingCommit(zone, 1)).toEqual(record(1))
  })
})

describe('readLastCommit()', () => {
  it.each([0, 1, 2, 3, 4, 7, 8, 9, 16, 31])(
    'finds batch %i, the last, whatever the hint',
    async (last) => {
      await commitUpTo(last)
      for (const hint of [0, 1, Math.floor(last / 2), last - 1, last, last + 1, last + 100]) {
        const found = await readLastCommit(zone, hint)
        expect(found?.batch, `hint ${hint}`).toBe(last === 0 ? undefined : last)
      }
    },
  )

  it('asks for two records when the hint is right, and a few when there is none', async () => {
    await commitUpTo(100)
    asked = []
    await readLastCommit(zone, 100)
    expect(asked).toEqual([`gen/${commitKey(100)}`, `gen/${commitKey(101)}`])
    asked = []
    await readLastCommit(zone)
    expect(asked.length).toBeLessThanOrEqual(14)
  })
})

describe('readCommit()', () => {
  const put = (text: string) => zone.store.putIfAbsent(`gen/${commitKey(1)}`, Buffer.from(text))

  it.each([
    ['no JSON', '{"format": 1, "ba', 'LAKE_DAMAGED'],
    ['null', 'null', 'LAKE_DAMAGED'],
    ['of another shape', JSON.stringify({ ...record(1), tables: { a: {} } }), 'LAKE_DAMAGED'],
    ['of another batch', JSON.stringify(record(2)), 'LAKE_DAMAGED'],
    ['of a newer format', JSON.stringify({ ...record(1), format: FORMAT + 1 }), 'LAKE_NEWER'],
  ])('refuses a record that is %s, and names it', async (_, text, code) => {
    await put(text)
    await expect(readCommit(zone, 1)).rejects.toMatchObject({
      name: 'ContractError',
      code,
      message: expect.stringContaining(`gen/${commitKey(1)}`),
    })
  })

  it('readExistingCommit() names the record that is missing', async () => {
    await expect(readExistingCommit(zone, 7)).rejects.toMatchObject({
      code: 'LAKE_OBJECT_MISSING',
      message: expect.stringContaining('gen/batch/000000000007.json'),
    })
  })
})

describe('openFiles()', () => {
  const path = () => join(folder, 'file.parquet')
  beforeEach(() => writeFile(path(), 'the content'))

  it('returns checked local paths in order', async () => {
    const one = await uploadFile(zone, 'a/1', { path: path(), rows: 1 })
    const two = await uploadFile(zone, 'a/2', { path: path(), rows: 2 })
    expect(one).toEqual({
      key: 'a/1',
      rows: 1,
      bytes: 11,
      sha256: createHash('sha256').update('the content').digest('hex'),
    })
    const paths = await openFiles(zone, [two, one])
    expect(paths.map((found) => found.slice(-3))).toEqual(['a/2', 'a/1'])
    expect(await openFiles(zone, [two, one])).toEqual(paths)
  })

  it.each([
    ['flipped bit', 'the cOntent'],
    ['truncated end', 'the cont'],
  ])('names the object with a %s', async (_, damage) => {
    const file = await uploadFile(zone, 'a/1', { path: path(), rows: 1 })
    await writeFile(join(zone.store.location, 'gen/a/1'), damage)
    await expect(openFiles(zone, [file])).rejects.toMatchObject({
      name: 'ContractError',
      code: 'LAKE_DAMAGED',
      message: expect.stringContaining('gen/a/1'),
    })
  })

  it('names the object that is missing', async () => {
    const file = await uploadFile(zone, 'a/1', { path: path(), rows: 1 })
    await expect(openFiles(zone, [{ ...file, key: 'a/2' }])).rejects.toMatchObject({
      code: 'LAKE_OBJECT_MISSING',
      message: expect.stringContaining('gen/a/2'),
    })
  })
})

describe('keyPart()', () => {
  it('gives every name a part of its own that is a key', () => {
    const names = [
      'payment',
      'Payment',
      'a b',
      'a%20b',
      '..',
      'a/b',
      'é',
      '"',
      '.staging',
      'a.b',
      '🙂',
    ]
    const parts = names.map(keyPart)
    expect(new Set(parts).size).toBe(names.length)
    for (const part of parts) expect(part).toMatch(/^[A-Za-z0-9_%-]+$/)
    expect(keyPart('sales_order')).toBe('sales_order')
  })
})

describe('readSchema()', () => {
  it('returns the archived columns in the lake’s types, however often they were archived', async () => {
    const columns = [{ name: 'id', type: 'amount', baseType: 'numeric(10,2)', nullable: false }]
    const schema = { table: 'a b', key: ['id'], fingerprint: 'f1', columns }
    await prepareSchema(zone, schema)
    await prepareSchema(zone, { ...schema, columns: [] })
    expect(await readSchema(zone, 'a b', 'f1')).toEqual({
      name: 'a b',
      key: ['id'],
      columns: [{ name: 'id', type: 'DECIMAL(10,2)' }],
    })
    await expect(readSchema(zone, 'a b', 'f2')).rejects.toMatchObject({
      code: 'LAKE_OBJECT_MISSING',
      message: expect.stringContaining('gen/schema/a%20b/f2.json'),
    })
  })
})
