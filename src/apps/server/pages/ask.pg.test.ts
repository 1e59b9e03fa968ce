import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestReader, type TestReader } from '../../../../test/support/reader.ts'
import { seedTotesys } from '../../../../test/support/small-totesys.ts'
import { readXlsx } from '../../../../test/support/xlsx.ts'
import { createSystem, type TestSystem } from '../../../../test/support/system.ts'
import { parseConfig } from '../../../platform/config.ts'
import { type Question, readQuestions } from '../../../platform/presentation/question.ts'
import { createReader, type Reader } from '../../../platform/presentation/reader.ts'
import { dashboard } from '../../../totesys/presentation/pages.ts'
import { readAccess, type ServerEnv } from '../access.ts'
import { createApp } from '../app.ts'
import { askRoutes, FILE_LIMITS } from './ask.ts'
import { totesys } from '../../../totesys/totesys.ts'

const questions: ReadonlyMap<string, Question> = new Map(
  dashboard.questions.flatMap((folder) => [...readQuestions(folder)]),
)

describe('Ask with SQL', () => {
  let system: TestSystem
  let role: TestReader
  let reader: Reader
  beforeAll(async () => {
    system = await createSystem()
    await seedTotesys(system.sql)
    await system.sql.query(
      `update counterparty set counterparty_legal_name = '<script>alert("x")</script>' where counterparty_id = 2`,
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

  const request = async (path: string, init: RequestInit = {}, asked: Reader = reader) => {
    const app = createApp({
      project: totesys,
      reader: asked,
      questions,
      promiseMs: 1_800_000,
      access: readAccess(parseConfig({})),
      log: system.log,
      version: '1.2.3',
      pages: (presentation) =>
        new Hono<ServerEnv>().route(
          '/',
          askRoutes({ presentation, deps: system.deps, log: system.log }),
        ),
    })
    return await app.request(path, init, { incoming: { socket: { remoteAddress: '127.0.0.1' } } })
  }
  const formOf = (fields: Record<string, string>): FormData => {
    const form = new FormData()
    for (const [name, value] of Object.entries(fields)) form.set(name, value)
    return form
  }
  const send = (fields: Record<string, string>, path = '/ask') =>
    request(path, { method: 'POST', body: formOf(fields) })
  /** Sends a form and goes where the answer leads, as a browser does. */
  const post = async (fields: Record<string, string>, path = '/ask') => {
    const response = await send(fields, path)
    const to = response.headers.get('location')
    return to === null ? response : await request(to.replace(/#.*/, ''))
  }
  const pageOf = async (response: Response | Promise<Response>) =>
    plain(await (await response).text())

  it('shows the editor, the questions and the relations, and runs nothing', async () => {
    const response = await request('/ask')
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
    const page = await pageOf(response)
    expect(page).toContain('<form method="post" action="/ask#result" enctype="multipart/form-data"')
    for (const { name, title } of questions.values()) {
      expect(page).toContain(`href="/ask?question=${name}"`)
      expect(page).toContain(escape(title))
    }
    for (const title of ['Sales', 'Purchases', 'Payments', 'Operations']) {
      expect(page).toContain(`<h3>${title}</h3>`)
    }
    expect(page).toContain('Prefer <code>…_current</code>')
    expect(page).toMatch(/<summary><code>fact_payment_current<\/code><\/summary>/)
    expect(page).toContain('<code>units_sold</code> <span class="muted">integer</span>')
    expect(page).toContain('fact_sales_order_as_of(moment timestamp with time zone)')
    expect(page).not.toMatch(/tidemark_ledger|tidemark_migration/)
    expect(page).not.toContain('id="result"')
  })

  it('answers a question at its address, with filters', async () => {
    const page = await pageOf(request('/ask?question=y02_next_payments&currency=GBP&chart=none'))
    expect(page).toContain('-- y02_next_payments:')
    expect(page).toMatch(/name="filter\.currency" value="GBP"/)
    expect(page).toMatch(/name="filter\.as_of" value=""/)
    expect(page).toMatch(/<input type="hidden" name="question" value="y02_next_payments"/)
    expect(page).toMatch(/Answered in \d+ ms/)
  })

  it.each(['question', 'saved'])('there is no page for an unknown %s', async (parameter) => {
    for (const bad of ['nothing', '../../etc/passwd', '__proto__', '\0', '<script>', "'"]) {
      const response = await request(`/ask?${parameter}=${encodeURIComponent(bad)}`)
      expect([response.status, bad]).toEqual([404, bad])
      expect(await response.text()).toContain('QUESTION_UNKNOWN')
    }
  })

  it('answers a statement at its address, the same every time', async () => {
    const sql = `select :'who' as who, 'é&+% #\n' as odd`
    const sent = await send({ sql, 'filter.who': 'a=b&c', chart: 'none' })
    expect(sent.status).toBe(303)
    const address = sent.headers.get('location') ?? ''
    expect(address).toMatch(/^\/ask\?sql=select\+.*&chart=none&filter\.who=a%3Db%26c#result$/)
    for (const _ of [1, 2]) {
      const page = await pageOf(request(address.replace('#result', '')))
      expect(page).toContain('<td class="">a=b&amp;c</td>')
      expect(page).toContain(`href="${escape(address.replace('#result', ''))}">Link to this answer`)
      expect(page).toContain(escape(sql.split('\n')[0]!))
    }
    const file = await request(address.replace('/ask?', '/ask.csv?').replace('#result', ''))
    expect(await file.text()).toBe('who,odd\r\na=b&c,"é&+% #\n"\r\n')
  })

  it.each([
    ['sql=select+1&nope=1', 'UNKNOWN_PARAMETER', 'nope'],
    ['sql=select+1&sql=select+2', 'REPEATED_PARAMETER', 'sql'],
    ['sql=select+1&question=s01_sales_by_currency', 'BAD_FILTER', 'question'],
    ['sql=select+1&chart=pie', 'BAD_FILTER', 'chart'],
    ['question=s01_sales_by_currency&nope=1', 'UNKNOWN_PARAMETER', 'nope'],
  ])('refuses the address ?%s', async (query, code, parameter) => {
    for (const path of ['/ask', '/ask.csv', '/ask.xlsx']) {
      const response = await request(`${path}?${query}`)
      expect(response.status, path).toBe(400)
      expect(await response.json()).toMatchObject({ code, parameter })
    }
  })

  it('answers a statement that is too long for an address, and says that it has none', async () => {
    const sql = `select length('${'x'.repeat(8200)}') as n`
    const response = await send({ sql })
    expect(response.status).toBe(200)
    const page = await pageOf(response)
    expect(page).toContain('<p class="figure">8,200</p>')
    expect(page).toContain('too long for an address')
    expect((await request(`/ask?sql=${encodeURIComponent(sql)}`)).status).toBe(414)
  })

  it.each(['cross-site', 'same-site'])('lets a link from a %s page wait', async (site) => {
    system.entries.length = 0
    const headers = { 'sec-fetch-site': site, 'sec-fetch-mode': 'navigate' }
    for (const path of ['/ask', '/ask.csv', '/ask.xlsx']) {
      const page = await pageOf(request(`${path}?sql=select+4242`, { headers }))
      expect(page, path).toContain('select 4242</textarea>')
      expect(page, path).toContain('press Run to run it')
    }
    expect(system.entries).toEqual([])
  })

  it('can run every question as it is', async () => {
    for (const { name, sql } of questions.values()) {
      const response = await post({ sql, question: name })
      expect(response.status, name).toBe(200)
      expect(await response.text(), name).toMatch(/Answered in [\d.]+ m?s/)
    }
  })

  it('answers with a table and keeps the statement', async () => {
    const sql = `\n\nselect sales_order_id, units_sold, null as nothing, true as yes, '' as empty,
  date '2024-02-01' as day from fact_sales_order_current order by 1`
    const response = await post({ sql: sql.replaceAll('\n', '\r\n'), chart: 'none' })
    expect(response.status).toBe(200)
    const text = await response.text()
    expect(text).toContain(`>\n${escape(sql)}</textarea>`)
    const page = plain(text)
    expect(page).toMatch(/3 rows\. Answered in \d+ ms/)
    expect(page).toContain(
      '<td class="id">1</td><td class="number">10</td><td class="muted" title="null">∅</td>',
    )
    expect(page).toContain('<td class="">true</td><td class=""></td><td class="time">2024-02-01')
    expect(page).not.toContain('there are more')
  })

  it('says clearly that there are more rows than it shows', async () => {
    const page = await pageOf(post({ sql: 'select generate_series(1, 1001) as n' }))
    expect(page).toContain('Only the first 1,000 rows are shown; there are more.')
    const wide = await pageOf(
      post({ sql: `select repeat('x', 30000) from generate_series(1, 90)` }),
    )
    expect(wide).toContain('Only the first 50 rows are shown; there are more.')
  })

  it('runs with filters, and as of a moment', async () => {
    const sql = `select units_sold from fact_sales_order_current where sales_order_id = :'id'::int`
    const page = await pageOf(post({ sql, 'filter.id': ' 2 ', 'filter.as_of': '' }))
    expect(page).toContain('<td class="number">20</td>')
    expect(page).toMatch(/name="filter\.id" value="2"/)
    const before = { sql, 'filter.id': '2', 'filter.as_of': '2000-01-01T00:00:00Z' }
    expect(await pageOf(post(before))).toContain('No rows.')
    expect(page).not.toContain('Without a value')
    const empty = await pageOf(post({ sql, 'filter.id': '' }))
    expect(empty).toContain('Without a value, and so null: id.')
    expect(empty).toContain('placeholder="null"')
    const hostile = { sql, 'filter.id': `2; drop table x --"><script>alert(1)</script>` }
    const refused = await post(hostile)
    expect(refused.status).toBe(400)
    const text = await refused.text()
    expect(text).toContain('22P02')
    expect(text).not.toContain('<script>alert')
  })

  it('escapes whatever comes from the data, the statement and its columns', async () => {
    const sql = `select counterparty_legal_name as "<img src=x onerror=alert(1)>",
      '</textarea><script>alert("x")</script>' as b, 1 as n from dim_counterparty`
    for (const chart of ['auto', 'none', 'bars', 'lines', '"><script>alert(1)</script>']) {
      const page = await (await post({ sql, chart, question: '"><script>alert("x")' })).text()
      expect(page).not.toMatch(/<script>alert|<img|<\/textarea><script/)
      expect(page).toContain('&lt;script&gt;alert(&quot;x&quot;)')
    }
  })

  it('draws what can be drawn, and says why it cannot', async () => {
    const named = `select counterparty_legal_name, 3 as n, 9 as thing_id, null::int as none,
      'NaN'::float as odd from dim_counterparty order by counterparty_id`
    for (const chart of ['bars', 'lines']) {
      const page = await (await post({ sql: named, chart })).text()
      const [, json = ''] = /<script type="application\/json">([\s\S]*?)<\/script>/.exec(page) ?? []
      const plots = JSON.parse(json) as { name: string }[]
      expect(plots.map(({ name }) => name)).toEqual(['n'])
      expect(plots[0]).toMatchObject({
        kind: chart,
        labels: ['Acme', '<script>alert("x")</script>'],
      })
      expect(page).toContain(`<option value="${chart}" selected>`)
    }
    for (const sql of ['select 1 as a, 2 as b', `select 'a' as b`, `select 'a', 1 where false`]) {
      expect(await pageOf(post({ sql, chart: 'bars' }))).toContain('No chart:')
    }
  })

  it.each([
    ['select 1,\n  nothing_here\nfrom dim_staff', '42703', 'Line 2, character 3', 'nothing_here'],
    ['select * from no_such_table', '42P01', 'Line 1, character 15', 'no_such_table'],
    [`select '😀' as a, nope`, '42703', 'Line 1, character 18', 'nope'],
    ['select 1 +', '42601', 'Line 1, character 11', '⟨end⟩'],
    ['select 1 from dim_staff where ?', '42601', 'Line 1, character 32', '⟨end⟩'],
    [`select '<b>' <> <`, '42601', 'Line 1, character 17', '&lt;'],
    ['select 1, , 2', '42601', 'Line 1, character 11', ','],
  ])('says what is wrong with %j, and where', async (sql, state, where, marked) => {
    const response = await post({ sql })
    expect(response.status).toBe(400)
    const page = await pageOf(response)
    expect(page).toContain(`SQLSTATE <code>${state}</code>`)
    expect(page).toContain(where)
    expect(page).toContain(`<mark>${marked}</mark>`)
    expect(page).toContain(`${escape(sql)}</textarea>`.split('\n').at(-1))
    expect(page).toContain('role="alert"')
  })

  it("passes Postgres' hint on", async () => {
    const page = await pageOf(post({ sql: 'select unit_sold from fact_sales_order_current' }))
    expect(page).toMatch(/Hint: .*units_sold/)
  })

  it.each([
    'delete from fact_sales_order',
    'select 1; drop table fact_sales_order',
    'select * from tidemark_ledger',
    `copy dim_staff to program 'id'`,
    '',
    '   ',
    'select 1\0',
  ])('refuses %j and changes nothing', async (sql) => {
    const response = await post({ sql })
    expect(response.status).toBe(400)
    expect(await response.text()).toContain('refused')
    const [count] = await system.query<{ n: number }>(
      'select count(*)::int n from fact_sales_order',
    )
    expect(count?.n).toBe(3)
  })

  it('runs a statement of 100 kB, and shows a mistake in the middle of it', async () => {
    const long = `select '${'é"<&'.repeat(24_900)}' as text`
    const response = await post({ sql: long })
    expect([long.length > 99_000, response.status]).toEqual([true, 200])
    const dense = `select '${'"<&\n'.repeat(24_900)}' as text`
    expect((await post({ sql: dense })).status).toBe(200)
    const broken = await post({
      sql: `select '${'x'.repeat(60_000)}', nope, ${'1'.repeat(30_000)}`,
    })
    expect(broken.status).toBe(400)
    const page = await broken.text()
    const excerpt = /<pre class="code"[\s\S]*?<\/pre>/.exec(page)?.[0] ?? ''
    expect(excerpt).toContain('<mark>nope</mark>')
    expect(excerpt.length).toBeLessThan(1000)
    expect((await post({ sql: 'x'.repeat(100_001) })).status).toBe(400)
    expect((await post({ sql: 'x'.repeat(140_000) })).status).toBe(413)
  })

  it('gives the same answer as a file', async () => {
    const sql = `select '=1+1' as "a,b", 1.50 as n, null as x, '' as e, counterparty_legal_name as who
      from dim_counterparty order by counterparty_id`
    const given = { question: 's01_sales_by_currency', 'filter.x': '"../a\r\nb' }
    const response = await post({ sql, ...given }, '/ask.csv')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toMatch(/^text\/csv; charset=utf-8/)
    expect(response.headers.get('content-disposition')).toMatch(
      /^attachment; filename="ask_x--a-b_as-of-\d{4}-\d\d-\d\dT\d{6}Z\.csv"$/,
    )
    expect(response.headers.get('tidemark-truncated')).toBe('false')
    expect(await response.text()).toBe(
      `"a,b",n,x,e,who\r\n'=1+1,1.50,,"",Acme\r\n` +
        `'=1+1,1.50,,"","<script>alert(""x"")</script>"\r\n`,
    )
    const saved = { sql: questions.get('y02_next_payments')!.sql, 'filter.currency': 'GBP' }
    const asSaved = await post({ ...saved, question: 'y02_next_payments' }, '/ask.csv')
    expect(asSaved.headers.get('content-disposition')).toMatch(
      /"y02_next_payments_currency-GBP_as-of-[\w-]+\.csv"/,
    )
    const more = `select generate_series(1, ${FILE_LIMITS.maxRows + 1}) as n`
    const cut = await post({ sql: more, question: '"\r\nx: y' }, '/ask.csv')
    expect(cut.headers.get('tidemark-truncated')).toBe('true')
    expect(cut.headers.get('content-disposition')).toMatch(
      /"ask_first-50000-rows_as-of-[\w-]+\.csv"/,
    )
    expect((await cut.text()).split('\r\n')).toHaveLength(FILE_LIMITS.maxRows + 2)
    const wrong = await post({ sql: 'select nope' }, '/ask.csv')
    expect([wrong.status, wrong.headers.get('content-type')]).toEqual([
      400,
      'text/html; charset=UTF-8',
    ])
    expect(await wrong.text()).toContain('<mark>nope</mark>')
  })

  it('takes values only by names that a variable can have', async () => {
    for (const name of ['x"; filename="evil.html', 'a\r\nX-Evil: 1', '中', 'x y', '']) {
      for (const format of ['csv', 'xlsx']) {
        const response = await post({ sql: 'select 1', [`filter.${name}`]: 'v' }, `/ask.${format}`)
        expect(response.headers.get('content-disposition'), name).toMatch(
          new RegExp(`^attachment; filename="ask_as-of-[\\w-]+\\.${format}"$`),
        )
        expect(response.headers.get('x-evil')).toBeNull()
      }
      const page = await post({ sql: 'select 1', [`filter.${name}`]: 'v' })
      expect([page.status, name]).toEqual([200, name])
    }
    const long = 'x'.repeat(70)
    const page = await pageOf(post({ sql: `select :'${long}'`, [`filter.${long}`]: 'found' }))
    expect(page).toContain('<td class="">found</td>')
  })

  it('fills in the filters of a question, and no others', async () => {
    for (const { name, filters } of questions.values()) {
      const page = await pageOf(request(`/ask?question=${name}`))
      const offered = [...page.matchAll(/name="filter\.(\w+)"/g)].map(([, each = '']) => each)
      expect(new Set(offered), name).toEqual(new Set(filters))
    }
    const { sql } = questions.get('s14_value_changes')!
    const given = { 'filter.as_of': '2026-11-01', 'filter.currency': 'GBP' }
    const sent = await send({ sql, question: 's14_value_changes', ...given })
    expect(sent.headers.get('location')).toBe('/ask?question=s14_value_changes&currency=GBP#result')
  })

  it('gives the same answer as a workbook', async () => {
    const sql = `select '=1+1' as a, 1.50 as n, date '2026-03-01' as day, null as x`
    const response = await post({ sql }, '/ask.xlsx')
    expect(response.headers.get('content-type')).toMatch(/spreadsheetml\.sheet$/)
    expect(response.headers.get('content-disposition')).toMatch(/"ask_as-of-[\w-]+\.xlsx"/)
    const { sheet, rows } = readXlsx(new Uint8Array(await response.arrayBuffer()))
    expect(sheet).toBe('ask')
    expect(rows.map((row) => row.map((cell) => cell && `${cell.type} ${cell.value}`))).toEqual([
      ['text a', 'text n', 'text day', 'text x'],
      ['text =1+1', 'number 1.50', 'number 46082'],
    ])
  })

  it.each([
    { origin: 'https://evil.example.org' },
    { origin: 'http://localhost:9999' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
    { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate' },
  ])('runs nothing for a page of another site: %j', async (headers) => {
    const asked = system.entries.filter(({ event }) => event === 'sql_asked').length
    for (const path of ['/ask', '/ask.csv']) {
      const body = formOf({ sql: 'select 1' })
      const response = await request(path, { method: 'POST', body, headers })
      expect(response.status, path).toBe(403)
      expect(await response.text()).toContain('OTHER_SITE')
    }
    expect(system.entries.filter(({ event }) => event === 'sql_asked')).toHaveLength(asked)
  })

  it('runs for its own page, and for a form in the usual encoding', async () => {
    // With `no-referrer` a browser would not say that the form is our own.
    expect((await request('/ask')).headers.get('referrer-policy')).toBe('same-origin')
    const headers = { origin: 'http://localhost', 'sec-fetch-site': 'same-origin' }
    const body = new URLSearchParams({ sql: 'select 41 + 1 as n' })
    const response = await request('/ask', { method: 'POST', body, headers })
    expect(response.headers.get('location')).toBe('/ask?sql=select+41+%2B+1+as+n#result')
    const json = { 'content-type': 'application/json' }
    const none = await request('/ask', {
      method: 'POST',
      body: '{"sql":"select 1"}',
      headers: json,
    })
    expect([none.status, ((await none.json()) as { code: string }).code]).toEqual([400, 'BAD_FORM'])
    expect((await request('/ask.csv', { method: 'POST' })).status).toBe(400)
    const nothing = await request('/ask.csv')
    expect([nothing.status, await nothing.json()]).toMatchObject([400, { code: 'NOTHING_ASKED' }])
  })

  it('stops the statement when the client is gone', async () => {
    const gone = new AbortController()
    const sql = 'select count(*) from generate_series(1, 1e6) as a, generate_series(1, 1e6) as b'
    const address = `/ask?sql=${encodeURIComponent(sql)}`
    const asked = request(address, { signal: gone.signal })
    await expect.poll(async () => (await running()).length, { interval: 20 }).toBeGreaterThan(0)
    gone.abort()
    // That is why it was stopped; it had not come to the end of its time.
    expect(await pageOf(asked)).toContain('The client has gone')
    await expect.poll(running).toEqual([])
  })

  const running = () =>
    system.query(
      `select pid from pg_stat_activity
       where usename = $1 and query like '%tidemark_cursor%' and state = 'active'`,
      [role.role],
    )

  it('keeps the statement while the warehouse is out of reach, and names no address', async () => {
    const url = new URL(role.warehouse.url)
    url.port = '1'
    await using away = createReader({ ...role.warehouse, url: url.href })
    const response = await request('/ask?sql=select+4242', {}, away)
    expect(response.status).toBe(503)
    const page = await pageOf(response)
    expect(page).toContain('select 4242</textarea>')
    expect(page).toContain('<code>WAREHOUSE_UNREACHABLE</code>')
    expect(page).not.toContain('127.0.0.1')
    expect((await request('/ask', {}, away)).status).toBe(200)
  })

  it('logs who asked and how it went, never a statement', async () => {
    system.entries.length = 0
    await post({ sql: `select 'secret' as a` })
    await post({ sql: 'select secret' })
    expect(system.entries).toEqual([
      { event: 'sql_asked', subject: 'local', rows: 1, durationMs: expect.any(Number) },
      { event: 'sql_asked', subject: 'local', sqlState: '42703' },
    ])
  })
})

/** Without the layout of the templates: what stands between tags on lines of its own moves up. */
function plain(page: string): string {
  return page
    .replaceAll(/>\n +</g, '> <')
    .replaceAll(/[ ]*\n +/g, (gap) => (gap.includes('\n\n') ? gap : ' '))
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
