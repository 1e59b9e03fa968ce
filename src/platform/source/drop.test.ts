import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeDrop, list, type TestDrop } from './drop.contract.ts'
import { diskDrop } from './drop.ts'

let folder: string
let made = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-test-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function open(settledMs = 0): Promise<TestDrop & { root: string }> {
  const root = join(folder, `drop-${(made += 1)}`)
  return {
    root,
    drop: diskDrop(root, { settledMs }),
    async put(name, body) {
      await mkdir(dirname(join(root, name)), { recursive: true })
      await writeFile(join(root, name), body)
    },
    remove: (name) => rm(join(root, name)),
    async snapshot() {
      const found: Record<string, string> = {}
      for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name)
        found[path] = entry.isFile() ? await readFile(path, 'utf8') : 'a folder'
      }
      return found
    },
  }
}

describeDrop('a directory', () => open())

it('diskDrop() waits until a file no longer changes', async () => {
  const { root, drop, put } = await open(60_000)
  await put('price/a.csv', 'x')
  expect(await list(drop, 'price')).toEqual([])
  const earlier = new Date(Date.now() - 61_000)
  await utimes(join(root, 'price/a.csv'), earlier, earlier)
  expect((await list(drop, 'price')).length).toBe(1)
  // A time in the future, from a fast clock, delays the file only until that time.
  const later = new Date(Date.now() + 3_600_000)
  await utimes(join(root, 'price/a.csv'), later, later)
  expect(await list(drop, 'price')).toEqual([])
})

it('diskDrop() notices a file that replaced another with the same size and time', async () => {
  const { root, drop, put } = await open()
  await put('price/a.csv', 'first')
  const [file] = await list(drop, 'price')
  await put('other.csv', 'other')
  const at = new Date(file?.modifiedAt ?? '')
  await utimes(join(root, 'other.csv'), at, at)
  await rename(join(root, 'other.csv'), join(root, 'price/a.csv'))
  expect(file !== undefined && (await drop.fetch(file, join(folder, 'any')))).toBe(false)
})

it('diskDrop() follows no link to a file, to a folder or in a circle', async () => {
  const { root, drop, put } = await open()
  await put('price/a.csv', 'x')
  await put('secret/b.csv', 'x')
  await symlink(join(root, 'secret/b.csv'), join(root, 'price/b.csv'))
  await symlink(join(root, 'secret'), join(root, 'price/c'))
  await symlink(join(root, 'price'), join(root, 'price/d'))
  await symlink(join(root, 'nothing'), join(root, 'price/e.csv'))
  expect((await list(drop, 'price')).map(({ name }) => name)).toEqual(['price/a.csv'])
  // A link that was a file when it was listed.
  const [file] = await list(drop, 'price')
  await rm(join(root, 'price/a.csv'))
  await symlink(join(root, 'secret/b.csv'), join(root, 'price/a.csv'))
  expect(file !== undefined && (await drop.fetch(file, join(folder, 'any')))).toBe(false)
  // The folder of a feed may not be a link either.
  await symlink(join(root, 'secret'), join(root, 'stock'))
  expect(await list(drop, 'stock')).toEqual([])
})

it('diskDrop() is empty before the folder exists, and reports a file in its place', async () => {
  const { root, drop, put } = await open()
  expect(await list(drop, 'price')).toEqual([])
  await put('price', 'a file where the folder should be')
  await expect(list(drop, 'price')).rejects.toMatchObject({
    code: 'DROP_UNREACHABLE',
    message: expect.stringContaining(root),
  })
})

it.skipIf(process.getuid?.() === 0)('diskDrop() reports that it may not be read', async () => {
  const { root, drop, put } = await open()
  await put('price/a.csv', 'x')
  const [file] = await list(drop, 'price')
  await chmod(join(root, 'price/a.csv'), 0)
  const path = join(folder, 'any')
  const denied = { name: 'ConfigError', code: 'DROP_DENIED' }
  await expect(drop.fetch(file ?? (null as never), path)).rejects.toMatchObject(denied)
  await chmod(join(root, 'price'), 0)
  await expect(list(drop, 'price')).rejects.toMatchObject(denied)
  await chmod(join(root, 'price'), 0o755)
})
