import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { createTestReader } from '../../../test/support/reader.ts'
import { createTestSaver, type TestSaver } from '../../../test/support/saver.ts'
import { createShop } from '../../../test/support/shop.ts'
import { startSilentProxy } from '../../../test/support/silent-proxy.ts'
import { ConfigError, TransientError } from '../errors.ts'
import { verify } from '../inspect/verify.ts'
import { createReader } from './reader.ts'
import { readRelations } from './relations.ts'
import {
  createSavedQuestions,
  nameForTitle,
  type SavedQuestion,
  type SavedQuestions,
} from './saved-questions.ts'

const ANN = 'ann'
const BOB = 'bob'

type Draft = Omit<SavedQuestion, 'savedAt'>

const draft = (title: string, more: Partial<Draft> = {}): Draft => ({
  name: nameForTitle(title),
  title,
  sql: `select '${title.replaceAll("'", "''")}'`,
  filters: {},
  chart: 'auto',
  author: ANN,
  ...more,
})

describe('createSavedQuestions()', () => {
  let database: TestDatabase
  let saver: TestSaver
  let saved: SavedQuestions
  beforeAll(async () => {
    database = await createDatabase({ template: 'empty' })
    saver = await createTestSaver(database)
    saved = createSavedQuestions({ url: saver.url })
  })
  afterAll(async () => {
    await saved[Symbol.asyncDispose]()
    await saver[Symbol.asyncDispose]()
    await database[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    await saver.recreateSchema()
  })

  const titles = async (of: SavedQuestions = saved) => (await of.list()).map(({ title }) => title)
  const onPage = async (subject: string) => (await saved.pageOf(subject)).map(({ name }) => name)

  it('keeps a question as it was saved, and dates it in UTC', async () => {
    const before = Date.now()
    const question = draft('What is late?', {
      sql: "select :'from'::date -- ünï 🎈\n",
      filters: { to: '2026-01-31', from: "2026-01-01'; drop", ['__proto__']: 'x' },
      chart: 'lines',
    })
    expect(await saved.save(question)).toBe('saved')
    const found = await saved.find('what-is-late')
    expect(found).toEqual({ ...question, savedAt: found?.savedAt })
    expect(Object.keys(found?.filters ?? {})).toEqual(['to', 'from', '__proto__'])
    expect(found?.savedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect(Date.parse(found?.savedAt ?? '')).toBeGreaterThanOrEqual(before - 60_000)
    expect(await saved.find('what-is-early')).toBeUndefined()
  })

  it('lists by title, as people order titles', async () => {
    for (const title of ['week 10', 'Über', 'week 9', 'amounts', 'Zebra']) {
      expect(await saved.save(draft(title))).toBe('saved')
    }
    expect(await titles()).toEqual(['amounts', 'Über', 'week 9', 'week 10', 'Zebra'])
  })

  it('replaces what its author saved, and nobody else', async () => {
    expect(await saved.save(draft('Late'))).toBe('saved')
    expect(await saved.save(draft('Late', { author: BOB, sql: 'select 2' }))).toBe('taken')
    expect(await saved.save(draft('Late', { sql: 'select 3' }), { isNew: true })).toBe('taken')
    expect(await saved.save(draft('Later'), { isNew: true })).toBe('saved')
    expect(await saved.find('late')).toMatchObject({ author: ANN, sql: `select 'Late'` })
    const first = await saved.find('late')
    expect(await saved.save(draft('LATE!', { sql: 'select 3', chart: 'none' }))).toBe('saved')
    const second = await saved.find('late')
    expect(second).toMatchObject({ title: 'LATE!', sql: 'select 3', chart: 'none', author: ANN })
    expect(Date.parse(second?.savedAt ?? '')).toBeGreaterThanOrEqual(
      Date.parse(first?.savedAt ?? ''),
    )
    expect(await titles()).toEqual(['LATE!', 'Later'])
  })

  it('removes a question for its author only, from every page', async () => {
    await saved.save(draft('Late'))
    await saved.save(draft('Early'))
    for (const subject of [ANN, BOB]) {
      await saved.addToPage(subject, 'late')
      await saved.addToPage(subject, 'early')
    }
    expect(await saved.remove('late', BOB)).toBe(false)
    expect(await saved.remove('absent', ANN)).toBe(false)
    expect(await onPage(BOB)).toEqual(['late', 'early'])
    expect(await saved.remove('late', ANN)).toBe(true)
    expect(await saved.remove('late', ANN)).toBe(false)
    expect([await onPage(ANN), await onPage(BOB)]).toEqual([['early'], ['early']])
    // Another's question under the same name is another question.
    expect(await saved.save(draft('Late', { author: BOB }))).toBe('saved')
    expect(await onPage(ANN)).toEqual(['early'])
  })

  it('keeps a page for each person, in the order of adding', async () => {
    for (const title of ['C', 'A', 'B']) {
      await saved.save(draft(title))
      expect(await saved.addToPage(ANN, nameForTitle(title))).toBe('added')
    }
    expect(await saved.addToPage(ANN, 'c')).toBe('added')
    expect(await saved.addToPage(BOB, 'b')).toBe('added')
    expect(await saved.addToPage(BOB, 'absent')).toBe('unknown')
    expect(await onPage(ANN)).toEqual(['c', 'a', 'b'])
    expect(await onPage(BOB)).toEqual(['b'])
    await saved.removeFromPage(ANN, 'a')
    await saved.removeFromPage(ANN, 'a')
    await saved.removeFromPage(ANN, 'absent')
    expect(await onPage(ANN)).toEqual(['c', 'b'])
    await saved.addToPage(ANN, 'a')
    expect(await onPage(ANN)).toEqual(['c', 'b', 'a'])
    // A change of the question does not move it.
    await saved.save(draft('C', { chart: 'bars' }))
    expect((await saved.pageOf(ANN))[0]).toEqual(await saved.find('c'))
    expect(await saved.pageOf('nobody')).toEqual([])
  })

  it('keeps 12 on a page, also if several are added at once', async () => {
    const names = Array.from({ length: 14 }, (_, at) => `q${at}`)
    for (const name of names) await saved.save(draft(name))
    for (const name of names.slice(0, 11)) expect(await saved.addToPage(ANN, name)).toBe('added')
    await using other = createSavedQuestions({ url: saver.url })
    // Whoever has counted must still wait for the question that is added.
    const client = await saver.connect()
    await client.query('begin; select from saved_question for update')
    const adding = [
      saved.addToPage(ANN, 'q11'),
      other.addToPage(ANN, 'q12'),
      saved.addToPage(ANN, 'q13'),
    ]
    const waiting = `select from pg_stat_activity
      where usename = '${saver.role}' and wait_event_type = 'Lock'`
    await expect.poll(() => database.query(waiting)).toHaveLength(3)
    await client.query('rollback')
    await client.end()
    expect((await Promise.all(adding)).toSorted()).toEqual(['added', 'full', 'full'])
    expect(await saved.pageOf(ANN)).toHaveLength(12)
    expect(await saved.addToPage(ANN, 'q0')).toBe('added')
    expect(await saved.addToPage(ANN, 'absent')).toBe('unknown')
    expect(await saved.addToPage(BOB, 'q11')).toBe('added')
  })

  it('keeps 1,000 questions, also if several are saved at once', async () => {
    await saved.save(draft('First'))
    await saver.query(`
      insert into saved_question
      select 'n' || n, 'N', 'select 1', '{}', 'auto', 'bob', now() from generate_series(1, 998) as n`)
    await using other = createSavedQuestions({ url: saver.url })
    const saving = await Promise.all([
      saved.save(draft('One')),
      other.save(draft('Two')),
      saved.save(draft('Three')),
    ])
    expect(saving.toSorted()).toEqual(['full', 'full', 'saved'])
    expect(await saved.list()).toHaveLength(1000)
    expect(await saved.save(draft('First', { sql: 'select 2' }))).toBe('saved')
    expect(await saved.save(draft('N1'))).toBe('taken')
    expect(await saved.remove('first', ANN)).toBe(true)
    expect(await saved.save(draft('Another'))).toBe('saved')
    expect(await saved.save(draft('And another'))).toBe('full')
  })

  it('takes texts of any content and the greatest length', async () => {
    const hostile = [`'; drop table saved_question; --`, '<script>', '%s \\ $1 :x', '‮🎈', 'ﬁ']
    for (const text of hostile) {
      const question = draft('Hostile', { title: text, sql: text, filters: { [text]: text } })
      expect(await saved.save({ ...question, author: text }), text).toBe('saved')
      expect(await saved.find('hostile')).toMatchObject({ ...question, author: text })
      expect(await saved.addToPage(text, 'hostile')).toBe('added')
      expect(await onPage(text)).toEqual(['hostile'])
      expect(await saved.remove('hostile', text)).toBe(true)
    }
    const longest = draft('t'.repeat(120), {
      sql: '🎈'.repeat(50_000),
      filters: { f: 'v'.repeat(9999) },
      author: '🎈'.repeat(127),
    })
    expect(longest.name).toHaveLength(63)
    expect(await saved.save(longest)).toBe('saved')
    expect(await saved.find(longest.name)).toMatchObject(longest)
    expect(await saved.addToPage(longest.author, longest.name)).toBe('added')
  })

  it('refuses what it cannot keep as it is, and says why without the value', async () => {
    const refused: Partial<Draft>[] = [
      { title: '' },
      { title: '  ' },
      { title: 't'.repeat(121) },
      { title: 'a\0secret' },
      { title: 'two\nlines' },
      { title: 'half \ud83c secret' },
      { sql: 's'.repeat(100_001) },
      { sql: 'select \0 secret' },
      { sql: '\udf88 secret' },
      { filters: { secret: '\0' } },
      { filters: { '\ud83c': 'secret' } },
      { filters: { secret: 'v'.repeat(10_000) } },
      { chart: 'secret' as 'auto' },
      { author: '' },
      { author: 'secret\0' },
      { author: 'a'.repeat(256) },
      ...['', 'A', 'secret\0', 'a b', 'a\n', 'ü', '../a', 'n'.repeat(64)].map((name) => ({ name })),
    ]
    for (const more of refused) {
      const error: unknown = await saved
        .save(draft('Fine', more))
        .catch((thrown: unknown) => thrown)
      expect(error, JSON.stringify(more)).toBeInstanceOf(ConfigError)
      expect(error).toMatchObject({ code: 'SAVED_INVALID' })
      expect(JSON.stringify([error, (error as Error).message])).not.toContain('secret')
    }
    expect(await saved.list()).toEqual([])
    await saved.save(draft('Fine'))
    for (const name of ['', 'Fine', 'fine\0', `' or '1'='1`, '\ud83c']) {
      expect(await saved.find(name)).toBeUndefined()
      expect(await saved.remove(name, ANN)).toBe(false)
      expect(await saved.addToPage(ANN, name)).toBe('unknown')
      await saved.removeFromPage(ANN, name)
    }
    for (const subject of ['', 'a\0', '\ud83c', 'a'.repeat(256)]) {
      const invalid = { code: 'SAVED_INVALID' }
      await expect(saved.remove('fine', subject)).rejects.toMatchObject(invalid)
      await expect(saved.pageOf(subject)).rejects.toMatchObject(invalid)
      await expect(saved.addToPage(subject, 'fine')).rejects.toMatchObject(invalid)
      await expect(saved.removeFromPage(subject, 'fine')).rejects.toMatchObject(invalid)
    }
    expect(await titles()).toEqual(['Fine'])
  })

  it('makes its tables once if several servers start at once', async () => {
    for (let round = 0; round < 5; round++) {
      await saver.recreateSchema()
      const servers = Array.from({ length: 4 }, () => createSavedQuestions({ url: saver.url }))
      const calls = servers.map((server, at) =>
        at % 2 === 0 ? server.save(draft(`Server ${at}`)) : server.list(),
      )
      const [first, , third] = await Promise.all(calls)
      expect([first, third]).toEqual(['saved', 'saved'])
      expect(await titles()).toEqual(['Server 0', 'Server 2'])
      for (const server of servers) await server[Symbol.asyncDispose]()
    }
  })

  it('goes on after its connections were ended, and says so while the server is away', async () => {
    await saved.save(draft('Late'))
    await database.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${saver.role}'`,
    )
    expect(await titles()).toEqual(['Late'])
    await using proxy = await startSilentProxy(saver.url)
    await using through = createSavedQuestions({ url: proxy.through(saver.url) })
    expect(await titles(through)).toEqual(['Late'])
    proxy.setOpen('swallow')
    proxy.setNew('swallow')
    const away: unknown = await through.list().catch((error: unknown) => error)
    expect(away).toBeInstanceOf(TransientError)
    expect(away).toMatchObject({ code: 'SAVED_UNREACHABLE' })
    // As in the embedded warehouse: the role may not end the session that was lost.
    await database.query('revoke execute on function pg_terminate_backend from public')
    proxy.setNew('pass')
    expect(await titles(through)).toEqual(['Late'])
    await database.query('grant execute on function pg_terminate_backend to public')
  })

  it('goes on after a connection was lost that the role may not end, as in an embedded warehouse', async () => {
    await saved.save(draft('Late'))
    await database.query('revoke execute on function pg_terminate_backend from public')
    await using proxy = await startSilentProxy(saver.url)
    await using through = createSavedQuestions({ url: proxy.through(saver.url) })
    const client = await saver.connect()
    await client.query('begin; lock table saved_question in share row exclusive mode')
    const saving = through.save(draft('Early')).catch((error: unknown) => error)
    const waiting = `select from pg_stat_activity
      where usename = '${saver.role}' and wait_event_type = 'Lock'`
    await expect.poll(() => database.query(waiting)).toHaveLength(1)
    proxy.setOpen('swallow')
    proxy.setNew('swallow')
    expect(await saving).toMatchObject({ code: 'SAVED_UNREACHABLE' })
    await client.query('rollback')
    await client.end()
    proxy.setNew('pass')
    expect(await titles(through)).toEqual(['Late'])
    await database.query('grant execute on function pg_terminate_backend to public')
  })

  it('says if the schema was dropped, and goes on once it is back', async () => {
    await saved.save(draft('Late'))
    await saver.dropSchema()
    const calls = [() => saved.list(), () => saved.save(draft('Late')), () => saved.pageOf(ANN)]
    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({
        code: 'SAVED_RIGHTS',
        hint: `create schema authorization "${saver.role}";`,
      })
    }
    await saver.recreateSchema()
    expect(await saved.list()).toEqual([])
    expect(await saved.save(draft('Late'))).toBe('saved')
    await saver.query('drop table saved_question cascade')
    await saver.query('drop table saved_on_page')
    expect(await saved.list()).toEqual([])
  })

  it('touches no table of another schema, whatever the search path is', async () => {
    await database.query(`create table public.saved_on_page (subject text, name text)`)
    await database.query(`grant all on table public.saved_on_page to ${saver.role}`)
    await saved.save(draft('Late'))
    await saver.query('drop table saved_on_page')
    await expect(saved.addToPage(ANN, 'late')).rejects.toMatchObject({ code: 'SAVED_SCHEMA' })
    expect(await database.query('table public.saved_on_page')).toEqual([])
    await database.query('drop table public.saved_on_page')
  })

  it('leaves tables alone that are newer, or that it did not make', async () => {
    await saved.save(draft('Late'))
    const expectRefused = async (code: string) => {
      await expect(saved.list()).rejects.toMatchObject({ code })
      await expect(saved.save(draft('Late', { sql: 'x' }))).rejects.toMatchObject({ code })
    }
    const comment = (text: string) => saver.query(`comment on table saved_question is ${text}`)
    await comment(`'Tidemark: saved questions, version 2'`)
    await expectRefused('SAVED_NEWER')
    for (const other of ['null', `'Tidemark: saved questions, version 0'`, `'mine'`]) {
      await comment(other)
      await expectRefused('SAVED_TABLES')
    }
    await comment(`'Tidemark: saved questions, version 1'`)
    expect((await saved.find('late'))?.sql).toBe(`select 'Late'`)
  })

  it('refuses a superuser, and a role that does not own its schema', async () => {
    await using admin = createSavedQuestions({ url: database.url })
    await expect(admin.list()).rejects.toMatchObject({
      code: 'SAVED_RIGHTS',
      hint: expect.stringContaining('TIDEMARK_SAVER_URL') as string,
    })
    // A superuser who plays another role could stop to.
    const playing = new URL(database.url)
    playing.searchParams.set('options', `-c role=${saver.role}`)
    await using player = createSavedQuestions({ url: playing.href })
    await expect(player.list()).rejects.toMatchObject({ code: 'SAVED_RIGHTS' })
    await using reader = createSavedQuestions({ url: database.readerUrl })
    await expect(reader.list()).rejects.toMatchObject({
      code: 'SAVED_RIGHTS',
      message: expect.stringContaining('does not own the schema public') as string,
    })
    await database.query(`alter role ${saver.role} set search_path = absent`)
    await using lost = createSavedQuestions({ url: saver.url })
    await expect(lost.list()).rejects.toMatchObject({
      code: 'SAVED_RIGHTS',
      message: expect.stringContaining('has no schema') as string,
    })
    await database.query(`alter role ${saver.role} reset search_path`)
    expect(await database.query(`select from pg_class where relname like 'saved_%'`)).toEqual([])
  })

  it('refuses a role that may write a warehouse or make roles, as long as it may', async () => {
    await database.query('create schema dw; create table dw.tidemark_ledger (batch_id bigint)')
    await database.query(`create role ${saver.role}_loader`)
    const rights = [
      ['alter role ! createrole', 'alter role ! nocreaterole'],
      ['alter role ! bypassrls', 'alter role ! nobypassrls'],
      ['grant insert on dw.tidemark_ledger to !', 'revoke all on dw.tidemark_ledger from !'],
      ['grant pg_write_all_data to !', 'revoke pg_write_all_data from !'],
      [
        'alter table dw.tidemark_ledger owner to !',
        'alter table dw.tidemark_ledger owner to !_loader',
      ],
      ['grant !_loader to !', 'revoke !_loader from !'],
    ] as const
    for (const [grant, revoke] of rights) {
      await database.query(grant.replaceAll('!', saver.role))
      await expect(saved.list(), grant).rejects.toMatchObject({ code: 'SAVED_RIGHTS' })
      await database.query(revoke.replaceAll('!', saver.role))
      expect(await saved.list(), revoke).toEqual([])
    }
    await database.query(`drop schema dw cascade; drop role ${saver.role}_loader`)
  })

  it.each([
    ['there is no schema', (role: string) => `drop schema ${role} cascade`],
    [
      "the schema is another role's",
      (role: string) => `alter schema ${role} owner to current_user`,
    ],
    [
      'the search path leads elsewhere',
      (role: string) => `alter role ${role} set search_path = public`,
    ],
  ])('names the statement that helps if %s', async (_, spoil) => {
    await database.query(spoil(saver.role))
    await using spoilt = createSavedQuestions({ url: saver.url })
    const { hint } = (await spoilt.list().catch((error: unknown) => error)) as ConfigError
    await database.query(hint ?? '')
    await using again = createSavedQuestions({ url: saver.url })
    await expect(again.list()).resolves.toEqual(expect.any(Array))
    await database.query(`alter role ${saver.role} in database ${database.name} reset search_path`)
    await database.query(`alter role ${saver.role} reset search_path`)
  })

  it('names its setting if it cannot log in, and never the password', async () => {
    const url = new URL(saver.url)
    url.password = 'hunter2'
    await using stranger = createSavedQuestions({ url: url.href })
    const error: unknown = await stranger.list().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'SAVED_PASSWORD', hint: 'check TIDEMARK_SAVER_URL' })
    expect((error as Error).message).not.toContain('hunter2')
    await using nowhere = createSavedQuestions({ url: 'http://example.org' })
    await expect(nowhere.list()).rejects.toMatchObject({ code: 'SAVED_URL' })
  })

  it('does not wait long for a lock, and reads while others write', async () => {
    await saved.save(draft('Late'))
    const client = await saver.connect()
    await client.query('begin; lock table saved_question in share row exclusive mode')
    expect(await titles()).toEqual(['Late'])
    await expect(saved.save(draft('Early'))).rejects.toMatchObject({ code: 'SAVED_BUSY' })
    await client.query('rollback')
    await client.end()
    expect(await saved.save(draft('Early'))).toBe('saved')
  })

  it('connects when it is first called, and ends its connections when it is disposed of', async () => {
    const other = await createTestSaver(database)
    const own = createSavedQuestions({ url: other.url })
    const sessions = `select from pg_stat_activity where usename = '${other.role}'`
    expect(await own.find('no name')).toBeUndefined()
    expect(await database.query(sessions)).toEqual([])
    await own.save(draft('Late'))
    expect((await database.query(sessions)).length).toBeGreaterThan(0)
    await own[Symbol.asyncDispose]()
    await expect(own.list()).rejects.toMatchObject({ code: 'SAVED_CLOSED' })
    await expect.poll(() => database.query(sessions)).toEqual([])
    await other[Symbol.asyncDispose]()
  })
})

it('saver, loader and reader see nothing of each other, in one database', async () => {
  await using shop = await createShop()
  await using reader = await createTestReader(shop)
  await using saver = await createTestSaver(shop.warehouse)
  await using saved = createSavedQuestions({ url: saver.url })
  await shop.run()
  await saved.save(draft('Late'))
  await saved.addToPage(ANN, 'late')
  for (const sql of [
    'table public.dim_item',
    `insert into public.dim_item values (77, 'cap', 'hat')`,
    'delete from public.tidemark_migration',
    'table public.tidemark_status',
    'create table public.mine ()',
    'create schema mine',
    'create temporary table mine ()',
    'create role another',
  ]) {
    await expect(saver.query(sql), sql).rejects.toMatchObject({ code: '42501' })
  }
  await using read = createReader(reader.warehouse)
  for (const table of ['saved_question', 'saved_on_page']) {
    const text = `table ${saver.role}.${table}`
    await expect(read.read(({ client }) => client.query(text))).rejects.toThrow(/42501/)
  }
  const relations = await read.read(readRelations)
  expect(relations.filter(({ name }) => name.startsWith('saved'))).toEqual([])
  expect(relations.length).toBeGreaterThan(0)
  expect((await verify(shop.deps)).isEqual).toBe(true)
  // A warehouse that is made again keeps them.
  await shop.query('drop schema public cascade; create schema public')
  expect((await saved.pageOf(ANN)).map(({ title }) => title)).toEqual(['Late'])
})

describe('nameForTitle()', () => {
  it.each([
    ['Überfällig, GBP!', 'uberfallig-gbp'],
    ['  What is due -- this week? ', 'what-is-due-this-week'],
    ['Straße ﬁne ½', 'strasse-fine-1-2'],
    ['İstanbul', 'istanbul'],
    ['売上', 'question-443fb948'],
    ['Sales: 売上', 'sales-8d0eb07c'],
    ['😀', 'question'],
    ['', 'question'],
    ['---', 'question'],
    ['a\0b\n', 'a-b'],
    [`${'x'.repeat(62)} y`, 'x'.repeat(62)],
  ])('%j is %s', (title, name) => {
    expect(nameForTitle(title)).toBe(name)
  })

  it('is always a name, and the name of its own name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (title) => {
        const name = nameForTitle(title)
        expect(name).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)
        expect(nameForTitle(name)).toBe(name)
      }),
    )
  })
})
