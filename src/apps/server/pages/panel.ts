import { html } from 'hono/html'
import { TidemarkError } from '../../../platform/errors.ts'
import type { Answer } from '../../../platform/presentation/answer.ts'
import type { Question } from '../../../platform/presentation/question.ts'
import type { TableChart } from '../../../platform/project/chart.ts'
import type { Dashboard, Page, Panel } from '../../../platform/project/dashboard.ts'
import { hasComparison, sayIncomparable } from '../charts/dumbbell.ts'
import { plotsOf } from '../charts/plot-of-answer.ts'
import type { Markup } from '../markup.ts'
import { labelOf, renderAnswerRows } from './answer-rows.ts'
import { renderCards, renderConversion } from './cards.ts'
import { renderPlots } from './plots.ts'
import { renderFileLinks } from './files.ts'
import { parameterNamesOf } from './filters.ts'
import { type PanelLead, readLead } from './leads.ts'
import { linkTo, type Selection, type SelectionOptions } from './selection.ts'
import { isCrowded, renderCrowded, withStep } from './steps.ts'

/** What a panel is rendered from. */
export interface PanelOptions {
  readonly panel: Panel
  readonly question: Question
  /** The answer, or why there is none. One question without an answer does not affect the others. */
  readonly answer: Answer | { readonly error: unknown }
  readonly selection: Selection
  readonly dashboard: Dashboard
  /** The page that the panel is on. */
  readonly page: Page
}

/** A question with its chart, and the same as a table, a file and SQL. */
export function renderPanel(options: PanelOptions): Markup {
  const { panel, question, selection, dashboard } = options
  const id = question.name
  const query = linkTo('', paramsFor(question, selection))
  const { answer, lead } = withLead(options)
  return html`<section class="panel ${panel.wide === true ? 'wide' : ''}" aria-labelledby="h-${id}">
    <div class="panel-head">
      <h2 id="h-${id}">${panel.title ?? question.title}</h2>
      ${renderConverted(panel, { question, selection })}
      ${renderIgnored(question, { selection, dashboard })}
    </div>
    ${panel.note === undefined ? '' : html`<p class="note">${panel.note}</p>`}
    ${'error' in answer ? renderFailure(answer.error) : renderContent({ ...options, answer }, lead)}
    <div class="links">
      ${
        'error' in answer || answer.rows.length === 0
          ? ''
          : html`<details id="t-${id}">
              <summary>
                ${panel.chart.kind === 'table' ? 'Show the whole table' : 'Show as table'}
              </summary>
              ${renderAnswerRows(answer, { dashboard, label: `${question.title} All columns`, lead })}
            </details>`
      }
      ${lead?.all === undefined ? '' : html`<a href="${lead.all}">List</a>`}
      ${renderFileLinks(`/questions/${question.name}`, query)}
      <a href="/questions/${question.name}${query}">SQL</a>
    </div>
  </section>`
}

/** The answer with the lead of its rows. A lead that does not fit is a fault of this panel alone. */
function withLead(options: PanelOptions): {
  readonly answer: PanelOptions['answer']
  readonly lead: PanelLead | undefined
} {
  const { answer } = options
  if ('error' in answer) return { answer, lead: undefined }
  try {
    return { answer, lead: readLead({ ...options, columns: answer.columns }) }
  } catch (error) {
    return { answer: { error }, lead: undefined }
  }
}

/** Renders, in place of a question that is not for the caller, which group it is for. */
export function renderWithheld({
  panel,
  question,
}: Pick<PanelOptions, 'panel' | 'question'>): Markup {
  const id = question.name
  return html`<section class="panel ${panel.wide === true ? 'wide' : ''}" aria-labelledby="h-${id}">
    <h2 id="h-${id}">${panel.title ?? question.title}</h2>
    <p class="empty">Only the group ${question.access} may see this.</p>
  </section>`
}

/** The filters of a page that a question knows, for the address of the question's own page. */
export function paramsFor(question: Question, { filters }: Selection): Record<string, string> {
  return Object.fromEntries(
    Object.entries(filters).flatMap(([name, value]): [string, string][] =>
      question.filters.includes(name) && value !== undefined && value !== '' ? [[name, value]] : [],
    ),
  )
}

type Shown = Pick<PanelOptions, 'selection' | 'dashboard'>

/** Says that the amounts are in the one currency that the page asks for, if the question can do so. */
function renderConverted(
  { needs }: Panel,
  { question, selection }: Pick<PanelOptions, 'question' | 'selection'>,
): Markup {
  const into = selection.params['in']
  if (into === undefined || needs === 'in' || !question.filters.includes('in')) return html``
  return html`<p class="scope">all in ${into}, at each day’s rate</p>`
}

/** Names the filters that are set and that the question does not know. */
function renderIgnored(question: Question, { selection, dashboard }: Shown): Markup {
  const ignored = narrowing(selection, dashboard)
    .filter(({ names }) => !names.some((name) => question.filters.includes(name)))
    .map(({ label }) => label.toLowerCase())
  return ignored.length === 0
    ? html``
    : html`<p class="scope">not filtered by ${ignored.join(', ')}</p>`
}

/** A filter that is set and leaves out rows in the questions that know one of its `names`. */
interface Narrowing {
  readonly names: readonly string[]
  readonly label: string
  /** What a panel shows without it, such as `all currencies`. */
  readonly without: string
  /** What the address of the page needs in order to be without it. */
  readonly undo: Readonly<Record<string, string | undefined>>
}

/** The filters that are set and leave out rows, the period first. */
export function narrowing(
  { filters, params }: Selection,
  dashboard: SelectionOptions['dashboard'],
): Narrowing[] {
  const hasPeriod = filters['from'] !== undefined || filters['to'] !== undefined
  const period = { period: 'all', from: undefined, to: undefined }
  return dashboard.filters.flatMap((filter): Narrowing[] => {
    const { kind, name, label } = filter
    if (kind === 'period') {
      const without = 'all dates'
      return hasPeriod ? [{ names: ['from', 'to'], label, without, undo: period }] : []
    }
    if (kind === 'range' || kind === 'text') {
      const names = parameterNamesOf(filter).filter((each) => params[each] !== undefined)
      const undo = Object.fromEntries(names.map((each) => [each, undefined]))
      return names.length === 0
        ? []
        : [
            {
              names,
              label,
              without: `any ${kind === 'range' ? label.toLowerCase() : 'text'}`,
              undo,
            },
          ]
    }
    if (params[name] === undefined || name === 'then') return []
    if (kind === 'option' || (kind === 'choice' && filter.adds !== undefined)) return []
    const without = kind === 'moment' ? 'what is known now' : filter.all.toLowerCase()
    return [{ names: [name], label, without, undo: { [name]: undefined } }]
  })
}

/** Says why a panel has nothing to show, with a link for each filter that it can be without. */
function renderEmpty({ panel, question, selection, dashboard, page }: PanelOptions): Markup {
  const ways = narrowing(selection, dashboard).filter(
    ({ names }) =>
      names.some((name) => question.filters.includes(name)) && !names.includes(page.needs ?? ''),
  )
  return html`<p class="empty">
    ${panel.empty ?? (ways.length === 0 ? 'Nothing yet.' : 'Nothing meets these filters.')}
    ${ways.map(
      ({ without, undo }) =>
        html` <a href="${linkTo(page.path, selection.params, undo)}">Show ${without}</a>`,
    )}
  </p>`
}

/** Says in a sentence that a question failed; never the message of an error that is not ours. */
export function renderFailure(error: unknown): Markup {
  const { code, message, hint } =
    error instanceof TidemarkError && /^(BAD_FILTER|READER_BUSY|WAREHOUSE_EMPTY)$/.test(error.code)
      ? error
      : {
          code: error instanceof TidemarkError ? error.code : 'UNEXPECTED',
          message: 'This question could not be answered',
          hint: 'load the page again; the log of the server says more',
        }
  return html`<p class="failure" role="alert">
    <span class="tag bad">failed</span> ${message}. Next: ${hint ?? 'try again'}.
    <code>${code}</code>
  </p>`
}

/** What the page compares with, in words, if it says so and the question can. Empty for nothing. */
export function againstOf({
  question,
  selection,
  dashboard,
}: Pick<PanelOptions, 'question' | 'selection' | 'dashboard'>): string | undefined {
  const name = 'against'
  const asked = selection.params[name]
  if (asked === undefined || !question.filters.includes(name)) return undefined
  if (asked === 'none') return ''
  const filter = dashboard.filters.find((each) => each.name === name)
  const values = filter?.kind === 'option' ? filter.values : []
  const label = values.find(({ value }) => value === asked)?.label ?? asked
  return label.charAt(0).toLowerCase() + label.slice(1)
}

function renderContent(
  options: PanelOptions & { readonly answer: Answer },
  lead: PanelLead | undefined,
): Markup {
  const { panel, answer, dashboard, question, selection } = options
  if (answer.rows.length === 0) return renderEmpty(options)
  const { chart } = panel
  const labels = (column: string): string => labelOf(dashboard, column)
  const leadOf = lead?.of
  const against = againstOf(options)
  const hasFirstDay = (selection.filters['from'] ?? '') !== ''
  const shown = { labels, leadOf, hasFirstDay, against }
  try {
    if (chart.kind === 'conversion') return renderConversion(chart, answer, shown)
    if (chart.kind === 'cards') {
      const { table: columns } = chart
      const rows: TableChart | undefined =
        columns === undefined ? undefined : { kind: 'table', columns, limit: 12 }
      const label = question.title
      return html`${renderCards(chart, answer, shown)}
      ${rows === undefined ? '' : renderAnswerRows(answer, { dashboard, label, lead, chart: rows })}`
    }
    if (chart.kind === 'table') {
      return renderAnswerRows(answer, { dashboard, label: question.title, lead, chart })
    }
    if (chart.kind === 'dumbbell' && !hasComparison(chart, answer)) {
      return html`<p class="empty">${sayIncomparable(chart, answer, against)}</p>`
    }
    const title = panel.title ?? question.title
    const drawn = withStep(chart, options)
    if (isCrowded(drawn, answer)) return renderCrowded(drawn, options)
    const words = { labels, leadOf, units: dashboard.units }
    return renderPlots(plotsOf(drawn, answer, words), { title })
  } catch (error) {
    return renderFailure(error)
  }
}
