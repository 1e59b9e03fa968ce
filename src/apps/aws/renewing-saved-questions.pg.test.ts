import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { createTestSaver, type TestSaver } from '../../../test/support/saver.ts'
import { createRenewingSavedQuestions } from './renewing-saved-questions.ts'

const question = {
  name: 'late',
  title: 'Late',
  sql: 'select 1',
  filters: {},
  chart: 'auto',
  author: 'ann',
} as const

describe('createRenewingSavedQuestions()', () => {
  let database: TestDatabase
  let saver: TestSaver
  beforeAll(async () => {
    database = await createDatabase({ template: 'empty' })
    saver = await createTestSaver(database)
  })
  afterAll(async () => {
    await saver[Symbol.asyncDispose]()
    await database[Symbol.asyncDispose]()
  })

  it('reads its connection string when it is first used, and does all that saved questions do', async () => {
    let reads = 0
    await using saved = createRenewingSavedQuestions({
      readUrl: async () => {
        reads += 1
        return saver.url
      },
    })
    expect(reads).toBe(0)
    expect(await saved.save(question)).toBe('saved')
    expect(await saved.list()).toMatchObject([question])
    expect(await saved.find('late')).toMatchObject(question)
    expect(await saved.addToPage('bob', 'late')).toBe('added')
    expect(await saved.pageOf('bob')).toMatchObject([question])
    await saved.removeFromPage('bob', 'late')
    expect(await saved.pageOf('bob')).toEqual([])
    expect(await saved.remove('late', 'ann')).toBe(true)
    expect(reads).toBe(1)
  })

  it('goes on with a new password, and says if the secret has not followed', async () => {
    let url = saver.url
    const asked: boolean[] = []
    await using saved = createRenewingSavedQuestions({
      readUrl: async ({ isRefused }) => {
        asked.push(isRefused)
        return url
      },
    })
    expect(await saved.save(question)).toBe('saved')
    await database.query(`alter role ${saver.role} password 'another'`)
    await database.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${saver.role}'`,
    )
    await expect(saved.list()).rejects.toMatchObject({ code: 'SAVED_PASSWORD' })
    const renewed = new URL(url)
    renewed.password = 'another'
    url = renewed.href
    const [one, other] = await Promise.all([saved.list(), saved.find('late')])
    expect(one).toEqual([other])
    expect(asked.slice(0, 3)).toEqual([false, true, true])
    await expect(saved.save({ ...question, title: '' })).rejects.toMatchObject({
      code: 'SAVED_INVALID',
    })
    expect(await saved.save(question)).toBe('saved')
  })
})
