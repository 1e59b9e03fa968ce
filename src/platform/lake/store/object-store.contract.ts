import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ObjectInfo, ObjectStore } from './object-store.ts'

/** The contract of every object store. `make` returns an empty store each time it is called. */
export function describeObjectStore(name: string, make: () => Promise<ObjectStore>): void {
  describe(`${name} as an object store`, () => {
    let folder: string
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'tidemark-store-'))
    })
    afterAll(() => rm(folder, { recursive: true, force: true }))

    const listed = async (store: ObjectStore, prefix: string): Promise<ObjectInfo[]> => {
      const found: ObjectInfo[] = []
      for await (const info of store.list(prefix)) found.push(info)
      return found
    }
    const keys = async (store: ObjectStore, prefix: string) =>
      (await listed(store, prefix)).map(({ key }) => key)

    it('get() returns what putIfAbsent() stored, byte for byte', async () => {
      const store = await make()
      const body = Buffer.from([0, 255, 10, 13, 26, ...Buffer.from('🙂')])
      expect(await store.putIfAbsent('a/b.json', body)).toBe('created')
      expect(await store.get('a/b.json')).toEqual(body)
    })

    it('get() returns an empty object as empty', async () => {
      const store = await make()
      expect(await store.putIfAbsent('empty', Buffer.alloc(0))).toBe('created')
      expect(await store.get('empty')).toEqual(Buffer.alloc(0))
    })

    it('get() returns undefined for a missing object, also if it is the folder of another object', async () => {
      const store = await make()
      expect(await store.get('a/b')).toBeUndefined()
      await store.putIfAbsent('a/b', Buffer.from('x'))
      expect(await store.get('a')).toBeUndefined()
      expect(await store.get('a/b/c')).toBeUndefined()
      expect(await store.get('a/bb')).toBeUndefined()
    })

    it('I3 putIfAbsent() leaves an existing object unchanged and says so', async () => {
      const store = await make()
      await store.putIfAbsent('key', Buffer.from('first'))
      expect(await store.putIfAbsent('key', Buffer.from('second'))).toBe('exists')
      expect(await store.get('key')).toEqual(Buffer.from('first'))
    })

    it('I3 putIfAbsent() lets one of twenty writers win, and every reader sees its object whole', async () => {
      const store = await make()
      const bodies = Array.from({ length: 20 }, (_, index) => Buffer.alloc(50_000, index + 1))
      const outcomes = await Promise.all(
        bodies.map((body) => store.putIfAbsent('batch/1.json', body)),
      )
      expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1)
      const winner = bodies[outcomes.indexOf('created')]
      expect(await store.get('batch/1.json')).toEqual(winner)
    })

    it('I3 putIfAbsent() lets one of ten writers with equal content win', async () => {
      const store = await make()
      const body = Buffer.from('{"batch":1}')
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, () => store.putIfAbsent('batch/1.json', body)),
      )
      expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1)
    })

    it('I3 uploadIfAbsent() and putIfAbsent() compete for a key on equal terms', async () => {
      const store = await make()
      const path = join(folder, 'competing')
      await writeFile(path, 'uploaded')
      const outcomes = await Promise.all([
        store.uploadIfAbsent('key', path),
        store.putIfAbsent('key', Buffer.from('put')),
      ])
      expect(outcomes.toSorted()).toEqual(['created', 'exists'])
      expect(String(await store.get('key'))).toBe(outcomes[0] === 'created' ? 'uploaded' : 'put')
    })

    it('uploadIfAbsent() takes an empty file', async () => {
      const store = await make()
      const path = join(folder, 'empty')
      await writeFile(path, '')
      expect(await store.uploadIfAbsent('empty', path)).toBe('created')
      expect(await readFile(await store.download('empty', folder))).toEqual(Buffer.alloc(0))
    })

    it('download() returns the same path again, and keeps objects and stores apart', async () => {
      const [store, other] = [await make(), await make()]
      await store.putIfAbsent('a/b', Buffer.from('1'))
      await store.putIfAbsent('a/c', Buffer.from('2'))
      await other.putIfAbsent('a/b', Buffer.from('3'))
      const paths = await Promise.all([
        store.download('a/b', folder),
        store.download('a/b', folder),
        store.download('a/c', folder),
        other.download('a/b', folder),
      ])
      expect(await store.download('a/b', folder)).toBe(paths[0])
      const contents = await Promise.all(paths.map((path) => readFile(path, 'utf8')))
      expect(contents).toEqual(['1', '1', '2', '3'])
    })

    it('uploadIfAbsent() streams a large file, download() returns it, and neither changes the source', async () => {
      const store = await make()
      const path = join(folder, 'large')
      const body = Buffer.alloc(24 * 1024 * 1024, 'tidemark ')
      await writeFile(path, body)
      expect(await store.uploadIfAbsent('data/large.parquet', path)).toBe('created')
      expect(await store.uploadIfAbsent('data/large.parquet', path)).toBe('exists')
      const local = await store.download('data/large.parquet', folder)
      expect((await readFile(local)).equals(body)).toBe(true)
      expect((await readFile(path)).equals(body)).toBe(true)
      expect(await listed(store, 'data/')).toEqual([
        { key: 'data/large.parquet', sizeBytes: body.length, modifiedAt: expect.any(Date) },
      ])
    })

    it('uploadIfAbsent() of a missing file creates nothing', async () => {
      const store = await make()
      await expect(store.uploadIfAbsent('a', join(folder, 'none'))).rejects.toThrow('ENOENT')
      expect(await keys(store, '')).toEqual([])
    })

    it('download() names a missing object', async () => {
      const store = await make()
      await store.putIfAbsent('a/b', Buffer.from('x'))
      for (const key of ['none/of/it.parquet', 'a', 'a/b/c']) {
        await expect(store.download(key, folder)).rejects.toMatchObject({
          name: 'ContractError',
          code: 'LAKE_OBJECT_MISSING',
          message: expect.stringContaining(key),
        })
      }
    })

    it('list() returns more than a thousand keys in order', async () => {
      const store = await make()
      const wanted = Array.from(
        { length: 1050 },
        (_, index) => `batch/${String(index).padStart(12, '0')}.json`,
      )
      for (let from = 0; from < wanted.length; from += 50) {
        await Promise.all(
          wanted.slice(from, from + 50).map((key) => store.putIfAbsent(key, Buffer.from('{}'))),
        )
      }
      expect(await keys(store, 'batch/')).toEqual(wanted)
    })

    it('list() tells look-alike prefixes apart and orders keys as text', async () => {
      const store = await make()
      const all = [
        'payment-old/1',
        'payment.json',
        'payment/1',
        'payment/date=1/2',
        'payment_type/1',
        'pay/1',
        'z',
      ]
      for (const key of all) await store.putIfAbsent(key, Buffer.from(key))
      expect(await keys(store, '')).toEqual(all.toSorted((a, b) => (a < b ? -1 : 1)))
      expect(await keys(store, 'payment/')).toEqual(['payment/1', 'payment/date=1/2'])
      expect(await keys(store, 'payment')).toEqual([
        'payment-old/1',
        'payment.json',
        'payment/1',
        'payment/date=1/2',
        'payment_type/1',
      ])
      expect(await keys(store, 'payment_')).toEqual(['payment_type/1'])
      expect(await keys(store, 'payment/date=')).toEqual(['payment/date=1/2'])
      expect(await keys(store, 'none/')).toEqual([])
      const [one] = await listed(store, 'pay/')
      expect(one).toMatchObject({ key: 'pay/1', sizeBytes: 5 })
      expect(Math.abs(Date.now() - (one?.modifiedAt.getTime() ?? 0))).toBeLessThan(600_000)
    })

    it('remove() removes one object, and does nothing if it does not exist', async () => {
      const store = await make()
      for (const key of ['a/1', 'a/2', 'a/10']) await store.putIfAbsent(key, Buffer.from(key))
      await store.remove('a/1')
      await store.remove('a/1')
      expect(await keys(store, '')).toEqual(['a/10', 'a/2'])
      expect(await store.get('a/1')).toBeUndefined()
      expect(await store.putIfAbsent('a/1', Buffer.from('again'))).toBe('created')
    })

    it.each([
      '',
      '/',
      '/a',
      'a/',
      'a//b',
      '.',
      '..',
      '../a',
      'a/../b',
      'a/./b',
      '.staging/a',
      'a/.hidden',
      'a b',
      'a\nb',
      'a\0b',
      'a\\b',
      'é',
      'a?b',
      'a#b',
      '~/a',
      '$HOME',
    ])('refuses the key %j everywhere', async (key) => {
      const store = await make()
      const file = join(folder, 'small')
      await writeFile(file, 'x')
      await expect(store.putIfAbsent(key, Buffer.from('x'))).rejects.toThrow('not an object key')
      await expect(store.uploadIfAbsent(key, file)).rejects.toThrow('not an object key')
      await expect(store.get(key)).rejects.toThrow('not an object key')
      await expect(store.download(key, folder)).rejects.toThrow('not an object key')
      await expect(store.remove(key)).rejects.toThrow('not an object key')
    })

    it.each(['..', '../../', '/', 'a/../', '.staging/'])(
      'list() refuses the prefix %j',
      async (prefix) => {
        const store = await make()
        await expect(keys(store, prefix)).rejects.toThrow('not an object key')
      },
    )
  })
}
