import { ConfigError, TransientError } from '../../platform/errors.ts'
import { SQL_STATE } from '../../platform/io/sql-states.ts'
import { withToday } from '../../platform/presentation/answer.ts'
import { ask, type AskedRows } from '../../platform/presentation/ask.ts'
import { type Filters, withValue } from '../../platform/presentation/question.ts'
import type { SavedQuestion, SavedQuestions } from '../../platform/presentation/saved-questions.ts'
import { groupsOf, mayAsk } from '../server/groups.ts'
import { FILTER_PREFIX, variablesOf } from '../server/pages/ask/draft.ts'
import type { Presentation } from '../server/presentation.ts'
import { type Declaration, invalid } from './declaration.ts'

/** A saved question that a declaration names, with the values that it runs with. */
export interface SavedSubject {
  readonly saved: SavedQuestion
  readonly title: string
  /** Values of the statement's variables: the saved ones, overridden by the declared ones. */
  readonly given: Readonly<Record<string, string>>
  /** `given`, and `today`. */
  readonly filters: Filters
  /** The path where the recipients see the same figures. */
  readonly path: string
}

/** Maximum number of rows to read, the same as for a question of the project. */
const MAX_ROWS = 5000
/** Maximum number of names in an error. */
const MAX_NAMES = 50
/** Classes of SQLSTATEs that do not blame the statement. Another attempt may succeed. */
const PASSING = /^(40|53|55|57|58)/

/**
 * Finds the saved question that a declaration names. Throws `ConfigError` (`REPORT_INVALID`) with
 * every fault: nothing can be saved here, there is no such question, its statement has no such
 * filter, or the declared groups may not run SQL. Throws what `SavedQuestions.find` throws.
 */
export async function findSaved(
  declaration: Declaration,
  {
    project,
    name,
    saved: store,
    now,
  }: Pick<Presentation, 'project' | 'saved' | 'now'> & { readonly name: string },
): Promise<SavedSubject> {
  const needed = groupsOf(project).map((group) => `"${group}"`)
  const faults = mayAsk(declaration.groups, project)
    ? []
    : [`access: a saved question may read everything, so it needs [${needed.join(', ')}]`]
  const saved = await store?.find(name)
  if (saved === undefined) {
    throw invalid(declaration, [...faults, `saved: ${await describeAbsence(name, store)}`])
  }
  const variables = variablesOf(saved.sql)
  faults.push(...unknownFilters(declaration, variables))
  if (faults.length > 0) throw invalid(declaration, faults)
  // As in an address of Ask, an empty value keeps the saved one.
  const declared = withValue(declaration.filters)
  const all = withValue({ ...saved.filters, ...declared })
  const given = Object.fromEntries(
    Object.entries(all).filter(([variable]) => variables.includes(variable)),
  )
  const filters = withToday(given, now())
  return { saved, title: saved.title, given, filters, path: pathOfSaved(name, declared) }
}

/** The path at which Ask answers a saved question, with other values of its filters. */
export function pathOfSaved(name: string, filters: Readonly<Record<string, string>> = {}): string {
  const query = new URLSearchParams({ saved: name })
  for (const [variable, value] of Object.entries(filters)) {
    query.set(`${FILTER_PREFIX}${variable}`, value)
  }
  return `/ask?${query.toString()}`
}

/**
 * The present rows of a saved question. It is a person's SQL, so it runs within the limits of `ask`.
 * Throws `TransientError` (`SAVED_STOPPED`) if it took too long or the server could not run it now,
 * `ConfigError` (`SAVED_REFUSED`) if Postgres or `ask` refuses it, and what `ask` throws. No error
 * holds the statement, or the reason, which may quote it.
 */
export async function askSaved(
  { saved: { name, sql }, filters }: SavedSubject,
  { reader }: Pick<Presentation, 'reader'>,
): Promise<AskedRows> {
  const answer = await ask(reader, sql, { filters, maxRows: MAX_ROWS })
  if (answer.isAnswered) return answer
  const { sqlState } = answer
  if (PASSING.test(sqlState)) {
    const why = sqlState === SQL_STATE.queryCanceled ? 'took too long and was stopped' : 'failed'
    throw new TransientError(`The saved question ${name} ${why} [${sqlState}]`, {
      code: 'SAVED_STOPPED',
      hint: `it is tried again; to see how long it takes: ${pathOfSaved(name)}`,
    })
  }
  throw new ConfigError(`The saved question ${name} was refused [${sqlState}]`, {
    code: 'SAVED_REFUSED',
    hint: `to see why, open ${pathOfSaved(name)}`,
  })
}

async function describeAbsence(name: string, store: SavedQuestions | undefined): Promise<string> {
  if (store === undefined) return 'nothing can be saved here: TIDEMARK_SAVER_URL is not set'
  const names = (await store.list()).map((each) => each.name)
  const [first, more] = [names.slice(0, MAX_NAMES).join(', '), names.length - MAX_NAMES]
  const list = `${first || 'none'}${more > 0 ? ` and ${more} more` : ''}`
  return `there is no saved question “${name.slice(0, 63)}”; there are ${list}`
}

function unknownFilters({ filters }: Declaration, variables: readonly string[]): string[] {
  const has = variables.length === 0 ? 'it has none' : `it has ${variables.join(', ')}`
  return Object.keys(filters)
    .filter((name) => !variables.includes(name))
    .map((name) => `filters: there is no filter “${name}”; ${has}`)
}
