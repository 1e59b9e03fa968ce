import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { standardProject } from '../../standard-project.ts'
import { TOTESYS_PROJECT } from '../../../test/support/totesys-project.ts'
import { readConfig } from '../read-config.ts'
import { findProject, isStandardProject } from './find-project.ts'

const before = process.cwd()
let folder: string
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'tidemark-find-')))
  mkdirSync(join(folder, 'shop/models/deep'), { recursive: true })
  writeFileSync(join(folder, 'shop/tidemark.config.ts'), 'export default {}')
  process.chdir(folder)
})
afterEach(() => {
  process.chdir(before)
  rmSync(folder, { recursive: true })
})

describe('findProject()', () => {
  it('finds the nearest config file in the working directory or above it', () => {
    expect(findProject(undefined)).toBeUndefined()
    process.chdir('shop')
    expect(findProject(undefined)).toBe('tidemark.config.ts')
    process.chdir('models/deep')
    expect(findProject(undefined)).toBe(join(folder, 'shop/tidemark.config.ts'))
    writeFileSync('tidemark.config.json', '{}')
    expect(findProject(undefined)).toBe('tidemark.config.json')
    expect(findProject('')).toBe('tidemark.config.json')
  })

  it('takes a folder or a file, whatever the file is called', () => {
    expect(findProject('shop')).toBe('shop/tidemark.config.ts')
    writeFileSync('shop/staging.mjs', '')
    expect(findProject('shop/staging.mjs')).toBe('shop/staging.mjs')
  })

  it.each([
    ['a place that is not there', 'nowhere', 'PROJECT_NOT_FOUND', 'There is no project at nowhere'],
    [
      'a place below a file',
      'shop/tidemark.config.ts/x',
      'PROJECT_NOT_FOUND',
      'There is no project at',
    ],
    [
      'a folder without a config file',
      'shop/models',
      'PROJECT_NOT_FOUND',
      'no tidemark.config.ts in shop/models',
    ],
    [
      'another kind of file',
      'shop/notes.txt',
      'PROJECT_NOT_FOUND',
      'shop/notes.txt is not the config file',
    ],
    [
      'two config files',
      'two',
      'PROJECT_AMBIGUOUS',
      'two has 2 config files: tidemark.config.js, tidemark.config.ts',
    ],
  ])('refuses %s', (_, named, code, message) => {
    mkdirSync('two')
    writeFileSync('two/tidemark.config.ts', '')
    writeFileSync('two/tidemark.config.js', '')
    writeFileSync('shop/notes.txt', '')
    const error = expect.objectContaining({
      code,
      message: expect.stringContaining(message),
    })
    expect(() => findProject(named)).toThrow(error)
  })

  it('tells the standard project from others, through a link too', () => {
    symlinkSync(TOTESYS_PROJECT, 'link')
    expect(isStandardProject('link/tidemark.config.ts', standardProject)).toBe(true)
    expect(isStandardProject(join(TOTESYS_PROJECT, 'tidemark.config.ts'), standardProject)).toBe(
      true,
    )
    expect(isStandardProject('shop/tidemark.config.ts', standardProject)).toBe(false)
  })
})

describe('readConfig()', () => {
  const read = (flags: Record<string, string> = {}, environment: Record<string, string> = {}) => {
    const { TIDEMARK_PROJECT, TIDEMARK_HOME, TIDEMARK_THREADS } = readConfig(environment, {
      flags,
      given: standardProject,
    })
    return { project: TIDEMARK_PROJECT, home: TIDEMARK_HOME, threads: TIDEMARK_THREADS }
  }

  it('reads .env from the folder of the project, and keeps everything there', () => {
    writeFileSync('.env', 'TIDEMARK_THREADS=3\n')
    writeFileSync('shop/.env', 'TIDEMARK_THREADS=4\n')
    expect(read()).toEqual({ project: undefined, home: '.tidemark', threads: 3 })
    const shop = { project: 'shop/tidemark.config.ts', home: 'shop/.tidemark', threads: 4 }
    expect(read({ TIDEMARK_PROJECT: 'shop' })).toEqual(shop)
    expect(read({}, { TIDEMARK_PROJECT: 'shop' })).toEqual(shop)
    expect(read({ TIDEMARK_PROJECT: 'shop', TIDEMARK_HOME: 'here' })).toEqual({
      ...shop,
      home: 'here',
    })
    process.chdir('shop/models')
    expect(read()).toEqual({
      project: join(folder, 'shop/tidemark.config.ts'),
      home: join(folder, 'shop/.tidemark'),
      threads: 4,
    })
  })

  it('takes paths in .env from its folder, and leaves addresses alone', () => {
    writeFileSync(
      'shop/.env',
      'TIDEMARK_HOME=lake\nTIDEMARK_INGESTION=s3://bucket/in\nTIDEMARK_PROCESSED=/abs\nTIDEMARK_DROP=../drop\n',
    )
    process.chdir('shop/models')
    expect(readConfig({})).toMatchObject({
      TIDEMARK_HOME: join(folder, 'shop/lake'),
      TIDEMARK_INGESTION: 's3://bucket/in',
      TIDEMARK_PROCESSED: '/abs',
      TIDEMARK_DROP: join(folder, 'drop'),
    })
  })

  it('lets .env name the project, unless a flag or the environment does', () => {
    mkdirSync('other')
    writeFileSync('other/tidemark.config.json', '{}')
    writeFileSync('.env', 'TIDEMARK_PROJECT=shop\nTIDEMARK_THREADS=3\n')
    const shop = { project: 'shop/tidemark.config.ts', home: 'shop/.tidemark', threads: 3 }
    expect(read()).toEqual(shop)
    expect(read({ TIDEMARK_PROJECT: 'other' })).toMatchObject({
      project: 'other/tidemark.config.json',
      threads: 2,
    })
    writeFileSync('shop/.env', 'TIDEMARK_PROJECT=../other\n')
    process.chdir('shop')
    expect(read().project).toBe('../other/tidemark.config.json')
    process.chdir('models')
    expect(read().project).toBe(join(folder, 'other/tidemark.config.json'))
  })

  it('keeps what belongs to the standard project in the working directory', () => {
    writeFileSync('.env', `TIDEMARK_PROJECT=${TOTESYS_PROJECT}\n`)
    expect(read()).toMatchObject({ home: '.tidemark' })
    writeFileSync('.env', 'TIDEMARK_THREADS=3\n')
    expect(read({ TIDEMARK_PROJECT: TOTESYS_PROJECT })).toMatchObject({
      project: join(TOTESYS_PROJECT, 'tidemark.config.ts'),
      home: '.tidemark',
      threads: 3,
    })
  })

  it('names the .env of the project in what it refuses', () => {
    writeFileSync('shop/.env', 'TIDEMARK_THREDS=3\n')
    expect(() => read({ TIDEMARK_PROJECT: 'shop' })).toThrow('TIDEMARK_THREDS (shop/.env, line 1)')
  })
})
