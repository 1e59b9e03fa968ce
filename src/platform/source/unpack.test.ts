import { execFile } from 'node:child_process'
import { access, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { deflateRawSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { zip } from '../../../test/support/zip.ts'
import { gunzipFile, unzipFile } from './unpack.ts'

const execute = promisify(execFile)
/** The built module, which a process of its own can load. */
const MODULE = new URL('../../../dist/platform/source/unpack.js', import.meta.url).pathname

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
    code: 'SCRATCH_FULL',
  })
})

it('gunzipFile() and unzipFile() do not blame the file for a limit of this machine', async () => {
  // A shell's limit for the size of files (EFBIG), and a folder where nothing can be written.
  const body = Buffer.alloc(100_000, 'x')
  const packed = { gunzipFile: gzipSync(body), unzipFile: zip([{ name: 'a.csv', body }]) }
  for (const [name, content] of Object.entries(packed)) {
    const from = join(folder, name)
    await writeFile(from, content)
    const script = `import { ${name} } from '${MODULE}'
      process.on('SIGXFSZ', () => {})
      await ${name}('${from}', '${from}.plain').catch(({ code }) => process.stdout.write(code))`
    const { stdout } = await execute('bash', [
      '-c',
      'ulimit -f 50; exec node --input-type=module -e "$1"',
      'bash',
      script,
    ])
    expect(stdout, name).toBe('SCRATCH_FULL')
  }
  const lost = unzipFile(join(folder, 'unzipFile'), join(folder, 'nowhere', 'a'))
  await expect(lost).rejects.toMatchObject({ code: 'SCRATCH_LOST' })
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
  const padded = Buffer.concat([zip([{ name: 'a.csv', body }]), Buffer.from('\n\0\0')])
  expect(await unzip(padded), 'with padding after its end').toBe(`a.csv: ${body.toString()}`)
})

/** An archive with a locator for large archives that leads to no place in a file. */
function withImpossibleLocator(content: Buffer): Buffer {
  const end = content.lastIndexOf('PK\x05\x06', undefined, 'latin1')
  const locator = Buffer.alloc(20)
  locator.write('PK\x06\x07', 'latin1')
  locator.writeBigUInt64LE(1n << 60n, 8)
  locator.writeUInt32LE(1, 16)
  return Buffer.concat([content.subarray(0, end), locator, content.subarray(end)])
}

it('unzipFile() writes to no path that an archive names', async () => {
  const body = Buffer.from('a,b\n')
  const outside = `${folder}-outside.csv`
  const odd = 'in\\..\\..\\outside.csv'
  for (const name of [outside, `../${basename(outside)}`, `in/../../${basename(outside)}`, odd]) {
    await unzip(zip([{ name, body }])).catch(() => {})
  }
  expect((await readdir(folder)).filter((name) => name.includes('outside'))).toEqual([])
  await expect(access(outside)).rejects.toMatchObject({ code: 'ENOENT' })
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
    'packed in another way': zip([{ ...entry, packed: entry.body }]),
    'cut off inside': zip([{ ...entry, packed: deflateRawSync(entry.body).subarray(0, 20) }]),
    'without the file it lists': whole.subarray(whole.indexOf('PK\x01\x02', 0, 'latin1')),
    'with an impossible place of its directory for large archives': withImpossibleLocator(
      zip([{ ...entry, crc: 1 }]),
    ),
  }
  for (const [kind, content] of Object.entries(bad)) {
    await expect(unzip(content), kind).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
  }
  await expect(unzip(whole, 100)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
})
