import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readLineBlocks } from './line-blocks.ts'

const MB = 1 << 20
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-lines-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

it.each([
  ['nothing', []],
  ['one short line', [3]],
  ['lines of exactly the limit and one byte more', [2 * MB, 2 * MB + 1, 1, 2 * MB]],
  ['a long line first, last, and twice in a row', [5 * MB, 1, 5 * MB, 3 * MB, 7, 9 * MB]],
  ['line feeds where a piece of the file ends', [MB, MB, 1, MB - 1, 2 * MB, 1]],
])('I12 readLineBlocks() holds no line over the limit in a file of %s', async (_, sizes) => {
  const path = join(folder, 'lines')
  const lines = sizes.map((size, index) => `${String.fromCharCode(97 + index).repeat(size - 1)}\n`)
  const text = lines.join('')
  await writeFile(path, text)
  const held: string[] = []
  const long: string[] = []
  const read: string[] = []
  for await (const block of readLineBlocks(path, { maxLineBytes: 2 * MB })) {
    const isHeld = 'lines' in block
    const part = isHeld ? block.lines.toString() : text.slice(block.from, block.to + 1)
    read.push(part)
    const into = isHeld ? held : long
    into.push(...part.split('\n').slice(0, -1))
  }
  expect(read.join('') === text).toBe(true)
  // Each length counts the line feed.
  expect(held.map((line) => line.length + 1)).toEqual(sizes.filter((size) => size <= 2 * MB))
  expect(long.map((line) => line.length + 1)).toEqual(sizes.filter((size) => size > 2 * MB))
})

it('readLineBlocks() accepts a last line without a line feed', async () => {
  const path = join(folder, 'cut')
  for (const text of ['a', 'a\nb', `a\n${'x'.repeat(3 * MB)}`]) {
    await writeFile(path, text)
    let to = 0
    for await (const block of readLineBlocks(path, { maxLineBytes: 2 * MB })) {
      to = 'lines' in block ? to + block.lines.length : block.to
    }
    expect(to).toBe(text.length)
  }
})
