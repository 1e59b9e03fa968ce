import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { zip } from '../../../test/support/zip.ts'
import { gunzipFile, unzipFile } from './unpack.ts'

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

it('gunzipFile() unpacks a file of one or several gzip members', async () => {
  expect(await unpack(gzipSync('one\n'))).toBe('one\n')
  expect(await unpack(Buffer.concat([gzipSync('one\n'), gzipSync('two\n')]))).toBe('one\ntwo\n')
  expect(await unpack(gzipSync(''))).toBe('')
})

it('gunzipFile() refuses a file that is cut off, changed, not gzip, or too large', async () => {
  const whole = gzipSync('x\n'.repeat(100_000))
  const changed = Buffer.from(whole)
  changed[whole.length - 6] = (changed[whole.length - 6] ?? 0) ^ 1
  const odd: [string, Buffer][] = [
    ['cut off', whole.subarray(0, whole.length / 2)],
    ['without its end', whole.subarray(0, -8)],
    ['changed', changed],
    ['not gzip', Buffer.from('{"a":1}')],
    ['empty', Buffer.alloc(0)],
  ]
  for (const [what, packed] of odd) {
    await expect(unpack(packed), what).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
  }
  await expect(unpack(whole, { maxBytes: 100_000 })).rejects.toMatchObject({
    code: 'FILE_UNREADABLE',
  })
})

it('gunzipFile() does not blame the file for a full disk', async () => {
  await writeFile(join(folder, 'packed'), gzipSync('x'))
  await expect(gunzipFile(join(folder, 'packed'), '/dev/full')).rejects.toMatchObject({
    code: 'ENOSPC',
  })
})

async function unzip(content: Buffer, maxBytes?: number): Promise<string> {
  const [from, to] = [join(folder, 'a.zip'), join(folder, 'unzipped')]
  await writeFile(from, content)
  const name = await unzipFile(from, to, maxBytes === undefined ? {} : { maxBytes })
  return `${name}: ${await readFile(to, 'utf8')}`
}

it('unzipFile() unpacks the one data file in an archive', async () => {
  const body = Buffer.from('a,b\n1,2\n'.repeat(1000))
  for (const method of [0, 8] as const) {
    expect(await unzip(zip([{ name: 'history.csv', body, method }]))).toBe(
      `history.csv: ${body.toString()}`,
    )
  }
  const beside = [
    { name: 'in/', body: Buffer.alloc(0) },
    { name: '__MACOSX/in/._rates.csv', body },
    { name: '.DS_Store', body },
    { name: 'in/rates.csv', body },
  ]
  expect(await unzip(zip(beside))).toBe(`in/rates.csv: ${body.toString()}`)
  expect(await unzip(zip([{ name: 'a.csv', body: Buffer.alloc(0), method: 0 }]))).toBe('a.csv: ')
})

it('unzipFile() refuses an archive that is cut off, changed, encrypted, too large, or holds several files', async () => {
  const entry = { name: 'a.csv', body: Buffer.from('a,b\n1,2\n'.repeat(1000)) }
  const whole = zip([entry])
  const bad: Record<string, Buffer> = {
    empty: Buffer.alloc(0),
    text: Buffer.from('no archive at all, but long enough to be one'),
    cut: whole.subarray(0, whole.length - 30),
    headless: whole.subarray(40),
    changed: zip([{ ...entry, crc: 1 }]),
    encrypted: zip([{ ...entry, flags: 1 }]),
    'of another method': zip([{ ...entry, method: 12 }]),
    several: zip([entry, { ...entry, name: 'b.csv' }]),
    none: zip([]),
  }
  for (const [kind, content] of Object.entries(bad)) {
    await expect(unzip(content), kind).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
  }
  await expect(unzip(whole, 100)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
})
