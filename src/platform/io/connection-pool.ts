import type { Socket } from 'node:net'
import type pg from 'pg'

/** An open connection that may be lent again and again. */
export interface KeptConnection {
  readonly client: pg.Client
  readonly mark: string
  /** Whether the server has answered everything that was sent. */
  isReady(): boolean
  close(): Promise<void>
}

/**
 * Keeps connections open between two uses. Connecting takes longer than a run that finds no change:
 * 10 ms on this machine, and several round trips elsewhere. A kept connection is as good as a new
 * one: its transaction and all that was set, made or locked for its session have ended.
 */
export interface ConnectionPool extends AsyncDisposable {
  /** A kept connection on which the server has just answered; undefined if there is none. */
  take(url: string): Promise<KeptConnection | undefined>
  /**
   * Keeps a connection, after rolling back what it has begun and discarding what belongs to its
   * session. Behind a pooler the server's session is not this connection's own: other clients use
   * it too, so nothing is discarded. Returns false if the connection must be closed: it is lost,
   * waits for an answer, is old, or there are enough.
   */
  keep(url: string, connection: KeptConnection): Promise<boolean>
}

/** How long and how many connections are kept. */
export interface PoolLimits {
  /** A connection that nobody wanted for so long is closed. */
  readonly idleMs?: number
  /** A connection is not lent any more this long after it was first kept. */
  readonly maxAgeMs?: number
  /** Kept connections to one database. */
  readonly size?: number
  /** How long a kept connection may take to answer before it counts as lost. */
  readonly answerMs?: number
}

/** A pool without connections. Disposing of it closes those that it keeps. */
export function createConnectionPool({
  idleMs = 60_000,
  maxAgeMs = 600_000,
  size = 2,
  answerMs = 2000,
}: PoolLimits = {}): ConnectionPool {
  const idle = new Map<string, Idle[]>()
  const since = new WeakMap<KeptConnection, number>()
  let isOpen = true

  return {
    async take(url) {
      for (;;) {
        const next = idle.get(url)?.pop()
        if (next === undefined) return undefined
        next.wake()
        if (await isAnswered(next.connection, { text: '', answerMs })) return next.connection
        await next.connection.close()
      }
    },
    async keep(url, connection) {
      const { client } = connection
      const firstKept = since.get(connection) ?? Date.now()
      const mayBeKept = () =>
        isOpen &&
        !socketOf(client).destroyed &&
        Date.now() - firstKept <= maxAgeMs &&
        (idle.get(url)?.length ?? 0) < size
      if (!mayBeKept() || !connection.isReady()) return false
      if (
        client.getTransactionStatus() !== 'I' &&
        !(await isAnswered(connection, { text: 'rollback', answerMs }))
      ) {
        return false
      }
      // A migration may have set or locked something for the session.
      const isOwn = await isOwner(connection, answerMs)
      if (isOwn && !(await isAnswered(connection, { text: 'discard all', answerMs }))) return false
      if (!mayBeKept()) return false
      const kept = idle.get(url) ?? []
      since.set(connection, firstKept)
      const forget = () => kept.splice(0, kept.length, ...kept.filter((each) => each !== one))
      const timer = setTimeout(() => {
        forget()
        void connection.close()
      }, idleMs)
      const one: Idle = {
        connection,
        wake() {
          clearTimeout(timer)
          client.off('end', forget)
          socketOf(client).ref()
        },
      }
      // An idle connection does not keep the process running.
      timer.unref()
      socketOf(client).unref()
      client.once('end', forget)
      idle.set(url, kept)
      kept.push(one)
      return true
    },
    async [Symbol.asyncDispose]() {
      isOpen = false
      const all = [...idle.values()].flat()
      idle.clear()
      for (const { connection, wake } of all) {
        wake()
        await connection.close()
      }
    },
  }
}

/**
 * The rows of a statement, after which no transaction is open. Undefined if the server does not
 * answer in time: then the connection is lost.
 */
async function ask<Row extends object>(
  { client }: KeptConnection,
  { text, answerMs }: { text: string; answerMs: number },
): Promise<readonly Row[] | undefined> {
  const query = { text, query_timeout: answerMs }
  const rows = await client.query<Row>(query).then(
    (found) => (client.getTransactionStatus() === 'I' ? found.rows : undefined),
    () => undefined,
  )
  // Nobody waits for the rest of a late answer.
  if (rows === undefined) socketOf(client).destroy()
  return rows
}

async function isAnswered(...asked: Parameters<typeof ask>): Promise<boolean> {
  return (await ask(...asked)) !== undefined
}

/** What `isOwner` has found, by connection. */
const owners = new WeakMap<KeptConnection, boolean>()

/**
 * Whether the server's session belongs to this connection alone. A pooler gives each transaction
 * another session, so it answers a new connection with a process number of its own.
 */
async function isOwner(connection: KeptConnection, answerMs: number): Promise<boolean> {
  const known = owners.get(connection)
  if (known !== undefined) return known
  const { client } = connection
  const text = 'select pg_catalog.pg_backend_pid() as pid'
  const rows = await ask<{ pid: number }>(connection, { text, answerMs })
  const isSame = 'processID' in client && rows?.[0]?.pid === client.processID
  if (rows !== undefined) owners.set(connection, isSame)
  return isSame
}

interface Idle {
  readonly connection: KeptConnection
  /** Ends the wait: no timer, and the process runs as long as the connection is open. */
  wake(): void
}

function socketOf({ connection }: pg.Client): Socket {
  return connection.stream as Socket
}
