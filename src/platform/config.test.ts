import { readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { totesysSettings } from '../totesys/settings.ts'
import { type AddedSettings, describeSettings, parseConfig, whole } from './config.ts'
import { ConfigError } from './errors.ts'

it('parseConfig() gives every setting its default', () => {
  expect(parseConfig({})).toMatchObject({
    TIDEMARK_HOME: '.tidemark',
    TIDEMARK_WAREHOUSE_SCHEMA: 'public',
    TIDEMARK_PROMISE_MINUTES: 30,
  })
})

it('parseConfig() reads numbers from text, and an empty variable counts as not set', () => {
  const config = parseConfig({ TIDEMARK_THREADS: '4', TIDEMARK_MEMORY_MB: '' })
  expect(config.TIDEMARK_THREADS).toBe(4)
  expect(config.TIDEMARK_MEMORY_MB).toBe(192)
})

it('parseConfig() names every invalid setting, and never a value', () => {
  const parse = () => parseConfig({ TIDEMARK_THREADS: 'secret', TIDEMARK_BRAKE_PERCENT: '101' })
  expect(parse).toThrow(ConfigError)
  expect(parse).toThrow(
    'TIDEMARK_THREADS must be a whole number from 1 to 256; TIDEMARK_BRAKE_PERCENT must be a whole number from 0 to 100',
  )
  expect(parse).not.toThrow(/secret/)
})

it('parseConfig() accepts a directory or a bucket as a zone, and refuses anything else by name', () => {
  const address = 's3://bucket/prefix'
  expect(parseConfig({ TIDEMARK_PROCESSED: address }).TIDEMARK_PROCESSED).toBe(address)
  for (const bad of ['gs://bucket', 's3://user:secret@bucket', 's3://b/secret?x', 's3://']) {
    const parse = () => parseConfig({ TIDEMARK_PROCESSED: bad })
    expect(parse, bad).toThrow('TIDEMARK_PROCESSED is not the address of a zone')
    expect(parse, bad).not.toThrow(/secret/)
  }
})

it.each(['TIDEMARK_INGESTION', 'TIDEMARK_PROCESSED', 'TIDEMARK_DROP'])(
  'parseConfig() refuses %s with one slash after the scheme, and says how to write it',
  (name) => {
    for (const bad of ['s3:/bucket', 's3:bucket', 'S3:/bucket/prefix', 'file:/zones']) {
      expect(() => parseConfig({ [name]: bad }), bad).toThrow(
        expect.objectContaining({
          message: expect.stringContaining(name) as string,
          hint: expect.stringContaining('s3://bucket/prefix') as string,
        }),
      )
    }
  },
)

it('parseConfig() accepts a server for TIDEMARK_S3_ENDPOINT, but not a page on it', () => {
  for (const good of ['https://s3.example', 'http://127.0.0.1:9000/', 'http://[::1]:80']) {
    expect(parseConfig({ TIDEMARK_S3_ENDPOINT: good }).TIDEMARK_S3_ENDPOINT).toBe(good)
  }
  for (const bad of ['s3.example', 'ftp://a', 'https://a/b', 'https://u:secret@a', 'https://a?b']) {
    const parse = () => parseConfig({ TIDEMARK_S3_ENDPOINT: bad })
    expect(parse, bad).toThrow('TIDEMARK_S3_ENDPOINT is not the address of a server')
    expect(parse, bad).not.toThrow(/secret/)
  }
})

it('parseConfig() takes the settings that a project adds, and refuses them with its own', () => {
  const added: AddedSettings = {
    shape: { TIDEMARK_OWN: whole('A number.', { min: 1, max: 9 }).default(3) },
    check(config) {
      if (Object(config).TIDEMARK_OWN === 7) throw new ConfigError('not 7', { code: 'OWN' })
    },
  }
  expect(parseConfig({ TIDEMARK_THREADS: '4' }, added)).toMatchObject({
    TIDEMARK_OWN: 3,
    TIDEMARK_THREADS: 4,
  })
  expect(() => parseConfig({ TIDEMARK_OWN: '0', TIDEMARK_THREADS: '0' }, added)).toThrow(
    'Invalid settings: TIDEMARK_THREADS must be a whole number from 1 to 256; TIDEMARK_OWN must be a whole number from 1 to 9',
  )
  expect(() => parseConfig({ TIDEMARK_OWN: '7' }, added)).toThrow('not 7')
  expect(parseConfig({ TIDEMARK_OWN: '7' })).not.toHaveProperty('TIDEMARK_OWN')
})

it.each<[string, readonly string[], readonly string[]]>([
  [
    'TIDEMARK_SMTP_URL',
    ['smtp://localhost', 'smtp://me:p%40ss@mail.example:587/', 'smtps://mail.example:465'],
    ['mail.example', 'http://a:secret@b', 'smtp://', 'smtp://a:secret@b/c', 'smtp://a:secret%ff@b'],
  ],
  [
    'TIDEMARK_MAIL_FROM',
    ['reports@example.org', 'Tidemark <reports@example.org>', '<reports@example.org>'],
    ['Tidemark', 'a@b\r\nBcc: secret@c', '"secret" <a@b>', 'Tidemark reports@example.org'],
  ],
  ['TIDEMARK_PAGES_URL', ['https://a.example/', 'http://127.0.0.1:4100'], ['http://a.secret', 'a']],
  [
    'TIDEMARK_REPORTS_FILE',
    ['reports.json', 's3://bucket/a/b.json'],
    ['s3://bucket', 'ftp://secret'],
  ],
  ['TIDEMARK_REPORTS_STATE', ['/state', 's3://bucket'], ['s3:/secret', 'ftp://secret']],
])('parseConfig() takes what %s may be, and refuses all else without showing it', (...row) => {
  const [name, good, bad] = row
  for (const value of good) expect(() => parseConfig({ [name]: value }), value).not.toThrow()
  for (const value of bad) {
    const parse = () => parseConfig({ [name]: value })
    expect(parse, value).toThrow(`${name} is not valid`)
    expect(parse, value).not.toThrow(/secret/)
  }
})

it('parseConfig() keeps the state of the reports out of the zones, where a sweep would remove it', () => {
  const parse = (zone: string, state: string) => () =>
    parseConfig({ TIDEMARK_PROCESSED: zone, TIDEMARK_REPORTS_STATE: state })
  for (const [zone = '', state = ''] of [
    ['s3://bucket', 's3://bucket/reports'],
    ['s3://bucket/a', 's3://bucket/a'],
    ['/lake', '/lake/../lake/reports'],
  ]) {
    expect(parse(zone, state), state).toThrow('TIDEMARK_REPORTS_STATE is not valid')
  }
  for (const [zone = '', state = ''] of [
    ['s3://bucket/a', 's3://bucket/ab'],
    ['s3://bucket/a', 's3://other/a'],
    ['/lake', '/lake-reports'],
  ]) {
    expect(parse(zone, state), state).not.toThrow()
  }
})

it('docs/configuration.md lists every setting', () => {
  const path = new URL('../../docs/configuration.md', import.meta.url)
  const page = `# Configuration

This page is made from the schemas in \`src/platform/config.ts\` and \`src/totesys/settings.ts\`. A flag
overrides the environment, the environment overrides \`.env\` in the working directory, and \`.env\`
overrides the default. An empty variable counts as not set. Set both databases, or neither.

\`.env\` is UTF-8, with or without a byte order mark. Each line holds one setting, \`NAME=value\` or
\`export NAME=value\`, or a comment (\`#\`). Quotes (\`"\`, \`'\` or backticks) keep blanks and \`#\`, and may
span several lines. They cannot be escaped: use a kind that the value does not contain.

Nothing is skipped in silence. The command ends with exit code 2 if it finds another encoding, a
line that is not a setting, quotes that do not match, a setting that comes twice, or an unquoted \`#\`
inside a value. The same goes for a name that begins with \`TIDEMARK_\` but is not listed here, in
\`.env\` or in the environment. The message names file, line and name, never the value. (Kubernetes
sets such variables for a service called \`tidemark\`: set \`enableServiceLinks: false\`.)

${describeSettings()}

## Settings of the example

Without a project of your own, Tidemark carries Totesys, which adds these:

${describeSettings(totesysSettings.shape)}
`
  expect(page).not.toContain('undefined')
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, page)
  expect(readFileSync(path, 'utf8')).toBe(page)
})
