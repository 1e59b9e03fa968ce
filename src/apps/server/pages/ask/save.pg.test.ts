import { Hono } from 'hono'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestReader, type TestReader } from '../../../../../test/support/reader.ts'
import { createTestSaver, type TestSaver } from '../../../../../test/support/saver.ts'
import { seedTotesys } from '../../../../../test/support/small-totesys.ts'
import { createSystem, type TestSystem } from '../../../../../test/support/system.ts'
import { parseConfig } from '../../../../platform/config.ts'
import { parseQuestion, readQuestions } from '../../../../platform/presentation/question.ts'
import { createReader, type Reader } from '../../../../platform/presentation/reader.ts'
import {
  createSavedQuestions,
  type SavedQuestions,
} from '../../../../platform/presentation/saved-questions.ts'
import { dashboard } from '../../../../totesys/presentation/pages.ts'
import { readAccess, type ServerEnv } from '../../access.ts'
import { createApp } from '../../app.ts'
import { askRoutes } from '../ask.ts'
import { myRoutes } from '../my.ts'
import { questionFile } from './save.ts'
import { totesys } from '../../../../totesys/totesys.ts'

describe('saved questions', () => {
  let system: TestSystem
  let role: TestReader
  let saver: TestSaver
  let reader: Reader
  let store: SavedQuestions
  beforeAll(async () => {
    system = await createSystem()
    await seedTotesys(system.sql)
    await system.run()
    role = await createTestReader(system)
    saver = await createTestSaver(system.warehouse)
    reader = createReader(role.warehouse)
    store = createSavedQuestions({ url: saver.url })
  })
  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    await reader[Symbol.asyncDispose]()
    await saver[Symbol.asyncDispose]()
    await role[Symbol.asyncDispose]()
    await system[Symbol.asyncDispose]()
  })
  beforeEach(() => saver.recreateSchema())

  const questions = new Map(dashboard.questions.flatMap((folder) => [...readQuestions(folder)]))
  const request = async (
    path: string,
    init: RequestInit = {},
    saved: SavedQuestions | 'off' = store,
  ) => {
    const app = createApp({
      project: totesys,
      reader,
      questions,
      saved: saved === 'off' ? undefined : saved,
      promiseMs: 1_800_000,
      access: readAccess(parseConfig({})),
      log: system.log,
      version: '1.2.3',
      pages: (presentation) =>
        new Hono<ServerEnv>()
          .route('/', askRoutes({ presentation, deps: system.deps, log: system.log }))
          .route('/', myRoutes({ presentation, log: system.log })),
    })
    return await app.request(path, init, { incoming: { socket: { remoteAddress: '127.0.0.1' } } })
  }
  const post = async (path: string, fields: Record<string, string>, headers = {}) => {
    const form = new FormData()
    for (const [name, value] of Object.entries(fields)) form.set(name, value)
    return await request(path, { method: 'POST', body: form, headers })
  }
  const pageOf = async (response: Response | Promise<Response>) =>
    (await (await response).text()).replaceAll(/>\s+</g, '><').replaceAll(/\s+/g, ' ')
  const SQL = `select currency_code, 7 as n from dim_currency where currency_code = :'code'`
  const late = { sql: SQL, title: ' What is  late? ', chart: 'bars', 'filter.code': 'GBP' }

  it('saves what was run under a title, and answers it for everybody', async () => {
    const saved = await post('/ask/save', late)
    expect([saved.status, saved.headers.get('location')]).toEqual([
      303,
      '/ask?saved=what-is-late#result',
    ])
    expect(await store.find('what-is-late')).toMatchObject({
      title: 'What is late?',
      sql: SQL,
      filters: { code: 'GBP' },
      chart: 'bars',
      author: 'local',
    })
    const page = await pageOf(request('/ask?saved=what-is-late'))
    expect(page).toContain('<h2 id="h-editor">What is late?</h2>')
    expect(page).toContain('<td class="">GBP</td><td class="number">7</td>')
    expect(page).toMatch(/name="filter\.code" value="GBP"/)
    expect(page).toMatch(/<option value="bars" selected/)
    expect(page).toMatch(/aria-current="true" ?>What is late\?</)
    expect(await pageOf(request('/ask'))).toContain('href="/ask?saved=what-is-late"')
    // A filter in the address takes the place of the saved one.
    const other = await pageOf(request('/ask?saved=what-is-late&filter.code=EUR'))
    expect(other).toContain('No rows.')
    expect(await (await request('/ask.csv?saved=what-is-late')).text()).toMatch(/GBP,7/)
  })

  it('offers to save below an answer only', async () => {
    expect(await pageOf(request('/ask?sql=select+1'))).toContain('Save under the title')
    for (const path of ['/ask', '/ask?sql=select+nope']) {
      expect(await pageOf(request(path)), path).not.toContain('Save under the title')
    }
  })

  it('replaces a question that was opened, and never another one by accident', async () => {
    await post('/ask/save', late)
    const again = await post('/ask/save', { ...late, sql: 'select 2 as b' })
    expect(again.status).toBe(409)
    const page = await pageOf(again)
    expect(page).toContain('There is one called “What is late?” already')
    expect(page).toMatch(/name="title" value="What is late\?"[^>]*aria-invalid="true"/)
    expect(page).toContain('select 2 as b</textarea>')
    expect(await store.find('what-is-late')).toMatchObject({ sql: SQL })
    const changed = { ...late, sql: 'select 3 as c', saved: 'what-is-late' }
    expect((await post('/ask/save', changed)).status).toBe(303)
    expect(await store.find('what-is-late')).toMatchObject({ sql: 'select 3 as c' })
    expect(await store.list()).toHaveLength(1)
  })

  it('keeps what a changed statement began as, so that it can take its place', async () => {
    await post('/ask/save', late)
    const address = async (fields: Record<string, string>) =>
      (await post('/ask', { ...late, saved: 'what-is-late', ...fields })).headers
        .get('location')
        ?.replace(/#.*/, '') ?? ''
    expect(await address({})).toBe('/ask?saved=what-is-late')
    expect(await address({ chart: 'none', 'filter.code': 'EUR' })).toBe(
      '/ask?saved=what-is-late&chart=none&filter.code=EUR',
    )
    // An address cannot leave out a value that was saved, so it holds the statement.
    const cleared = await address({ 'filter.code': '' })
    expect(cleared).toMatch(/^\/ask\?sql=select.*&saved=what-is-late&chart=bars$/)
    expect(await pageOf(request(cleared))).toMatch(/name="filter\.code" value=""/)
    const changed = await address({ sql: 'select 3 as c', chart: 'auto' })
    expect(changed).toBe('/ask?sql=select+3+as+c&saved=what-is-late&filter.code=GBP')
    const page = await pageOf(request(changed))
    expect(page).toContain('<p class="figure">3</p>')
    expect(page).toMatch(/name="saved" value="what-is-late"/)
    expect(page).toMatch(/name="title" value="What is late\?"/)
    expect(page).toContain('it replaces what you have saved')
    await post('/ask/remove', { name: 'what-is-late' })
    expect((await request(changed)).status).toBe(200)
  })

  it.each([
    ['no title', { title: '  ' }, 'The title must not be empty'],
    ['a long title', { title: 't'.repeat(121) }, 'at most 120 characters'],
    ['a zero byte', { title: 'a\0b' }, 'The title must'],
    ['a long filter', { 'filter.code': 'x'.repeat(10_001) }, 'at most 10,000 characters'],
  ])('refuses %s, and keeps the statement in the page', async (_, fields, why) => {
    const response = await post('/ask/save', { ...late, ...fields })
    expect(response.status).toBe(409)
    const page = await pageOf(response)
    expect(page).toContain(why)
    expect(page).toContain('role="alert"')
    expect(await store.list()).toEqual([])
  })

  it("leaves another person's question alone", async () => {
    await store.save({
      name: 'late',
      title: 'Late',
      sql: 'select 1 as theirs',
      filters: {},
      chart: 'auto',
      author: '<ann>',
    })
    const page = await pageOf(request('/ask?saved=late'))
    expect(page).toContain('Saved by &lt;ann&gt; at')
    expect(page).not.toContain('Remove for everybody')
    expect((await post('/ask/save', { ...late, title: 'Late', saved: 'late' })).status).toBe(409)
    expect((await post('/ask/remove', { name: 'late' })).status).toBe(404)
    expect(await store.find('late')).toMatchObject({ sql: 'select 1 as theirs' })
  })

  it('shows the chosen questions on My page, in their order, failures too', async () => {
    expect(await pageOf(request('/my'))).toContain('Nothing yet.')
    await post('/ask/save', { ...late, mine: 'on' })
    await post('/ask/save', { sql: 'select nope', title: 'Broken', mine: 'on' })
    await post('/ask/save', { sql: 'select 41 + 1 as answer', title: 'Answer' })
    const added = await post('/my/add', { name: 'answer' })
    expect([added.status, added.headers.get('location')]).toEqual([303, '/my'])
    const page = await pageOf(request('/my'))
    const titles = Array.from(
      page.matchAll(/<h2 id="h-[^>]*><a[^>]*>([^<]*)/g),
      ([, title]) => title,
    )
    expect(titles).toEqual(['What is late?', 'Broken', 'Answer'])
    expect(page).toContain('<p class="figure">42</p>')
    expect(page).toContain('column &quot;nope&quot; does not exist')
    expect(page).toContain('href="/ask.csv?saved=answer"')
    expect(await pageOf(request('/ask?saved=answer'))).toContain('Take off My page')
    expect((await post('/my/remove', { name: 'broken' })).status).toBe(303)
    expect(await pageOf(request('/my'))).not.toContain('Broken')
    await post('/ask/remove', { name: 'answer' })
    expect(await pageOf(request('/my'))).not.toContain('Answer')
    expect((await post('/my/add', { name: 'answer' })).status).toBe(404)
  })

  it('saves one of several questions that get the same title at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, at) =>
        post('/ask/save', { sql: `select ${at} as n`, title: 'Same' }),
      ),
    )
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(5)
    const kept = answers.findIndex(({ status }) => status === 303)
    expect((await store.find('same'))?.sql).toBe(`select ${kept} as n`)
    const refused = answers.find(({ status }) => status === 409)
    expect(await refused?.text()).toContain('Choose another title')
  })

  it('keeps titles in other scripts apart', async () => {
    for (const title of ['売上', '支払い', 'Продажи 2026', 'Закупки 2026']) {
      const sent = await post('/ask/save', { sql: 'select 1', title })
      expect([title, sent.status]).toEqual([title, 303])
    }
    expect((await store.list()).map(({ title }) => title)).toHaveLength(4)
  })

  it('says that a page is full', async () => {
    for (let at = 0; at < 13; at += 1) {
      await post('/ask/save', { sql: 'select 1', title: `Number ${at}` })
    }
    for (let at = 0; at < 12; at += 1) await store.addToPage('local', `number-${at}`)
    const full = await post('/my/add', { name: 'number-12' })
    expect(full.status).toBe(409)
    expect(await full.json()).toMatchObject({ code: 'MY_PAGE_FULL' })
  })

  it('sends a question as a file that a project can keep', async () => {
    await post('/ask/save', { ...late, title: '1st: what\u2028is late?' })
    const response = await request('/saved/1st-what-is-late.sql')
    expect(response.headers.get('content-disposition')).toBe(
      'attachment; filename="q_1st_what_is_late.sql"',
    )
    const text = await response.text()
    expect(parseQuestion(text)).toMatchObject({
      name: 'q_1st_what_is_late',
      filters: ['code'],
      chart: 'bars',
    })
    expect(text).toContain('-- Given: code = GBP')
    expect((await request('/saved/nothing.sql')).status).toBe(404)
    // A question of the project that was changed brings its own header along.
    for (const { sql, filters, access } of questions.values()) {
      const kept = {
        title: 'Mine',
        filters: {},
        chart: 'lines',
        author: 'ann',
        savedAt: '',
      } as const
      const file = questionFile({ ...kept, name: 'mine', sql })
      const parsed = parseQuestion(file.text)
      expect(parsed).toMatchObject({ title: 'Mine', chart: 'lines' })
      expect(new Set(parsed.filters)).toEqual(new Set([...filters, ...parsed.filters]))
      expect(parsed.access, file.text).toBe(access)
    }
    const noted = { sql: '-- Chart: pie\n-- a note\nselect 1', title: 'Noted' }
    await post('/ask/save', noted)
    const ofNoted = parseQuestion(await (await request('/saved/noted.sql')).text())
    expect(ofNoted).toMatchObject({ title: 'Noted', chart: 'auto', filters: [] })
    const odd = questionFile({
      name: 'odd',
      title: 'Odd\n-- Filters: x',
      sql: "select ':''no''' as a -- :'as_of'\n from fact_sales_order_current",
      filters: { as_of: '2026-01-01\n; drop' },
      chart: 'auto',
      author: 'local',
      savedAt: '',
    })
    expect(
      odd.text
        .split('\n')
        .slice(0, 4)
        .every((line) => line.startsWith('-- ')),
    ).toBe(true)
  })

  it('saves nothing for a page of another site, and nothing when saving is off', async () => {
    for (const path of ['/ask/save', '/ask/remove', '/my/add', '/my/remove']) {
      const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
      expect((await post(path, { ...late, name: 'x' }, headers)).status, path).toBe(403)
      const body = new FormData()
      body.set('title', 'x')
      const off = await request(path, { method: 'POST', body }, 'off')
      expect(await off.json(), path).toMatchObject({ code: 'SAVED_OFF' })
      expect((await request(path)).status, path).toBe(404)
    }
    expect(await store.list()).toEqual([])
    const app = await pageOf(request('/my', {}, 'off'))
    expect(app).toContain('TIDEMARK_SAVER_URL')
  })

  it('answers while the store is away', async () => {
    await using away = createSavedQuestions({ url: 'postgresql://x:y@127.0.0.1:1/z' })
    const page = await pageOf(request('/ask?sql=select+42+as+n', {}, away))
    expect(page).toContain('<p class="figure">42</p>')
    expect(page).toContain('They cannot be read now.')
    expect(await pageOf(request('/my', {}, away))).toContain('cannot be read now')
    expect((await request('/ask?saved=late', {}, away)).status).toBe(503)
    const body = new FormData()
    body.set('sql', 'select 1')
    body.set('title', 'Late')
    const lost = await request('/ask/save', { method: 'POST', body }, away)
    expect(lost.status).toBe(503)
    expect(await lost.text()).not.toContain('127.0.0.1')
  })
})
