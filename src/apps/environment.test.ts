import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { ConfigError } from '../platform/errors.ts'
import { openEnvironment, openStore } from './environment.ts'
import { standardProject as given } from '../standard-project.ts'
import { readConfig } from './read-config.ts'

const before = process.cwd()
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-environment-'))
  process.chdir(folder)
})
afterEach(() => {
  process.chdir(before)
  rmSync(folder, { recursive: true, force: true })
})

it('readConfig() lets flags win over the environment, that over .env, that over the default', () => {
  writeFileSync('.env', 'TIDEMARK_THREADS=3\nTIDEMARK_MEMORY_MB=300\nTIDEMARK_CONNECTIONS=3\n')
  const environment = { TIDEMARK_MEMORY_MB: '400', TIDEMARK_CONNECTIONS: '4', PATH: '/bin' }
  const flags = { TIDEMARK_CONNECTIONS: '5', TIDEMARK_HOME: undefined }
  const config = readConfig(environment, { flags })
  expect(config).toMatchObject({
    TIDEMARK_THREADS: 3,
    TIDEMARK_MEMORY_MB: 400,
    TIDEMARK_CONNECTIONS: 5,
    TIDEMARK_HOME: '.tidemark',
  })
})

it('readConfig() works without .env, and says if it cannot be read', () => {
  expect(readConfig({}).TIDEMARK_THREADS).toBe(2)
  mkdirSync('.env')
  expect(() => readConfig({})).toThrow('The file .env cannot be read')
})

it('readConfig() takes .env with a byte order mark, and refuses one in UTF-16', () => {
  writeFileSync('.env', '\ufeffTIDEMARK_THREADS=3\r\n')
  expect(readConfig({}).TIDEMARK_THREADS).toBe(3)
  writeFileSync('.env', Buffer.from('\ufeffTIDEMARK_THREADS=3\r\n', 'utf16le'))
  expect(() => readConfig({})).toThrow('looks like UTF-16')
})

it('readConfig() refuses TIDEMARK_ names that are not settings, and says what may have been meant', () => {
  const secret = 'postgresql://u:hunter2@127.0.0.1/d'
  writeFileSync('.env', `OTHER=1\nTIDEMARK_SOURCE_ULR=${secret}\n`)
  const read = (environment: Record<string, string> = {}) => {
    try {
      readConfig(environment)
    } catch (error) {
      const { code, message, hint } = error as ConfigError
      if (`${message} ${hint}`.includes('hunter2')) return 'a value is shown'
      return `${code}: ${message}`
    }
    return 'taken'
  }
  expect(read()).toBe(
    'CONFIG_UNKNOWN: TIDEMARK_SOURCE_ULR (.env, line 2) is not a setting: did you mean TIDEMARK_SOURCE_URL?',
  )
  for (const [name, meant] of [
    ['tidemark_source_url', 'TIDEMARK_SOURCE_URL'],
    ['TIDEMARK-SOURCE-URL', 'TIDEMARK_SOURCE_URL'],
    ['TIDEMRK_SOURCE_URL', 'TIDEMARK_SOURCE_URL'],
    ['TIDEMARK_WAREHOUSE_USER_URL', 'TIDEMARK_WAREHOUSE_READER_URL'],
  ] as const) {
    writeFileSync('.env', `${name}=${secret}\n`)
    expect(read(), name).toContain(
      `${name} (.env, line 1) is not a setting: did you mean ${meant}?`,
    )
  }
  writeFileSync('.env', 'OTHER=1\nSOURCE_URL=x\nPGPASSWORD=x\n')
  expect(read()).toBe('taken')
  expect(read({ TIDEMARK_SOURCE: secret, TIDEMARKET: 'x', PATH: '/bin' })).toMatch(
    /^CONFIG_UNKNOWN: TIDEMARK_SOURCE \(the environment\) is not a setting: did you mean/,
  )
  expect(read({ TIDEMARK_NOTHING_LIKE_ANY_OF_THEM: 'x' })).toBe(
    'CONFIG_UNKNOWN: TIDEMARK_NOTHING_LIKE_ANY_OF_THEM (the environment) is not a setting',
  )
  // Names that tests and functions on AWS read.
  expect(read({ TIDEMARK_CHROMIUM: '/bin/c', TIDEMARK_SOURCE_SECRET: 'x' })).toBe('taken')
})

it('openEnvironment() takes databases of your own, keeps scratch apart and cleans it up', async () => {
  const log = () => {}
  const signal = new AbortController().signal
  const url = 'postgresql://u:p@127.0.0.1:1/d'
  const zones = { TIDEMARK_INGESTION: 'in', TIDEMARK_PROCESSED: 'out', TIDEMARK_SCRATCH: 'tmp' }
  const config = readConfig({ TIDEMARK_SOURCE_URL: url, TIDEMARK_WAREHOUSE_URL: url, ...zones })
  await using environment = await openEnvironment({ config, given, log, fill: false, signal })
  expect(environment.local).toBeUndefined()
  expect(environment.reader.url).toBe(url)
  expect(environment.saverUrl).toBeUndefined()
  expect(environment.deps.ingestion.location).toBe(join(process.cwd(), 'in'))
  const other = readConfig({ TIDEMARK_WAREHOUSE_URL: url })
  await expect(
    openEnvironment({ config: other, given, log, fill: false, signal }),
  ).rejects.toMatchObject({
    code: 'CONFIG_INCOMPLETE',
  })
})

it('openEnvironment() knows the saver of databases of your own only from its setting', async () => {
  const url = 'postgresql://u:p@127.0.0.1:1/d'
  const saverUrl = 'postgresql://saver:p@127.0.0.1:1/d'
  const config = readConfig({
    TIDEMARK_SOURCE_URL: url,
    TIDEMARK_WAREHOUSE_URL: url,
    TIDEMARK_SAVER_URL: saverUrl,
  })
  const { signal } = new AbortController()
  await using environment = await openEnvironment({
    config,
    given,
    log: () => {},
    fill: false,
    signal,
  })
  expect(environment.saverUrl).toBe(saverUrl)
})

it('openEnvironment() takes a home folder whose name reads like an address', async () => {
  const url = 'postgresql://u:p@127.0.0.1:1/d'
  for (const home of ['backup:old', 's3:']) {
    const config = readConfig({
      TIDEMARK_SOURCE_URL: url,
      TIDEMARK_WAREHOUSE_URL: url,
      TIDEMARK_HOME: home,
    })
    const signal = new AbortController().signal
    await using environment = await openEnvironment({
      config,
      given,
      log: () => {},
      fill: false,
      signal,
    })
    const { ingestion, processed } = environment.deps
    expect([ingestion.location, processed.location]).toEqual([
      join(process.cwd(), home, 'ingestion'),
      join(process.cwd(), home, 'processed'),
    ])
  }
})

it('openEnvironment() knows the saver of the embedded system, unless an earlier version runs it', async () => {
  const { signal } = new AbortController()
  const open = (values: Record<string, string> = {}) =>
    openEnvironment({ config: readConfig(values), given, log: () => {}, fill: false, signal })
  await using running = await open()
  expect(running.saverUrl).toMatch(/^postgres(ql)?:\/\/tidemark_saver:.+\/warehouse$/)
  const own = 'postgresql://saver:p@127.0.0.1:1/d'
  for (const [values, saverUrl] of [
    [{}, running.saverUrl],
    [{ TIDEMARK_SAVER_URL: own }, own],
  ] as const) {
    await using attached = await open(values)
    expect(attached.local?.isAttached).toBe(true)
    expect(attached.saverUrl).toBe(saverUrl)
  }
  const { saverUrl: _, ...earlier } = JSON.parse(
    readFileSync('.tidemark/local.json', 'utf8'),
  ) as Record<string, unknown>
  writeFileSync('.tidemark/local.json', JSON.stringify(earlier))
  await using attached = await open()
  expect(attached.saverUrl).toBeUndefined()
  expect(attached.reader.url).toBe(running.reader.url)
})

it('openEnvironment() stops the embedded system again if the rest cannot be opened', async () => {
  writeFileSync('file', '')
  const entries: string[] = []
  const config = readConfig({ TIDEMARK_SCRATCH: 'file/below' })
  const opening = openEnvironment({
    config,
    given,
    log: ({ event }) => void entries.push(event),
    fill: false,
    signal: new AbortController().signal,
  })
  await expect(opening).rejects.toMatchObject({ code: 'SCRATCH_PERMISSION' })
  expect(entries).toEqual(['postgres_started'])
  expect(existsSync('.tidemark/local.json')).toBe(false)
})

it('openStore() opens a directory or a bucket by its address, and refuses any other address', async () => {
  expect((await openStore('zones/in')).location).toBe(join(process.cwd(), 'zones/in'))
  const bucket = await openStore('s3://lake/in/', { TIDEMARK_S3_ENDPOINT: 'http://127.0.0.1:1' })
  expect(bucket.location).toBe('s3://lake/in')
  await bucket[Symbol.asyncDispose]?.()
  await expect(openStore('gs://secret')).rejects.toMatchObject({
    code: 'CONFIG_ZONE',
    message: expect.not.stringContaining('secret'),
  })
})
