import { readFileSync } from 'node:fs'
import { codeOf, ConfigError, ConflictError } from '../errors.ts'
import type { Database } from '../io/database.ts'
import { connect, onlyRow, type PostgresClient } from '../io/postgres.ts'
import { retry } from '../io/retry.ts'
import {
  begin,
  type BeginOptions,
  NO_TIME_LIMITS,
  runOnce,
  type Settings,
  TEXT_SETTINGS,
} from '../io/session.ts'
import { identifier } from '../io/sql.ts'
import { SQL_STATE } from '../io/sql-states.ts'

const SCHEMA = readFileSync(new URL('./schema-state.sql', import.meta.url), 'utf8')

/** The hint for a warehouse that somebody else has changed. */
export const RESTORE =
  'restore the warehouse from a backup, or load into an empty TIDEMARK_WAREHOUSE_SCHEMA; nothing was changed'

/** The Postgres database that holds the star schema. */
export interface Warehouse extends Database {
  readonly schema: string
  /**
   * Role that is granted reading of the star schema, its history and the status, if the role
   * exists.
   */
  readonly readerRole?: string
}

/**
 * A connection to the warehouse. Nothing is set on it outside a transaction, so every statement
 * must run inside one: `inSnapshot`, `inTransaction` and `inLockedTransaction` begin them.
 */
export interface WarehouseClient extends PostgresClient {
  readonly warehouse: Warehouse
}

/** Connects to the warehouse. Throws what `connect` throws. Dispose of the connection after use. */
export async function openWarehouse(warehouse: Warehouse): Promise<WarehouseClient> {
  return { warehouse, ...(await connect(warehouse)) }
}

/**
 * The settings with which a transaction finds the warehouse's tables and reads every value exactly.
 */
function settingsOf({ schema }: Warehouse): Settings {
  return { ...TEXT_SETTINGS, search_path: identifier(schema) }
}

/**
 * Begins a transaction that may write, without a time limit, whatever the database's defaults are.
 */
async function beginWriting(connection: WarehouseClient): Promise<void> {
  await begin(connection, writing(connection.warehouse))
}

function writing(warehouse: Warehouse, settings: Settings = {}): BeginOptions {
  return {
    database: warehouse,
    mode: 'isolation level read committed read write',
    settings: { ...settingsOf(warehouse), ...NO_TIME_LIMITS, ...settings },
  }
}

/**
 * Runs a statement and then a select, both without parameters, in a transaction of their own that
 * may write, in one round trip. Returns the rows of the select. With `mayBeLost`, the server need
 * not have synced the write to its disk: others see it at once, and a crash of the server soon
 * afterwards may undo it.
 */
export async function writeAndSelect<Row extends object>(
  connection: WarehouseClient,
  { write, select, mayBeLost = false }: { write: string; select: string; mayBeLost?: boolean },
): Promise<readonly Row[]> {
  const options = writing(connection.warehouse, mayBeLost ? { synchronous_commit: 'off' } : {})
  return await runOnce<Row>(connection, options, write, select)
}

/**
 * Begins a read-only transaction that sees one snapshot. The caller ends it with a rollback. The
 * role's own time limits apply unless `limits` overrides them.
 */
export async function beginReading(
  connection: WarehouseClient,
  limits: Settings = {},
): Promise<void> {
  await begin(connection, reading(connection.warehouse, limits))
}

function reading(warehouse: Warehouse, limits: Settings = {}): BeginOptions {
  return {
    database: warehouse,
    mode: 'isolation level repeatable read read only',
    settings: { ...settingsOf(warehouse), ...limits },
  }
}

/**
 * Rows of one select without parameters, in the open transaction or else in a read-only transaction
 * of its own. One round trip either way.
 */
export async function selectRows<Row extends object>(
  connection: WarehouseClient,
  select: string,
  limits: Settings = {},
): Promise<readonly Row[]> {
  if (isOpen(connection)) return (await connection.client.query<Row>(select)).rows
  return await runOnce<Row>(connection, reading(connection.warehouse, limits), select)
}

/**
 * Runs `work` in the open transaction, or else in a read-only transaction of its own
 * (`beginReading`), which ends with `work`. Throws what `work` throws.
 */
export async function inSnapshot<T>(
  connection: WarehouseClient,
  work: () => Promise<T>,
  limits: Settings = {},
): Promise<T> {
  if (isOpen(connection)) return await work()
  await beginReading(connection, limits)
  return await endTransaction(connection, work)
}

/**
 * Runs `work` in the open transaction, or else in a transaction of its own that may write and has
 * no time limit. Throws what `work` throws, after rolling back its own transaction.
 */
export async function inTransaction<T>(
  connection: WarehouseClient,
  work: () => Promise<T>,
): Promise<T> {
  if (isOpen(connection)) return await work()
  await beginWriting(connection)
  return await endTransaction(connection, work)
}

function isOpen({ client }: WarehouseClient): boolean {
  return client.getTransactionStatus() === 'T'
}

async function endTransaction<T>({ client }: WarehouseClient, work: () => Promise<T>): Promise<T> {
  try {
    const result = await work()
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback').catch(() => {}) // the connection itself may be what failed
    throw error
  }
}

/** Attempts at a transaction that Postgres asks to repeat. */
const ATTEMPTS = 4

/**
 * Runs `work` in one transaction that holds the warehouse's lock: there is one writer at a time,
 * and a reader sees all of its work or nothing (I5). Only the owner has rights on the table that is
 * locked, so a reader cannot take the lock. The schema and that table are created if missing.
 *
 * After a deadlock or a serialization failure nothing was done, and `work` runs again, up to three
 * times. So `work` must read everything on which it decides. Throws `ConflictError` (`RUN_LOCKED`)
 * if another run holds the lock for longer than `waitMs`.
 */
export async function inLockedTransaction<T>(
  connection: WarehouseClient,
  waitMs: number,
  work: () => Promise<T>,
): Promise<T> {
  let isLocked = false
  const isNew = (error: unknown) => !isLocked && codeOf(error) === SQL_STATE.undefinedTable
  const attempt = async (): Promise<T> => {
    isLocked = false
    await beginWriting(connection)
    return await endTransaction(connection, async () => {
      await lockWarehouse(connection, waitMs)
      isLocked = true
      return await work()
    })
  }
  return await retry(attempt, {
    attempts: ATTEMPTS,
    isPassing: (error) => isNew(error) || isRepeatable(error),
    onRetry: async (error) => {
      if (isNew(error)) await makeLock(connection, waitMs)
    },
  })
}

/** The table that the one writer locks. */
export const LOCK = 'tidemark_lock'

async function lockWarehouse(connection: WarehouseClient, waitMs: number): Promise<void> {
  await limitWaits(connection, waitMs, `lock table ${LOCK} in exclusive mode`)
}

/**
 * Runs a statement that may have to wait for another run. The limit also applies to later
 * statements in the transaction.
 */
async function limitWaits(
  { client, warehouse }: WarehouseClient,
  waitMs: number,
  statement: string,
): Promise<void> {
  try {
    // 0 would mean no limit.
    await client.query(`
      set local lock_timeout = ${Math.max(1, Math.round(waitMs))};
      ${statement}`)
  } catch (error) {
    if (codeOf(error) !== SQL_STATE.lockNotAvailable) throw error
    throw new ConflictError(
      `Another run has been writing to ${warehouse.title} for more than ${waitMs / 1000} s`,
      {
        code: 'RUN_LOCKED',
        hint: 'wait for it to end and run again; nothing was changed',
        cause: error,
      },
    )
  }
}

/**
 * Takes the lock in the open transaction, after it creates the lock and its schema if they are
 * missing. For a rehearsal, which rolls all of it back.
 */
export async function prepareLock(connection: WarehouseClient, waitMs: number): Promise<void> {
  await makeSchema(connection)
  await makeLockTable(connection)
  await lockWarehouse(connection, waitMs)
}

/** Creates the table that a run locks, in the open transaction, if it is missing. */
export async function makeLockTable({ client }: WarehouseClient): Promise<void> {
  await client.query(`create table if not exists ${LOCK} ()`)
}

/**
 * Creates the warehouse's schema, in the open transaction, if it is missing. Throws `ConfigError`
 * (`WAREHOUSE_PERMISSION`) if it is closed to this user.
 */
export async function makeSchema({ client, warehouse }: WarehouseClient): Promise<void> {
  const schema = identifier(warehouse.schema)
  const found = await client.query<{ there: boolean; closed: boolean; user: string }>(SCHEMA, [
    schema,
  ])
  const { there, closed, user } = onlyRow(found)
  if (!there) await client.query(`create schema ${schema}`)
  else if (closed) throw forbidden(warehouse, user)
}

/** The error for a user who may not use the warehouse's schema. */
export function forbidden({ title, schema }: Warehouse, user: string): ConfigError {
  return new ConfigError(`${title} does not let ${user} use its schema ${schema}`, {
    code: 'WAREHOUSE_PERMISSION',
    hint: `grant usage on schema ${identifier(schema)} to ${identifier(user)};`,
  })
}

/**
 * Creates the table that is locked, and its schema if missing. If two runs create it at once, one
 * of them succeeds and the other goes on. A user who may create tables in the schema need not have
 * the right to create schemas.
 */
async function makeLock(connection: WarehouseClient, waitMs: number): Promise<void> {
  try {
    await inTransaction(connection, async () => {
      await makeSchema(connection)
      await limitWaits(connection, waitMs, `create table ${LOCK} ()`)
    })
  } catch (error) {
    if (!WAS_MADE.has(codeOf(error) ?? '')) throw error
  }
}

/** What the second of two runs gets when both create one schema or table. */
export const WAS_MADE: ReadonlySet<string> = new Set([
  SQL_STATE.duplicateSchema,
  SQL_STATE.duplicateTable,
  SQL_STATE.duplicateObject,
  SQL_STATE.uniqueViolation,
])

function isRepeatable(error: unknown): boolean {
  const code = codeOf(error)
  return code === SQL_STATE.serializationFailure || code === SQL_STATE.deadlockDetected
}
