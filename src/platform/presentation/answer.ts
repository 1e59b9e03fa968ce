import { codeOf, ConfigError } from '../errors.ts'
import { readText } from '../io/postgres-text.ts'
import type { LedgerHead } from '../warehouse/ledger.ts'
import { describeColumns, type ResultColumn, type Row } from './cursor.ts'
import { readHead } from './freshness.ts'
import { bindStatement, type Filters, filtersOf, limitRows, type Question } from './question.ts'
import type { Reader } from './reader.ts'

/** The rows that answer a question. */
export interface Answer {
  readonly columns: readonly ResultColumn[]
  readonly rows: readonly Row[]
  /** Whether there are more rows than were read. */
  readonly isTruncated: boolean
  /** The head of the ledger in the snapshot in which the rows were read. */
  readonly head: LedgerHead
}

/** Answers questions, and reads each answer once per batch. */
export interface Answers {
  /**
   * The answer as of the newest batch. It is kept for everybody until a newer batch is loaded. A
   * filter that the question does not know is ignored. `today` is the present day in UTC unless
   * given. Throws `ConfigError` (`BAD_FILTER`) for a filter value that is not valid, otherwise what
   * `Reader.read` throws.
   */
  answer(question: Question, filters?: Filters): Promise<Answer>
}

/** Limits of the answers, and of the memory that they may take. */
export interface AnswersOptions {
  /** Maximum number of rows in an answer; further rows are left out. Default 5000. */
  readonly maxRows?: number
  /** Maximum number of answers kept. Default 500. */
  readonly maxAnswers?: number
  /** Maximum number of characters of cells kept, in all answers together. Default 16 million. */
  readonly maxKeptChars?: number
  /** The clock; for tests. Default: the system's. */
  readonly now?: () => Date
}

/**
 * Creates the answers of one reader. A question reads the clock only through `today`, so the same
 * question with the same filters has the same answer until another batch is loaded. Each call reads
 * the head of the ledger first. If two callers ask the same at once, the answer is read once.
 */
export function createAnswers(
  reader: Reader,
  {
    maxRows = 5000,
    maxAnswers = 500,
    maxKeptChars = 16_000_000,
    now = () => new Date(),
  }: AnswersOptions = {},
): Answers {
  const kept = createKeep({ maxAnswers, maxKeptChars })
  const pending = new Map<string, Promise<Answer>>()

  const read = async (question: Question, given: Filters): Promise<Answer> => {
    const answer = await reader.read(async (session): Promise<Answer> => {
      const head = await readHead(session)
      const { text, values } = bindStatement(limitRows(question.sql, maxRows + 1), given)
      const { columns, rows } = await readText(session.client, text, values).catch(
        refuseFilter(given),
      )
      return {
        columns: describeColumns(columns),
        rows: rows.slice(0, maxRows),
        isTruncated: rows.length > maxRows,
        head,
      }
    })
    kept.set(keyOf(question, given, answer.head), answer)
    return answer
  }

  return {
    async answer(question, filters = {}) {
      const given = filtersOf(question, withToday(filters, now()))
      const head = await reader.read(readHead)
      const key = keyOf(question, given, head)
      const known = kept.get(key)
      if (known !== undefined) return { ...known, head }
      const running = pending.get(key)
      if (running !== undefined) return await running
      const answer = read(question, given).finally(() => pending.delete(key))
      pending.set(key, answer)
      return await answer
    },
  }
}

/**
 * The filters with `today`, a day in UTC. A given `today` is kept. With `as_of`, it is the day of
 * that moment, so that a past state is judged by its own day. Without either, it is the day of
 * `now`.
 */
export function withToday(filters: Filters, now: Date): Filters {
  const { today, as_of: asOf } = filters
  if (today !== undefined && today !== '') return filters
  const moment = Date.parse(asOf ?? '')
  // Postgres refuses an `as_of` that is not a moment, with its own message.
  const day = Number.isNaN(moment) ? now : new Date(moment)
  return { ...filters, today: day.toISOString().slice(0, 10) }
}

/**
 * A warehouse that was loaded again counts its batches from 1, so the batch number alone does not
 * identify a state.
 */
function keyOf({ name }: Question, given: Filters, head: LedgerHead): string {
  return JSON.stringify([name, Object.entries(given), head.generation, head.batch, head.loadedAt])
}

/**
 * Returns a handler for an error of a question's statement. If Postgres refuses a filter value as a
 * date, number or moment (class 22), it throws `ConfigError` (`BAD_FILTER`), which names the
 * filters and no value. It rethrows any other error.
 */
export function refuseFilter(given: Filters): (error: unknown) => never {
  return (error) => {
    const code = codeOf(error)
    const isValue = /^22(003|007|008|009|021|023|P02|P05)$/.test(code)
    if (!isValue || Object.keys(given).length === 0) throw error
    const names = Object.keys(given).join(', ')
    throw new ConfigError(`A filter has an invalid value (${names})`, {
      code: 'BAD_FILTER',
      hint: 'dates are YYYY-MM-DD, moments YYYY-MM-DDThh:mm:ssZ, numbers plain',
      cause: error,
    })
  }
}

/** The answers that are kept, by their key. */
interface Keep {
  get(key: string): Answer | undefined
  set(key: string, answer: Answer): void
}

/** Keeps the answers that were used last, within both limits. */
function createKeep({
  maxAnswers,
  maxKeptChars,
}: {
  maxAnswers: number
  maxKeptChars: number
}): Keep {
  const answers = new Map<string, { answer: Answer; chars: number }>()
  let keptChars = 0
  const drop = (key: string): void => {
    keptChars -= answers.get(key)?.chars ?? 0
    answers.delete(key)
  }
  return {
    get(key) {
      const found = answers.get(key)
      if (found === undefined) return undefined
      answers.delete(key)
      answers.set(key, found)
      return found.answer
    },
    set(key, answer) {
      const chars = answer.rows.reduce(
        (sum, row) => row.reduce((cells, cell) => cells + (cell?.length ?? 0) + 16, sum),
        key.length,
      )
      drop(key)
      if (chars > maxKeptChars) return
      answers.set(key, { answer, chars })
      keptChars += chars
      for (const oldest of answers.keys()) {
        if (answers.size <= maxAnswers && keptChars <= maxKeptChars) break
        drop(oldest)
      }
    },
  }
}
