import * as fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { ConfigError } from '../../platform/errors.ts'
import { nativeFolder, ownFolder, prepareBinaries } from './postgres-binaries.ts'

const isRoot = process.getuid?.() === 0
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tidemark-binaries-'))
if (isRoot) fs.chmodSync(folder, 0o711)
const inFolder = (name: string): string => path.join(folder, name)

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

describe('the binaries', () => {
  it('names the settings to use if there are none', () => {
    expect(() => nativeFolder('sunos-sparc')).toThrow(ConfigError)
    expect(() => nativeFolder('sunos-sparc')).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('TIDEMARK_SOURCE_URL') }),
    )
  })

  it('refuses a --pg-bin without a server', async () => {
    await expect(prepareBinaries({ binDir: folder })).rejects.toMatchObject({
      code: 'NO_POSTGRES_BIN',
    })
  })

  it('copies a package without links once, although two start together', async () => {
    const native = inFolder('package/native')
    fs.mkdirSync(path.join(native, 'bin'), { recursive: true })
    fs.mkdirSync(path.join(native, 'lib'))
    fs.writeFileSync(path.join(native, 'bin/postgres'), '#!/bin/sh\n', { mode: 0o700 })
    fs.writeFileSync(path.join(native, 'lib/libx.so.1.2'), 'x', { mode: 0o600 })
    const link = { source: 'native/lib/libx.so.1.2', target: 'native/lib/libx.so.1' }
    fs.writeFileSync(path.join(native, 'pg-symlinks.json'), JSON.stringify([link]))
    const cacheDir = inFolder('cache')
    fs.mkdirSync(cacheDir)
    const prepare = (): Promise<string> => prepareBinaries({ native, cacheDir })
    const [one, two] = await Promise.all([prepare(), prepare()])
    expect(one).toBe(two)
    expect(await prepare()).toBe(one)
    expect(fs.readdirSync(cacheDir)).toHaveLength(1)
    expect(fs.readFileSync(path.join(one, '../lib/libx.so.1'), 'utf8')).toBe('x')
    expect(fs.statSync(path.join(one, 'postgres')).mode & 0o777).toBe(0o755)
    expect(fs.readdirSync(path.join(native, 'lib'))).toEqual(['libx.so.1.2'])
  })

  it('go to the cache of the user, or to the temporary folder', async () => {
    const native = inFolder('package/native')
    for (const [home, cache] of [
      [inFolder('home'), inFolder('home/.cache')],
      ['/dev/null', inFolder('tmp')],
    ] as const) {
      fs.mkdirSync(inFolder('tmp'), { recursive: true })
      vi.stubEnv('HOME', home)
      vi.stubEnv('TMPDIR', inFolder('tmp'))
      const binDir = await prepareBinaries({ native })
      vi.unstubAllEnvs()
      expect(path.dirname(path.dirname(path.dirname(binDir)))).toBe(cache)
    }
  })

  it.runIf(isRoot)('are copied if the server’s account cannot reach them', async () => {
    const native = inFolder('behind/native')
    fs.cpSync(inFolder('package/native'), native, { recursive: true })
    fs.symlinkSync('libx.so.1.2', path.join(native, 'lib/libx.so.1'))
    const account = { uid: 65534, gid: 65534 }
    const prepare = () => prepareBinaries({ native, account, cacheDir: inFolder('cache') })
    fs.chmodSync(path.join(native, 'bin/postgres'), 0o755)
    fs.chmodSync(inFolder('behind'), 0o755)
    expect(await prepare()).toBe(path.join(native, 'bin'))
    fs.chmodSync(inFolder('behind'), 0o700)
    expect(path.dirname(path.dirname(await prepare()))).toBe(inFolder('cache'))
  })
})

describe('ownFolder()', () => {
  it('makes and re-enters its own, and goes to the next base if it may not write', () => {
    const made = ownFolder([inFolder('absent'), folder], 'own', 0o700)
    expect(made).toBe(inFolder('own'))
    expect(ownFolder([folder], 'own', 0o700)).toBe(made)
    expect(() => ownFolder([inFolder('absent')], 'own', 0o700)).toThrow('No folder can be made')
  })

  it('refuses a link, a folder others write to, and a stranger’s', () => {
    fs.symlinkSync(inFolder('own'), inFolder('link'))
    fs.mkdirSync(inFolder('open'))
    fs.chmodSync(inFolder('open'), 0o777)
    expect(() => ownFolder([folder], 'link', 0o700)).toThrow(ConfigError)
    expect(() => ownFolder([folder], 'open', 0o700)).toThrow(ConfigError)
    if (!isRoot) return
    fs.mkdirSync(inFolder('theirs'))
    fs.chownSync(inFolder('theirs'), 65534, 65534)
    expect(() => ownFolder([folder], 'theirs', 0o700)).toThrow(ConfigError)
  })
})
