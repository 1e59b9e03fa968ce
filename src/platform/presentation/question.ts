import { readdirSync, readFileSync } from 'node:fs'
import { ConfigError } from '../errors.ts'
import { SAVED_CHARTS, type SavedChart } from './saved-questions.ts'

/** A named `.sql` file that answers one question from the star schema. It also runs in psql. */
export interface Question {
  /** The file's name without `.sql`, e.g. `late_loans`. */
  readonly name: string
  /** The question in words. */
  readonly title: string
  readonly grain: string
  readonly unit: string | undefined
  /** The only group that may see it. Undefined if everybody who may see the pages may. */
  readonly access: string | undefined
  /** How Ask draws its answer. */
  readonly chart: SavedChart
  /** The filters that it knows, in the order of its header. */
  readonly filters: readonly string[]
  /** The text of the file, header included. */
  readonly sql: string
}

/** Values by filter name. An absent or empty value filters nothing. */
export type Filters = Readonly<Record<string, string | undefined>>

/** A statement and its values for `$1`, `$2` and so on. */
export interface BoundStatement {
  readonly text: string
  readonly values: readonly (string | null)[]
}

const HEADER = /^-- (?<name>[a-z][a-z0-9_]*): (?<title>.+)$/
const ENTRY = /^-- (?<key>[A-Z]\w*): ?(?<value>.*)$/

/**
 * Every question in a folder, by name. Files that do not begin with a question's header line are
 * left out. Throws `ConfigError` for a question that is not well-formed.
 */
export function readQuestions(folder: URL): ReadonlyMap<string, Question> {
  const questions = new Map<string, Question>()
  const files = readdirSync(folder).filter((file) => file.endsWith('.sql'))
  for (const file of files.toSorted()) {
    const sql = readFileSync(new URL(file, folder), 'utf8')
    if (!HEADER.test(sql.split('\n', 1)[0] ?? '')) continue
    const question = parseQuestion(sql)
    if (`${question.name}.sql` !== file) {
      throw invalid(file, `its first line calls it ${question.name}`)
    }
    questions.set(question.name, question)
  }
  return questions
}

/**
 * Parses a question's file: `-- name: Title`, then `Grain`, `Unit`, `Access`, `Chart` and `Filters`.
 * Each may continue on further comment lines. Throws `ConfigError` if a part is missing, or if the
 * header and the SQL name different filters.
 */
export function parseQuestion(sql: string): Question {
  const lines = sql.split('\n')
  const { name, title } = HEADER.exec(lines[0] ?? '')?.groups ?? {}
  if (name === undefined || title === undefined) {
    throw invalid('a question', 'its first line must be `-- name: The question?`')
  }
  const entries = new Map<string, string>()
  let current: string | undefined
  let more = ''
  for (const line of lines.slice(1)) {
    if (!line.startsWith('--')) break
    const { key, value } = ENTRY.exec(line)?.groups ?? {}
    if (key !== undefined) entries.set((current = key), value ?? '')
    else if (current === undefined) more += ` ${line.slice(2).trim()}`
    else entries.set(current, `${entries.get(current)} ${line.slice(2).trim()}`)
  }
  const grain = entries.get('Grain')
  if (grain === undefined) throw invalid(name, 'its header has no line `-- Grain: …`')
  const filters = (entries.get('Filters') ?? '')
    .split(',')
    .map((filter) => filter.trim().replace(/\.$/, ''))
    .filter((filter) => filter !== '' && filter !== 'none')
  checkFilters(name, { sql, filters })
  const [unit, access] = [entries.get('Unit'), entries.get('Access')]
  const chart = readChart(name, entries.get('Chart'))
  return { name, title: title + more, grain, unit, access, chart, filters, sql }
}

/**
 * The variables that a statement names, each once and in order, without what stands in strings and
 * comments; and whether it reads a `fact_<x>_current`, so that it takes `as_of` too.
 */
export function variablesIn(sql: string): {
  readonly named: readonly string[]
  readonly canGoBack: boolean
} {
  const tokens = [...tokensOf(sql)]
  const named = tokens.flatMap((token) => (token.kind === 'variable' ? [token.name] : []))
  return { named: [...new Set(named)], canGoBack: tokens.some(({ kind }) => kind === 'current') }
}

function readChart(name: string, text = 'auto'): SavedChart {
  const chart = SAVED_CHARTS.find((each) => each === text)
  if (chart !== undefined) return chart
  throw invalid(name, `its chart must be one of ${SAVED_CHARTS.join(', ')}`)
}

function checkFilters(name: string, question: Pick<Question, 'sql' | 'filters'>): void {
  const { named, canGoBack } = variablesIn(question.sql)
  const used = new Set(canGoBack ? [...named, AS_OF] : named)
  const bad = question.filters.find((filter) => !/^[a-z_]+$/.test(filter))
  if (bad !== undefined) throw invalid(name, `'${bad}' is not a name for a filter`)
  const unused = question.filters.find((filter) => !used.has(filter))
  if (unused !== undefined) throw invalid(name, `its SQL does not use its filter ${unused}`)
  const unnamed = named.find((filter) => !question.filters.includes(filter))
  if (unnamed !== undefined) throw invalid(name, `its header does not name the filter ${unnamed}`)
}

function invalid(name: string, why: string): ConfigError {
  return new ConfigError(`The question ${name} is not well-formed: ${why}`, {
    code: 'QUESTION_INVALID',
    hint: 'see the other questions beside it',
  })
}

/** The filter that asks what was known at a moment instead of what is known now. */
const AS_OF = 'as_of'

/** Keeps the filters that have a value. */
export function withValue(filters: Filters): Readonly<Record<string, string>> {
  return filtersOf({ filters: Object.keys(filters) }, filters)
}

/** Keeps the filters that the question knows and that have a value. */
export function filtersOf(
  question: Pick<Question, 'filters'>,
  filters: Filters,
): Readonly<Record<string, string>> {
  const given = question.filters.flatMap((name): [string, string][] => {
    const value = Object.hasOwn(filters, name) ? filters[name] : undefined
    return value === undefined || value === '' ? [] : [[name, value]]
  })
  return Object.fromEntries(given)
}

/**
 * Turns SQL with psql variables into a statement with parameters. Every `:'name'` becomes a text
 * parameter with that filter's value, or null if it is absent. A value is never part of the SQL.
 * With `as_of`, every `fact_<x>_current` is read as it was known then. Strings, quoted names and
 * comments stay unchanged. Other forms of psql variables stay unchanged too, and fail in Postgres.
 */
export function bindStatement(sql: string, filters: Filters): BoundStatement {
  const numbers = new Map<string, number>()
  const values: (string | null)[] = []
  const numberOf = (name: string): number => {
    const known = numbers.get(name)
    if (known !== undefined) return known
    const value = Object.hasOwn(filters, name) ? filters[name] : undefined
    numbers.set(name, values.push(value === undefined || value === '' ? null : value))
    return values.length
  }
  const asOf = filters[AS_OF]
  let text = ''
  for (const token of tokensOf(sql)) {
    if (token.kind === 'variable') text += `$${numberOf(token.name)}::text`
    else if (token.kind === 'text' || asOf === undefined || asOf === '') text += token.text
    else text += token.isRelation ? `${token.name}($${numberOf(AS_OF)}::timestamptz)` : token.name
  }
  return { text, values }
}

/**
 * A statement for the first rows of a question, in its order. Only for the project's questions, whose SQL is
 * trusted. Postgres may share a plain statement among processes, but never a cursor's: sums over a
 * million rows take half as long. A final semicolon is left out, and the last line may be a comment.
 */
export function limitRows(sql: string, rowCount: number): string {
  return `select * from (\n${withoutEnd(sql)}\n) as answer limit ${rowCount}`
}

/** The statement up to the semicolons that end it: only comments may follow them. */
export function withoutEnd(sql: string): string {
  const part = new RegExp(String.raw`${LEXEMES}|\S`, 'g')
  let end: number | undefined
  for (let match = part.exec(sql); match !== null; match = part.exec(sql)) {
    if (match[0] === '/*') part.lastIndex = endOfComment(sql, match.index)
    else if (match[0] === ';') end ??= match.index
    else if (!match[0].startsWith('--')) end = undefined
  }
  return sql.slice(0, end)
}

type Token =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'variable'; readonly name: string }
  /** `fact_<x>_current`. `name` is the as-of function, which also serves as the alias. */
  | {
      readonly kind: 'current'
      readonly text: string
      readonly name: string
      readonly isRelation: boolean
    }

/** First the text that can hold no variable or name (manual, 4.1), then what we look for. */
const LEXEMES = [
  String.raw`--[^\n]*`,
  String.raw`\b[eE]'(?:[^'\\]|\\[\s\S]|'')*'`,
  `'(?:[^']|'')*'`,
  `"(?:[^"]|"")*"`,
  String.raw`(?<![\w$])\$(?<tag>[A-Za-z_]\w*)?\$[\s\S]*?\$\k<tag>\$`,
  String.raw`/\*`,
  '::',
  String.raw`:'(?<variable>\w+)'`,
  String.raw`(?<![\w$"])(?<fact>fact_\w+?)_current(?![\w$])(?<column>\s*\.)?`,
].join('|')

function* tokensOf(sql: string): Generator<Token> {
  const lexeme = new RegExp(LEXEMES, 'g')
  let from = 0
  for (let match = lexeme.exec(sql); match !== null; match = lexeme.exec(sql)) {
    const { variable, fact, column } = match.groups ?? {}
    if (match[0] === '/*') lexeme.lastIndex = endOfComment(sql, match.index)
    if (variable === undefined && fact === undefined) continue
    yield { kind: 'text', text: sql.slice(from, match.index) }
    from = lexeme.lastIndex
    if (variable !== undefined) yield { kind: 'variable', name: variable }
    else if (fact !== undefined) {
      yield { kind: 'current', text: `${fact}_current`, name: `${fact}_as_of`, isRelation: !column }
      yield { kind: 'text', text: column ?? '' }
    }
  }
  yield { kind: 'text', text: sql.slice(from) }
}

/** Comments nest in Postgres. */
function endOfComment(sql: string, start: number): number {
  const edge = /\/\*|\*\//g
  edge.lastIndex = start
  let depth = 0
  for (let match = edge.exec(sql); match !== null; match = edge.exec(sql)) {
    depth += match[0] === '/*' ? 1 : -1
    if (depth === 0) return edge.lastIndex
  }
  return sql.length
}
