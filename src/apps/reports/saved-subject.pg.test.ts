import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { Hono } from 'hono'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type MailServer, startMailServer } from '../../../test/support/mail-server.ts'
import { bodiesOf, subjectOf } from '../../../test/support/read-mail.ts'
import { createTestReader, type TestReader } from '../../../test/support/reader.ts'
import { createTestSaver, type TestSaver } from '../../../test/support/saver.ts'
import { seedTotesys } from '../../../test/support/small-totesys.ts'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'
import { parseConfig } from '../../platform/config.ts'
import { diskStore } from '../../platform/lake/store/disk-store.ts'
import type { ObjectStore } from '../../platform/lake/store/object-store.ts'
import { createReader, type Reader } from '../../platform/presentation/reader.ts'
import {
  createSavedQuestions,
  type SavedQuestion,
  type SavedQuestions,
} from '../../platform/presentation/saved-questions.ts'
import type { AppLogEntry } from '../log.ts'
import { readAccess, type ServerEnv } from '../server/access.ts'
import { createApp } from '../server/app.ts'
import { askRoutes } from '../server/pages/ask.ts'
import { parseDeclarations } from './declaration.ts'
import { createReportMailer } from './report-mailer.ts'
import { reportSources } from './open-reports.ts'
import { findFault, sendDue, type SendOptions } from './send-due.ts'

/** As for Totesys. */
const DECLARED_IN = { location: 'reports.json', groups: ['finance', 'analyst'] }

/** The day by which the figures are judged, and the moments of the schedule. */
const TODAY = new Date('2026-11-30T08:00:30Z')
const BEFORE = new Date('2026-11-29T12:00:00Z')
const DUE = new Date('2026-11-30T08:01:00Z')

const BOTH = ['finance', 'analyst']
const REPORT = {
  name: 'late-daily',
  saved: 'late',
  access: BOTH,
  to: ['ann@example.org'],
  schedule: { every: 'day', at: '08:00', zone: 'UTC' },
}
const THRESHOLD = {
  name: 'late-gbp',
  saved: 'late',
  rows: { code: 'GBP' },
  column: 'amount',
  is: 'over',
  value: '1',
  access: BOTH,
  to: ['fin@example.org'],
}
const LATE: Omit<SavedQuestion, 'savedAt'> = {
  name: 'late',
  title: 'Late?',
  sql: `select code, amount::numeric, :'today' as today, :'least' as least
    from (values ('EUR', 1.5), ('GBP', 1234.25), ('GBP', 2)) as late (code, amount)
    where amount >= coalesce(nullif(:'least', '')::numeric, 0)
      and (:'most' is null or amount <= (:'most')::numeric)
    order by amount`,
  filters: { least: '2', most: '5000' },
  chart: 'auto',
  author: 'carol',
}

describe('sendDue() with a saved question', () => {
  let system: TestSystem
  let role: TestReader
  let saver: TestSaver
  let reader: Reader
  let saved: SavedQuestions
  let server: MailServer
  let state: ObjectStore
  let entries: AppLogEntry[]

  beforeAll(async () => {
    system = await createSystem()
    await seedTotesys(system.sql)
    await system.run()
    role = await createTestReader(system)
    saver = await createTestSaver(system.warehouse)
    reader = createReader(role.warehouse)
    saved = createSavedQuestions({ url: saver.url })
  })
  afterAll(async () => {
    await saved[Symbol.asyncDispose]()
    await reader[Symbol.asyncDispose]()
    await saver[Symbol.asyncDispose]()
    await role[Symbol.asyncDispose]()
    await system[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    await saver.recreateSchema()
    server = await startMailServer()
    state = diskStore(join(system.folder, 'reports', randomUUID()))
    entries = []
  })
  afterEach(async () => {
    await server[Symbol.asyncDispose]()
  })

  const save = async (more: Partial<Omit<SavedQuestion, 'savedAt'>> = {}) => {
    expect(await saved.save({ ...LATE, ...more })).toBe('saved')
  }
  const optionsOf = (now: Date, store: SavedQuestions | undefined): SendOptions => {
    const config = parseConfig({
      TIDEMARK_SMTP_URL: `smtp://127.0.0.1:${server.port}`,
      TIDEMARK_MAIL_FROM: 'reports@example.org',
      TIDEMARK_PAGES_URL: 'https://tidemark.example.org',
    })
    return {
      ...reportSources({ config, deps: system.deps, reader, saved: store, now: () => TODAY }),
      store: state,
      mailer: createReportMailer(config),
      log: (entry) => entries.push(entry),
      runId: randomUUID(),
      now: () => now,
      pauseMs: 0,
    }
  }
  const parse = (content: object) => parseDeclarations(JSON.stringify(content), DECLARED_IN)
  const look = async (content: object, now = DUE, store: SavedQuestions | undefined = saved) =>
    await sendDue(parse(content), optionsOf(now, store))
  /** Looks once before the slot, so that the schedule is known, and again after it. */
  const lookAtSlot = async (content: object) => {
    await look(content, BEFORE)
    entries.length = 0
    return await look(content)
  }
  const faultsOf = async (content: object, store: SavedQuestions | 'off' = saved) => {
    const options = optionsOf(DUE, store === 'off' ? undefined : store)
    const faults: string[] = []
    for (const declaration of parse(content).valid) {
      faults.push((await findFault(declaration, options))?.message ?? 'none')
    }
    return faults
  }
  const failures = () => entries.filter(({ event }) => event === 'report_failed')
  const withoutSpaces = (text: string) => text.replaceAll(/>\s+</g, '><').replaceAll(/\s+/g, ' ')

  it('sends its rows, the filters, who saved it, and a link that Ask answers with the same rows', async () => {
    await save()
    const content = { reports: [{ ...REPORT, filters: { least: '2.5', most: '' } }] }
    expect(await lookAtSlot(content)).toEqual({ mails: 1, failed: 0, broken: 0 })
    expect(await look(content)).toMatchObject({ mails: 0, failed: 0 })
    const { raw } = server.taken[0]!
    expect(subjectOf(raw)).toMatch(/^Late\? · \d{4}-\d\d-\d\d$/)
    const { text, html } = bodiesOf(raw)
    expect(text).toMatch(/^Code +Amount +Today +Least$/m)
    expect(text).toMatch(/^GBP +1,234\.25 +2026-11-30 +2\.5$/m)
    expect(text).not.toMatch(/^(EUR|GBP +2) /m)
    expect(html).toContain('1,234.25')
    for (const body of [text, html]) {
      expect(body).toMatch(/by carol at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/)
      expect(body).toContain('least: 2.5, most: 5000')
    }
    const link = /https:\/\/tidemark\.example\.org(\S+)/.exec(text)?.[1]
    expect(link).toBe('/ask?saved=late&filter.least=2.5')
    const page = await answerOfAsk(link!)
    expect(page).toContain('<td class="number">1,234.25</td>')
    expect(page).toContain('1 row.')
  })

  const answerOfAsk = async (path: string) => {
    const { presentation } = optionsOf(DUE, saved)
    const app = createApp({
      ...presentation,
      access: readAccess(parseConfig({})),
      log: system.log,
      version: '1.2.3',
      pages: (shown) =>
        new Hono<ServerEnv>().route(
          '/',
          askRoutes({ presentation: shown, deps: system.deps, log: system.log }),
        ),
    })
    const incoming = { socket: { remoteAddress: '127.0.0.1' } }
    return withoutSpaces(await (await app.request(path, {}, { incoming })).text())
  }

  it('sends 25 rows and says how many there are, or that there are none', async () => {
    await save({ sql: 'select n from generate_series(1, 5001) as n', filters: {} })
    await save({ name: 'none', title: 'None', sql: 'select 1 as n where false', filters: {} })
    const reports = [REPORT, { ...REPORT, name: 'none-daily', saved: 'none' }]
    expect(await lookAtSlot({ reports })).toMatchObject({ mails: 2, failed: 0 })
    const [many, none] = server.taken.map(({ raw }) => bodiesOf(raw).text)
    expect(many).toContain('The first 25 of more than 5,000 rows; the page has more.')
    expect(many).toMatch(/^25$/m)
    expect(many).not.toMatch(/^26$/m)
    expect(many).not.toContain('Filters')
    expect(none).toContain('No rows.')
  })

  it('watches a figure over its rows, exactly', async () => {
    await save()
    const content = { thresholds: [{ ...THRESHOLD, is: 'at least', value: '1236.25' }] }
    expect(await look(content)).toEqual({ mails: 1, failed: 0, broken: 0 })
    expect(await look(content)).toMatchObject({ mails: 0 })
    await save({ filters: { least: '3' } })
    expect(await look(content)).toMatchObject({ mails: 1 })
    expect(server.taken.map(({ raw }) => subjectOf(raw))).toEqual([
      'late-gbp: 1,236.25 is at least 1,236.25',
      'late-gbp: 1,234.25 is no longer at least 1,236.25',
    ])
    const { text } = bodiesOf(server.taken[1]!.raw)
    expect(text).toMatch(/^Question: +Late\?$/m)
    expect(text).toMatch(/^Saved: +by carol at /m)
    expect(text).toContain('https://tidemark.example.org/ask?saved=late\n')
  })

  it('watches a figure that Postgres writes with an exponent', async () => {
    await save({ sql: `select unnest(array[1e-07, -2.5e-08, 1e+20]::float8[]) as amount` })
    const content = {
      thresholds: [{ ...THRESHOLD, rows: {}, is: 'over', value: '100000000000000000000.00000007' }],
    }
    expect(await look(content)).toEqual({ mails: 1, failed: 0, broken: 0 })
    await save({ sql: `select 'NaN'::float8 as amount` })
    expect(await look(content)).toEqual({ mails: 0, failed: 0, broken: 1 })
  })

  it('names what is wrong with a declaration', async () => {
    await save()
    await save({ name: 'other', title: 'Other' })
    const other = { ...REPORT, filters: { colour: 'red' } }
    expect(await faultsOf({ reports: [{ ...REPORT, saved: 'lost' }] })).toEqual([
      expect.stringMatching(/saved: there is no saved question “lost”; there are late, other$/),
    ])
    expect(await faultsOf({ reports: [other], thresholds: [{ ...THRESHOLD, ...other }] })).toEqual([
      expect.stringContaining('there is no filter “colour”; it has today, least, most'),
    ])
    expect(await faultsOf({ reports: [REPORT], thresholds: [THRESHOLD] }, 'off')).toEqual([
      expect.stringContaining('TIDEMARK_SAVER_URL is not set'),
      expect.stringContaining('TIDEMARK_SAVER_URL is not set'),
    ])
    const outside = ['finance', 'analyst', ['finance'], BOTH].map((access, place) => ({
      ...REPORT,
      name: `access-${place}`,
      access,
      ...(place === 1 ? { filters: { colour: 'red' } } : {}),
    }))
    const [finance, analyst, list, both] = await faultsOf({ reports: outside })
    for (const fault of [finance, analyst, list]) {
      expect(fault).toContain('it needs ["finance", "analyst"]')
    }
    expect(analyst).toContain('there is no filter “colour”')
    expect(both).toBe('none')
    expect(server.taken).toEqual([])
  })

  it('names what is wrong with the columns of a threshold, and none of the others', async () => {
    await save({ sql: `select 1 as amount, 'x' as "Acme Ltd", 2 as twice, 3 as twice` })
    const named = (name: string, more: object) => ({ ...THRESHOLD, rows: {}, name, ...more })
    const faults = await faultsOf({
      thresholds: [
        named('no-column', { column: 'amout' }),
        named('no-row', { rows: { side: 'in' } }),
        named('no-number', { column: 'Acme Ltd' }),
        named('ambiguous', { column: 'twice' }),
        named('sound', {}),
      ],
    })
    expect(faults).toEqual([
      expect.stringMatching(/no column “amout”; see its columns at \/ask\?saved=late$/),
      expect.stringMatching(/no column “side”; see its columns at \/ask\?saved=late$/),
      expect.stringContaining('Acme Ltd holds no numbers'),
      expect.stringContaining('several columns “twice”'),
      'none',
    ])
  })

  it('reports one that is removed later as broken, and sends the others', async () => {
    await save()
    const page = { ...REPORT, saved: undefined, page: '/sales', access: 'analyst', name: 'page' }
    const content = { reports: [REPORT, page], thresholds: [THRESHOLD] }
    expect(await look(content, BEFORE)).toEqual({ mails: 1, failed: 0, broken: 0 })
    expect(await saved.remove('late', 'carol')).toBe(true)
    expect(await look(content)).toEqual({ mails: 1, failed: 0, broken: 2 })
    expect(server.taken.map(({ raw }) => subjectOf(raw))[1]).toMatch(/^Sales · /)
    expect(entries.filter(({ event }) => event === 'report_broken')).toMatchObject([
      { report: 'late-daily', faults: [expect.stringContaining('there are none') as string] },
      { report: 'late-gbp' },
    ])
  })

  it.each([
    ['what Postgres refuses', `select 'sesame' / 0 from nowhere`, 'SAVED_REFUSED', '42P01'],
    ['a value that does not fit', `select (:'code')::int, 'sesame'`, 'SAVED_REFUSED', '22P02'],
    ['what ask() forbids', `select pg_sleep(0), 'sesame'`, 'SAVED_REFUSED', '42501'],
    ['what writes', `delete from dim_currency where 'sesame' = ''`, 'SAVED_REFUSED', '42601'],
  ])('logs %s as a failure, without the statement or a value, and tries again', async (...row) => {
    const [, sql, code, sqlState] = row
    await save({ sql, filters: { code: 'sesame' } })
    const threshold = { ...THRESHOLD, rows: {} }
    const content = { reports: [REPORT], thresholds: [threshold] }
    expect(await lookAtSlot(content)).toEqual({ mails: 0, failed: 2, broken: 0 })
    expect(failures()).toMatchObject(
      ['late-daily', 'late-gbp'].map((report) => ({ report, code, level: 'alert' })),
    )
    expect(failures()).toMatchObject([{ message: expect.stringContaining(sqlState) as string }, {}])
    expect(JSON.stringify(entries)).not.toMatch(/sesame|nowhere|pg_sleep|dim_currency/)
    await save()
    const later = new Date(DUE.getTime() + 61_000)
    expect(await look(content, later)).toMatchObject({ mails: 2, failed: 0 })
  })

  it('logs one that takes too long as a failure that may pass', async () => {
    const sql = 'select count(*) from generate_series(1, 1e10::bigint)'
    await save({ sql, filters: {} })
    expect(await lookAtSlot({ reports: [REPORT] })).toEqual({ mails: 0, failed: 1, broken: 0 })
    expect(failures()).toMatchObject([
      {
        code: 'SAVED_STOPPED',
        level: 'warn',
        message: expect.stringContaining('took too long') as string,
      },
    ])
    expect(JSON.stringify(entries)).not.toContain('generate_series')
  })

  it('does not call a declaration broken while the store is away', async () => {
    await using away = createSavedQuestions({ url: 'postgresql://saver:p@127.0.0.1:1/d' })
    await save()
    await look({ reports: [REPORT] }, BEFORE)
    expect(await look({ reports: [REPORT] }, DUE, away)).toEqual({ mails: 0, failed: 1, broken: 0 })
    expect(failures()).toMatchObject([{ code: 'SAVED_UNREACHABLE', level: 'warn' }])
    const later = new Date(DUE.getTime() + 61_000)
    expect(await look({ reports: [REPORT] }, later)).toMatchObject({ mails: 1 })
  })

  it('writes hostile titles, authors, values and columns as what they are', async () => {
    const evil = '<img src=x onerror=alert(1)>'
    await save({
      title: `${evil} "=?UTF-8?Q?a?= ünï`,
      author: `eve\r\nBcc: all@example.org\r\n\r\n\u001b[2J${evil}`,
      sql: `select :'note' as "a\u001b[2J\n${evil}"`,
      filters: { note: `one\r\n-- \r\n\u001b[2J${evil}` },
    })
    await save({ name: 'second', title: 'Second', author: 'local', sql: 'select 1 as n' })
    const reports = [REPORT, { ...REPORT, name: 'second', saved: 'second' }]
    expect(await lookAtSlot({ reports })).toEqual({ mails: 2, failed: 0, broken: 0 })
    const [{ raw, to }, second] = server.taken as [
      (typeof server.taken)[0],
      (typeof server.taken)[0],
    ]
    expect(to).toEqual(['ann@example.org'])
    expect(subjectOf(raw)).toContain(`${evil} "=?UTF-8?Q?a?= ünï · `)
    expect(raw.split('\r\n\r\n', 1)[0]).not.toMatch(/^Bcc/im)
    const { text, html } = bodiesOf(raw)
    expect(html).not.toMatch(/<img|<script/i)
    expect(html).toContain('&lt;img src=x onerror=alert(1)&gt;')
    expect(text).toContain(`by eve Bcc: all@example.org [2J${evil} at `)
    expect(text.match(/^-- $/gm)).toHaveLength(1)
    for (const body of [text, html]) expect(body).not.toMatch(/[^\P{Cc}\n]/u)
    expect(bodiesOf(second.raw).text).toMatch(/^Saved: +at \d{4}/m)
  })
})
