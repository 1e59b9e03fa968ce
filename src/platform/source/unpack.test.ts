import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { gunzipFile } from './unpack.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-test-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function unpack(packed: Buffer, options?: { maxBytes?: number }): Promise<string> {
  await writeFile(join(folder, 'packed'), packed)
  await gunzipFile(join(folder, 'packed'), join(folder, 'plain'), options)
  return await readFile(join(folder, 'plain'), 'utf8')
}

it('gunzipFile() unpacks what was packed, in one piece or several', async () => {
  expect(await unpack(gzipSync('one\n'))).toBe('one\n')
  expect(await unpack(Buffer.concat([gzipSync('one\n'), gzipSync('two\n')]))).toBe('one\ntwo\n')
  expect(await unpack(gzipSync(''))).toBe('')
})

it('gunzipFile() refuses what was cut off, changed, is no gzip, or never ends', async () => {
  const whole = gzipSync('x\n'.repeat(100_000))
  const changed = Buffer.from(whole)
  changed[whole.length - 6] = (changed[whole.length - 6] ?? 0) ^ 1
  const odd: [string, Buffer][] = [
    ['cut off', whole.subarray(0, whole.length / 2)],
    ['without its end', whole.subarray(0, -8)],
    ['changed', changed],
    ['no gzip', Buffer.from('{"a":1}')],
    ['empty', Buffer.alloc(0)],
  ]
  for (const [what, packed] of odd) {
    await expect(unpack(packed), what).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
  }
  await expect(unpack(whole, { maxBytes: 100_000 })).rejects.toMatchObject({
    code: 'FILE_UNREADABLE',
  })
})

it('gunzipFile() does not take a full disk for a bad file', async () => {
  await writeFile(join(folder, 'packed'), gzipSync('x'))
  await expect(gunzipFile(join(folder, 'packed'), '/dev/full')).rejects.toMatchObject({
    code: 'ENOSPC',
  })
})
