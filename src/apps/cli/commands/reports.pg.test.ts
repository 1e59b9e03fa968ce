import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tidemark } from '../../../../test/support/command.ts'
import { type MailServer, startMailServer } from '../../../../test/support/mail-server.ts'
import { createTestReader, type TestReader } from '../../../../test/support/reader.ts'
import { createTestSaver } from '../../../../test/support/saver.ts'
import { createSystem, type TestSystem } from '../../../../test/support/system.ts'
import { fillTotesys } from '../../../../test/support/totesys-source/fill.ts'
import { createSavedQuestions } from '../../../platform/presentation/saved-questions.ts'
import { TOTESYS_PROJECT } from '../../../../test/support/totesys-project.ts'

const SALES = {
  name: 'weekly-sales',
  page: '/sales',
  filters: { currency: 'GBP' },
  access: 'analyst',
  to: ['ann@example.org'],
  schedule: { every: 'week', on: 'monday', at: '08:00', zone: 'Europe/London' },
}
/** Always crossed, so that a process that watches it sends a mail at once. */
const CROSSED = {
  name: 'any-order',
  question: 's01_sales_by_currency',
  column: 'orders',
  is: 'at least',
  value: '0',
  access: 'analyst',
  to: ['bob@example.org'],
}

describe('tidemark reports', () => {
  let system: TestSystem
  let role: TestReader
  let server: MailServer
  let file: string
  beforeAll(async () => {
    system = await createSystem()
    await fillTotesys(system.sql, { seed: 7, salesOrders: 120, until: new Date() })
    await system.run()
    role = await createTestReader(system)
    server = await startMailServer()
    file = join(system.folder, 'reports.json')
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    await role[Symbol.asyncDispose]()
    await system[Symbol.asyncDispose]()
  })

  const databases = () => ({
    TIDEMARK_PROJECT: TOTESYS_PROJECT,
    TIDEMARK_SOURCE_URL: system.source.readerUrl,
    TIDEMARK_WAREHOUSE_URL: system.warehouse.url,
    TIDEMARK_WAREHOUSE_READER_URL: role.warehouse.url,
    TIDEMARK_HOME: system.folder,
  })
  const mail = () => ({
    TIDEMARK_SMTP_URL: `smtp://127.0.0.1:${server.port}`,
    TIDEMARK_MAIL_FROM: 'reports@example.org',
  })
  const reports = async (
    line: string,
    { content = {}, env = mail() }: { content?: object; env?: Record<string, string> } = {},
  ) => {
    await writeFile(file, JSON.stringify(content))
    return await tidemark(['reports', ...line.split(' ')], {
      env: { ...databases(), TIDEMARK_REPORTS_FILE: file, ...env },
    })
  }

  it.each(['list', 'send weekly-sales'])('%s is off until a file is named', async (line) => {
    const { code, err } = await tidemark(['reports', ...line.split(' ')], { env: databases() })
    expect(err).toContain('TIDEMARK_REPORTS_FILE is not set')
    expect(code).toBe(2)
  })

  it('list shows each declaration and when it is next', async () => {
    const content = { reports: [SALES], thresholds: [CROSSED] }
    const { code, out } = await reports('list', { content, env: {} })
    expect(out).toMatch(
      /weekly-sales +\/sales +every Monday at 08:00, Europe\/London +\d{4}-\d\d-\d\d 0[78]:00:00 UTC +1/,
    )
    expect(out).toMatch(/any-order +s01_sales_by_currency +once orders is at least 0/)
    expect(out).toContain('2 declarations, all valid')
    expect(code).toBe(0)
  })

  it('list says what must be corrected, as exit code too', async () => {
    const content = {
      reports: [SALES, { ...SALES, name: 'lost', page: '/nowhere' }],
      thresholds: [{ ...CROSSED, to: ['bob'] }],
    }
    const { code, out } = await reports('list', { content })
    expect(out).toContain('to.0: must be an e-mail address')
    expect(out).toContain('there is no page “/nowhere”')
    expect(out).toContain('2 declarations not valid')
    expect(code).toBe(2)
    const { events } = await reports('list --json', { content })
    expect(events.slice(0, -1).map(({ event, report, ok }) => [event, report, ok])).toEqual([
      ['report_declared', 'any-order', false],
      ['report_declared', 'weekly-sales', true],
      ['report_declared', 'lost', false],
    ])
    expect(events.at(-1)).toMatchObject({ event: 'reports_listed', reports: 3, invalid: 2 })
  })

  it('list names a file that cannot be read', async () => {
    const env = { TIDEMARK_REPORTS_FILE: join(system.folder, 'absent.json') }
    const { code, err } = await reports('list', { env })
    expect(err).toContain('absent.json cannot be read [ENOENT]')
    expect(code).toBe(2)
  })

  it('send --dry-run prints the mail, and needs no mail server', async () => {
    const { code, out } = await reports('send weekly-sales --dry-run', {
      content: { reports: [SALES] },
      env: {},
    })
    expect(out).toContain('To: ann@example.org')
    expect(out).toMatch(/Subject: Sales · \d{4}/)
    expect(out).toMatch(/GBP: [\d,.]+ · /)
    expect(out).toContain('http://127.0.0.1:4100/sales?currency=GBP')
    expect(code).toBe(0)
    expect(server.taken).toEqual([])
  })

  it('send sends a report or a threshold at once', async () => {
    const content = { reports: [SALES], thresholds: [CROSSED] }
    expect((await reports('send weekly-sales', { content })).code).toBe(0)
    expect((await reports('send any-order', { content })).code).toBe(0)
    expect(server.taken.flatMap(({ to }) => to)).toEqual(['ann@example.org', 'bob@example.org'])
  })

  it('send says of a threshold how it stands, and that nothing was crossed', async () => {
    const content = { thresholds: [{ ...CROSSED, is: 'under' }] }
    const { out } = await reports('send any-order --dry-run', { content })
    expect(out).toMatch(/Subject: any-order: \d+ is not under 0\n/)
    expect(out).toContain('was sent by hand')
  })

  it('list, send and serve know saved questions if they are kept somewhere', async () => {
    await using saver = await createTestSaver(system.warehouse)
    {
      await using saved = createSavedQuestions({ url: saver.url })
      const sql = `select count(*) as orders, :'least' as least from fact_sales_order_current`
      const question = { name: 'count', title: 'How many?', sql, filters: { least: '3' } }
      await saved.save({ ...question, chart: 'auto', author: 'carol' })
    }
    const asked = { saved: 'count', access: ['finance', 'analyst'] }
    const report = { ...SALES, ...asked, page: undefined, filters: { least: '4' } }
    const threshold = { ...CROSSED, ...asked, question: undefined, name: 'any-saved' }
    const content = { reports: [report], thresholds: [threshold] }
    const off = await reports('list', { content })
    expect(off.out).toContain('TIDEMARK_SAVER_URL is not set')
    expect(off.code).toBe(2)
    const env = { ...mail(), TIDEMARK_SAVER_URL: saver.url }
    const list = await reports('list', { content, env })
    expect(list.out).toMatch(/weekly-sales +\/ask\?saved=count +every Monday/)
    expect(list.out).toMatch(/any-saved +\/ask\?saved=count +once orders is at least 0/)
    expect(list.code).toBe(0)
    const { out } = await reports('send weekly-sales --dry-run', { content, env })
    expect(out).toMatch(/Subject: How many\? · \d{4}/)
    expect(out).toMatch(/^Saved: +by carol at /m)
    expect(out).toMatch(/^Orders +Least$/m)
    expect(out).toContain('http://127.0.0.1:4100/ask?saved=count&filter.least=4')
    server.taken.length = 0
    const stop = new AbortController()
    const { events } = await tidemark(['serve', '--json'], {
      env: { ...databases(), ...env, TIDEMARK_REPORTS_FILE: file, TIDEMARK_PORT: '0' },
      signal: stop.signal,
      onOut: (text) => {
        if (/"report_(sent|broken|failed)"/.test(text)) stop.abort()
      },
    })
    expect(events).toContainEqual(
      expect.objectContaining({ event: 'report_sent', report: 'any-saved' }),
    )
    expect(server.taken.flatMap(({ to }) => to)).toEqual(['bob@example.org'])
  })

  it('send fails if a recipient is refused, and sends to the others', async () => {
    server.taken.length = 0
    server.refused.set('ann@example.org', 550)
    const to = ['ann@example.org', 'bob@example.org']
    const { code, out, err } = await reports('send weekly-sales', {
      content: { reports: [{ ...SALES, to }] },
    })
    server.refused.clear()
    expect([code, out]).toEqual([1, '  ✕ ann@example.org\n  ✓ bob@example.org\n'])
    expect(err).toContain('refused a recipient [550]')
    expect(server.taken.flatMap((each) => each.to)).toEqual(['bob@example.org'])
  })

  it.each([
    ['send nothing', { reports: [SALES] }, 'declares no nothing; it declares weekly-sales'],
    ['send weekly-sales', { reports: [{ ...SALES, to: [] }] }, 'to: must have a recipient'],
    ['send weekly-sales', { reports: [{ ...SALES, page: '/x' }] }, 'there is no page “/x”'],
  ])('%s says what is wrong, and sends nothing', async (line, content, why) => {
    server.taken.length = 0
    const { code, err } = await reports(line, { content })
    expect(err).toContain(why)
    expect([code, server.taken]).toEqual([2, []])
  })

  it('serve, up and run --every do not start if reports are declared and no mail can be sent', async () => {
    const env = {
      ...databases(),
      TIDEMARK_REPORTS_FILE: file,
      TIDEMARK_SMTP_URL: 'smtp://localhost',
    }
    for (const line of ['serve', 'up', 'run --every 5s']) {
      const { code, err } = await tidemark(line.split(' '), { env })
      expect(err, line).toContain('TIDEMARK_MAIL_FROM is not set')
      expect(code, line).toBe(2)
    }
  })

  it('serve sends what is due beside the pages, and links to its own address', async () => {
    server.taken.length = 0
    await writeFile(
      file,
      JSON.stringify({ thresholds: [CROSSED, { ...CROSSED, name: 'lost', column: 'x' }] }),
    )
    const stop = new AbortController()
    const { code, events } = await tidemark(['serve', '--json'], {
      env: { ...databases(), ...mail(), TIDEMARK_REPORTS_FILE: file, TIDEMARK_PORT: '0' },
      signal: stop.signal,
      onOut: (out) => {
        if (out.includes('"report_sent"')) stop.abort()
      },
    })
    expect(code).toBe(130)
    expect(events).toContainEqual(
      expect.objectContaining({ event: 'report_broken', report: 'lost' }),
    )
    const url = String(events.find(({ event }) => event === 'server_started')?.['url'])
    const [taken] = server.taken
    expect(taken?.to).toEqual(['bob@example.org'])
    expect(taken?.raw.replaceAll('=\r\n', '')).toContain(`${url}/questions/s01_sales_by_currency`)
  })
})
