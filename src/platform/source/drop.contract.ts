import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Drop, DroppedFile } from './drop.ts'

/** A drop, and the ways to put files into it. */
export interface TestDrop {
  readonly drop: Drop
  put(name: string, body: string | Buffer): Promise<void>
  remove(name: string): Promise<void>
  /** All files in it, by name, with their content. */
  snapshot(): Promise<Record<string, string>>
}

/** The tests that every drop must pass. Each call of `make` returns an empty drop. */
export function describeDrop(title: string, make: () => Promise<TestDrop>): void {
  describe(`${title} as a drop`, () => {
    let folder: string
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'tidemark-drop-'))
    })
    afterAll(() => rm(folder, { recursive: true, force: true }))

    it('list() returns only the feed’s files, nested ones too, in the order of their names', async () => {
      const { drop, put } = await make()
      for (const name of ['price/b.csv', 'price/a.csv', 'price/a/z.csv', 'price/a.b/c.csv']) {
        await put(name, name)
      }
      for (const name of ['price_list/a.csv', 'price.csv', 'prices/a.csv', 'pric/a.csv', 'a.csv']) {
        await put(name, 'not of this feed')
      }
      expect(await names(drop, 'price')).toEqual([
        'price/a.b/c.csv',
        'price/a.csv',
        'price/a/z.csv',
        'price/b.csv',
      ])
      expect(await names(drop, 'nothing')).toEqual([])
      const [file] = await list(drop, 'price_list')
      expect(file).toMatchObject({ name: 'price_list/a.csv', sizeBytes: 16 })
      expect(Math.abs(Date.now() - Date.parse(file?.modifiedAt ?? ''))).toBeLessThan(3_600_000)
    })

    it('list() and fetch() accept names with spaces, quotes, newlines and letters of any script', async () => {
      const { drop, put } = await make()
      const odd = [
        'a b.csv',
        `it's "it".csv`,
        'new\nline.csv',
        'Preis für Tüte 🙂.csv',
        '*.csv',
        '%2e+&?#.csv',
        `'; drop table x; --.csv`,
      ]
      for (const [at, name] of odd.entries()) await put(`price/${name}`, `content ${at}`)
      const found = await list(drop, 'price')
      expect(found.map(({ name }) => name).toSorted()).toEqual(
        odd.map((name) => `price/${name}`).toSorted(),
      )
      for (const file of found) {
        const path = join(folder, 'fetched')
        expect(await drop.fetch(file, path)).toBe(true)
        expect(await readFile(path, 'utf8')).toBe(`content ${odd.indexOf(file.name.slice(6))}`)
      }
    })

    it('list() returns more than a thousand files, each once', async () => {
      const { drop, put } = await make()
      const wanted = Array.from(
        { length: 1100 },
        (_, at) => `price/${String(at).padStart(5, '0')}.csv`,
      )
      for (let from = 0; from < wanted.length; from += 50) {
        await Promise.all(wanted.slice(from, from + 50).map((name) => put(name, 'x')))
      }
      expect(await names(drop, 'price')).toEqual(wanted)
    })

    it('list() leaves out hidden files and folders', async () => {
      const { drop, put } = await make()
      for (const name of ['price/.hidden.csv', 'price/.git/a.csv', 'price/a.csv'])
        await put(name, 'x')
      expect(await names(drop, 'price')).toEqual(['price/a.csv'])
    })

    it('list() reports each leftover of engines and spreadsheets once, and lists the data beside it', async () => {
      const { drop, put } = await make()
      const data = ['price/_day=1/a.csv', 'price/day=2024-01-02/part-0.csv', 'price/~a.csv']
      const leftovers = [
        'price/_SUCCESS',
        'price/_committed_4f3c',
        'price/_delta_log/0.json',
        'price/_delta_log/1.json',
        'price/_temporary/0/task/part-1.csv',
        'price/day=2024-01-02/.part-0.csv.crc',
        'price/day=2024-01-02/_metadata',
        'price/iceberg/metadata/v1.metadata.json',
        'price/~$a.xlsx',
      ]
      for (const name of [...data, ...leftovers]) await put(name, 'x')
      const ignored: string[] = []
      const found: string[] = []
      for await (const { name } of drop.list('price', (each) => ignored.push(each))) {
        found.push(name)
      }
      expect(found.toSorted()).toEqual(data)
      expect(ignored.toSorted()).toEqual([
        'price/_SUCCESS',
        'price/_committed_4f3c',
        'price/_delta_log/',
        'price/_temporary/',
        'price/day=2024-01-02/.part-0.csv.crc',
        'price/day=2024-01-02/_metadata',
        'price/iceberg/metadata/v1.metadata.json',
        'price/~$a.xlsx',
      ])
    })

    it('fetch() copies the listed file, or returns false if it was replaced or removed', async () => {
      const { drop, put, remove } = await make()
      await put('price/a.csv', 'first')
      await put('price/b.csv', 'x')
      const [a, b] = await list(drop, 'price')
      if (a === undefined || b === undefined) throw new Error('two files were dropped')
      await put('price/a.csv', 'other')
      await remove('price/b.csv')
      const path = join(folder, 'fetched')
      expect(await drop.fetch(a, path)).toBe(false)
      expect(await drop.fetch(b, path)).toBe(false)
      const [again] = await list(drop, 'price')
      expect(again?.version).not.toBe(a.version)
      expect(again !== undefined && (await drop.fetch(again, path))).toBe(true)
      expect(await readFile(path, 'utf8')).toBe('other')
    })

    it('list() returns the same version while a file stays the same', async () => {
      const { drop, put } = await make()
      await put('price/a.csv', 'x')
      expect(await list(drop, 'price')).toEqual(await list(drop, 'price'))
    })

    it('fetch() copies an empty file and a large one byte for byte, in little memory', async () => {
      const { drop, put } = await make()
      const large = Buffer.alloc(96 * 1024 * 1024, 'tidemark\n')
      await put('price/a.csv', '')
      await put('price/b.csv', large)
      const path = join(folder, 'large')
      const [a, b] = await list(drop, 'price')
      if (a === undefined || b === undefined) throw new Error('two files were dropped')
      expect(await drop.fetch(a, path)).toBe(true)
      expect((await readFile(path)).length).toBe(0)
      let peak = 0
      const before = process.memoryUsage().arrayBuffers
      const sampling = setInterval(() => {
        peak = Math.max(peak, process.memoryUsage().arrayBuffers - before)
      }, 5)
      expect(await drop.fetch(b, path)).toBe(true)
      clearInterval(sampling)
      expect(peak).toBeLessThan(64 * 1024 * 1024)
      expect((await readFile(path)).equals(large)).toBe(true)
    })

    it('I3 is never written to', async () => {
      const { drop, put, snapshot } = await make()
      await put('price/a.csv', 'x')
      await put('price/deeper/b.csv', 'y')
      const before = await snapshot()
      for (const file of await list(drop, 'price')) await drop.fetch(file, join(folder, 'any'))
      expect(await snapshot()).toEqual(before)
    })
  })
}

/** All files that a drop lists for a feed. */
export async function list(drop: Drop, feed: string): Promise<DroppedFile[]> {
  const found: DroppedFile[] = []
  for await (const file of drop.list(feed)) found.push(file)
  return found
}

async function names(drop: Drop, feed: string): Promise<string[]> {
  return (await list(drop, feed)).map(({ name }) => name)
}
