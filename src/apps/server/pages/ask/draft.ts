import { identifier } from '../../../../platform/io/sql.ts'
import {
  type Filters,
  filtersOf,
  type Question,
  variablesIn,
  withValue,
} from '../../../../platform/presentation/question.ts'
import type {
  SavedChart,
  SavedQuestion,
} from '../../../../platform/presentation/saved-questions.ts'
import { currentTable } from '../../../../platform/project/fact-names.ts'
import type { Project } from '../../../../platform/project/project.ts'

/** A statement with what belongs to it, as the form, an address or the store holds it. */
export interface Draft {
  readonly sql: string
  /** The question of the project that it began as. */
  readonly question: Question | undefined
  /** The saved question that it began as. */
  readonly saved: SavedQuestion | undefined
  readonly filters: Filters
  readonly chart: SavedChart
}

/** How an answer may be drawn, with what people call it. */
export const CHARTS: readonly (readonly [SavedChart, string])[] = [
  ['auto', 'Chart that fits'],
  ['none', 'Table only'],
  ['bars', 'Bars'],
  ['lines', 'Lines'],
]

/** The first statement in the editor: the project's own, or one that shows the newest rows. */
export function firstStatement({ presentation, models }: Project): string {
  const fact = models.find(({ kind }) => kind === 'fact')
  const relation = fact === undefined ? 'tidemark_batches' : identifier(currentTable(fact))
  return presentation?.ask?.first ?? `select *\nfrom ${relation}\norder by 1 desc\nlimit 20\n`
}

/** Names of filters begin with this in the form and in addresses, to keep them apart from the rest. */
export const FILTER_PREFIX = 'filter.'

/** The name of a filter in the form and in addresses. A variable of a statement is called so. */
export const FILTER_FIELD = /^filter\.\w+$/

/** The longest address that is made for a statement. Servers and browsers take this much. */
const MAX_ADDRESS_CHARS = 8000

/** A text as one of the charts; anything else as `auto`. */
export function chartOf(text: string): SavedChart {
  return CHARTS.find(([value]) => value === text)?.[0] ?? 'auto'
}

/** What a form sends, before the questions that it names are looked up. */
export interface SentDraft {
  readonly sql: string
  readonly question: string
  readonly saved: string
  readonly filters: Filters
  readonly chart: SavedChart
}

/** Reads what the editor's form sends. */
export function readSentDraft(form: FormData): SentDraft {
  const names = [...new Set(form.keys())].filter((name) => FILTER_FIELD.test(name))
  const filters = names.map((name): [string, string] => [
    name.slice(FILTER_PREFIX.length),
    textIn(form, name).trim(),
  ])
  return {
    // Browsers send the end of a line as two characters.
    sql: textIn(form, 'sql').replaceAll('\r\n', '\n'),
    question: textIn(form, 'question'),
    saved: textIn(form, 'saved'),
    filters: Object.fromEntries(filters),
    chart: chartOf(textIn(form, 'chart')),
  }
}

/** The text of a field, or an empty text if it is missing or a file. */
export function textIn(form: FormData, name: string): string {
  const value = form.get(name)
  return typeof value === 'string' ? value : ''
}

/**
 * The address at which a draft is answered. It names the question or saved question while the
 * statement is the same, and otherwise holds the statement. Undefined if that is too long for an
 * address.
 */
export function addressOf(draft: Draft): string | undefined {
  const { named, known, prefix, kept, filters } = beginningOf(draft)
  const query = new URLSearchParams(named)
  if (draft.chart !== known.chart) query.set('chart', draft.chart)
  for (const [name, value] of Object.entries(withValue(filters))) {
    if (kept[name] !== value) query.set(`${prefix}${name}`, value)
  }
  const address = `/ask?${query.toString()}`
  return address.length <= MAX_ADDRESS_CHARS ? address : undefined
}

/** What an address begins with: a saved question, a question, or a statement and what it began as. */
function beginningOf(draft: Draft): {
  readonly named: Record<string, string>
  readonly known: Pick<SavedQuestion, 'chart'>
  /** What the name of a filter begins with. */
  readonly prefix: string
  /** The values that the address need not repeat. */
  readonly kept: Filters
  /** The values that belong to it. */
  readonly filters: Filters
} {
  const { sql, question, saved, filters } = draft
  if (saved !== undefined && isSavedStatement(draft)) {
    const kept = saved.filters
    return { named: { saved: saved.name }, known: saved, prefix: FILTER_PREFIX, kept, filters }
  }
  if (question !== undefined) {
    const own = filtersOf(question, filters)
    const named = { question: question.name }
    return { named, known: question, prefix: '', kept: {}, filters: own }
  }
  // A changed statement keeps what it began as, so that it can be saved in its place.
  const named = saved === undefined ? { sql } : { sql, saved: saved.name }
  return { named, known: { chart: 'auto' }, prefix: FILTER_PREFIX, kept: {}, filters }
}

/**
 * Whether the statement is that of its saved question, and each filter saved with it has a value. An
 * address can replace a saved value, but not leave it out.
 */
function isSavedStatement({ sql, saved, filters }: Draft): boolean {
  if (saved === undefined || !isSameStatement(saved, sql)) return false
  return Object.keys(saved.filters).every((name) => (filters[name] ?? '') !== '')
}

/** Whether nothing was changed since it was saved. */
export function isAsSaved({ sql, saved, filters, chart }: Draft): boolean {
  if (saved === undefined || !isSameStatement(saved, sql) || saved.chart !== chart) return false
  const names = new Set([...Object.keys(filters), ...Object.keys(saved.filters)])
  return [...names].every((name) => (filters[name] ?? '') === (saved.filters[name] ?? ''))
}

/** Whether a statement is that of a question, whatever the white space around it. */
export function isSameStatement({ sql: known }: { readonly sql: string }, sql: string): boolean {
  return known.trim() === sql.trim()
}

/** The variables that a statement takes, in order. */
export function variablesOf(sql: string): string[] {
  const { named, canGoBack } = variablesIn(sql)
  return [...new Set([...named, ...(canGoBack ? ['as_of'] : [])])]
}
