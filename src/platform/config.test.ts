import { readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { describeSettings, parseConfig } from './config.ts'
import { ConfigError } from './errors.ts'

it('parseConfig() gives every setting its default', () => {
  expect(parseConfig({})).toMatchObject({
    TIDEMARK_HOME: '.tidemark',
    TIDEMARK_WAREHOUSE_SCHEMA: 'public',
    TIDEMARK_PROMISE_MINUTES: 30,
  })
})

it('parseConfig() reads numbers from text and takes an empty variable as not set', () => {
  const config = parseConfig({ TIDEMARK_THREADS: '4', TIDEMARK_MEMORY_MB: '' })
  expect(config.TIDEMARK_THREADS).toBe(4)
  expect(config.TIDEMARK_MEMORY_MB).toBe(192)
})

it('parseConfig() names every setting at fault, and no value', () => {
  const parse = () => parseConfig({ TIDEMARK_THREADS: 'secret', TIDEMARK_BRAKE_PERCENT: '101' })
  expect(parse).toThrow(ConfigError)
  expect(parse).toThrow(/TIDEMARK_THREADS.*TIDEMARK_BRAKE_PERCENT/)
  expect(parse).not.toThrow(/secret/)
})

it('parseConfig() refuses a bucket where only a directory will do', () => {
  const parse = () => parseConfig({ TIDEMARK_PROCESSED: 's3://bucket/prefix' })
  expect(parse).toThrow(/TIDEMARK_PROCESSED must be a directory/)
})

it('docs/configuration.md lists every setting', () => {
  const path = new URL('../../docs/configuration.md', import.meta.url)
  const page = `# Configuration

Made from the schema in \`src/platform/config.ts\`. A flag overrides the environment, the environment overrides
\`.env\` in the working directory, and that overrides the default. An empty variable counts as not set.
Either both databases are named or neither.

${describeSettings()}
`
  expect(page).not.toContain('undefined')
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, page)
  expect(readFileSync(path, 'utf8')).toBe(page)
})
