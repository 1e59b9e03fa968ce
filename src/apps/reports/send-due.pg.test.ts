import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type MailServer, startMailServer } from '../../../test/support/mail-server.ts'
import { bodiesOf, subjectOf } from '../../../test/support/read-mail.ts'
import { createTestReader, type TestReader } from '../../../test/support/reader.ts'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'
import { fillTotesys } from '../../../test/support/totesys-source/fill.ts'
import { parseConfig } from '../../platform/config.ts'
import { diskStore } from '../../platform/lake/store/disk-store.ts'
import type { ObjectStore } from '../../platform/lake/store/object-store.ts'
import { createReader, type Reader } from '../../platform/presentation/reader.ts'
import type { AppLogEntry } from '../log.ts'
import { parseDeclarations } from './declaration.ts'
import { createReportMailer } from './report-mailer.ts'
import { reportSources } from './open-reports.ts'
import { sendDue, type SendOptions } from './send-due.ts'

/** As for Totesys. */
const DECLARED_IN = { location: 'reports.json', groups: ['finance', 'analyst'] }

const NOW = new Date()
const DAY_MS = 86_400_000

/** Every day at 08:00 UTC; the moments of a test are before and after that. */
const DAILY = { every: 'day', at: '08:00', zone: 'UTC' }
const at = (day: number, time: string) => new Date(`2026-11-${day}T${time}:00Z`)
const SALES = {
  name: 'daily-sales',
  page: '/sales',
  filters: { period: 'all', currency: 'GBP' },
  access: 'analyst',
  to: ['ann@example.org', 'bob@example.org'],
  schedule: DAILY,
}
const OVERDUE = {
  name: 'overdue-gbp',
  question: 'y04_overdue_by_age',
  filters: { currency: 'GBP' },
  rows: { direction: 'in' },
  column: 'amount',
  is: 'over',
  access: 'finance',
  to: ['fin@example.org'],
}

describe('sendDue()', () => {
  let system: TestSystem
  let role: TestReader
  let reader: Reader
  let server: MailServer
  let store: ObjectStore
  let entries: AppLogEntry[]
  let now: Date

  const optionsOf = (more: Partial<SendOptions> = {}): SendOptions => {
    const config = parseConfig({
      TIDEMARK_SMTP_URL: `smtp://127.0.0.1:${server.port}`,
      TIDEMARK_MAIL_FROM: 'reports@example.org',
      TIDEMARK_PAGES_URL: 'https://tidemark.example.org/',
    })
    return {
      ...reportSources({ config, deps: system.deps, reader, saved: undefined, now: () => NOW }),
      store,
      mailer: createReportMailer(config),
      log: (entry) => entries.push(entry),
      runId: randomUUID(),
      now: () => now,
      pauseMs: 0,
      ...more,
    }
  }
  const look = async (content: object, more?: Partial<SendOptions>) =>
    await sendDue(parseDeclarations(JSON.stringify(content), DECLARED_IN), optionsOf(more))
  /** Looks once before the slot, so that the schedule is known, and again at a moment. */
  const lookAt = async (content: object, moment: Date, more?: Partial<SendOptions>) => {
    now = at(29, '12:00')
    await look(content, more)
    now = moment
    return await look(content, more)
  }
  const eventsOf = (name: string) => entries.filter(({ event }) => event === name)
  /** Who got mails, in order. */
  const recipients = () => server.taken.flatMap(({ to }) => to)
  const subjects = () => server.taken.map(({ raw }) => subjectOf(raw))

  beforeAll(async () => {
    system = await createSystem()
    await fillTotesys(system.sql, { seed: 7, salesOrders: 900, until: NOW })
    await system.sql.query(
      `update counterparty set counterparty_legal_name = '<b>& "Sons"' where counterparty_id = 1`,
    )
    await system.run()
    role = await createTestReader(system)
    reader = createReader(role.warehouse)
  })
  afterAll(async () => {
    await reader[Symbol.asyncDispose]()
    await role[Symbol.asyncDispose]()
    await system[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    server = await startMailServer()
    store = diskStore(join(system.folder, 'reports', randomUUID()))
    entries = []
  })
  afterEach(async () => {
    await server[Symbol.asyncDispose]()
  })

  it('sends a report to each recipient once for its slot, and nothing for the slot before it', async () => {
    expect(await lookAt({ reports: [SALES] }, at(30, '07:59'))).toMatchObject({ mails: 0 })
    now = at(30, '08:01')
    expect(await look({ reports: [SALES] })).toEqual({ mails: 2, failed: 0, broken: 0 })
    now = at(30, '20:00')
    await look({ reports: [SALES] })
    expect(recipients()).toEqual(SALES.to)
    expect(eventsOf('report_sent')).toMatchObject([{ mails: 2, refused: 0, isLate: false }])
    now = new Date(at(30, '08:05').getTime() + DAY_MS)
    await look({ reports: [SALES] })
    expect(recipients()).toEqual([...SALES.to, ...SALES.to])
  })

  it('puts the figures, the period, the age and a link with the same filters into both forms', async () => {
    await lookAt({ reports: [SALES] }, at(30, '08:01'))
    const { text, html } = bodiesOf(server.taken[0]!.raw)
    expect(subjects()[0]).toMatch(/^Sales · \d{4}-\d\d-\d\d$/)
    for (const body of [text, html]) {
      expect(body).toContain('the first day to the newest, by order date')
      expect(body).toContain('Currency: GBP')
      expect(body).toMatch(/Complete to.*\d\d:\d\d:\d\d UTC, [\d.]+ \w+ before this mail was made/s)
      expect(body).toContain('https://tidemark.example.org/sales?currency=GBP')
      expect(body).toContain('every day at 08:00, UTC')
    }
    const [card] = await system.query<{ amount: string }>(
      `select sum(units_sold * unit_price)::numeric(20, 2)::text as amount
       from fact_sales_order_current join dim_currency using (currency_id)
       where currency_code = 'GBP'`,
    )
    const amount = card!.amount.replace(/\B(?=(\d{3})+\.)/g, ',')
    expect(text).toContain(`GBP: ${amount}`)
    expect(html).toContain(`GBP: ${amount}`)
    expect(text).toMatch(/The first 10 of [\d,]+ rows/)
    expect(text).toContain('The newest 4 rows of each currency; the page has more.')
    const [week] = await system.query<{ newest: string }>(
      `select max(date_trunc('week', created_date))::date::text as newest
       from fact_sales_order_current join dim_currency using (currency_id)
       where currency_code = 'GBP'`,
    )
    expect(text).toMatch(new RegExp(`^GBP +${week!.newest}`, 'm'))
    // As on the page: a share as a percentage, and no id beside a name.
    expect(text).toMatch(/^ +\d+ +\S.* [\d.]+ %$/m)
    expect(text).toMatch(/^Currency +Position +Counterparty +Orders/m)
    expect(html).not.toMatch(/<script|<img|<link|src=|url\(|@import/i)
    expect(html).not.toContain('<b>&')
    expect(html).toContain('&lt;b&gt;&amp;')
  })

  it('sends a slot that was missed once, late, and says so', async () => {
    await lookAt({ reports: [SALES] }, at(30, '17:00'))
    await look({ reports: [SALES] })
    expect(recipients()).toEqual(SALES.to)
    expect(subjects()[0]).toMatch(/· late$/)
    expect(bodiesOf(server.taken[0]!.raw).text).toContain('it was due at 2026-11-30 08:00:00 UTC')
    expect(eventsOf('report_sent')).toMatchObject([{ isLate: true }])
  })

  it('sends one of several slots that were missed: the newest', async () => {
    now = at(20, '12:00')
    await look({ reports: [SALES] })
    now = at(30, '07:00')
    await look({ reports: [SALES] })
    await look({ reports: [SALES] })
    expect(recipients()).toEqual(SALES.to)
    expect(bodiesOf(server.taken[0]!.raw).text).toContain('it was due at 2026-11-29 08:00:00 UTC')
  })

  it('sends nothing for a slot that is over when the schedule is changed', async () => {
    await lookAt({ reports: [SALES] }, at(30, '08:01'))
    server.taken.length = 0
    now = at(30, '12:00')
    await look({ reports: [{ ...SALES, schedule: { ...DAILY, at: '11:00' } }] })
    expect(server.taken).toEqual([])
  })

  it('sends one mail if two processes look at once', async () => {
    now = at(29, '12:00')
    const content = { reports: [SALES], thresholds: [{ ...OVERDUE, is: 'at least', value: '0' }] }
    await look({ reports: [SALES] })
    now = at(30, '08:01')
    const sent = await Promise.all(Array.from({ length: 4 }, () => look(content)))
    expect(sent.reduce((sum, { mails }) => sum + mails, 0)).toBe(3)
    expect(recipients().toSorted()).toEqual([
      'ann@example.org',
      'bob@example.org',
      'fin@example.org',
    ])
    expect(eventsOf('threshold_crossed')).toHaveLength(1)
  })

  it('leaves a mail to the process that has begun it, until that has surely ended', async () => {
    let release = () => {}
    server.held = new Promise((resolve) => (release = resolve))
    const arrived = server.nextContent()
    now = at(29, '12:00')
    await look({ reports: [SALES] })
    now = at(30, '08:01')
    const first = look({ reports: [SALES] })
    await arrived
    now = at(30, '08:05')
    expect(await look({ reports: [SALES] })).toMatchObject({ mails: 0, failed: 0 })
    release()
    await first
    expect(recipients()).toEqual(['ann@example.org', 'bob@example.org'])
  })

  it('sends again what a killed process had not recorded, and not what it had', async () => {
    now = at(29, '12:00')
    await look({ reports: [SALES] })
    now = at(30, '08:01')
    const killed = new Error('killed')
    const dying: ObjectStore = {
      ...store,
      // It dies after it has handed over the second mail, before it can record that.
      putIfAbsent: async (key, body) => {
        const names = key.split('/').at(-1) ?? ''
        if (/^(done|failed)/.test(names)) throw killed
        if (names.startsWith('to-') && server.taken.length === 2) throw killed
        return await store.putIfAbsent(key, body)
      },
    }
    await look({ reports: [SALES] }, { store: dying })
    expect(recipients()).toEqual(['ann@example.org', 'bob@example.org'])
    now = at(30, '08:10')
    expect(await look({ reports: [SALES] })).toMatchObject({ mails: 0 })
    now = at(30, '08:12')
    expect(await look({ reports: [SALES] })).toMatchObject({ mails: 1 })
    expect(recipients()).toEqual(['ann@example.org', 'bob@example.org', 'bob@example.org'])
    const ids = server.taken.map(({ raw }) => /^Message-ID: (.*)/im.exec(raw)?.[1])
    expect(ids[2]).toBe(ids[1])
    expect(ids[1]).not.toBe(ids[0])
  })

  it('sends to all others if the server refuses one recipient for good, and does not ask again', async () => {
    server.refused.set('ann@example.org', 550)
    await lookAt({ reports: [SALES] }, at(30, '08:01'))
    now = at(30, '12:00')
    await look({ reports: [SALES] })
    expect(recipients()).toEqual(['bob@example.org'])
    expect(eventsOf('recipient_refused')).toMatchObject([{ report: 'daily-sales', recipient: 1 }])
    expect(JSON.stringify(entries)).not.toContain('example.org')
  })

  it('tries one recipient again later whom the server does not take now, and nobody else', async () => {
    server.refused.set('ann@example.org', 450)
    expect(await lookAt({ reports: [SALES] }, at(30, '08:01'))).toMatchObject({
      mails: 1,
      failed: 1,
    })
    server.refused.clear()
    expect(await look({ reports: [SALES] })).toMatchObject({ mails: 0, failed: 0 })
    now = at(30, '08:03')
    expect(await look({ reports: [SALES] })).toMatchObject({ mails: 1, failed: 0 })
    expect(recipients()).toEqual(['bob@example.org', 'ann@example.org'])
  })

  it('waits ever longer while the server is away, and then asks for a person', async () => {
    const { port } = server
    await server[Symbol.asyncDispose]()
    now = at(29, '12:00')
    await look({ reports: [SALES] })
    const from = at(29, '12:00').getTime() + 20 * 3_600_000
    let attempts = 0
    for (let minute = 1; minute < 130; minute++) {
      now = new Date(from + minute * 60_000)
      attempts += (await look({ reports: [SALES] })).failed
    }
    // After 1, 2, 4, 8, 16, 32 and 60 minutes.
    expect(attempts).toBe(8)
    const levels = eventsOf('report_failed').map((entry) => entry.level)
    expect(levels.slice(0, 4)).toEqual(['warn', 'warn', 'warn', 'alert'])
    expect(eventsOf('report_failed')[0]).toMatchObject({ code: 'MAIL_UNREACHABLE' })
    server = await startMailServer({ port })
  })

  it('gives a report up after a day of trying, and says so', async () => {
    const weekly = { ...SALES, schedule: { every: 'week', on: 'monday', at: '08:00', zone: 'UTC' } }
    server.contentStatus = 451
    await lookAt({ reports: [weekly] }, at(30, '08:01'))
    now = new Date(at(30, '08:01').getTime() + DAY_MS + 60_000)
    await look({ reports: [weekly] })
    server.contentStatus = undefined
    now = new Date(now.getTime() + DAY_MS)
    await look({ reports: [weekly] })
    expect(server.taken).toEqual([])
    expect(eventsOf('report_given_up')).toMatchObject([{ report: 'daily-sales', attempts: 2 }])
  })

  it('I15 names every broken declaration before anything is sent, and sends the others', async () => {
    const named = (name: string, more: object) => ({ ...SALES, name, ...more })
    const threshold = (name: string, more: object) => ({ ...OVERDUE, value: '1', name, ...more })
    const content = {
      reports: [
        named('no-page', { page: '/sails' }),
        named('no-question', { page: undefined, question: 's99_nothing' }),
        named('no-filter', { filters: { colour: 'red' } }),
        named('no-currency', { filters: { currency: 'XXX' } }),
        named('no-period', { filters: { from: '2026-02-30' } }),
        named('needs-counterparty', { page: '/counterparty', filters: {} }),
        named('no-zone', { schedule: { ...DAILY, zone: 'Mars' } }),
        named('payments-page', { page: '/payments' }),
        named('payments-question', { page: undefined, question: 'y03_due_by_week', filters: {} }),
        SALES,
      ],
      thresholds: [
        threshold('no-column', { column: 'amout' }),
        threshold('no-row', { rows: { side: 'in' } }),
        threshold('no-number', { column: 'currency_code' }),
        threshold('no-right', { access: 'analyst' }),
      ],
    }
    const { mails, failed, broken } = await lookAt(content, at(30, '08:01'))
    expect({ mails, failed, broken }).toEqual({ mails: 2, failed: 0, broken: 13 })
    expect(recipients()).toEqual(SALES.to)
    const second = entries.slice(entries.length / 2 - 1)
    const sentAt = second.findIndex(({ event }) => event === 'report_sent')
    expect(second.findLastIndex(({ event }) => event === 'report_broken')).toBeLessThan(sentAt)
    const faults = new Map(
      entries.flatMap((entry) =>
        entry.event === 'report_broken' ? [[entry.report, entry.faults.join('; ')]] : [],
      ),
    )
    expect([...faults.keys()].toSorted()).toEqual(
      [...content.reports.slice(0, -1), ...content.thresholds].map(({ name }) => name).toSorted(),
    )
    expect(faults.get('no-page')).toContain('there is no page “/sails”; there are /, /sales')
    expect(faults.get('no-filter')).toContain('there is no filter “colour”; it has period')
    expect(faults.get('no-currency')).toContain('There is no such currency')
    expect(faults.get('needs-counterparty')).toContain('needs a counterparty')
    expect(faults.get('payments-page')).toContain('/payments is for the group finance')
    expect(faults.get('payments-question')).toContain('is for the group finance')
    expect(faults.get('no-column')).toContain('no column “amout”; it has direction, currency_code')
    expect(faults.get('no-number')).toContain('currency_code holds no numbers')
  })

  it('never shows payments to those outside of finance', async () => {
    const overview = { ...SALES, page: '/', filters: {} }
    await lookAt({ reports: [overview] }, at(30, '08:01'))
    const withheld = bodiesOf(server.taken[0]!.raw)
    expect(withheld.text).toContain('Only the group finance may see this.')
    expect(withheld.text).not.toMatch(/to us: [\d,]+/)
    server.taken.length = 0
    const finance = { ...overview, name: 'with-payments', access: ['analyst', 'finance'] }
    await lookAt({ reports: [finance] }, at(30, '08:01'))
    const whole = bodiesOf(server.taken[0]!.raw)
    expect(whole.text).not.toContain('Only the group')
    expect(whole.text).toMatch(/GBP to us: [\d,]+/)
  })

  it('leads those who may open it to the question, and others to a page that shows it', async () => {
    const due = { ...SALES, page: undefined, question: 'y04_overdue_by_age' }
    const reports = [
      { ...due, name: 'finance', access: 'finance' },
      { ...due, name: 'both', access: ['finance', 'analyst'] },
    ]
    await lookAt(
      { reports: reports.map((each) => ({ ...each, filters: { currency: 'GBP' } })) },
      at(30, '08:01'),
    )
    const links = server.taken.map(({ raw }) => /https:\S+/.exec(bodiesOf(raw).text)?.[0])
    expect(links[0]).toMatch(/\/payments\?currency=GBP/)
    expect(links[2]).toMatch(/\/questions\/y04_overdue_by_age\?currency=GBP/)
  })

  it('mails once when a figure crosses its threshold and once when it is back, and forgets nothing', async () => {
    now = at(30, '08:00')
    // The figure as it stands, from a first mail.
    await look({ thresholds: [{ ...OVERDUE, name: 'probe', is: 'at least', value: '0' }] })
    const current = /Figure: +Amount ([\d,.]+)/.exec(bodiesOf(server.taken[0]!.raw).text)?.[1]
    const value = current!.replaceAll(',', '')
    server.taken.length = 0
    const content = { thresholds: [{ ...OVERDUE, value }] }
    const shift = async (by: number) => {
      await system.sql.query(
        'update payment set payment_amount = payment_amount + $1 where not paid',
        [by],
      )
      await system.run()
    }
    await look(content)
    expect(server.taken).toEqual([])
    await shift(1)
    // A new process each time: nothing is kept but what the store keeps.
    for (let times = 0; times < 3; times++) await look(content)
    expect(subjects()).toEqual([expect.stringMatching(/^overdue-gbp: [\d,.]+ is over /)])
    await shift(5)
    await look(content)
    expect(server.taken).toHaveLength(1)
    await shift(-6)
    for (let times = 0; times < 3; times++) await look(content)
    expect(subjects()[1]).toMatch(/^overdue-gbp: [\d,.]+ is no longer over /)
    await shift(1)
    await look(content)
    await shift(-1)
    expect(server.taken).toHaveLength(3)
    expect(eventsOf('threshold_crossed')).toHaveLength(4)
  })

  it('sends the mail of a crossing late while the server is away, before that of the way back', async () => {
    const crossing = { thresholds: [{ ...OVERDUE, is: 'at least', value: '0' }] }
    const back = { thresholds: [{ ...OVERDUE, is: 'under', value: '0' }] }
    server.contentStatus = 451
    now = at(30, '08:00')
    await look(crossing)
    now = at(30, '09:00')
    await look(back)
    server.contentStatus = undefined
    now = at(30, '11:00')
    await look(back)
    expect(subjects()).toEqual([
      expect.stringContaining('is under 0'),
      expect.stringContaining('is no longer under 0'),
    ])
    expect(bodiesOf(server.taken[0]!.raw).text).toContain('noticed at 2026-11-30 08:00:00 UTC')
    expect(bodiesOf(server.taken[0]!.raw).text).toContain('Sent late')
  })
})
