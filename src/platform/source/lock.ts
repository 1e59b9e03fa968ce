import { codeOf } from '../errors.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import type { Client } from '../io/postgres.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import type { Breach } from './contract.ts'
import { LOCK_WAIT, type PostgresSnapshot } from './snapshot.ts'

/** The reason for holding a table that somebody has locked. The lock ends by itself. */
export const LOCKED = 'locked'

/** The breach of a locked table. It ends when the next run can read the table. */
export const LOCKED_BREACH: Breach = {
  reason: LOCKED,
  detail: 'somebody holds a lock on it; the next run reads it',
}

const NOT_ON_STANDBY: Breach = {
  reason: 'not_on_standby',
  detail: 'it is an unlogged table, and only the primary has its rows',
}

/** How long to wait for each further table once one was found locked. */
const EACH_MS = 100

/** A relation to lock for reading. `relation` is quoted. */
export interface Lockable {
  readonly name: string
  readonly relation: string
}

/**
 * Takes the lock that a read takes on each relation, on its partitions and on everything that a
 * view reads, and keeps it until the snapshot ends, so that nobody can lock them against us later.
 * Returns, by name, why a relation cannot be read, and goes on with the others. Missing and
 * forbidden relations are left to the caller. Waits for all relations together as long as the
 * snapshot waits for one lock, then briefly for each. If nothing is locked, this takes one round
 * trip.
 */
export async function lockTables(
  snapshot: PostgresSnapshot,
  tables: readonly Lockable[],
): Promise<ReadonlyMap<string, Breach>> {
  const breaches = new Map<string, Breach>()
  if (tables.length === 0) return breaches
  const { client, database } = snapshot
  await withPostgresErrors(database, async () => {
    const together = await tryLock(client, tables)
    if (together === undefined) return
    let hasWaited = breachOfState(together, snapshot) === LOCKED_BREACH
    for (const table of tables) {
      const code = await tryLock(client, [table], hasWaited ? EACH_MS : undefined)
      const breach = code === undefined ? undefined : breachOfState(code, snapshot)
      if (breach === undefined) continue
      breaches.set(table.name, breach)
      hasWaited ||= breach === LOCKED_BREACH
    }
  })
  return breaches
}

/**
 * Plans a read, which locks everything that it would read. Unlike `lock table`, this needs no right
 * to the whole table and works on any relation. Returns the SQLSTATE of a failure, or undefined.
 * Throws if the error ended the snapshot.
 */
async function tryLock(
  client: Client,
  tables: readonly Lockable[],
  waitMs?: number,
): Promise<string | undefined> {
  const reads = tables.map(({ relation }) => `select 1 from ${relation}`)
  const limit = waitMs === undefined ? '' : `set local lock_timeout = ${waitMs};`
  try {
    // A setting made within a savepoint outlives it unless the savepoint is rolled back.
    await client.query(`
      savepoint tidemark;
      ${limit}
      explain (costs off) ${reads.join(' union all ')};
      ${limit === '' ? '' : `set local lock_timeout = '${LOCK_WAIT}';`}
      release savepoint tidemark`)
    return undefined
  } catch (error) {
    const code = codeOf(error)
    if (!/^[0-9A-Z]{5}$/.test(code)) throw error
    // A view's function may raise any error. If the snapshot can go on, only these relations are
    // concerned.
    await client.query('rollback to savepoint tidemark').catch(() => {
      throw error
    })
    return code
  }
}

/**
 * The breach for an SQLSTATE. Undefined for all other errors, which the later read explains better.
 */
function breachOfState(code: string, { identity }: PostgresSnapshot): Breach | undefined {
  if (code === SQL_STATE.lockNotAvailable || code === SQL_STATE.deadlockDetected)
    return LOCKED_BREACH
  return code === SQL_STATE.featureNotSupported && identity.standby ? NOT_ON_STANDBY : undefined
}

/** Whether a read failed because somebody has locked what it reads. */
export function isLockTimeout(error: unknown): boolean {
  return error instanceof Error && codeOf(error.cause) === SQL_STATE.lockNotAvailable
}
