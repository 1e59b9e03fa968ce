import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createMemory } from '../io/memory.ts'
import { prepareSchema, readSchema } from './schema.ts'
import { diskStore } from './store/disk-store.ts'
import { keyPart, openFiles, uploadFile, type Zone } from './zone.ts'

let folder: string
let zone: Zone
let made = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-zone-'))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

beforeEach(() => {
  const store = diskStore(join(folder, String((made += 1))))
  zone = { store, prefix: 'gen/', cacheDir: folder, memory: createMemory() }
})

describe('openFiles()', () => {
  const path = () => join(folder, 'file.parquet')
  beforeEach(() => writeFile(path(), 'the content'))

  it('returns local paths of checked files, in order', async () => {
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

  it('names a missing object', async () => {
    const file = await uploadFile(zone, 'a/1', { path: path(), rows: 1 })
    await expect(openFiles(zone, [{ ...file, key: 'a/2' }])).rejects.toMatchObject({
      code: 'LAKE_OBJECT_MISSING',
      message: expect.stringContaining('gen/a/2'),
    })
  })
})

describe('keyPart()', () => {
  it('gives every name its own part, which is valid in a key', () => {
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
