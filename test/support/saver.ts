import { randomBytes } from 'node:crypto'
import pg from 'pg'
import type { TestDatabase } from './database.ts'

/** A role that keeps saved questions in a database, as `prepareDatabases` makes it. */
export interface TestSaver extends AsyncDisposable {
  readonly role: string
  readonly url: string
  /** A client with this role, which the caller ends. */
  connect(): Promise<pg.Client>
  /** Runs a statement with this role. */
  query(sql: string): Promise<void>
  dropSchema(): Promise<void>
  /** Drops the role's schema, if it is there, and makes it again. */
  recreateSchema(): Promise<void>
}

export async function createTestSaver(database: TestDatabase): Promise<TestSaver> {
  const role = `saver_${randomBytes(6).toString('hex')}`
  const password = randomBytes(12).toString('hex')
  await database.query(`create role ${role} login password '${password}'`)
  await database.query(`grant connect on database ${database.name} to ${role}`)
  await database.query(`create schema authorization ${role}`)
  const url = new URL(database.url)
  url.username = role
  url.password = password
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client(url.href)
    await client.connect()
    return client
  }
  const dropSchema = async (): Promise<void> => {
    await database.query(`drop schema if exists ${role} cascade`)
  }
  return {
    role,
    url: url.href,
    connect,
    async query(sql) {
      const client = await connect()
      await client.query(sql).finally(() => client.end())
    },
    dropSchema,
    async recreateSchema() {
      await dropSchema()
      await database.query(`create schema authorization ${role}`)
    },
    async [Symbol.asyncDispose]() {
      await database.query(`drop owned by ${role} cascade`)
      await database.query(`drop role ${role}`)
    },
  }
}
