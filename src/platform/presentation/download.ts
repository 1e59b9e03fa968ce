import { TransientError } from '../errors.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { beginReading } from '../warehouse/warehouse.ts'
import { refuseFilter, withToday } from './answer.ts'
import { openCursor, type ResultColumn, type Row } from './cursor.ts'
import { readHead } from './freshness.ts'
import { bindStatement, type Filters, filtersOf, type Question } from './question.ts'
import type { Reader, ReaderSession } from './reader.ts'

/** A file that is being read. */
export interface Download {
  /**
   * Has the question, its filters and the moment up to which the rows are complete; plain ASCII.
   */
  readonly fileName: string
  /** Ends with an error if the warehouse goes away. Cancel it to free the connection. */
  readonly body: ReadableStream<Uint8Array>
}

/** What a download is about, and its limits. */
export interface DownloadOptions {
  readonly filters?: Filters
  /** Aborted when the client has gone. */
  readonly signal?: AbortSignal
  /** Milliseconds for the whole download. Default ten minutes. */
  readonly timeoutMs?: number
  readonly now?: () => Date
}

/** Turns rows into the bytes of a file, while the rows are read. No piece is empty. */
export type FileWriter = (
  columns: readonly ResultColumn[],
  pieces: AsyncIterable<readonly Row[]>,
) => AsyncGenerator<Uint8Array>

/** Rows that are in memory at a time. */
const FETCH_ROWS = 2000
// Time limit of each statement, so also of the first rows.
const FIRST_ROWS_MS = 30_000

/**
 * Opens all rows of a question as a file, from one snapshot, in constant memory. Reads through a
 * cursor and not with COPY, which takes no parameters, so a filter never becomes part of the SQL.
 * Reads no faster than the client takes the file. Resolves once the first rows are read, so that an
 * early error is known before anything is sent. Throws what `Answers.answer` throws.
 */
export async function openDownload(
  reader: Reader,
  question: Question,
  { filters = {}, write, ...options }: DownloadOptions & { readonly write: FileWriter },
): Promise<{
  readonly body: Download['body']
  /** The filters that the question knows and that have a value. */
  readonly given: Filters
  /** The moment up to which the rows are complete, as ISO 8601. */
  readonly completeTo: string
}> {
  const { signal, timeoutMs = 600_000, now = () => new Date() } = options
  const given = filtersOf(question, withToday(filters, now()))
  const session = await reader.open(signal === undefined ? {} : { signal })
  const end = endOnce(session, { signal, timeoutMs })
  try {
    return await withPostgresErrors(reader.warehouse, async () => {
      const { client } = session
      await beginReading(session)
      await client.query(`
        set local statement_timeout = ${FIRST_ROWS_MS};
        set local cursor_tuple_fraction = 1`)
      const { completeTo } = await readHead(session)
      const statement = bindStatement(question.sql, given)
      const cursor = await openCursor(client, statement).catch(refuseFilter(given))
      let rows = await cursor.fetch(FETCH_ROWS).catch(refuseFilter(given))
      async function* readPieces(): AsyncGenerator<readonly Row[]> {
        while (rows.length > 0) {
          yield rows
          rows = rows.length < FETCH_ROWS ? [] : await cursor.fetch(FETCH_ROWS)
        }
      }
      const body = streamOf(write(cursor.columns, readPieces()), { reader, end })
      return { body, given, completeTo }
    })
  } catch (error) {
    await end()
    throw error
  }
}

/** The bytes as a stream that takes the next ones only when the client asks for them. */
function streamOf(
  bytes: AsyncGenerator<Uint8Array>,
  { reader, end }: { reader: Reader; end: () => Promise<void> },
): Download['body'] {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await bytes.next()
          if (done !== true) {
            controller.enqueue(value)
            return
          }
          await end()
          controller.close()
        } catch {
          await end()
          throw incomplete(reader)
        }
      },
      async cancel() {
        await end()
        // Not awaited: it waits for a fetch that is under way.
        bytes.return(undefined).catch(() => {})
      },
    },
    { highWaterMark: 0 },
  )
}

/**
 * The error at the end of an incomplete stream. It has no cause, because a server may log the
 * error, and the cause may hold values.
 */
function incomplete({ warehouse }: Reader): TransientError {
  return new TransientError(
    `The download from ${warehouse.title} ended before all rows had arrived`,
    {
      code: 'DOWNLOAD_BROKEN_OFF',
      hint: 'the file is incomplete; download it again',
    },
  )
}

/**
 * Returns a function that closes the session once: after the last row, when the client has gone, or
 * when the time is over.
 */
function endOnce(
  session: ReaderSession,
  { signal, timeoutMs }: { signal: AbortSignal | undefined; timeoutMs: number },
): () => Promise<void> {
  let ended: Promise<void> | undefined
  const end = (): Promise<void> => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
    ended ??= Promise.resolve(session[Symbol.asyncDispose]())
    return ended
  }
  const stop = (): void => {
    void session
      .cancel()
      .catch(() => {})
      .then(end)
  }
  const timer = setTimeout(stop, timeoutMs)
  signal?.addEventListener('abort', stop)
  return end
}
