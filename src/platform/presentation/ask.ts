import { mapPostgresError } from '../io/postgres-errors.ts'
import { limitReceivedBytes } from '../io/postgres-text.ts'
import { beginReading } from '../warehouse/warehouse.ts'
import { type ResultColumn, DECLARATION, openCursor, type Row } from './cursor.ts'
import { bindStatement, type Filters } from './question.ts'
import type { Reader, ReaderSession } from './reader.ts'
import { findForbidden, type Forbidden } from './statement-guard.ts'

export interface AskOptions {
  /** Values for `:'name'` in the statement, so that a saved question can be asked as it is. */
  readonly filters?: Filters
  /** Rows beyond this are left out. Default 1000. */
  readonly maxRows?: number
  /** Rows stop coming once this much was received. Default 4 million. */
  readonly maxBytes?: number
  /** For the whole statement with all its rows. Default 8000. */
  readonly timeoutMs?: number
  /** Aborted when whoever asks has gone. */
  readonly signal?: AbortSignal
}

export interface AskedRows {
  readonly isAnswered: true
  readonly columns: readonly ResultColumn[]
  readonly rows: readonly Row[]
  /** There are more rows than came back. */
  readonly isTruncated: boolean
  readonly durationMs: number
}

/** Why a statement has no answer, for whoever wrote it: shown to them and never logged. */
export interface AskRefusal {
  readonly isAnswered: false
  /** Manual, appendix A. */
  readonly sqlState: string
  readonly message: string
  readonly hint: string | undefined
  /** Where in the statement, counted from 1; undefined where Postgres does not say. */
  readonly position: number | undefined
}

// SQLSTATEs, manual, appendix A.
const SYNTAX_ERROR = '42601'
const QUERY_CANCELED = '57014'
const LIMIT_EXCEEDED = '54000'
const INSUFFICIENT_PRIVILEGE = '42501'
const UNTRANSLATABLE = '22P05'

/** Longer statements are refused. */
const MAX_STATEMENT_CHARS = 100_000

/** Rows asked for at a time: so many may be received beyond `maxBytes`. */
const FETCH_ROWS = 50

/**
 * Runs one select from somebody who may be hostile, and changes nothing. It is safe because of what
 * each layer cannot do: the role can only read; the transaction is read-only and always rolled
 * back; the statement is a cursor's declaration, and the extended protocol takes only one statement;
 * it names no function that may do more than compute (no rollback undoes what those do); time, rows
 * and bytes are bounded; and the connection is closed afterwards, with all that the statement left
 * behind. Returns a refusal for what is wrong with the statement; throws as `Reader.open` when the
 * warehouse is away or busy.
 */
export async function ask(
  reader: Reader,
  sql: string,
  options: AskOptions = {},
): Promise<AskedRows | AskRefusal> {
  const unfit = findUnfit(sql)
  if (unfit !== undefined) return unfit
  const { filters = {}, maxRows = 1000, maxBytes = 4_000_000, timeoutMs = 8000, signal } = options
  await using session = await reader.open(signal === undefined ? {} : { signal })
  const { client } = session
  const received = limitReceivedBytes(client, maxBytes * 2)
  const startedAt = performance.now()
  const deadline = startedAt + timeoutMs
  const watching = watch(session, { timeoutMs, signal })
  const statement = bindStatement(sql, filters)

  // Set again before each fetch, in case a statement finds a way to lift the limits of later ones.
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
      return rows.length > 0 ? answered(true) : refuse(LIMIT_EXCEEDED, tooLarge(maxBytes))
    }
    if (signal?.aborted === true) return refuse(QUERY_CANCELED, 'Nobody waits for it any more')
    const { code = '' } = error as { code?: string }
    if (performance.now() >= deadline || code === QUERY_CANCELED) {
      return refuse(QUERY_CANCELED, `It took longer than ${timeoutMs / 1000} s and was stopped`)
    }
    if (!/^[0-9A-Z]{5}$/.test(code) || code === 'EPIPE') {
      throw mapPostgresError(error, reader.warehouse)
    }
    return describeFault(error, { sql, isAsWritten: statement.text === sql })
  } finally {
    await watching.end()
    if (!session.isLost) await client.query('rollback').catch(() => {}) // closed after it anyway
  }
}

/** What the protocol itself could not carry: a zero byte ends a text there. */
function findUnfit(sql: string): AskRefusal | undefined {
  if (sql.trim() === '') return refuse(SYNTAX_ERROR, 'There is no statement')
  if (sql.includes('\0')) return refuse(UNTRANSLATABLE, 'The statement has a zero byte')
  if (sql.length <= MAX_STATEMENT_CHARS) return undefined
  return refuse(LIMIT_EXCEEDED, `The statement has more than ${MAX_STATEMENT_CHARS} characters`)
}

function tooLarge(maxBytes: number): string {
  return `The first rows have more than ${maxBytes / 1_000_000} MB: leave out the large column`
}

function refuse(sqlState: string, message: string): AskRefusal {
  return { isAnswered: false, sqlState, message, hint: undefined, position: undefined }
}

function forbid({ name, position }: Forbidden, isAsWritten: boolean): AskRefusal {
  return {
    isAnswered: false,
    sqlState: INSUFFICIENT_PRIVILEGE,
    message: `${name} may do more than read, so a question may not name it`,
    hint: 'leave the name out, in strings and comments too; if it names a column, use another name',
    position: isAsWritten ? position : undefined,
  }
}

/** What Postgres says of the statement, its position counted in the text that was written. */
function describeFault(
  error: unknown,
  { sql, isAsWritten }: { sql: string; isAsWritten: boolean },
): AskRefusal {
  const fault = error as { code: string; message: string; hint?: string; position?: string }
  const position = Number(fault.position) - DECLARATION.length
  return {
    isAnswered: false,
    sqlState: fault.code,
    message: fault.message,
    hint: fault.hint,
    position: isAsWritten && position >= 1 && position <= sql.length + 1 ? position : undefined,
  }
}

/**
 * Stops the statement on the server when its time is over or nobody waits for it, then cuts the
 * connection, in case the server cannot be told.
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
  // Postgres' own limit comes first; this is for a server that does not keep to it.
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
