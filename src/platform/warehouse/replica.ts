import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { codeOf } from '../errors.ts'
import { recordStatements } from '../io/recording-client.ts'
import { type Client, onlyRow } from '../io/postgres.ts'
import { NO_TIME_LIMITS } from '../io/session.ts'
import { identifier, qualified } from '../io/sql.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import type { PublishedSchema } from '../lake/published-schema.ts'
import { currentTable } from '../project/fact-names.ts'
import { OWN } from './relations.ts'
import { inSnapshot, inTransaction, LOCK, makeSchema, type WarehouseClient } from './warehouse.ts'

const REPLICA = readFileSync(new URL('./replica.sql', import.meta.url), 'utf8')
const HOLDERS = readFileSync(new URL('./lock-holders.sql', import.meta.url), 'utf8')

/** How long to wait for a lock. Nobody waits for the locks that a replica takes itself. */
const WAIT_MS = 1000

/** An empty copy of a warehouse's tables, for a rehearsal. */
export interface Replica {
  /** The warehouse with the copy in place of its tables. Its client notes every change. */
  readonly warehouse: WarehouseClient
  /** The changes so far, as statements for the warehouse itself. */
  statements(): readonly string[]
}

/** What a rehearsal gave, or why there was none. */
export type Rehearsed<T> = { readonly result: T } | { readonly refused: Obstacle }

/** Which tables are copied, beside Tidemark's own. */
export interface Copied {
  readonly tables: readonly string[]
  /** Whether all tables are copied that belong to the warehouse. */
  readonly isWhole: boolean
}

/** Why a warehouse cannot be copied. */
export interface Obstacle {
  readonly detail: string
  /** The statement that permits it, if one does. */
  readonly hint?: string
}

/**
 * Runs `work` on an empty copy of the warehouse's tables, in a schema of its own, and rolls all of it
 * back. The copy has their columns, keys, foreign keys, indexes and views, those included that people
 * made from them, and the rows of Tidemark's own tables. What it lacks is found in the warehouse. Of
 * the warehouse's tables it reads the definitions, and locks none against readers or writers.
 *
 * Without the right to create a schema, on a server that cannot be written, and if somebody keeps a
 * table locked for longer than a second, there is no rehearsal, and the reason is returned. Throws
 * what `work` throws.
 */
export async function inReplica<T>(
  connection: WarehouseClient,
  wanted: Copied,
  work: (replica: Replica) => Promise<T>,
): Promise<Rehearsed<T>> {
  const { warehouse } = connection
  const schema = `tidemark plan ${randomBytes(6).toString('hex')}`
  const recorded = recordStatements(connection.client)
  const end = new Error('rolled back')
  let done: { readonly result: T } | undefined
  let isReady = false
  try {
    await inTransaction(connection, async () => {
      await connection.client.query(`set local lock_timeout = ${WAIT_MS}`)
      await makeSchema({ ...connection, client: recorded.client })
      await copyTables(connection, { schema, wanted })
      isReady = true
      const result = await work({
        warehouse: {
          ...connection,
          client: recorded.client,
          warehouse: { ...warehouse, schema },
        },
        statements: () => recorded.statements.map((text) => withSchema(text, schema, warehouse)),
      })
      done = { result }
      throw end
    })
  } catch (error) {
    if (error === end && done !== undefined) return done
    const refused = isReady ? undefined : await findObstacle(connection, error)
    if (refused !== undefined) return { refused }
    throw withoutReplica(error, schema, warehouse)
  }
  throw new TypeError('a rehearsal ends with a rollback')
}

/**
 * Runs reads in one snapshot of the warehouse. If somebody keeps a table locked for longer than a
 * second, returns who it is. Throws what `work` throws.
 */
export async function readUnlocked<T>(
  connection: WarehouseClient,
  work: () => Promise<T>,
): Promise<Rehearsed<T>> {
  const limits = { ...NO_TIME_LIMITS, lock_timeout: `${WAIT_MS / 1000}s` }
  try {
    return { result: await inSnapshot(connection, work, limits) }
  } catch (error) {
    const codes = [codeOf(error), codeOf((error as Error).cause)]
    if (!codes.includes(SQL_STATE.lockNotAvailable)) throw error
    return { refused: await describeHolders(connection) }
  }
}

/** Names the warehouse's own schema in place of the replica's. */
function withSchema(text: string, replica: string, { schema }: { schema: string }): string {
  return text
    .replaceAll(identifier(replica), () => identifier(schema))
    .replaceAll(replica, () => schema.replaceAll("'", "''"))
}

function withoutReplica(error: unknown, replica: string, warehouse: { schema: string }): unknown {
  if (error instanceof Error) error.message = withSchema(error.message, replica, warehouse)
  return error
}

/** Makes the copy, and puts it first in the search path. */
async function copyTables(
  { client, warehouse }: WarehouseClient,
  { schema, wanted }: { schema: string; wanted: Copied },
): Promise<void> {
  const names = await listTables(client, wanted)
  await client.query(`create schema ${identifier(schema)}`)
  const { rows } = await client.query<{ statement: string }>(REPLICA, [
    warehouse.schema,
    names,
    schema,
  ])
  await client.query(`set local search_path = ${identifier(schema)}`)
  for (const { statement } of rows) await client.query(statement)
  const found = await client.query<{ name: string }>(
    `select c.relname::text as name from pg_class as c
     where c.relnamespace = to_regnamespace(quote_ident($1)) and c.relkind = 'r'
         and c.relname = any($2::text[])`,
    [schema, OWN],
  )
  for (const { name } of found.rows) {
    // Of the ledger, the newest row says all that a load asks for.
    const newest = name === 'tidemark_ledger' ? 'order by batch_id desc limit 1' : ''
    await client.query(
      `insert into ${qualified(schema, name)} select * from ${qualified(warehouse.schema, name)} ${newest}`,
    )
  }
  await forgetUncopied(client, { schema, original: warehouse.schema })
}

/** What is there and was not copied is not missing. */
async function forgetUncopied(
  client: Client,
  { schema, original }: { schema: string; original: string },
): Promise<void> {
  const found = await client.query<{ there: boolean }>(
    `select to_regclass('tidemark_relation') is not null as there`,
  )
  if (!onlyRow(found).there) return
  await client.query(
    `delete from tidemark_relation as r
     where to_regclass(format('%I.%I', $1::text, r.name)) is null
         and to_regclass(format('%I.%I', $2::text, r.name)) is not null`,
    [schema, original],
  )
}

/** The names of the tables to copy. */
async function listTables(client: Client, { tables, isWhole }: Copied): Promise<string[]> {
  const own = [LOCK, ...OWN, ...tables]
  if (!isWhole) return own
  const { rows } = await client.query<{ relations: boolean; tables: boolean }>(`
    select
        to_regclass('tidemark_relation') is not null as relations,
        to_regclass('tidemark_table') is not null as tables`)
  const there = onlyRow({ rows })
  const listed = there.relations
    ? await client.query<{ name: string }>('select name from tidemark_relation')
    : { rows: [] }
  const derived = there.tables
    ? await client.query<{ definition: PublishedSchema }>('select definition from tidemark_table')
    : { rows: [] }
  return [
    ...own,
    ...listed.rows.map(({ name }) => name),
    ...derived.rows.flatMap(({ definition }) => [definition.table, currentTable(definition)]),
  ]
}

/** Postgres cannot write: a standby, or a database that is read-only. */
const READ_ONLY: ReadonlySet<string> = new Set(['25006', SQL_STATE.featureNotSupported])

/** Why the copy could not be made; undefined if the error says something else. */
async function findObstacle(
  connection: WarehouseClient,
  error: unknown,
): Promise<Obstacle | undefined> {
  const code = codeOf(error)
  if (READ_ONLY.has(code)) return { detail: 'this server cannot be written' }
  if (code === SQL_STATE.lockNotAvailable) return await describeHolders(connection)
  if (code !== SQL_STATE.insufficientPrivilege) return undefined
  const found = await inSnapshot(connection, () =>
    connection.client.query<{ user: string; database: string }>(
      'select current_user as "user", current_database() as database',
    ),
  )
  const { user, database } = onlyRow(found)
  const { message } = error as Error
  return {
    detail: `${user} may not rehearse in ${database}: ${message}`,
    hint: `grant create on database ${identifier(database)} to ${identifier(user)};`,
  }
}

async function describeHolders(connection: WarehouseClient): Promise<Obstacle> {
  const { client, warehouse } = connection
  const { rows } = await inSnapshot(connection, () =>
    client.query<{ pid: number; user: string; application: string; tables: string }>(HOLDERS, [
      warehouse.schema,
    ]),
  )
  const holders = rows.map(
    ({ pid, user, application, tables }) =>
      `session ${pid} (${[user, application].filter((each) => each !== '').join(', ')}) has locked ${tables}`,
  )
  return { detail: ['a table is locked', ...holders].join('; ') }
}
