import { html } from 'hono/html'
import { TidemarkError } from '../../../platform/errors.ts'
import type { Answer } from '../../../platform/presentation/answer.ts'
import type { Column, Row } from '../../../platform/presentation/cursor.ts'
import type { Dashboard, Panel, TableChart } from '../../../platform/presentation/page.ts'
import type { Question } from '../../../platform/presentation/question.ts'
import { formatCount, formatMomentUtc } from '../../format.ts'
import { plotsOf } from '../charts/plot-of-answer.ts'
import type { Markup } from '../markup.ts'
import { renderCards, renderConversion } from './cards.ts'
import { linkTo, type Selection } from './filters.ts'
import { formatDecimal } from './format.ts'
import { renderPlots } from './plots.ts'

/** Rows of a table in a page; the CSV has them all. */
const MAX_ROWS = 500

export interface PanelOptions {
  readonly panel: Panel
  readonly question: Question
  /** Or why there is none: one question without an answer leaves the others alone. */
  readonly answer: Answer | { readonly error: unknown }
  readonly selection: Selection
  readonly dashboard: Dashboard
}

/** One question: its heading, what it shows, and the ways to the same as a table, a file and SQL. */
export function renderPanel(options: PanelOptions): Markup {
  const { panel, question, answer, selection, dashboard } = options
  const id = question.name
  const query = linkTo('', paramsFor(question, selection))
  const ignored = Object.keys(selection.params).filter(
    (name) => isNarrowing(dashboard, name) && !question.filters.includes(name),
  )
  const note = [
    panel.note,
    ignored.length === 0
      ? undefined
      : `Not filtered by ${ignored.map((name) => `“${labelOfFilter(dashboard, name)}”`).join(', ')}.`,
  ].filter((text) => text !== undefined)
  return html`<section class="panel ${panel.wide === true ? 'wide' : ''}" aria-labelledby="h-${id}">
    <h2 id="h-${id}">${panel.title ?? question.title}</h2>
    ${note.length === 0 ? '' : html`<p class="note">${note.join(' ')}</p>`}
    ${'error' in answer ? renderFailure(answer.error) : renderContent({ ...options, answer })}
    <div class="links">
      ${
        'error' in answer || answer.rows.length === 0
          ? ''
          : html`<details id="t-${id}">
              <summary>
                ${panel.chart.kind === 'table' ? 'Show as table, whole' : 'Show as table'}
              </summary>
              ${renderTable(answer, { dashboard, label: question.title })}
            </details>`
      }
      <a href="/questions/${question.name}.csv${query}" download>CSV</a>
      <a href="/questions/${question.name}${query}">SQL</a>
    </div>
  </section>`
}

/** The place of a question that is not for the caller, and for whom it is. */
export function renderWithheld({
  panel,
  question,
}: Pick<PanelOptions, 'panel' | 'question'>): Markup {
  const id = question.name
  return html`<section class="panel ${panel.wide === true ? 'wide' : ''}" aria-labelledby="h-${id}">
    <h2 id="h-${id}">${panel.title ?? question.title}</h2>
    <p class="empty">This is shown to the group ${question.access} only.</p>
  </section>`
}

/** What the filters of a page are for one question, for the address of its own page. */
export function paramsFor(question: Question, { filters }: Selection): Record<string, string> {
  return Object.fromEntries(
    Object.entries(filters).flatMap(([name, value]): [string, string][] =>
      question.filters.includes(name) && value !== undefined && value !== '' ? [[name, value]] : [],
    ),
  )
}

/** Whether a filter leaves out rows of the questions that know it. */
function isNarrowing({ filters }: Dashboard, name: string): boolean {
  if (['period', 'from', 'to', 'then'].includes(name)) return false
  const filter = filters.find((each) => each.name === name)
  return !(filter?.kind === 'choice' && filter.adds !== undefined)
}

function labelOfFilter({ filters }: Dashboard, name: string): string {
  return filters.find((filter) => filter.name === name)?.label ?? name
}

/** Whatever it was, in a sentence; never the message of an error that is not ours. */
export function renderFailure(error: unknown): Markup {
  const { code, message, hint } =
    error instanceof TidemarkError && /^(BAD_FILTER|READER_BUSY|WAREHOUSE_EMPTY)$/.test(error.code)
      ? error
      : {
          code: error instanceof TidemarkError ? error.code : 'UNEXPECTED',
          message: 'This question could not be answered just now',
          hint: 'load the page again; the log of the server says more',
        }
  return html`<p class="failure" role="alert">
    <span class="tag bad">failed</span> ${message}. Next: ${hint ?? 'try again'}.
    <code>${code}</code>
  </p>`
}

function renderContent(options: PanelOptions & { readonly answer: Answer }): Markup {
  const { panel, answer, dashboard, question } = options
  if (answer.rows.length === 0) {
    const text = panel.empty ?? 'Nothing in this period. Choose a longer one, or fewer filters.'
    return html`<p class="empty">${text}</p>`
  }
  const { chart } = panel
  const labels = (column: string): string => labelOf(dashboard, column)
  try {
    if (chart.kind === 'conversion') return renderConversion(chart, answer, labels)
    if (chart.kind === 'cards') {
      const { table: columns } = chart
      const rows: TableChart | undefined =
        columns === undefined ? undefined : { kind: 'table', columns, limit: 12 }
      const label = question.title
      return html`${renderCards(chart, answer, labels)}
      ${rows === undefined ? '' : renderTable(answer, { dashboard, label, chart: rows })}`
    }
    if (chart.kind === 'table') {
      return renderTable(answer, { dashboard, label: question.title, chart })
    }
    const title = panel.title ?? question.title
    return renderPlots(plotsOf(chart, answer, labels), { title })
  } catch (error) {
    return renderFailure(error)
  }
}

/** What people call a column. */
export function labelOf({ labels }: Pick<Dashboard, 'labels'>, column: string): string {
  const known = labels[column]
  if (known !== undefined) return known
  const words = column.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

export interface TableOptions {
  readonly dashboard: Pick<Dashboard, 'labels' | 'links'>
  /** What the table is, for who cannot see it. */
  readonly label: string
  readonly chart?: TableChart
}

/** An answer as a table that can be scrolled from the keyboard. */
export function renderTable(
  { columns, rows, isTruncated }: Pick<Answer, 'columns' | 'rows' | 'isTruncated'>,
  { dashboard, label, chart }: TableOptions,
): Markup {
  const shown =
    chart === undefined
      ? columns
      : chart.columns.map((name) => {
          const column = columns.find((each) => each.name === name)
          if (column === undefined) throw new TypeError(`there is no column ${name}`)
          return column
        })
  const places = shown.map((column) => columns.indexOf(column))
  const limit = chart?.limit ?? MAX_ROWS
  const left = rows.length - limit
  return html`<div
    class="table-wrap ${Math.min(rows.length, limit) > 18 ? 'tall' : ''}"
    tabindex="0"
    role="region"
    aria-label="Table: ${label}"
  >
    <table>
      ${
        left > 0 || isTruncated
          ? html`<caption>
              The first ${formatCount(Math.min(limit, rows.length))} of
              ${isTruncated ? 'more than ' : ''}${formatCount(rows.length)} rows; the CSV has all.
            </caption>`
          : ''
      }
      <thead>
        <tr>
          ${shown.map(
            ({ name, kind }) =>
              html`<th scope="col" class="${isQuantity(name, kind) ? 'number' : ''}">
                ${labelOf(dashboard, name)}
              </th>`,
          )}
        </tr>
      </thead>
      <tbody>
        ${rows.slice(0, limit).map(
          (row) =>
            html`<tr>
              ${places.map((place) => renderCell(columns, row, { place, dashboard }))}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`
}

/** Numbers that name a thing are text. */
function isQuantity(name: string, kind: Column['kind']): boolean {
  return kind === 'number' && !/(^|_)id$/.test(name)
}

function renderCell(
  columns: readonly Column[],
  row: Row,
  { place, dashboard }: { place: number; dashboard: Pick<Dashboard, 'links'> },
): Markup {
  const { name = '', kind = 'text' } = columns[place] ?? {}
  const cell = row[place] ?? null
  if (cell === null) return html`<td class="muted">–</td>`
  if (isQuantity(name, kind)) return html`<td class="number">${formatDecimal(cell)}</td>`
  const text =
    kind === 'moment' ? formatMomentUtc(cell) : kind === 'boolean' ? yesNo(cell) : inWords(cell)
  const href = linkOf(columns, row, { name, dashboard })
  return html`<td class="${kind === 'date' || kind === 'moment' ? 'time' : ''}">
    ${href === undefined ? text : html`<a href="${href}">${text}</a>`}
  </td>`
}

/** `SALES_RECEIPT` and `sales_order` are names for machines. */
function inWords(cell: string): string {
  if (!/^([A-Z]+(_[A-Z]+)+|[a-z]+(_[a-z]+)+)$/.test(cell)) return cell
  return cell.toLowerCase().replaceAll('_', ' ')
}

function yesNo(cell: string): string {
  return cell === 't' ? 'yes' : 'no'
}

/** Where a cell leads; undefined when a value it needs is not in the row. */
function linkOf(
  columns: readonly Column[],
  row: Row,
  { name, dashboard }: { name: string; dashboard: Pick<Dashboard, 'links'> },
): string | undefined {
  const valueOf = (column: string): string | null =>
    row[columns.findIndex((each) => each.name === column)] ?? null
  const link = dashboard.links[name]
  const template = typeof link === 'object' ? link.to[valueOf(link.by) ?? ''] : link
  if (template === undefined) return undefined
  let isWhole = true
  const href = template.replaceAll(/\{(\w+)\}/g, (_, column: string) => {
    const value = valueOf(column)
    isWhole &&= value !== null
    return encodeURIComponent(value ?? '')
  })
  return isWhole ? href : undefined
}
