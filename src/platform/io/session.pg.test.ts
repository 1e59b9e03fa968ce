import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../test/support/database.ts'
import type { Database } from './database.ts'
import { connect } from './postgres.ts'
import { asciiLiteral, begin, TEXT_SETTINGS } from './session.ts'

let test: TestDatabase
let database: Database

beforeAll(async () => {
  test = await createDatabase({ template: 'empty' })
  database = { title: 'Things', code: 'SOURCE', url: test.readerUrl, attempts: 1 }
})

afterAll(() => test.drop())

describe('begin()', () => {
  it('lets the server notice within minutes that we have vanished', async () => {
    await using connection = await connect(database)
    await begin(connection, { database, mode: 'read only', settings: {} })
    const { rows } = await connection.client.query(
      `select current_setting('tcp_keepalives_idle') as idle, current_setting('tcp_user_timeout') as unread`,
    )
    expect(rows).toEqual([{ idle: '30', unread: '60000' }])
  })

  it('sets everything for this transaction only, and marks it by its name', async () => {
    await using connection = await connect(database)
    const { client, mark } = connection
    const read = async () =>
      (
        await client.query('select current_setting($1) as zone, current_setting($2) as name', [
          'timezone',
          'application_name',
        ])
      ).rows
    const before = await read()
    await begin(connection, {
      database,
      mode: 'read only',
      settings: { timezone: 'Asia/Kathmandu' },
    })
    expect(await read()).toEqual([{ zone: 'Asia/Kathmandu', name: mark }])
    await client.query('rollback')
    expect(await read()).toEqual(before)
  })

  it('leaves out a setting that the server does not know', async () => {
    await using connection = await connect(database)
    const settings = { ...TEXT_SETTINGS, a_setting_of_tomorrow: 'on' }
    await begin(connection, { database, mode: 'read only', settings })
    expect(connection.client.getTransactionStatus()).toBe('T')
  })

  it('I6 throws if the server reads back another value than the one set', async () => {
    await using connection = await connect(database)
    const settings = { extra_float_digits: '03' }
    await expect(
      begin(connection, { database, mode: 'read only', settings }),
    ).rejects.toMatchObject({
      name: 'ConfigError',
      code: 'SOURCE_SETTINGS',
      message: expect.stringContaining('has extra_float_digits = 3, although 03 was set'),
    })
  })
})

it('asciiLiteral() is read the same under every encoding and string setting', async () => {
  const text = `é'\\u0041 ✓ 😀 \n`
  const client = await test.client()
  await client.query(`set client_encoding = 'LATIN1'; set standard_conforming_strings = off`)
  const sql = `select md5(convert_to(${asciiLiteral(text)}, 'UTF8')) as found`
  const [expected] = await test.query('select md5(convert_to($1, $2)) as found', [text, 'UTF8'])
  expect((await client.query(sql)).rows).toEqual([expected])
})
