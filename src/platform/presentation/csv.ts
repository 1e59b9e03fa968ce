import { TransientError } from '../errors.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { beginReading } from '../warehouse/warehouse.ts'
import { refuseFilter, withToday } from './answer.ts'
import { type ResultColumn, openCursor, type Row } from './cursor.ts'
import { readHead } from './freshness.ts'
import { bindStatement, type Filters, filtersOf, type Question } from './question.ts'
import type { Reader, ReaderSession } from './reader.ts'

/** A CSV file that is being read. */
export interface CsvDownload {
  /**
   * Names the question, its filters and the moment up to which the rows are complete; plain ASCII.
   */
  readonly fileName: string
  /**
   * The file in UTF-8. Ends with an error if the warehouse goes away. Cancel it to free the
   * connection.
   */
  readonly body: ReadableStream<Uint8Array>
}

/** Limits of one download. */
export interface CsvOptions {
  /** Aborted when the client has gone. */
  readonly signal?: AbortSignal
  /** Milliseconds for the whole download. Default ten minutes. */
  readonly timeoutMs?: number
  readonly now?: () => Date
}

/** Rows that are in memory at a time. */
const FETCH_ROWS = 2000
// Time limit of each statement, so also of the first rows.
const FIRST_ROWS_MS = 30_000

/**
 * Opens all rows of a question as CSV (RFC 4180, header first), from one snapshot, in constant
 * memory. Reads through a cursor and not with COPY, which takes no parameters, so a filter never
 * becomes part of the SQL. Reads no faster than the client takes the rows. Resolves once the first
 * rows are read, so that an error is known before anything is sent. Throws what `Answers.answer`
 * throws.
 */
export async function openCsv(
  reader: Reader,
  question: Question,
  { filters = {}, ...options }: CsvOptions & { readonly filters?: Filters } = {},
): Promise<CsvDownload> {
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
      let next = await cursor.fetch(FETCH_ROWS).catch(refuseFilter(given))
      let isFirst = true
      const body = new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            try {
              const rows = isFirst ? next : await cursor.fetch(FETCH_ROWS)
              const header = isFirst ? csvHeader(cursor.columns) : ''
              isFirst = false
              next = []
              const text = header + rows.map((row) => csvLine(cursor.columns, row)).join('')
              if (text !== '') controller.enqueue(new TextEncoder().encode(text))
              if (rows.length === FETCH_ROWS) return
              await end()
              controller.close()
            } catch {
              await end()
              throw incomplete(reader)
            }
          },
          cancel: end,
        },
        { highWaterMark: 0 },
      )
      return { fileName: fileNameOf(question, given, completeTo), body }
    })
  } catch (error) {
    await end()
    throw error
  }
}

/**
 * The error at the end of an incomplete stream. It has no cause, because a server may log the
 * error, and the cause may hold values.
 */
function incomplete({ warehouse }: Reader): TransientError {
  return new TransientError(
    `The download from ${warehouse.title} ended before all rows had arrived`,
    {
      code: 'CSV_BROKEN_OFF',
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

/**
 * The first line: the column names. A name that a spreadsheet would take for a formula gets an
 * apostrophe in front.
 */
export function csvHeader(columns: readonly ResultColumn[]): string {
  return `${columns.map(({ name }) => quote(defuse(name))).join(',')}\r\n`
}

/**
 * One row as a line. Null is an empty cell, an empty text is `""`, and moments are ISO 8601. A text
 * that a spreadsheet would take for a formula gets an apostrophe in front; numbers stay unchanged.
 */
export function csvLine(columns: readonly ResultColumn[], row: Row): string {
  const cells = row.map((cell, index) => {
    if (cell === null) return ''
    const kind = columns[index]?.kind ?? 'text'
    if (kind === 'text') return quote(defuse(cell))
    return kind === 'moment' ? isoMoment(cell) : cell
  })
  return `${cells.join(',')}\r\n`
}

/**
 * Characters that spreadsheets take for the start of a formula (OWASP, CSV injection), with the
 * full-width signs.
 */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/

function defuse(text: string): string {
  return FORMULA.test(text) ? `'${text}` : text
}

function quote(text: string): string {
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/**
 * ISO 8601 for a moment that Postgres prints in UTC, such as `2025-11-03 09:42:05+00`. Infinity and
 * years BC stay unchanged.
 */
function isoMoment(text: string): string {
  const { day, time, zone } =
    /^(?<day>\d{4,}-\d\d-\d\d) (?<time>[\d:.]+)(?<zone>\+00)?$/.exec(text)?.groups ?? {}
  return day === undefined ? text : `${day}T${time}${zone === undefined ? '' : 'Z'}`
}

/**
 * The file name of a download. It is never longer than file systems allow, and never holds a
 * character that they treat as special.
 */
export function fileNameOf(
  question: Pick<Question, 'name'>,
  given: Filters,
  completeTo: string,
): string {
  const { as_of: asOf = completeTo, ...others } = given
  const parts = Object.entries(others).map(([name, value]) => `${name}-${plain(value ?? '')}`)
  const name = [question.name, ...parts].join('_').slice(0, 150)
  return `${name}_as-of-${plain(asOf.replace(/\.\d+/, '').replaceAll(':', '')).slice(0, 40)}.csv`
}

function plain(text: string): string {
  return text.replace(/[^A-Za-z0-9-]+/g, '-')
}
