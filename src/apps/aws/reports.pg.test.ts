import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type MailServer, startMailServer } from '../../../test/support/mail-server.ts'
import { createTestReader, type TestReader } from '../../../test/support/reader.ts'
import { createTestSaver } from '../../../test/support/saver.ts'
import { type SecretsServer, startSecretsServer } from '../../../test/support/secrets-server.ts'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'
import { createSavedQuestions } from '../../platform/presentation/saved-questions.ts'

const CROSSED = {
  name: 'any-order',
  question: 's01_sales_by_currency',
  column: 'orders',
  is: 'at least',
  value: '0',
  access: 'analyst',
  to: ['bob@example.org'],
}
const CONTEXT = { awsRequestId: 'request-1', getRemainingTimeInMillis: () => 540_000 }

describe('the function reports', () => {
  let system: TestSystem
  let role: TestReader
  let secrets: SecretsServer
  let server: MailServer
  let printed: string[]
  let state: string

  beforeAll(async () => {
    system = await createSystem()
    await system.run()
    role = await createTestReader(system)
  })
  afterAll(async () => {
    await role[Symbol.asyncDispose]()
    await system[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    secrets = await startSecretsServer()
    server = await startMailServer({ login: { user: 'tide', password: 'first' } })
    secrets.secrets.set('tidemark/warehouse-reader', role.warehouse.url)
    secrets.secrets.set('tidemark/smtp', `smtp://tide:first@127.0.0.1:${server.port}\n`)
    state = join(system.folder, 'state', String(server.port))
    const env = {
      AWS_REGION: 'eu-west-2',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.endpoint,
      TIDEMARK_INGESTION: join(system.folder, 'ingestion'),
      TIDEMARK_PROCESSED: join(system.folder, 'processed'),
      TIDEMARK_SCRATCH: join(system.folder, 'tmp'),
      TIDEMARK_WAREHOUSE_READER_SECRET: 'tidemark/warehouse-reader',
      TIDEMARK_SMTP_SECRET: 'tidemark/smtp',
      TIDEMARK_REPORTS_FILE: join(system.folder, 'reports.json'),
      TIDEMARK_REPORTS_STATE: state,
      TIDEMARK_MAIL_FROM: 'reports@example.org',
      TIDEMARK_PAGES_URL: 'https://tidemark.example.org',
    }
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
    printed = []
    for (const stream of [process.stdout, process.stderr]) {
      vi.spyOn(stream, 'write').mockImplementation((chunk) => {
        printed.push(String(chunk))
        return true
      })
    }
    vi.resetModules()
  })
  afterEach(async () => {
    vi.restoreAllMocks()
    vi.unstubAllEnvs()
    await server[Symbol.asyncDispose]()
    await secrets[Symbol.asyncDispose]()
  })

  const invoke = async (content: object) => {
    await writeFile(join(system.folder, 'reports.json'), JSON.stringify(content))
    const { handler } = await import('./reports.lambda.ts')
    return await handler({}, CONTEXT)
  }
  const lines = () =>
    printed
      .join('')
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)

  it('sends what is due once, with both secrets, and measures that nothing failed', async () => {
    const content = { thresholds: [CROSSED] }
    expect(await invoke(content)).toEqual({ mails: 1, failed: 0, broken: 0 })
    expect(await invoke(content)).toEqual({ mails: 0, failed: 0, broken: 0 })
    expect(server.taken).toHaveLength(1)
    expect(server.taken[0]).toMatchObject({ to: ['bob@example.org'], user: 'tide', isSecure: true })
    const measured = lines().flatMap((line) => ('_aws' in line ? [line['ReportsFailed']] : []))
    expect(measured).toEqual([0, 0])
  })

  it('measures what failed and what is not valid, and logs no address and no password', async () => {
    secrets.secrets.set('tidemark/smtp', `smtp://tide:second@127.0.0.1:${server.port}`)
    const content = { thresholds: [CROSSED, { ...CROSSED, name: 'lost', column: 'x' }] }
    expect(await invoke(content)).toEqual({ mails: 0, failed: 1, broken: 1 })
    const messages = lines().map(({ message }) => message)
    expect(messages).toContain('report_broken')
    expect(messages).toContain('report_failed')
    expect(lines().flatMap((line) => ('_aws' in line ? [line['ReportsFailed']] : []))).toEqual([2])
    expect(printed.join('')).not.toMatch(/example\.org|second/)
  })

  it('sends a saved question, and one that it cannot read concerns no other report', async () => {
    await using saver = await createTestSaver(system.warehouse)
    {
      await using saved = createSavedQuestions({ url: saver.url })
      const sql = 'select 7 as orders'
      const question = { name: 'seven', title: 'Seven', sql, filters: {}, author: 'carol' } as const
      await saved.save({ ...question, chart: 'auto' })
    }
    const asked = { ...CROSSED, question: undefined, access: ['finance', 'analyst'] }
    const content = { thresholds: [{ ...asked, name: 'seven', saved: 'seven' }, CROSSED] }
    expect(await invoke(content)).toEqual({ mails: 1, failed: 0, broken: 1 })
    vi.stubEnv('TIDEMARK_SAVER_SECRET', 'tidemark/saver')
    expect(await invoke(content)).toEqual({ mails: 0, failed: 1, broken: 0 })
    secrets.secrets.set('tidemark/saver', saver.url)
    expect(await invoke(content)).toEqual({ mails: 1, failed: 0, broken: 0 })
    expect(server.taken.map(({ raw }) => /^Subject: (.*)/m.exec(raw)?.[1])).toEqual([
      'any-order: 0 is at least 0',
      'seven: 7 is at least 0',
    ])
  })

  it('reads a secret again at each look, so that a new password counts at once', async () => {
    secrets.secrets.set('tidemark/smtp', `smtp://tide:second@127.0.0.1:${server.port}`)
    await invoke({ thresholds: [CROSSED] })
    secrets.secrets.set('tidemark/smtp', `smtp://tide:first@127.0.0.1:${server.port}`)
    const other = { ...CROSSED, name: 'another' }
    expect(await invoke({ thresholds: [other] })).toMatchObject({ mails: 1 })
  })

  it.each([
    ['no such secret', undefined, 'ConfigError', 'does not exist'],
    [
      'no mail server in it',
      'postgresql://a:password@b/hidden',
      'ConfigError',
      'TIDEMARK_SMTP_URL',
    ],
  ])('fails as a function if there is %s, and never shows what is there', async (...row) => {
    const [, value, name, message] = row
    if (value === undefined) secrets.secrets.delete('tidemark/smtp')
    else secrets.secrets.set('tidemark/smtp', value)
    const error = (await invoke({}).catch((thrown: unknown) => thrown)) as Error
    expect(error).toMatchObject({ name, message: expect.stringContaining(message) as string })
    expect(printed.join('')).not.toContain('hidden')
  })
})
