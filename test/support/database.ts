import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'

export interface TestDatabase extends AsyncDisposable {
  readonly name: string
  /** The superuser's connection string. */
  readonly url: string
  /** A role that may connect and read every table of `public`, those still to come included. */
  readonly readerUrl: string
  /** A connected superuser client, closed with the database. */
  client(): Promise<pg.Client>
  /** Runs one statement as the superuser and returns its rows. */
  query<Row extends pg.QueryResultRow>(sql: string, params?: unknown[]): Promise<Row[]>
  /**
   * Resolves once every transaction that is open now on the shared server has ended. Everything
   * committed before the call is then older than any horizon.
   */
  settle(): Promise<void>
  /** Closes the clients. */
  close(): Promise<void>
  /** Closes the clients and drops database and reader. May be repeated. */
  drop(): Promise<void>
}

/**
 * A database of its own for one test file (or one test), cloned from the Totesys schema or from
 * nothing. Needs the global setup. Names are unique, so files may run at the same time.
 */
export async function createDatabase(
  options: { template?: 'totesys' | 'empty'; encoding?: string } = {},
): Promise<TestDatabase> {
  const maintenanceUrl = inject('postgresUrl')
  const name = `test_${randomBytes(6).toString('hex')}`
  const reader = `${name}_reader`
  const template = (options.template ?? 'totesys') === 'totesys' ? 'totesys_template' : 'template0'
  const password = randomBytes(12).toString('hex')
  await runOn(maintenanceUrl, [
    // A template cannot be cloned while another session clones it.
    `select pg_advisory_lock(hashtext('clone a test database'))`,
    // Whole files, not block by block through the log: a third of the time.
    `create database ${name} template ${template} encoding '${options.encoding ?? 'UTF8'}' strategy file_copy`,
    `create role ${reader} login password '${password}'`,
    `revoke all on database ${name} from public`,
    `grant connect on database ${name} to ${reader}`,
  ])
  const url = urlOf(maintenanceUrl, { name })
  await runOn(url, [
    `grant usage on schema public to ${reader}`,
    `grant select on all tables in schema public to ${reader}`,
    `alter default privileges in schema public grant select on tables to ${reader}`,
  ])
  const readerUrl = urlOf(maintenanceUrl, { name, user: reader, password })
  return openDatabase({ name, url, readerUrl }, [
    `drop database if exists ${name} with (force)`,
    `drop role if exists ${reader}`,
  ])
}

/** A database that can be put back to one state. Disposing drops the database and its reader. */
export interface KeptDatabase extends AsyncDisposable {
  /** Opens it with the same name and object id. The one opened before must have been dropped. */
  open(): Promise<TestDatabase>
}

/** Keeps the present state of a database, and closes the database until it is opened again. */
export async function keepDatabase(database: TestDatabase): Promise<KeptDatabase> {
  const maintenanceUrl = inject('postgresUrl')
  const { name, url, readerUrl } = database
  const reader = new URL(readerUrl).username
  const [row] = await database.query<{ oid: number }>(
    'select oid from pg_database where datname = current_database()',
  )
  await database.close()
  const clone = (to: string, from: string, more = ''): string[] => [
    `select pg_advisory_lock(hashtext('clone a test database'))`,
    `create database ${to} template ${from} strategy file_copy ${more}`,
  ]
  await runOn(maintenanceUrl, [
    ...clone(`${name}_kept`, name),
    `drop database ${name} with (force)`,
  ])
  return {
    async open() {
      await runOn(maintenanceUrl, [
        // Its object id is part of the source's identity.
        ...clone(name, `${name}_kept`, `oid ${row?.oid}`),
        `revoke all on database ${name} from public`,
        `grant connect on database ${name} to ${reader}`,
      ])
      return openDatabase({ name, url, readerUrl }, [`drop database ${name} with (force)`])
    },
    [Symbol.asyncDispose]: () =>
      runOn(maintenanceUrl, [
        `drop database if exists ${name} with (force)`,
        `drop database if exists ${name}_kept with (force)`,
        `drop role if exists ${reader}`,
      ]),
  }
}

/** An existing database, and how to drop it. */
function openDatabase(
  { name, url, readerUrl }: Pick<TestDatabase, 'name' | 'url' | 'readerUrl'>,
  dropping: readonly string[],
): TestDatabase {
  const clients: pg.Client[] = []
  let shared: Promise<pg.Client> | undefined
  let dropped: Promise<void> | undefined
  const client = async (): Promise<pg.Client> => {
    const made = new pg.Client(url)
    clients.push(made)
    await made.connect()
    return made
  }
  const query: TestDatabase['query'] = async <Row extends pg.QueryResultRow>(
    sql: string,
    params: unknown[] = [],
  ) => (await (await (shared ??= client())).query<Row>(sql, params)).rows
  const settle = async (): Promise<void> => {
    const [now] = await query<{ id: string }>('select pg_current_xact_id()::text as id')
    for (let isOver: boolean | undefined = false; isOver !== true;) {
      const [row] = await query<{ is_over: boolean }>(
        'select pg_snapshot_xmin(pg_current_snapshot()) > $1::xid8 as is_over',
        [now?.id],
      )
      isOver = row?.is_over
    }
  }
  const close = async (): Promise<void> => {
    await Promise.all(clients.map((made) => made.end()))
  }
  const drop = (): Promise<void> => (dropped ??= dropAll())
  const dropAll = async (): Promise<void> => {
    await close()
    await runOn(inject('postgresUrl'), dropping)
  }
  return {
    name,
    url,
    readerUrl,
    client,
    query,
    settle,
    close,
    drop,
    [Symbol.asyncDispose]: drop,
  }
}

function urlOf(base: string, to: { name: string; user?: string; password?: string }): string {
  const url = new URL(base)
  url.pathname = `/${to.name}`
  url.username = to.user ?? url.username
  url.password = to.password ?? url.password
  return url.href
}

async function runOn(url: string, statements: readonly string[]): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    for (const sql of statements) await client.query(sql)
  } finally {
    await client.end()
  }
}
