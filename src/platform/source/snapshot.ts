import { codeOf, ContractError, TransientError } from '../errors.ts'
import type { Database } from '../io/database.ts'
import { mapPostgresError, withPostgresErrors } from '../io/postgres-errors.ts'
import { hostOf } from '../io/postgres-url.ts'
import { type Client, connect, onlyRow, type PostgresClient } from '../io/postgres.ts'
import { begin, NO_TIME_LIMITS, type Settings, TEXT_SETTINGS } from '../io/session.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import { beginIdentified } from './begin-identified.ts'
import { selectReplayed } from './evidence.ts'
import { isBehind } from './horizon.ts'
import type { SnapshotIdentity } from './identity.ts'
import { createReaders, type ReaderNeed, type Readers } from './readers.ts'

/** An open `REPEATABLE READ READ ONLY` transaction. All its reads see one moment (I2). */
export interface PostgresSnapshot extends AsyncDisposable {
  readonly database: Database
  /** The first connection. While tables are read side by side, only `readers` may use it. */
  readonly client: Client
  readonly readers: Readers
  readonly identity: SnapshotIdentity
  /** Opens another connection in the same snapshot, which the caller closes. */
  openAnother(): Promise<PostgresClient>
  /**
   * Makes sure that this snapshot is not older than an earlier one. Waits for a standby that has
   * not replayed as much; then the snapshot begins again, with another `identity`. Throws
   * `TransientError` (`SOURCE_BEHIND`) if the standby does not catch up in time.
   */
  reach(before: SnapshotIdentity): Promise<void>
}

/** How long to wait for a lock that somebody else holds. */
export const LOCK_WAIT = '2s'

const SETTINGS: Settings = {
  ...TEXT_SETTINGS,
  ...NO_TIME_LIMITS,
  lock_timeout: LOCK_WAIT,
  search_path: '',
}

const MODE = 'isolation level repeatable read read only'

/** How long to wait for a second connection. A pooler may have none, and then one must do. */
const ANOTHER_TIMEOUT_MS = 5000

/** How long to wait for a standby that is behind, and how often to ask it. */
const BEHIND = { waitMs: 10_000, everyMs: 100 }

/** How long a standby that is behind may take to catch up. */
export interface SnapshotOptions {
  readonly behindWaitMs?: number
}

/**
 * Opens the snapshot in which a batch is read. Needs only `SELECT` on the tables. Throws what
 * `connect` throws, and `TransientError` (`SOURCE_SEVERAL`) if a pooler answers from several
 * standbys.
 */
export async function openSnapshot(
  database: Database,
  { behindWaitMs = BEHIND.waitMs }: SnapshotOptions = {},
): Promise<PostgresSnapshot> {
  const connection = await connect(database)
  try {
    const { client } = connection
    let begun = await withPostgresErrors(database, () => beginSnapshot(connection, database))
    let exported: Promise<string> | undefined
    const share = () => (exported ??= withPostgresErrors(database, () => exportSnapshot(client)))
    const openAnother = async () => await openIn(database, await share())
    const readers = createReaders(client, { share, open: openAnother })
    return {
      database,
      client,
      readers,
      get identity() {
        return begun.identity
      },
      openAnother,
      async reach(before) {
        const { identity, reached } = begun
        if (!isBehind({ ...identity, wal: reached }, before)) return
        await withPostgresErrors(database, async () => {
          await client.query('rollback')
          await waitForReplay(connection, { database, identity, before, waitMs: behindWaitMs })
          begun = await beginSnapshot(connection, database)
        })
        exported = undefined
      },
      async [Symbol.asyncDispose]() {
        await readers[Symbol.asyncDispose]()
        await connection[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await connection[Symbol.asyncDispose]()
    throw error
  }
}

/**
 * Reads from one table so that a failure concerns only that table. A failed statement would end the
 * transaction, and with it the snapshot of all tables. So a savepoint is set before the read, and a
 * failed read returns to it (manual, SAVEPOINT). `work` has its connection for itself.
 *
 * Throws `ContractError` (`TABLE_UNREADABLE`, with Postgres' error as its cause) if the server
 * refused this read but can go on with others. Throws what `mapPostgresError` returns for any other
 * error.
 */
export async function attemptRead<T>(
  snapshot: Pick<PostgresSnapshot, 'client' | 'readers' | 'database'>,
  table: ReadTable & ReaderNeed,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  let used = snapshot.client
  const read = async (client: Client) => {
    used = client
    return await attemptOnce(client, { database: snapshot.database, table, work })
  }
  try {
    return await snapshot.readers.use(table, read)
  } catch (error) {
    // A session that waits for a lock on the table makes other connections wait behind it. The first
    // connection has its lock already.
    const isLocked = error instanceof Error && codeOf(error.cause) === SQL_STATE.lockNotAvailable
    if (used === snapshot.client || !isLocked) throw error
  }
  return await snapshot.readers.use({ first: true }, read)
}

type ReadTable = Readonly<{ name: string; hasXmin: boolean }>

async function attemptOnce<T>(
  client: Client,
  {
    database,
    table,
    work,
  }: { database: Database; table: ReadTable; work: (client: Client) => Promise<T> },
): Promise<T> {
  await withPostgresErrors(database, () => client.query('savepoint tidemark_read'))
  try {
    const result = await work(client)
    await client.query('release savepoint tidemark_read')
    return result
  } catch (error) {
    const isAlive = await client
      .query('rollback to savepoint tidemark_read; release savepoint tidemark_read')
      .then(
        () => true,
        () => false,
      )
    const sqlState = codeOf(error)
    if (!isAlive || sqlState === '' || !isOfTable(sqlState, table)) {
      throw mapPostgresError(error, database)
    }
    throw new ContractError(`Table ${table.name}: ${database.title} cannot read it [${sqlState}]`, {
      code: 'TABLE_UNREADABLE',
      hint: "run in psql, as the same user: begin read only; set local search_path = ''; then select all its rows, and the server says what is wrong",
      cause: error,
    })
  }
}

/**
 * Whether an error from the server concerns only the table that was read, and the transaction goes
 * on. A serialization failure or a deadlock needs a new snapshot. So does a table that was altered
 * meanwhile: the next snapshot shows the change. A view or a foreign table may raise any other code
 * from the relations behind it, such as "read-only transaction" from a view that writes.
 */
function isOfTable(sqlState: string, { hasXmin }: { hasXmin: boolean }): boolean {
  if (!/^[0-9A-Z]{5}$/.test(sqlState) || sqlState.startsWith('40')) return false
  return !hasXmin || !/^(42501|42P01|42703|3F000)$/.test(sqlState)
}

async function exportSnapshot(client: Client): Promise<string> {
  return onlyRow(await client.query<{ id: string }>('select pg_export_snapshot() as id')).id
}

/** Opens a connection in an exported snapshot. */
async function openIn(database: Database, snapshot: string): Promise<PostgresClient> {
  const another = await connect({ ...database, attempts: 1 })
  try {
    const options = { database, mode: MODE, settings: SETTINGS, snapshot }
    await withPostgresErrors(database, () =>
      begin(another, { ...options, timeoutMs: ANOTHER_TIMEOUT_MS }),
    )
    return another
  } catch (error) {
    await another[Symbol.asyncDispose]()
    throw error
  }
}

/** How many times in a row a pooler may answer from another standby. */
const MAX_TRIES = 5

/** A snapshot, and the positions in the log between which it was taken. */
interface BegunSnapshot {
  /** Its position in the log was read after the snapshot, so nothing in the snapshot is newer. */
  readonly identity: SnapshotIdentity
  /** On a standby, the position before the snapshot. Everything up to it is in the snapshot. */
  readonly reached: string | undefined
}

/** Begins the snapshot. On a standby, proves what the snapshot holds at least. */
async function beginSnapshot(
  connection: PostgresClient,
  database: Database,
): Promise<BegunSnapshot> {
  const { client } = connection
  const read = () => beginIdentified(connection, { database, mode: MODE, settings: SETTINGS })
  let { identity, permitted } = await read()
  // How far a standby has replayed must be read before the snapshot, in an earlier transaction.
  for (let tries = 1; identity.standby; tries++) {
    await client.query('rollback')
    const before = await readReplayed(client, permitted)
    ;({ identity, permitted } = await read())
    if (identity.startedAt === before.startedAt) {
      return { identity: { ...identity, takenAt: before.replayedTo }, reached: before.wal }
    }
    if (tries === MAX_TRIES) {
      throw new TransientError(`Several standbys answer for ${database.title} in turn`, {
        code: `${database.code}_SEVERAL`,
        hint: `name one of them in TIDEMARK_${database.code}_URL`,
      })
    }
  }
  return { identity, reached: identity.wal }
}

/** How far a standby has replayed its primary. */
interface Replayed {
  readonly replayedTo: string
  readonly wal: string | undefined
  readonly startedAt: string | undefined
}

async function readReplayed(client: Client, permitted: readonly string[]): Promise<Replayed> {
  const row = onlyRow(
    await client.query<{ replayed_to: string; wal?: string | null; started_at?: string }>(
      selectReplayed(permitted),
    ),
  )
  return { replayedTo: row.replayed_to, wal: row.wal ?? undefined, startedAt: row.started_at }
}

/**
 * Asks a standby until it has replayed what an earlier snapshot saw. Throws `TransientError` after
 * `waitMs`.
 */
async function waitForReplay(
  { client }: PostgresClient,
  {
    database,
    identity,
    before,
    waitMs,
  }: { database: Database; identity: SnapshotIdentity; before: SnapshotIdentity; waitMs: number },
): Promise<void> {
  const deadline = Date.now() + waitMs
  for (;;) {
    // The position was read a moment ago, so this user may call the function.
    const { wal } = await readReplayed(client, ['pg_last_wal_replay_lsn()'])
    if (!isBehind({ ...identity, wal }, before)) return
    if (Date.now() >= deadline) {
      throw new TransientError(
        `${database.title} at ${hostOf(database.url)} is a standby that has replayed up to ${wal}; ` +
          `the last batch was read at ${before.wal}`,
        {
          code: `${database.code}_BEHIND`,
          hint: 'run it again once the standby has caught up (if it is paused: select pg_wal_replay_resume()), or read the primary; nothing was written',
        },
      )
    }
    await new Promise((resolve) => setTimeout(resolve, BEHIND.everyMs))
  }
}
