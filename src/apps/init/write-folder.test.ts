import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ProjectFile } from './project-files.ts'
import { checkFree, writeFolder } from './write-folder.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-write-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const FILES: readonly ProjectFile[] = [
  { path: 'tidemark.config.ts', text: 'config' },
  { path: 'models/fact_a.sql', text: 'select' },
  { path: '.env', text: 'secret', isSecret: true },
]
const { signal } = new AbortController()
const list = (): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted()

describe('writeFolder()', () => {
  it('makes a new folder with everything in it, and those above it', async () => {
    await writeFolder(join(folder, 'a/b c'), FILES, signal)
    expect(list()).toEqual([
      'a',
      'a/b c',
      'a/b c/.env',
      'a/b c/models',
      'a/b c/models/fact_a.sql',
      'a/b c/tidemark.config.ts',
    ])
    expect(readFileSync(join(folder, 'a/b c/models/fact_a.sql'), 'utf8')).toBe('select')
    const mode = (name: string): number => statSync(join(folder, 'a/b c', name)).mode & 0o777
    expect(mode('.env')).toBe(0o600)
    expect(mode('.') & 0o700).toBe(0o700)
  })

  it('writes beside what is in the folder', async () => {
    writeFileSync(join(folder, 'notes.txt'), 'mine')
    mkdirSync(join(folder, '.git'))
    await writeFolder(folder, FILES, signal)
    expect(list()).toEqual([
      '.env',
      '.git',
      'models',
      'models/fact_a.sql',
      'notes.txt',
      'tidemark.config.ts',
    ])
  })

  it.each([
    ['a new folder', 'deep/new'],
    ['a folder that is there', '.'],
  ])('leaves nothing of %s if it is stopped', async (_, name) => {
    writeFileSync(join(folder, 'notes.txt'), 'mine')
    const stopped = AbortSignal.abort()
    await expect(writeFolder(join(folder, name), FILES, stopped)).rejects.toMatchObject({
      name: 'InterruptedError',
    })
    expect(list()).toEqual(['notes.txt'])
  })

  it.each([
    ['a new folder', 'deep/new'],
    ['a folder that is there', '.'],
  ])('leaves nothing of %s if a file cannot be written', async (_, name) => {
    writeFileSync(join(folder, 'notes.txt'), 'mine')
    const twice = [...FILES, { path: 'models/fact_a.sql', text: 'again' }]
    await expect(writeFolder(join(folder, name), twice, signal)).rejects.toMatchObject({
      code: 'EEXIST',
    })
    expect(list()).toEqual(['notes.txt'])
  })

  it('takes back what it moved if a move fails', async () => {
    mkdirSync(join(folder, 'other', 'full'), { recursive: true })
    const files = [...FILES, { path: 'other/x.sql', text: 'x' }]
    await expect(writeFolder(folder, files, signal)).rejects.toMatchObject({ code: 'ENOTEMPTY' })
    expect(list()).toEqual(['other', 'other/full'])
  })
})

describe('checkFree()', () => {
  it('minds .env only if it is to be written', () => {
    writeFileSync(join(folder, '.env'), 'mine')
    checkFree(folder)
    expect(() => checkFree(folder, ['.env'])).toThrow('.env')
  })

  it.each([
    ['tidemark.config.ts', 'PROJECT_EXISTS'],
    ['tidemark.config.json', 'PROJECT_EXISTS'],
    ['models', 'FOLDER_NOT_FREE'],
    ['README.md', 'FOLDER_NOT_FREE'],
    ['.gitignore', 'FOLDER_NOT_FREE'],
  ])('refuses a folder with %s: %s', async (name, code) => {
    writeFileSync(join(folder, name), 'mine')
    const error = { name: 'ConfigError', code, message: expect.stringContaining(name) as string }
    expect(() => checkFree(folder)).toThrow(expect.objectContaining(error))
    await expect(writeFolder(folder, FILES, signal)).rejects.toMatchObject(error)
    expect(list()).toEqual([name])
    expect(readFileSync(join(folder, name), 'utf8')).toBe('mine')
  })

  it('refuses a file, and takes a folder that is free or not there', () => {
    writeFileSync(join(folder, 'notes.txt'), 'mine')
    expect(() => checkFree(join(folder, 'notes.txt'))).toThrow(
      expect.objectContaining({ code: 'FOLDER_NOT_FREE' }),
    )
    checkFree(folder)
    checkFree(join(folder, 'new'))
    expect(existsSync(join(folder, 'new'))).toBe(false)
  })
})
