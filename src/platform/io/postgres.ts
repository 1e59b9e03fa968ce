import { readFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { codeOf, TransientError } from '../errors.ts'
import type { KeptConnection } from './connection-pool.ts'
import type { Database } from './database.ts'
import { mapPostgresError } from './postgres-errors.ts'
import { parseUrl } from './postgres-url.ts'
import { retry } from './retry.ts'
import { type Heard, watchSilence } from './silence.ts'
import { SQL_STATE } from './sql-states.ts'

const ACTIVITY = readFileSync(new URL('./session-activity.sql', import.meta.url), 'utf8')

export type Client = pg.Client

/** An open connection. Disposing of it closes it, or gives it back to the database's pool. */
export interface PostgresClient extends AsyncDisposable {
  readonly client: Client
  /** The `application_name` that only this connection's transactions have. */
  readonly mark: string
}

const CONNECT_TIMEOUT_MS = 10_000
const SILENCE_MS = 30_000
const KEEP_ALIVE_MS = 10_000
const CLOSE_TIMEOUT_MS = 3000

/**
 * Connects, or takes a connection from the database's pool. Tries again after errors that may pass by themselves (refused, timed out, starting up,
 * too many clients). Requires TLS with a verified certificate unless the host is this machine. A
 * statement whose answer is lost fails within about twice `silenceMs`, and closing takes a few
 * seconds at most. Throws `ConfigError` if somebody must edit something, and `TransientError` if
 * the database is unreachable.
 */
export async function connect(database: Database): Promise<PostgresClient> {
  // A new connection also ends the sessions of lost ones, which may hold locks.
  const kept = lost.has(database.url) ? undefined : await database.pool?.take(database.url)
  if (kept !== undefined) return lend(kept, database)
  const attempts = database.attempts ?? 4
  const startedAt = Date.now()
  try {
    const opened = await retry(() => connectOnce(database), {
      attempts,
      isPassing: (error) => mapPostgresError(error, database) instanceof TransientError,
      pauseMs: database.pauseMs ?? 500,
    })
    return lend(opened, database)
  } catch (error) {
    const mapped = mapPostgresError(error, database)
    if (!(mapped instanceof TransientError)) throw mapped
    const seconds = Math.round((Date.now() - startedAt) / 1000)
    const tried = attempts === 1 ? '' : `; tried ${attempts} times in ${seconds} s`
    throw new TransientError(mapped.message + tried, {
      code: mapped.code,
      hint: 'tidemark doctor',
      cause: error,
    })
  }
}

/** Connects once, ends the lost sessions of earlier connections, and watches for silence. */
async function connectOnce(database: Database): Promise<KeptConnection> {
  const silenceMs = database.silenceMs ?? SILENCE_MS
  const mark = `tidemark ${randomBytes(6).toString('hex')}`
  const timeoutMs = Math.min(CONNECT_TIMEOUT_MS, silenceMs)
  const options = {
    ...parseUrl(database),
    application_name: 'tidemark',
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    connectionTimeoutMillis: timeoutMs,
  }
  const client = await open(options)
  await endLost(client, database)
  const watch = watchSilence(client, {
    silenceMs,
    ask: () => askActivity(options, { mark, timeoutMs }),
    onCut: () => lost.set(database.url, [...(lost.get(database.url) ?? []), mark]),
  })
  client.once('end', () => watch.end())
  return { client, mark, isReady: () => watch.isReady(), close: () => close(client) }
}

function lend(opened: KeptConnection, database: Database): PostgresClient {
  const { client, mark } = opened
  return {
    client,
    mark,
    async [Symbol.asyncDispose]() {
      const isKept = (await database.pool?.keep(database.url, opened)) ?? false
      if (!isKept) await opened.close()
    },
  }
}

async function open(options: pg.ClientConfig): Promise<Client> {
  const client = new pg.Client(options)
  // If a connection is lost between two queries, the next query reports it. Without a listener,
  // Node would exit.
  client.on('error', () => {})
  await client.connect()
  return client
}

/** Marks of the connections that were cut, by connection string. */
const lost = new Map<string, readonly string[]>()

/**
 * Terminates the server's sessions for connections that were cut. The server cannot know that
 * nobody will continue them, and would keep their locks. A role may be forbidden to.
 */
async function endLost(client: Client, { url }: Database): Promise<void> {
  const marks = lost.get(url)
  if (marks === undefined) return
  const query = {
    text: `select pg_catalog.pg_terminate_backend(pid)
      from pg_catalog.pg_stat_activity where application_name = any($1) and pid <> pg_backend_pid()`,
    values: [marks],
    query_timeout: CONNECT_TIMEOUT_MS,
  }
  try {
    await client.query(query)
    lost.delete(url)
  } catch (error) {
    if (codeOf(error) === SQL_STATE.insufficientPrivilege) {
      // The server itself ends such sessions within minutes (`REACH` in `session.ts`).
      lost.delete(url)
      return
    }
    client.connection.stream.destroy()
    throw error
  }
}

/** Closes a connection, and waits only briefly for a server that no longer answers. */
async function close(client: Client): Promise<void> {
  const timer = setTimeout(() => client.connection.stream.destroy(), CLOSE_TIMEOUT_MS)
  await client.end().catch(() => {})
  clearTimeout(timer)
}

/**
 * Asks on a separate connection what the server is doing for the transaction with this mark. Never
 * throws.
 */
async function askActivity(
  options: pg.ClientConfig,
  { mark, timeoutMs }: { mark: string; timeoutMs: number },
): Promise<Heard> {
  let client: Client
  try {
    client = await open(options)
  } catch (error) {
    // "Too many clients" proves that the server is there.
    return error instanceof pg.DatabaseError ? 'unknown' : 'away'
  }
  try {
    const query = {
      text: ACTIVITY,
      values: [mark],
      query_timeout: timeoutMs,
    }
    const { rows } = await client.query<{ heard: Heard }>(query)
    return rows[0]?.heard ?? 'idle'
  } catch {
    // For instance, a pooler has no server connection left for this question.
    return 'unknown'
  } finally {
    client.connection.stream.destroy()
  }
}

/** The first row of a query that always returns one. Throws `TypeError` if it returns none. */
export function onlyRow<Row>({ rows }: { readonly rows: readonly Row[] }): Row {
  const [row] = rows
  if (row === undefined) throw new TypeError('a query that always returns a row returned none')
  return row
}
