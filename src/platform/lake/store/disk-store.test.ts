import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { diskStore } from './disk-store.ts'
import { describeObjectStore } from './object-store.contract.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-disk-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

let made = 0
const newFolder = () => join(folder, `zone-${(made += 1)}`, 'deeper')

describeObjectStore('a directory', async () => diskStore(newFolder()))

it('leaves nothing in the staging folder, whichever writer wins', async () => {
  const root = newFolder()
  const store = diskStore(root)
  await store.putIfAbsent('a', Buffer.from('x'))
  await store.putIfAbsent('a', Buffer.from('y'))
  await expect(store.uploadIfAbsent('b', join(root, 'none'))).rejects.toThrow('ENOENT')
  expect(await readdir(join(root, '.staging'))).toEqual([])
})

it('never lists staged or hidden files, which are not objects', async () => {
  const root = newFolder()
  const store = diskStore(root)
  await store.putIfAbsent('a', Buffer.from('x'))
  await writeFile(join(root, '.staging', 'half'), 'half of an obj')
  await writeFile(join(root, '.DS_Store'), '')
  const keys: string[] = []
  for await (const { key } of store.list('')) keys.push(key)
  expect(keys).toEqual(['a'])
})

it('does not take a folder under the key for the object', async () => {
  const root = newFolder()
  const store = diskStore(root)
  await store.putIfAbsent('a', Buffer.from('x'))
  await expect(store.putIfAbsent('a/b', Buffer.from('x'))).rejects.toThrow(/EEXIST|ENOTDIR/)
})

it('names a zone that cannot be used', async () => {
  // `/sys` refuses every new file and folder, even from root.
  const store = diskStore('/sys/tidemark-zone')
  await expect(store.putIfAbsent('a', Buffer.from('x'))).rejects.toMatchObject({
    name: 'ConfigError',
    code: 'LAKE_PERMISSION',
    message: expect.stringContaining('/sys/tidemark-zone'),
  })
  expect(await store.get('a')).toBeUndefined()
})
