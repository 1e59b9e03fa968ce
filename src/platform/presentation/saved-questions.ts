import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { codeOf, ConfigError, TransientError } from '../errors.ts'
import { createConnectionPool } from '../io/connection-pool.ts'
import type { Database } from '../io/database.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { type Client, connect, onlyRow, type PostgresClient } from '../io/postgres.ts'
import { retry } from '../io/retry.ts'
import { type BeginOptions, beginAndRun, TEXT_SETTINGS } from '../io/session.ts'
import { identifier } from '../io/sql.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import { createGate } from './gate.ts'

/** How an answer is drawn, beside its table. `auto` chooses by the columns. */
export const SAVED_CHARTS = ['auto', 'none', 'bars', 'lines'] as const
export type SavedChart = (typeof SAVED_CHARTS)[number]

/** A statement that a person kept under a name. */
export interface SavedQuestion {
  /** From its title (`nameForTitle`): 1 to 63 characters of a-z, 0-9 and `-`. */
  readonly name: string
  /** 1 to 120 characters in one line. */
  readonly title: string
  /** At most 100,000 characters. */
  readonly sql: string
  /** Values of filters by name, at most 10,000 characters together. */
  readonly filters: Readonly<Record<string, string>>
  readonly chart: SavedChart
  /** Subject of the person who saved it; `local` where there is no login. */
  readonly author: string
  /** ISO 8601, UTC. */
  readonly savedAt: string
}

/** What became of a question that somebody saves. */
export type Saving = 'saved' | 'taken' | 'full'

/**
 * Keeps saved questions, and which of them each person has on a page of their own. Every method may
 * be called at any time, also by several servers at once. Names and subjects are compared exactly; a
 * subject has 1 to 255 characters. Text that Postgres cannot keep or that is too long is refused with
 * `ConfigError` (`SAVED_INVALID`), whose message may be shown to its author.
 */
export interface SavedQuestions extends AsyncDisposable {
  /** By title. */
  list(): Promise<readonly SavedQuestion[]>
  find(name: string): Promise<SavedQuestion | undefined>
  /**
   * Saves a question under its name, or replaces it if `author` saved it before. `taken`: the name
   * is that of another author's question. With `isNew` it replaces nothing: `taken` if there is any
   * question of that name. `full`: 1,000 are kept.
   */
  save(
    question: Omit<SavedQuestion, 'savedAt'>,
    options?: { readonly isNew?: boolean },
  ): Promise<Saving>
  /** Removes a question, also from every person's page. Returns whether it was there and the author's. */
  remove(name: string, author: string): Promise<boolean>
  /** The saved questions on a person's page, in the order in which they were added. */
  pageOf(subject: string): Promise<readonly SavedQuestion[]>
  /** `full`: a page has at most 12. Adding what is there changes nothing and is `added`. */
  addToPage(subject: string, name: string): Promise<'added' | 'full' | 'unknown'>
  removeFromPage(subject: string, name: string): Promise<void>
}

const MAX_QUESTIONS = 1000
const MAX_ON_PAGE = 12
const MAX_TITLE_CHARS = 120
const MAX_SQL_CHARS = 100_000
const MAX_FILTER_CHARS = 10_000
const MAX_SUBJECT_CHARS = 255

/** Connections at one time, and milliseconds to wait for one. */
const GATE = { places: 4, waitMs: 5000 }

/** The version of the tables, as in the comment in `tables.sql`. */
const VERSION = 1

const read = (file: string): string =>
  readFileSync(new URL(`./saved-questions/${file}`, import.meta.url), 'utf8')
const STATE = read('state.sql')
const STAY_IN_SCHEMA = read('stay-in-schema.sql')
const TABLES = read('tables.sql')
const LIST = read('list.sql')
const PAGE = read('page.sql')
const SAVE = read('save.sql')
const ADD_TO_PAGE = read('add-to-page.sql')
/** Writers take turns, so that limits hold exactly. Readers do not wait for them. */
const LOCK = 'lock table saved_question, saved_on_page in share row exclusive mode'

/**
 * Keeps saved questions in the schema that the connection's role owns (`current_schema()`). Nothing
 * connects before the first call. A call creates the tables if they are missing, also after somebody
 * dropped them. Two servers may start at once.
 *
 * Throws `ConfigError` (`SAVED_RIGHTS`) if the role is a superuser, may make roles or databases, may
 * write a warehouse, or does not own its current schema, `ConfigError` (`SAVED_NEWER`,
 * `SAVED_TABLES`) if the tables there are of a later version or not ours, `TransientError`
 * (`SAVED_BUSY`) if every connection is busy for too long or a statement waits longer than 5 s, and
 * what `connect` throws, with codes that begin with `SAVED_`. Once disposed of, it throws
 * `TransientError` (`SAVED_CLOSED`).
 */
export function createSavedQuestions({ url }: { readonly url: string }): SavedQuestions {
  const pool = createConnectionPool()
  const database: Database = {
    title: 'the store of saved questions',
    code: 'SAVED',
    setting: 'TIDEMARK_SAVER_URL',
    url,
    // One attempt, so that a page knows at once that the store is away.
    attempts: 1,
    silenceMs: 5000,
    pool,
  }
  const gate = createGate({ ...GATE, busy })
  let isClosed = false
  /** Runs `work` in one transaction. */
  const transact = async <T>(work: (client: Client) => Promise<T>): Promise<T> => {
    if (isClosed) throw closed()
    await gate.enter()
    try {
      await using connection = await connect(database)
      return await withPostgresErrors(database, () => transactOn(connection, { database, work }))
    } finally {
      gate.leave()
    }
  }
  const change = <T>(work: (client: Client) => Promise<T>): Promise<T> =>
    transact(async (client) => {
      await client.query(LOCK)
      return await work(client)
    })
  const select = (text: string, value: string | null): Promise<SavedQuestion[]> =>
    transact(async (client) => (await client.query<SavedRow>(text, [value])).rows.map(fromRow))

  return {
    list: async () => (await select(LIST, null)).toSorted(byTitle),
    find: async (name) => (isName(name) ? (await select(LIST, name))[0] : undefined),
    async save(question, { isNew = false } = {}) {
      checkQuestion(question)
      const values = [...valuesOf(question), MAX_QUESTIONS, !isNew]
      return await change(
        async (client) => onlyRow(await client.query<{ saving: Saving }>(SAVE, values)).saving,
      )
    },
    async remove(name, author) {
      checkSubject(author)
      if (!isName(name)) return false
      const text = 'delete from saved_question where name = $1 and author = $2'
      return await change(
        async (client) => (await client.query(text, [name, author])).rowCount === 1,
      )
    },
    async pageOf(subject) {
      checkSubject(subject)
      return await select(PAGE, subject)
    },
    async addToPage(subject, name) {
      checkSubject(subject)
      if (!isName(name)) return 'unknown'
      const values = [subject, name, MAX_ON_PAGE]
      return await change(async (client) => {
        const found = await client.query<{ adding: 'added' | 'full' | 'unknown' }>(
          ADD_TO_PAGE,
          values,
        )
        return onlyRow(found).adding
      })
    },
    async removeFromPage(subject, name) {
      checkSubject(subject)
      if (!isName(name)) return
      const text = 'delete from saved_on_page where subject = $1 and name = $2'
      await change((client) => client.query(text, [subject, name]))
    },
    async [Symbol.asyncDispose]() {
      isClosed = true
      await pool[Symbol.asyncDispose]()
    },
  }
}

/**
 * The name for a title: letters of the Latin alphabet without their marks, digits, and `-` for all
 * between them, such as `uberfallig-gbp` for `Überfällig, GBP!`. At most 63 characters; `question`
 * if nothing is left. A checksum of the title follows if letters of another alphabet were left out,
 * so that `売上` and `支払い` have different names. Two titles may have the same name.
 */
export function nameForTitle(title: string): string {
  const plain = title
    // Upper case first, because that writes ß as SS.
    .toUpperCase()
    .toLowerCase()
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
  const latin = plain.replaceAll(/[^a-z0-9]+/g, '-').replace(/^-/, '')
  const name = (most: number): string => latin.slice(0, most).replace(/-$/, '') || 'question'
  if (!/(?![a-z0-9])[\p{L}\p{N}]/u.test(plain)) return name(63)
  return `${name(54)}-${createHash('sha256').update(plain).digest('hex').slice(0, 8)}`
}

/** One row of `state.sql`. */
interface State {
  readonly role: string
  /** Whether it is a superuser, or may make roles or databases. */
  readonly is_special: boolean
  readonly writes_warehouse: boolean
  readonly schema: string | null
  readonly is_owner: boolean
  readonly owns_named: boolean | null
  readonly database: string
  readonly version: number | null
}

/** What passes when the transaction runs again: another server created the tables, or they were dropped. */
const PASSING: ReadonlySet<string> = new Set([
  SQL_STATE.duplicateTable,
  SQL_STATE.duplicateObject,
  SQL_STATE.uniqueViolation,
  SQL_STATE.undefinedTable,
  SQL_STATE.invalidSchemaName,
])

/** Runs `work` in a transaction in which the tables exist, and in which only they are found by name. */
async function transactOn<T>(
  connection: PostgresClient,
  { database, work }: { database: Database; work: (client: Client) => Promise<T> },
): Promise<T> {
  const { client } = connection
  const options: BeginOptions = {
    database,
    mode: 'isolation level read committed read write',
    settings: {
      ...TEXT_SETTINGS,
      statement_timeout: '5s',
      lock_timeout: '5s',
      idle_in_transaction_session_timeout: '5s',
      transaction_timeout: '15s',
    },
  }
  const attempt = async (): Promise<T> => {
    try {
      const [states = []] = await beginAndRun(connection, options, STATE, STAY_IN_SCHEMA)
      const state = onlyRow({ rows: states as readonly State[] })
      checkState(state)
      if (state.version === null) await client.query(TABLES)
      const result = await work(client)
      await client.query('commit')
      return result
    } catch (error) {
      await client.query('rollback').catch(() => {}) // the connection itself may be what failed
      throw error
    }
  }
  return await retry(attempt, {
    attempts: 3,
    isPassing: (error) => PASSING.has(codeOf(error)),
  })
}

/** Throws `ConfigError` if saved questions must not be kept with this role, or in this schema. */
function checkState(state: State): void {
  const { role, is_special, writes_warehouse, schema, is_owner, version } = state
  if (is_special || writes_warehouse) {
    const may = is_special
      ? 'is a superuser, or may make roles or databases'
      : 'may write the warehouse'
    throw new ConfigError(`The role ${role} must not keep saved questions, because it ${may}`, {
      code: 'SAVED_RIGHTS',
      hint: 'set TIDEMARK_SAVER_URL to a role that owns one schema and nothing else; tidemark doctor shows how to create it',
    })
  }
  if (!is_owner) {
    const where = schema === null ? 'has no schema' : `does not own the schema ${schema}`
    throw new ConfigError(`The role ${role} ${where}, so it cannot keep saved questions`, {
      code: 'SAVED_RIGHTS',
      hint: fixSchema(state),
    })
  }
  if (version === null || version === VERSION) return
  if (version > VERSION) {
    throw new ConfigError(`The saved questions in schema ${schema} are of a later version`, {
      code: 'SAVED_NEWER',
      hint: 'update Tidemark; nothing was changed',
    })
  }
  throw new ConfigError(`The table saved_question in schema ${schema} is not ours`, {
    code: 'SAVED_TABLES',
    hint: 'restore the schema from a backup with its comments, or rename that table; nothing was changed',
  })
}

/** The statement with which a role that does not own its current schema comes to own it. */
function fixSchema({ role, owns_named, database }: State): string {
  const name = identifier(role)
  if (owns_named === null) return `create schema authorization ${name};`
  if (!owns_named) return `alter schema ${name} owner to ${name};`
  // A search path leads elsewhere. That of the role in this database comes before all others.
  return `alter role ${name} in database ${identifier(database)} set search_path = ${name};`
}

interface SavedRow extends Omit<SavedQuestion, 'savedAt'> {
  readonly saved_at: Date
}

function fromRow({ saved_at, ...question }: SavedRow): SavedQuestion {
  return { ...question, savedAt: saved_at.toISOString() }
}

function valuesOf({
  name,
  title,
  sql,
  filters,
  chart,
  author,
}: Omit<SavedQuestion, 'savedAt'>): readonly string[] {
  return [name, title, sql, JSON.stringify(filters), chart, author]
}

/** Orders titles as people do: without regard to case and marks, numbers by their value. */
const TITLES = new Intl.Collator('en', { numeric: true })

function byTitle(one: SavedQuestion, other: SavedQuestion): number {
  return TITLES.compare(one.title, other.title) || (one.name < other.name ? -1 : 1)
}

function isName(name: string): boolean {
  return /^[a-z0-9-]{1,63}$/.test(name)
}

/** Throws `ConfigError` (`SAVED_INVALID`) for a question that cannot be kept as it is. */
function checkQuestion({
  name,
  title,
  sql,
  filters,
  chart,
  author,
}: Omit<SavedQuestion, 'savedAt'>): void {
  check(isName(name), 'The name must have 1 to 63 characters of a-z, 0-9 and -')
  check(title.trim() !== '', 'The title must not be empty')
  check(
    title.length <= MAX_TITLE_CHARS && !/\p{Cc}/u.test(title),
    `The title must have at most ${MAX_TITLE_CHARS} characters, in one line`,
  )
  check(sql.length <= MAX_SQL_CHARS, 'The statement must have at most 100,000 characters')
  const texts = Object.entries(filters).flat()
  check(
    texts.reduce((sum, text) => sum + text.length, 0) <= MAX_FILTER_CHARS,
    'The filters must have at most 10,000 characters together',
  )
  check(SAVED_CHARTS.includes(chart), 'The chart must be auto, none, bars or lines')
  check(
    [title, sql, ...texts].every(isStorable),
    'The title, the statement and the filters must not contain a zero byte or half a character',
  )
  checkSubject(author)
}

function checkSubject(subject: string): void {
  check(
    subject !== '' && subject.length <= MAX_SUBJECT_CHARS && isStorable(subject),
    `Saved questions need a subject of 1 to ${MAX_SUBJECT_CHARS} characters, without a zero byte`,
  )
}

function check(isFine: boolean, what: string): void {
  if (isFine) return
  throw new ConfigError(what, { code: 'SAVED_INVALID', hint: 'change it and save again' })
}

/** Whether Postgres keeps a text exactly: it has no zero byte, and no half of a surrogate pair. */
function isStorable(text: string): boolean {
  return !/[\0\p{Cs}]/u.test(text)
}

function busy(): TransientError {
  return new TransientError('Too many people are using saved questions right now', {
    code: 'SAVED_BUSY',
    hint: 'try again in a moment',
  })
}

function closed(): TransientError {
  return new TransientError('No longer keeping saved questions: the server is stopping', {
    code: 'SAVED_CLOSED',
  })
}
