import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openEnvironment, openStore, readConfig } from './environment.ts'

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
  const config = readConfig(environment, {
    TIDEMARK_CONNECTIONS: '5',
    TIDEMARK_HOME: undefined,
  })
  expect(config).toMatchObject({
    TIDEMARK_THREADS: 3,
    TIDEMARK_MEMORY_MB: 400,
    TIDEMARK_CONNECTIONS: 5,
    TIDEMARK_HOME: '.tidemark',
  })
})

it('readConfig() does without .env, and says when it cannot be read', () => {
  expect(readConfig({}).TIDEMARK_THREADS).toBe(2)
  mkdirSync('.env')
  expect(() => readConfig({})).toThrow('The file .env cannot be read')
})

it('openEnvironment() takes databases of your own, keeps scratch apart and cleans it up', async () => {
  const log = () => {}
  const signal = new AbortController().signal
  const url = 'postgresql://u:p@127.0.0.1:1/d'
  const zones = { TIDEMARK_INGESTION: 'in', TIDEMARK_PROCESSED: 'out', TIDEMARK_SCRATCH: 'tmp' }
  const config = readConfig({ TIDEMARK_SOURCE_URL: url, TIDEMARK_WAREHOUSE_URL: url, ...zones })
  await using environment = await openEnvironment({ config, log, fill: false, signal })
  expect(environment.local).toBeUndefined()
  expect(environment.reader.url).toBe(url)
  expect(environment.deps.ingestion.location).toBe(join(process.cwd(), 'in'))
  const other = readConfig({ TIDEMARK_WAREHOUSE_URL: url })
  await expect(openEnvironment({ config: other, log, fill: false, signal })).rejects.toMatchObject({
    code: 'CONFIG_INCOMPLETE',
  })
})

it('openStore() opens a directory or a bucket by its address, and says what is neither', async () => {
  expect((await openStore('zones/in')).location).toBe(join(process.cwd(), 'zones/in'))
  const bucket = await openStore('s3://lake/in/', { TIDEMARK_S3_ENDPOINT: 'http://127.0.0.1:1' })
  expect(bucket.location).toBe('s3://lake/in')
  await bucket[Symbol.asyncDispose]?.()
  await expect(openStore('gs://secret')).rejects.toMatchObject({
    code: 'CONFIG_ZONE',
    message: expect.not.stringContaining('secret'),
  })
})
