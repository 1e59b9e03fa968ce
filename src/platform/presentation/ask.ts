import { codeOf } from '../errors.ts'
import { mapPostgresError } from '../io/postgres-errors.ts'
import { limitReceivedBytes } from '../io/postgres-text.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import { beginReading } from '../warehouse/warehouse.ts'
import { type ResultColumn, DECLARATION, openCursor, type Row } from './cursor.ts'
import { bindStatement, type Filters } from './question.ts'
import type { Reader, ReaderSession } from './reader.ts'
import { findForbidden, type Forbidden } from './statement-guard.ts'

/** Filters and limits of one statement. */
export interface AskOptions {
  /** Values for `:'name'` in the statement, so that a question runs unchanged. */
  readonly filters?: Filters
  /** Maximum number of rows to return; further rows are left out. Default 1000. */
  readonly maxRows?: number
  /** No more rows are fetched once this many bytes were received. Default 4 million. */
  readonly maxBytes?: number
  /** Milliseconds for the whole statement with all its rows. Default 8000. */
  readonly timeoutMs?: number
  /** Aborted when the client has gone; the statement is then stopped. */
  readonly signal?: AbortSignal
}

/** The rows of a statement that was answered. */
export interface AskedRows {
  readonly isAnswered: true
  readonly columns: readonly ResultColumn[]
  readonly rows: readonly Row[]
  /** Whether there are more rows than were returned. */
  readonly isTruncated: boolean
  readonly durationMs: number
}

/**
 * Why a statement has no answer. It is shown to its author and never logged, because it may quote
 * values.
 */
export interface AskRefusal {
  readonly isAnswered: false
  /** The SQLSTATE (manual, appendix A). */
  readonly sqlState: string
  readonly message: string
  readonly hint: string | undefined
  /** Position in the statement, counted from 1; undefined if Postgres does not name one. */
  readonly position: number | undefined
}

/** Maximum number of characters in a statement. Longer statements are refused. */
const MAX_STATEMENT_CHARS = 100_000

/** Rows per fetch. At most this many rows are received beyond `maxBytes`. */
const FETCH_ROWS = 50

/**
 * Runs one select from an author who may be hostile, and changes nothing. Each layer limits the
 * statement: the role can only read; the transaction is read-only and is always rolled back; the
 * statement is the declaration of a cursor, and the extended protocol takes only one statement; it
 * names no function that may do more than compute, because no rollback undoes the effects of such
 * functions; time, rows and bytes are limited; and the connection is closed afterwards, with
 * everything that the statement left behind.
 *
 * Returns a refusal for an error in the statement. Throws what `Reader.open` throws if the
 * warehouse is away or busy.
 */
export async function ask(
  reader: Reader,
  sql: string,
  options: AskOptions = {},
): Promise<AskedRows | AskRefusal> {
  const unsendable = refuseUnsendable(sql)
  if (unsendable !== undefined) return unsendable
  const { filters = {}, maxRows = 1000, maxBytes = 4_000_000, timeoutMs = 8000, signal } = options
  await using session = await reader.open(signal === undefined ? {} : { signal })
  const { client } = session
  const received = limitReceivedBytes(client, maxBytes * 2)
  const startedAt = performance.now()
  const deadline = startedAt + timeoutMs
  const watching = watch(session, { timeoutMs, signal })
  const statement = bindStatement(sql, filters)

  // Set again before each fetch, in case the statement finds a way to lift the limit of later ones.
  const limit = async (): Promise<void> => {
    const restMs = Math.max(1, Math.round(deadline - performance.now()))
    await client.query(`set local statement_timeout = ${restMs}`)
  }
  const rows: Row[] = []
  let columns: readonly ResultColumn[] | undefined
  const answered = (isTruncated: boolean): AskedRows => ({
    isAnswered: true,
    columns: columns ?? [],
    rows: rows.slice(0, maxRows),
    isTruncated,
    durationMs: Math.round(performance.now() - startedAt),
  })
  try {
    await beginReading(session)
    await client.query(`
      set local lock_timeout = 1000;
      set local idle_in_transaction_session_timeout = ${timeoutMs * 2};
      set local work_mem = '16MB';
      set local jit = off;
      set local max_parallel_workers_per_gather = 0`)
    await limit()
    const forbidden = await findForbidden(client, statement.text)
    if (forbidden !== undefined) return forbid(forbidden, statement.text === sql)
    const cursor = await openCursor(client, statement)
    columns = cursor.columns
    for (;;) {
      await limit()
      const more = await cursor.fetch(Math.min(FETCH_ROWS, maxRows + 1 - rows.length))
      rows.push(...more)
      if (rows.length > maxRows) return answered(true)
      if (more.length < FETCH_ROWS) return answered(false)
      if (received.sizeBytes > maxBytes) return answered(true)
    }
  } catch (error) {
    if (received.isExceeded) {
      return rows.length > 0
        ? answered(true)
        : refusal(SQL_STATE.programLimitExceeded, describeTooLarge(maxBytes))
    }
    if (signal?.aborted === true)
      return refusal(SQL_STATE.queryCanceled, 'The client has gone, so the statement was stopped')
    const code = codeOf(error)
    if (performance.now() >= deadline || code === SQL_STATE.queryCanceled) {
      return refusal(
        SQL_STATE.queryCanceled,
        `The statement took longer than ${timeoutMs / 1000} s and was stopped`,
      )
    }
    if (!/^[0-9A-Z]{5}$/.test(code) || code === 'EPIPE') {
      throw mapPostgresError(error, reader.warehouse)
    }
    return describeError(error, { sql, isAsWritten: statement.text === sql })
  } finally {
    await watching.end()
    if (!session.isLost) await client.query('rollback').catch(() => {}) // closed after it anyway
  }
}

/**
 * The refusal of a statement that cannot be sent: it is empty, too long, or holds a zero byte,
 * which ends a text in the protocol. Undefined for any other statement.
 */
function refuseUnsendable(sql: string): AskRefusal | undefined {
  if (sql.trim() === '') return refusal(SQL_STATE.syntaxError, 'The statement is empty')
  if (sql.includes('\0'))
    return refusal(SQL_STATE.untranslatableCharacter, 'The statement holds a zero byte')
  if (sql.length <= MAX_STATEMENT_CHARS) return undefined
  return refusal(
    SQL_STATE.programLimitExceeded,
    `The statement has more than ${MAX_STATEMENT_CHARS} characters`,
  )
}

function describeTooLarge(maxBytes: number): string {
  return `The first rows are larger than ${maxBytes / 1_000_000} MB: leave out the large column`
}

function refusal(sqlState: string, message: string): AskRefusal {
  return { isAnswered: false, sqlState, message, hint: undefined, position: undefined }
}

function forbid({ name, position }: Forbidden, isAsWritten: boolean): AskRefusal {
  return {
    isAnswered: false,
    sqlState: SQL_STATE.insufficientPrivilege,
    message: `${name} may do more than read, so a question may not name it`,
    hint: 'leave the name out, in strings and comments too; if it names a column, use another name',
    position: isAsWritten ? position : undefined,
  }
}

/** Postgres' error for a statement, with its position counted in the text as it was written. */
function describeError(
  error: unknown,
  { sql, isAsWritten }: { sql: string; isAsWritten: boolean },
): AskRefusal {
  const found = error as { code: string; message: string; hint?: string; position?: string }
  const position = Number(found.position) - DECLARATION.length
  return {
    isAnswered: false,
    sqlState: found.code,
    message: found.message,
    hint: found.hint,
    position: isAsWritten && position >= 1 && position <= sql.length + 1 ? position : undefined,
  }
}

/**
 * Stops the statement on the server when its time is over or the client has gone. Then cuts the
 * connection, in case the server does not answer.
 */
function watch(
  session: ReaderSession,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal | undefined },
): { end(): Promise<void> } {
  let stopping: Promise<void> | undefined
  const stop = (): void => {
    stopping ??= session
      .cancel()
      .catch(() => {})
      .then(() => session[Symbol.asyncDispose]())
  }
  // Postgres' own limit comes first. This one is for a server that does not keep it.
  const timer = setTimeout(stop, timeoutMs + 1000)
  signal?.addEventListener('abort', stop)
  if (signal?.aborted === true) stop()
  return {
    async end() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
      await stopping
    },
  }
}
