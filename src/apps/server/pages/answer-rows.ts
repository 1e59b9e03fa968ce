import { html } from 'hono/html'
import type { Answer } from '../../../platform/presentation/answer.ts'
import type { ResultColumn, Row } from '../../../platform/presentation/cursor.ts'
import type { TableChart } from '../../../platform/project/chart.ts'
import type { Dashboard } from '../../../platform/project/dashboard.ts'
import { formatCount, formatDecimal, formatMomentUtc, formatShare } from '../../format.ts'
import type { Markup } from '../markup.ts'
import { own } from '../../../platform/project/named-record.ts'

/** The most rows that a table shows; the CSV has them all. */
const MAX_ROWS = 500

/** What people call a column: its label, or its name in words. */
export function labelOf({ labels }: Pick<Dashboard, 'labels'>, column: string): string {
  const known = labels[column]
  if (known !== undefined) return known
  const words = column.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** What a table needs to know about columns. */
export type TableWords = Pick<Dashboard, 'labels' | 'links' | 'units' | 'unlisted' | 'numbered'>

/** How an answer is shown as a table. */
export interface TableOptions {
  readonly dashboard: TableWords
  /** Describes the table to people who cannot see it. */
  readonly label: string
  /** The columns and the number of rows to show; all columns without it. */
  readonly chart?: TableChart
  /** Where each row leads, from the cells of one column. */
  readonly lead?: RowLead | undefined
}

/** Where the cells of a column lead that have no link of their own. */
export interface RowLead {
  readonly column: string | undefined
  of(rows: readonly Row[]): string
}

/** With more columns than this, a narrow window shows each row as a card. */
export const MAX_NARROW_COLUMNS = 3

/**
 * An answer as a table in a scroller of its own, which the keyboard can reach. In a narrow window a
 * row with many cells becomes a card that begins with its amount.
 */
export function renderAnswerRows(
  answer: Pick<Answer, 'columns' | 'rows' | 'isTruncated'>,
  { dashboard, label, chart, lead }: TableOptions,
): Markup {
  const { columns, rows } = answer
  const listed = columns.filter(({ name }) => dashboard.unlisted?.includes(name) !== true)
  const shown = chart === undefined ? listed : chart.columns.map((name) => columnOf(columns, name))
  const places = shown.map((column) => columns.indexOf(column))
  const limit = chart?.limit ?? MAX_ROWS
  const view = tableViewOf(answer, { dashboard, shown, lead })
  const stack = shown.length > MAX_NARROW_COLUMNS ? 'stack' : ''
  return html`<div
    class="table-wrap ${stack} ${Math.min(rows.length, limit) > 18 ? 'tall' : ''}"
    tabindex="0"
    role="region"
    aria-label="Table: ${label}"
  >
    <table>
      ${renderCaption(answer, limit)}
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
              ${places.map((place) => renderCell(row, place, view))}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`
}

/** The column of this name. Throws `TypeError` if there is none. */
export function columnOf(columns: readonly ResultColumn[], name: string): ResultColumn {
  const column = columns.find((each) => each.name === name)
  if (column === undefined) throw new TypeError(`the answer has no column ${name}`)
  return column
}

/** How many of the rows are shown, if some are not. */
function renderCaption(
  { rows, isTruncated }: Pick<Answer, 'rows' | 'isTruncated'>,
  limit: number,
): Markup {
  if (rows.length <= limit && !isTruncated) return html``
  return html`<caption>
    The first ${formatCount(Math.min(limit, rows.length))} of
    ${isTruncated ? 'more than ' : ''}${formatCount(rows.length)} rows; the CSV has all.
  </caption>`
}

/** A cell as people read it: every digit of a number, a moment with its zone, a dash for null. */
export function formatCell({ name, kind }: ResultColumn, cell: string | null): string {
  if (cell === null) return '–'
  if (isQuantity(name, kind)) return formatDecimal(cell)
  if (kind === 'moment') return formatMomentUtc(cell)
  return kind === 'boolean' ? yesNo(cell) : inWords(cell)
}

/** Whether a column holds quantities. Ids are numbers, but are shown as text. */
export function isQuantity(name: string, kind: ResultColumn['kind']): boolean {
  return kind === 'number' && !/(^|_)id$/.test(name)
}

/** How the cells of a table are shown. */
export interface TableView {
  readonly columns: readonly ResultColumn[]
  readonly dashboard: TableWords
  /** The first amount: where a card begins. Undefined if the table has none. */
  readonly foremost: string | undefined
  /** The column that says the currency of that amount. */
  readonly currency: string | undefined
  /** The names of the columns that the table shows. */
  readonly shown: ReadonlySet<string>
  readonly lead: RowLead | undefined
}

/** How an answer is shown in a table of some of its columns. */
export function tableViewOf(
  { columns }: Pick<Answer, 'columns'>,
  {
    dashboard,
    shown,
    lead,
  }: { dashboard: TableWords; shown: readonly ResultColumn[]; lead?: RowLead | undefined },
): TableView {
  const view = {
    columns,
    dashboard,
    lead,
    shown: new Set(shown.map(({ name }) => name)),
  }
  const money = shown
    .map(({ name }) => name)
    .filter((name) => currencyColumn(name, view) !== undefined)
  // The price of one says the least about a row.
  const foremost = money.find((name) => !/(^|_)price$/.test(name)) ?? money[0]
  const currency = foremost === undefined ? undefined : currencyColumn(foremost, view)
  return { ...view, foremost, currency }
}

/** The column of the answer that says in which currency another one is. */
function currencyColumn(
  name: string,
  { columns, dashboard }: Pick<TableView, 'columns' | 'dashboard'>,
): string | undefined {
  const unit = own(dashboard.units, name)
  if (typeof unit !== 'object') return undefined
  return unit.currency.find((each) => columns.some((column) => column.name === each))
}

/** The cell of a row at a place, as a link if its column leads somewhere. */
export function renderCell(row: Row, place: number, view: TableView): Markup {
  const { columns, dashboard, lead } = view
  const { name = '', kind = 'text' } = columns[place] ?? {}
  const cell = row[place] ?? null
  const label = labelOf(dashboard, name)
  if (cell === null) return html`<td class="muted none" data-label="${label}">–</td>`
  if (isQuantity(name, kind)) {
    const foremost = name === view.foremost ? ' foremost' : ''
    const said = sayQuantity(cell, { name, row, view })
    return html`<td class="number${foremost}" data-label="${label}">${said}</td>`
  }
  const text = `${formatCell({ name, kind }, cell)}${numberOf(row, name, view)}`
  const led = lead?.column === name ? lead.of([row]) : undefined
  const href = linkOf(columns, row, { name, dashboard }) ?? led
  const role = name === view.currency ? 'currency' : ''
  return html`<td
    class="${kind === 'date' || kind === 'moment' ? 'time' : role}"
    data-label="${label}"
  >
    ${href === undefined ? text : html`<a href="${href}">${text}</a>`}
  </td>`
}

/** A blank and the number of a name that is not unique, if no column of the table shows it. */
function numberOf(row: Row, name: string, { columns, dashboard, shown }: TableView): string {
  const column = own(dashboard.numbered, name)
  if (column === undefined || shown.has(column)) return ''
  const number = row[columns.findIndex((each) => each.name === column)] ?? undefined
  return number === undefined ? '' : ` ${number}`
}

/** A number with its thousands grouped; money with its currency, unless the table shows that too. */
function sayQuantity(
  cell: string,
  { name, row, view }: { name: string; row: Row; view: TableView },
): string {
  if (view.dashboard.units?.[name] === '%') return formatShare(cell)
  const currency = currencyColumn(name, view)
  if (currency === undefined || view.shown.has(currency)) return formatDecimal(cell)
  const code = row[view.columns.findIndex((each) => each.name === currency)] ?? ''
  return `${code} ${formatDecimal(cell)}`.trim()
}

/** `ON_TIME` and `on_time` as words. Any other text stays unchanged. */
function inWords(cell: string): string {
  if (!/^([A-Z]+(_[A-Z]+)+|[a-z]+(_[a-z]+)+)$/.test(cell)) return cell
  return cell.toLowerCase().replaceAll('_', ' ')
}

function yesNo(cell: string): string {
  return cell === 't' ? 'yes' : 'no'
}

/** The address that a cell leads to. Undefined if it needs a value that the row does not have. */
function linkOf(
  columns: readonly ResultColumn[],
  row: Row,
  { name, dashboard }: { name: string; dashboard: Pick<Dashboard, 'links'> },
): string | undefined {
  const valueOf = (column: string): string | null =>
    row[columns.findIndex((each) => each.name === column)] ?? null
  const link = own(dashboard.links, name)
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
