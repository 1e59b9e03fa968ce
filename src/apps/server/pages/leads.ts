import type { ResultColumn, Row } from '../../../platform/presentation/cursor.ts'
import type { Question } from '../../../platform/presentation/question.ts'
import type { TimeStep } from '../../../platform/project/chart.ts'
import type { Dashboard, Lead, List, Panel } from '../../../platform/project/dashboard.ts'
import { tableOf } from '../charts/answer-table.ts'
import { parameterNamesOf } from './filters.ts'
import { type AnyFilter, linkTo, type Selection } from './selection.ts'
import { stepAsked } from './steps.ts'

/** The address of a list. */
export function listPath({ name }: Pick<List, 'name'>): string {
  return `/list/${name}`
}

/** The parameters that a page or a list of the dashboard takes. Undefined for any other address. */
export function parametersOf(path: string, dashboard: Dashboard): readonly string[] | undefined {
  const list = dashboard.lists?.find((each) => listPath(each) === path)
  const filters = list?.filters ?? dashboard.pages.find((page) => page.path === path)?.filters
  if (filters === undefined) return undefined
  const shared = dashboard.filters.filter(({ name }) => filters.includes(name))
  const all: readonly AnyFilter[] = [...shared, ...(list?.own ?? [])]
  return all.flatMap((filter) => parameterNamesOf(filter))
}

/**
 * The address of a page or a list, with the filters that it knows. What the address itself names
 * stays as it is.
 */
export function leadTo(
  to: string,
  params: Readonly<Record<string, string>>,
  dashboard: Dashboard,
): string {
  const [path = '', query = ''] = to.split('?')
  const own = Object.fromEntries(new URLSearchParams(query))
  const known = parametersOf(path, dashboard) ?? []
  const isList = dashboard.lists?.some((list) => listPath(list) === path) === true
  const all: Params = { ...params, ...own }
  // A list shows all days unless its address says otherwise.
  const kept = known.filter((name) => !(isList && name === 'period'))
  const ordered = kept.flatMap((name): [string, string][] =>
    all[name] === undefined ? [] : [[name, all[name]]],
  )
  return linkTo(path, { ...Object.fromEntries(ordered), ...own })
}

/** Where the rows of one panel lead. */
export interface PanelLead {
  /** The list with everything that the panel is about. Undefined if it leads to no list. */
  readonly all: string | undefined
  /** The column whose cells lead on, if the target differs from row to row. */
  readonly column: string | undefined
  /** The address that a mark of these rows leads to: that which they have in common. */
  of(rows: readonly Row[]): string
}

/** What the leads of a panel are read from. */
interface LeadOptions {
  readonly panel: Panel
  readonly question: Question
  readonly columns: readonly ResultColumn[]
  readonly selection: Selection
  readonly dashboard: Dashboard
}

/**
 * Where the rows of a panel lead, with the filters of the page that both its question and the target
 * know. Undefined if the page shows a past state and the target cannot: it would show other rows.
 * Throws if the panel names a column that the answer does not have.
 */
export function readLead(options: LeadOptions): PanelLead | undefined {
  const { panel, question, columns, selection, dashboard } = options
  const { to, span } = panel.leads
  const set = setBy(options)
  const [path = ''] = to.split('?')
  const known = parametersOf(path, dashboard) ?? []
  if (selection.params['as_of'] !== undefined && known.length > 0 && !known.includes('as_of')) {
    return undefined
  }
  const carried = carriedBy(options)
  const { text } = tableOf({ columns, rows: [] })
  for (const column of columnsOf(panel.leads)) text([], column)
  const kept = Object.entries(carried).filter(([name]) => !Object.hasOwn(set, name))
  const paramsOf = (row: Row): Params => ({
    ...Object.fromEntries(kept),
    ...filled(Object.entries(set).map(([name, column]) => [name, text(row, column)])),
    ...(span === undefined
      ? {}
      : spanOf(text(row, span.column), stepAsked(question, selection) ?? span.step, carried)),
  })
  const isList = dashboard.lists?.some((list) => listPath(list) === path) === true
  return {
    all: isList ? leadTo(to, carried, dashboard) : undefined,
    column: columnsOf(panel.leads)[0],
    of(rows) {
      const [first = [], ...others] = rows
      const params = common(paramsOf(first), others.map(paramsOf))
      const place = to.replaceAll(/\{(\w+)\}/g, (_, column: string) =>
        encodeURIComponent(text(first, column)),
      )
      return leadTo(place, params, dashboard)
    },
  }
}

/** The columns that a lead names. The cells of the first one lead on. */
export function columnsOf({ to, set = {}, span }: Lead): readonly string[] {
  return [
    ...(span === undefined ? [] : [span.column]),
    ...Object.values(set),
    ...[...to.matchAll(/\{(\w+)\}/g)].map(([, column = '']) => column),
  ]
}

type Params = Readonly<Record<string, string>>

/** The parameters that come from a row. Rows of a chart in one currency are from every currency. */
function setBy({ panel: { leads, chart }, selection }: LeadOptions): Params {
  const isConverted = 'leftOut' in chart && (selection.filters['in'] ?? '') !== ''
  const split = isConverted && 'split' in chart ? chart.split : undefined
  return Object.fromEntries(
    Object.entries(leads.set ?? {}).filter(([, column]) => column !== split),
  )
}

/** The filters of the page that the question follows. */
function carriedBy({ panel, question, selection }: LeadOptions): Params {
  const { filters, params } = selection
  const own = filled(
    question.filters.map((name) => [name, name === 'today' ? '' : (filters[name] ?? '')]),
  )
  const { from, to, ...others } = own
  if (panel.leads.isOtherPeriod === true) return others
  // A page without a period in its address shows the last weeks only.
  const isAll = question.filters.includes('from') && from === undefined && to === undefined
  return isAll && params['period'] === 'all' ? { ...others, period: 'all' } : own
}

function filled(entries: readonly (readonly [string, string])[]): Record<string, string> {
  return Object.fromEntries(entries.filter(([, value]) => value !== ''))
}

const MONTHS = { month: 1, quarter: 3, year: 12 } as const

/** The days of a step of time that are in the period of the page. */
function spanOf(first: string, step: TimeStep, carried: Params): Params {
  if (first === '') return {}
  const end = new Date(`${first}T00:00:00Z`)
  if (step === 'week') end.setUTCDate(end.getUTCDate() + 6)
  else if (step !== 'day') end.setUTCMonth(end.getUTCMonth() + MONTHS[step], 0)
  const last = end.toISOString().slice(0, 10)
  const { from = first, to = last } = carried
  return { from: from > first ? from : first, to: to < last ? to : last }
}

function common(first: Params, others: readonly Params[]): Params {
  const shared = Object.entries(first).filter(([name, value]) =>
    others.every((params) => params[name] === value),
  )
  return Object.fromEntries(shared)
}
