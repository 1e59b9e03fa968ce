import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDrainingFile, type WrittenText } from './draining-file.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-draining-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Writes bytes in pieces of one size, and returns the properties that were observed. */
async function written(bytes: Buffer, size: number): Promise<WrittenText> {
  const path = join(folder, 'text')
  await using file = await openDrainingFile(path)
  for (let from = 0; from < bytes.length; from += size) {
    // One after another, because pieces that wait together are written as one.
    await new Promise((done) => file.sink.write(bytes.subarray(from, from + size), done))
  }
  file.sink.end()
  await finished(file.sink)
  expect((await readFile(path)).equals(bytes)).toBe(true)
  return file.check()
}

describe('openDrainingFile()', () => {
  it.each([1, 2, 3, 5, 1000])(
    'tells UTF-8 from other bytes in pieces of %i, wherever a character is cut',
    async (size) => {
      const text = 'a é € 🙂 z\n'
      expect((await written(Buffer.from(text), size)).isUtf8).toBe(true)
      for (const end of ['é', '€', '🙂']) {
        const cut = Buffer.from(text + end).subarray(0, -1)
        expect((await written(cut, size)).isUtf8, end).toBe(false)
      }
      for (const bytes of [[0xff], [0xfc, 0x61], [0x80, 0x80, 0x80, 0x80], [0x61, 0xc3, 0x28]]) {
        const other = Buffer.concat([Buffer.from(text), Buffer.from(bytes), Buffer.from('\n')])
        expect((await written(other, size)).isUtf8).toBe(false)
      }
    },
  )

  it('finds a line that is longer than its pieces', async () => {
    const text = Buffer.from(`${'a'.repeat(10)}\n${'b'.repeat(500)}\n${'c'.repeat(20)}`)
    expect((await written(text, 7)).longestLineBytes).toBeGreaterThanOrEqual(501)
    expect(await written(Buffer.alloc(0), 7)).toEqual({ isUtf8: true, longestLineBytes: 0 })
  })

  it('names the folder if it cannot create a file there', async () => {
    await expect(openDrainingFile(join(folder, 'none', 'text'))).rejects.toThrow(/none/)
  })
})
