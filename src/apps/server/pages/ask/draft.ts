import type { Filters, Question } from '../../../../platform/presentation/question.ts'
import type {
  SavedChart,
  SavedQuestion,
} from '../../../../platform/presentation/saved-questions.ts'

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

/** The first statement in the editor: it answers something and shows how to ask. */
export const FIRST = `select currency_code, count(*) as orders, sum(units_sold) as units
from fact_sales_order_current
inner join dim_currency using (currency_id)
group by currency_code
order by currency_code
`

/** Names of filters begin with this in the form and in addresses, to keep them apart from the rest. */
export const FILTER_PREFIX = 'filter.'

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
  const names = [...new Set(form.keys())].filter((name) => name.startsWith(FILTER_PREFIX))
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
 * The address at which a draft is answered: that of its question or saved question while it is
 * unchanged, otherwise one that holds the statement. Undefined if the statement is too long for one.
 */
export function addressOf(draft: Draft, path = '/ask'): string | undefined {
  const query = new URLSearchParams()
  const { sql, question, saved, filters, chart } = draft
  const given = Object.entries(filters).filter(([, value]) => value !== undefined && value !== '')
  if (saved !== undefined && isAsSaved(draft)) query.set('saved', saved.name)
  else {
    const isUnchanged = question !== undefined && isSameStatement(question, sql)
    if (isUnchanged) query.set('question', question.name)
    else query.set('sql', sql)
    if (chart !== (isUnchanged ? question.chart : 'auto')) query.set('chart', chart)
    const prefix = isUnchanged ? '' : FILTER_PREFIX
    for (const [name, value = ''] of given) query.set(`${prefix}${name}`, value)
  }
  const address = `${path}?${query.toString()}`
  return address.length <= MAX_ADDRESS_CHARS ? address : undefined
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

/** The variables of a statement, in order. Some may be in a string or a comment. */
export function variablesOf(sql: string): string[] {
  const named = Array.from(sql.matchAll(/(?<!:):'(\w+)'/g), ([, name = '']) => name)
  const canGoBack = /\bfact_\w+_current\b/.test(sql)
  return [...new Set([...named, ...(canGoBack ? ['as_of'] : [])])]
}
