import { access, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { deflateRawSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
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
  const large = zip([{ name: 'prices-\u00e9.csv', body }], { isZip64: true })
  expect(await unzip(large)).toBe(`prices-\u00e9.csv: ${body.toString()}`)
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
    'larger than it says': zip([{ ...entry, sizeBytes: 100 }]),
    'smaller than it says': zip([{ ...entry, sizeBytes: 1_000_000 }]),
    'stored, and smaller than it says': zip([{ ...entry, method: 0, sizeBytes: 1_000_000 }]),
    'packed in another way': zip([{ ...entry, packed: entry.body }]),
    'cut off inside': zip([{ ...entry, packed: deflateRawSync(entry.body).subarray(0, 20) }]),
    'without the file it lists': whole.subarray(whole.indexOf('PK\x01\x02', 0, 'latin1')),
    'with a number that no file has': changedAt(zip([entry], { isZip64: true }), 'PK\x06\x06', 32),
  }
  for (const [kind, content] of Object.entries(bad)) {
    await expect(unzip(content), kind).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
  }
  await expect(unzip(whole, 100)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
  // However it ended, the archive is closed.
  await vi.waitFor(
    async () => {
      expect(await listOpen()).not.toContain(join(folder, 'a.zip'))
    },
    { timeout: 60_000 },
  )
})

/** A copy in which eight bytes, `at` behind the start of a record, say a huge number. */
function changedAt(content: Buffer, record: string, at: number): Buffer {
  const start = content.indexOf(record, 0, 'latin1') + at
  return Buffer.from(content).fill(0xff, start, start + 8)
}

/** Paths of the files that this process has open. */
async function listOpen(): Promise<string[]> {
  const open = await readdir('/proc/self/fd')
  return await Promise.all(open.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')))
}

it('unzipFile() writes to no path that an archive names', async () => {
  const body = Buffer.from('a,b\n')
  const outside = `${folder}-outside.csv`
  for (const name of [outside, `../${basename(outside)}`, `in/../../${basename(outside)}`]) {
    await expect(unzip(zip([{ name, body }])), name).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
    })
  }
  const odd = 'in\\..\\..\\outside.csv'
  expect(await unzip(zip([{ name: odd, body }]))).toBe(`${odd}: a,b\n`)
  expect((await readdir(folder)).filter((name) => name.includes('outside'))).toEqual([])
  await expect(access(outside)).rejects.toMatchObject({ code: 'ENOENT' })
})

it('unzipFile() does not blame the archive for a full disk', async () => {
  await writeFile(join(folder, 'a.zip'), zip([{ name: 'a.csv', body: Buffer.from('x') }]))
  await expect(unzipFile(join(folder, 'a.zip'), '/dev/full')).rejects.toMatchObject({
    code: 'ENOSPC',
  })
})
