import { readFileSync } from 'node:fs'
import { codeOf, ConfigError, TidemarkError, TransientError } from '../errors.ts'
import { mapPostgresError, withPostgresErrors } from '../io/postgres-errors.ts'
import { onlyRow } from '../io/postgres.ts'
import { retry } from '../io/retry.ts'
import {
  beginReading,
  openWarehouse,
  type Warehouse,
  type WarehouseClient,
} from '../warehouse/warehouse.ts'
import { createGate } from './gate.ts'

const RIGHTS = readFileSync(new URL('./reader-rights.sql', import.meta.url), 'utf8')

/**
 * One connection with the reader role. Disposing closes it, so that nothing of the session remains.
 */
export interface ReaderSession extends WarehouseClient {
  /** Whether the connection has ended. */
  readonly isLost: boolean
  /** Asks the server to stop the session's statement; harmless if none is running. */
  cancel(): Promise<void>
}

/** Read-only access to the warehouse. Disposing closes every connection. */
export interface Reader extends AsyncDisposable {
  readonly warehouse: Warehouse
  /**
   * Runs `work` in one read-only snapshot on a shared connection, so only for the platform's own
   * SQL. The transaction is rolled back. If the connection is lost, `work` runs once more on a new
   * one. Throws `TransientError` (`READER_BUSY`) if every connection is busy for too long,
   * otherwise what `connect` throws.
   */
  read<Result>(work: (session: WarehouseClient) => Promise<Result>): Promise<Result>
  /**
   * Opens a separate connection, for SQL from users or for a long answer. Waits and throws
   * like `read`.
   */
  open(options?: { signal?: AbortSignal }): Promise<ReaderSession>
}

/** Limits of a reader's connections. */
export interface ReaderOptions {
  /** Connections that `read` shares. Default 4. */
  readonly shared?: number
  /** Maximum number of sessions from `open` at one time. Default 4. */
  readonly separate?: number
  /** Milliseconds to wait for a connection. Default 5000. */
  readonly waitMs?: number
  /** Time limit in milliseconds of each statement in `read`. Default 15000. */
  readonly statementTimeoutMs?: number
  /**
   * Milliseconds after which an unused connection is not used again: a process that was stopped for
   * a while does not learn that its connections are gone. Default: no limit.
   */
  readonly maxIdleMs?: number
}

/**
 * Creates a reader of a warehouse. It connects when it is first asked. Each new connection is
 * checked for its rights: a role that could write is refused with `ConfigError`
 * (`…_READER_RIGHTS`), whatever the connection is for.
 */
export function createReader(
  warehouse: Warehouse,
  {
    shared = 4,
    separate = 4,
    waitMs = 5000,
    statementTimeoutMs = 15_000,
    maxIdleMs = Number.POSITIVE_INFINITY,
  }: ReaderOptions = {},
): Reader {
  const sessions = keepSessions(warehouse, maxIdleMs)
  const busy = () =>
    new TransientError(`Too many readers are using ${warehouse.title} right now`, {
      code: 'READER_BUSY',
      hint: 'try again in a moment',
    })
  const sharedGate = createGate({ places: shared, waitMs, busy })
  const separateGate = createGate({ places: separate, waitMs, busy })
  return {
    warehouse,
    async read(work) {
      sessions.checkOpen()
      await sharedGate.enter()
      try {
        let session: ReaderSession | undefined
        const attempt = async (number: number) => {
          session = undefined
          // An error that ended one session may have ended all of them.
          if (number > 1) await sessions.closeIdle()
          session = await sessions.take()
          return await readOnce(sessions, { session, work, statementTimeoutMs })
        }
        return await retry(attempt, {
          attempts: 2,
          isPassing: (error) => session !== undefined && mayPass(error) && !sessions.isClosed(),
        })
      } finally {
        sharedGate.leave()
      }
    },
    async open({ signal } = {}) {
      sessions.checkOpen()
      await separateGate.enter(signal)
      try {
        return leaveOnce(await sessions.connect(), async (session) => {
          await sessions.close(session).finally(separateGate.leave)
        })
      } catch (error) {
        separateGate.leave()
        throw error
      }
    },
    [Symbol.asyncDispose]: () => sessions[Symbol.asyncDispose](),
  }
}

/**
 * The connections of a reader. Disposing closes all of them, also those that are just being opened.
 */
interface Sessions extends AsyncDisposable {
  readonly warehouse: Warehouse
  isClosed(): boolean
  /** Throws once the sessions are closed. */
  checkOpen(): void
  connect(): Promise<ReaderSession>
  /** Returns a session that was given back, or else a new one. */
  take(): Promise<ReaderSession>
  /** Keeps a session for the next `take`, or closes it if it cannot be used again. */
  giveBack(session: ReaderSession): Promise<void>
  close(session: ReaderSession): Promise<void>
  closeIdle(): Promise<void>
}

function keepSessions(warehouse: Warehouse, maxIdleMs: number): Sessions {
  const idle: { readonly session: ReaderSession; readonly since: number }[] = []
  const open = new Set<ReaderSession>()
  let isClosed = false
  const close = async (session: ReaderSession): Promise<void> => {
    open.delete(session)
    await session[Symbol.asyncDispose]()
  }
  const connect = async (): Promise<ReaderSession> => {
    const session = await openSession(warehouse)
    if (isClosed) {
      await session[Symbol.asyncDispose]()
      throw closed(warehouse)
    }
    open.add(session)
    return session
  }
  return {
    warehouse,
    isClosed: () => isClosed,
    checkOpen() {
      if (isClosed) throw closed(warehouse)
    },
    connect,
    close,
    async take() {
      for (let found = idle.pop(); found !== undefined; found = idle.pop()) {
        // Uses the system's clock, because a process's own clock may stop while the process is
        // stopped.
        if (Date.now() - found.since <= maxIdleMs) return found.session
        // Not awaited: a close that is never answered takes minutes.
        void close(found.session)
      }
      return await connect()
    },
    async giveBack(session) {
      if (open.has(session) && !session.isLost && !isClosed) {
        idle.push({ session, since: Date.now() })
      } else await close(session)
    },
    async closeIdle() {
      await Promise.all(idle.splice(0).map(({ session }) => close(session)))
    },
    async [Symbol.asyncDispose]() {
      isClosed = true
      await Promise.all([...open].map((session) => close(session)))
    },
  }
}

/**
 * How questions are planned: without compiling a plan, which takes longer than most of them (0.3 s
 * for a question of 0.2 s), and with enough memory to sort and group a year.
 */
const FOR_QUESTIONS = `
  set local jit = off;
  set local work_mem = '32MB'`

/** Runs `work` in one read-only snapshot on a session, then gives the session back. */
async function readOnce<Result>(
  sessions: Sessions,
  {
    session,
    work,
    statementTimeoutMs,
  }: {
    session: ReaderSession
    work: (session: WarehouseClient) => Promise<Result>
    statementTimeoutMs: number
  },
): Promise<Result> {
  const { client } = session
  try {
    await beginReading(session)
    try {
      await client.query(`
        set local statement_timeout = ${statementTimeoutMs};
        ${FOR_QUESTIONS}`)
      return await work(session)
    } finally {
      await client.query('rollback').catch(() => sessions.close(session))
    }
  } catch (error) {
    throw mapPostgresError(error, sessions.warehouse)
  } finally {
    await sessions.giveBack(session)
  }
}

/** A session that runs `leave` when it is first disposed of, instead of closing. */
function leaveOnce(
  session: ReaderSession,
  leave: (session: ReaderSession) => Promise<void>,
): ReaderSession {
  let isLeft = false
  return {
    ...session,
    get isLost() {
      return session.isLost
    },
    async [Symbol.asyncDispose]() {
      if (isLeft) return
      isLeft = true
      await leave(session)
    },
  }
}

async function openSession(warehouse: Warehouse): Promise<ReaderSession> {
  // One attempt, so that a page learns at once that the warehouse is away.
  const target = { ...warehouse, attempts: 1 }
  const connection = await openWarehouse(target)
  const { client, mark, [Symbol.asyncDispose]: dispose } = connection
  let isLost = false
  client.on('end', () => {
    isLost = true
  })
  const { beyond } = await withPostgresErrors(warehouse, async () => {
    await beginReading(connection)
    const found = await client.query<{ beyond: string | null }>(RIGHTS, [warehouse.schema])
    await client.query('rollback')
    return onlyRow(found)
  }).catch(async (error: unknown) => {
    await dispose()
    throw error
  })
  if (beyond !== null) {
    await dispose()
    throw new ConfigError(`The role for reading ${warehouse.title} ${beyond}`, {
      code: `${warehouse.code}_READER_RIGHTS`,
      hint: `set TIDEMARK_${warehouse.code}_READER_URL to connect as ${warehouse.readerRole ?? 'a role with nothing but SELECT'}`,
    })
  }
  return {
    warehouse,
    client,
    mark,
    get isLost() {
      return isLost
    },
    async cancel() {
      if (isLost) return
      await using other = await openWarehouse(target)
      // Finds the backend by the mark of our transaction: behind a pooler, its process id may
      // already serve another transaction.
      await other.client.query(
        `select pg_catalog.pg_cancel_backend(pid)
         from pg_catalog.pg_stat_activity where application_name = $1`,
        [mark],
      )
    },
    [Symbol.asyncDispose]: dispose,
  }
}

/**
 * Whether the same work may succeed on another try: the connection was lost, or a standby had to
 * give up the snapshot.
 */
function mayPass(error: unknown): boolean {
  if (!(error instanceof TidemarkError)) return false
  const { code, cause } = error
  const state = codeOf(cause)
  return code.endsWith('_UNREACHABLE') || /^(57P0|40001|40P01)/.test(state)
}

function closed({ title }: Warehouse): TransientError {
  return new TransientError(`No longer reading ${title}: the server is stopping`, {
    code: 'READER_CLOSED',
  })
}
