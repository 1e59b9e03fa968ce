import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type MailServer, startMailServer } from '../../../test/support/mail-server.ts'
import { createTestReader, type TestReader } from '../../../test/support/reader.ts'
import { createTestSaver } from '../../../test/support/saver.ts'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'
import { fillTotesys } from '../../../test/support/totesys-source/fill.ts'
import { parseConfig } from '../../platform/config.ts'
import { createSavedQuestions } from '../../platform/presentation/saved-questions.ts'
import type { AppLogEntry } from '../log.ts'
import { repeatReports } from './repeat-reports.ts'

const SUBJECT = {
  column: 'n',
  is: 'over',
  value: '1',
  access: ['finance', 'analyst'],
  to: ['ann@example.org'],
}
const OPTIONS = { timeout: 20_000 }

describe('repeatReports()', () => {
  let system: TestSystem
  let role: TestReader
  let server: MailServer
  let file: string
  let entries: AppLogEntry[]

  const open = async (saverUrl?: string) => {
    const config = parseConfig({
      TIDEMARK_SMTP_URL: `smtp://127.0.0.1:${server.port}`,
      TIDEMARK_MAIL_FROM: 'reports@example.org',
      TIDEMARK_REPORTS_FILE: file,
      TIDEMARK_REPORTS_STATE: join(system.folder, 'reports-state'),
    })
    const now = () => new Date()
    const environment = { config, deps: system.deps, reader: role.warehouse, saverUrl, now }
    return await repeatReports(environment, { log: (entry) => entries.push(entry), everyMs: 5 })
  }
  const declare = async (...thresholds: readonly object[]) =>
    await writeFile(file, JSON.stringify({ thresholds }))
  const alerts = () => entries.filter(({ level }) => level === 'alert').map(({ event }) => event)

  beforeAll(async () => {
    system = await createSystem()
    await fillTotesys(system.sql, { seed: 7, salesOrders: 60, until: new Date() })
    await system.run()
    role = await createTestReader(system)
  })
  afterAll(async () => {
    await role[Symbol.asyncDispose]()
    await system[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    server = await startMailServer()
    file = join(system.folder, 'reports.json')
    await rm(file, { force: true })
    entries = []
  })
  afterEach(async () => {
    await server[Symbol.asyncDispose]()
  })

  it('tells a fault once until it is corrected, and goes on looking', async () => {
    await using _reports = await open()
    await vi.waitFor(() => expect(alerts()).toEqual(['reports_unreadable']), OPTIONS)
    await delay(200)
    expect(alerts()).toEqual(['reports_unreadable'])

    await declare({ ...SUBJECT, name: 'gone', question: 'no_such_question' })
    await vi.waitFor(
      () => expect(alerts()).toEqual(['reports_unreadable', 'report_broken']),
      OPTIONS,
    )
    await delay(200)

    await rm(file)
    const told = ['reports_unreadable', 'report_broken', 'reports_unreadable']
    await vi.waitFor(() => expect(alerts()).toEqual(told), OPTIONS)
  })

  it('reads a saved question only where questions can be saved', async () => {
    await using saver = await createTestSaver(system.warehouse)
    {
      await using saved = createSavedQuestions({ url: saver.url })
      await saved.save({
        name: 'two',
        title: 'Two',
        sql: 'select 2 as n',
        filters: {},
        chart: 'auto',
        author: 'ann',
      })
    }
    await declare({ ...SUBJECT, name: 'two', saved: 'two' })
    {
      await using _reports = await open()
      await vi.waitFor(() => expect(alerts()).toEqual(['report_broken']), OPTIONS)
    }
    expect(server.taken).toEqual([])

    await using _reports = await open(saver.url)
    await vi.waitFor(() => expect(server.taken).toHaveLength(1), OPTIONS)
    expect(alerts()).toEqual(['report_broken'])
  })
})
