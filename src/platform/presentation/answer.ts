import { ConfigError } from '../errors.ts'
import type { LedgerHead } from '../warehouse/ledger.ts'
import { type ResultColumn, openCursor, type Row } from './cursor.ts'
import { readHead } from './freshness.ts'
import { bindStatement, type Filters, filtersOf, type Question } from './question.ts'
import type { Reader } from './reader.ts'

export interface Answer {
  readonly columns: readonly ResultColumn[]
  readonly rows: readonly Row[]
  /** There are more rows than were read. */
  readonly isTruncated: boolean
  /** The head of the ledger in the snapshot the rows were read in. */
  readonly head: LedgerHead
}

/** Answers questions, each once a batch. */
export interface Answers {
  /**
   * The answer as of the newest batch: kept while no newer one is loaded, whoever asks. A filter the
   * question does not know is ignored; `today` is the day in UTC unless given.
   * Throws `ConfigError` with `BAD_FILTER` for a value that is none, else as `Reader.read`.
   */
  answer(question: Question, filters?: Filters): Promise<Answer>
}

export interface AnswersOptions {
  /** Rows beyond this are left out of an answer. Default 5000. */
  readonly maxRows?: number
  /** Answers kept. Default 500. */
  readonly maxAnswers?: number
  /** Characters of cells kept, all answers together. Default 16 million. */
  readonly maxKeptChars?: number
  readonly now?: () => Date
}

/**
 * Questions read the clock through `today` alone, so the same question with the same filters has the
 * same answer until another batch is loaded. One that is being read is waited for, not read twice.
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
      const statement = bindStatement(question.sql, given)
      const cursor = await openCursor(session.client, statement).catch(refuseFilter(given))
      const rows = await cursor.fetch(maxRows + 1).catch(refuseFilter(given))
      return {
        columns: cursor.columns,
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
 * The filters with the day it is, in UTC, unless they say another: of what was known at a moment it
 * is that moment's, or what was due then would be judged by what is due now.
 */
export function withToday(filters: Filters, now: Date): Filters {
  const { today, as_of: asOf } = filters
  if (today !== undefined && today !== '') return filters
  const moment = Date.parse(asOf ?? '')
  // What is no moment is refused by Postgres, with a message of its own.
  const day = Number.isNaN(moment) ? now : new Date(moment)
  return { ...filters, today: day.toISOString().slice(0, 10) }
}

/** A warehouse loaded anew counts its batches from the start, so the batch alone names no state. */
function keyOf({ name }: Question, given: Filters, head: LedgerHead): string {
  return JSON.stringify([name, Object.entries(given), head.generation, head.batch, head.loadedAt])
}

/** Rethrows what Postgres says of a value that is no date, number or moment (class 22) as ours. */
export function refuseFilter(given: Filters): (error: unknown) => never {
  return (error) => {
    const { code = '' } = error as { code?: string }
    const isValue = /^22(003|007|008|009|021|P02|P05)$/.test(code)
    if (!isValue || Object.keys(given).length === 0) throw error
    const names = Object.keys(given).join(', ')
    throw new ConfigError(`A filter has a value that cannot be one (${names})`, {
      code: 'BAD_FILTER',
      hint: 'dates are YYYY-MM-DD, moments YYYY-MM-DDThh:mm:ssZ, numbers plain',
      cause: error,
    })
  }
}

interface Keep {
  get(key: string): Answer | undefined
  set(key: string, answer: Answer): void
}

/** Keeps the answers used last, within both bounds. */
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
