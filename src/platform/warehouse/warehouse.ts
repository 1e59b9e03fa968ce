import { ConflictError } from '../errors.ts'
import { type Client, connect, type Database } from '../postgres.ts'
import { identifier } from '../sql.ts'

/** The Postgres database that holds the stars. */
export interface Warehouse extends Database {
  readonly schema: string
  /** Role that may read the stars, the history and the status, granted if it exists. */
  readonly readerRole?: string
}

export interface WarehouseClient extends AsyncDisposable {
  readonly warehouse: Warehouse
  readonly client: Client
}

/** Connects with the warehouse's schema as the whole search path. Errors as `connect`. */
export async function openWarehouse(warehouse: Warehouse): Promise<WarehouseClient> {
  const connection = await connect({
    ...warehouse,
    session: `set search_path = ${identifier(warehouse.schema)}; set timezone = 'UTC';
      set datestyle = 'ISO, YMD'; set extra_float_digits = 3; set client_encoding = 'UTF8'; set jit = off`,
  })
  return {
    warehouse,
    client: connection.client,
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  }
}

/** Runs of a transaction that Postgres asks to repeat. */
const ATTEMPTS = 4

/**
 * Runs `work` in one transaction that holds the warehouse's advisory lock: one writer at a time,
 * and a reader sees all of it or nothing (I5). After a deadlock or a serialization failure nothing
 * of it was done, and it is run again, up to three times, so `work` must read what it decides on.
 * Throws `ConflictError` when another run holds the lock for longer than `waitMs`.
 */
export async function inLockedTransaction<T>(
  { client, warehouse }: WarehouseClient,
  waitMs: number,
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    await client.query('begin')
    try {
      await client.query(`set local lock_timeout = ${Math.round(waitMs)}`)
      await lockWarehouse(client, warehouse, waitMs)
      const result = await work()
      await client.query('commit')
      return result
    } catch (error) {
      await client.query('rollback').catch(() => {}) // the connection itself may be what failed
      if (!isRepeatable(error) || attempt === ATTEMPTS) throw error
    }
  }
}

async function lockWarehouse(client: Client, warehouse: Warehouse, waitMs: number): Promise<void> {
  try {
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [
      `tidemark ${warehouse.schema}`,
    ])
  } catch (error) {
    if (codeOf(error) !== LOCK_NOT_AVAILABLE) throw error
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

// SQLSTATEs, manual appendix A.
const LOCK_NOT_AVAILABLE = '55P03'
const SERIALIZATION_FAILURE = '40001'
const DEADLOCK_DETECTED = '40P01'

function isRepeatable(error: unknown): boolean {
  const code = codeOf(error)
  return code === SERIALIZATION_FAILURE || code === DEADLOCK_DETECTED
}

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string }).code
}
