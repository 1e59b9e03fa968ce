import { html } from 'hono/html'
import type { TransientError } from '../../../../platform/errors.ts'
import type { AskedRows, AskRefusal } from '../../../../platform/presentation/ask.ts'
import type { ResultColumn, Row } from '../../../../platform/presentation/cursor.ts'
import { variablesIn, withValue } from '../../../../platform/presentation/question.ts'
import { formatCount, formatDecimal } from '../../../format.ts'
import type { Markup } from '../../markup.ts'
import { isQuantity } from '../answer-rows.ts'
import { renderChart } from './chart.ts'
import type { Draft } from './draft.ts'

/** The outcome of a statement. `away` means that the warehouse could not be asked. */
export type Outcome = AskedRows | AskRefusal | { readonly away: TransientError }

/** What stands with an outcome. */
export interface OutcomeOptions {
  readonly draft: Draft
  /** What is offered below an answer. */
  readonly keep: Markup
}

/** Renders the answer below the statement, or why there is none. */
export function renderOutcome(outcome: Outcome, options: OutcomeOptions): Markup {
  if (isAnswered(outcome)) return renderAnswer(outcome, options)
  return section('No answer', renderFailedOutcome(outcome, options.draft.sql))
}

/** Whether there are rows. */
export function isAnswered(outcome: Outcome): outcome is AskedRows {
  return !('away' in outcome) && outcome.isAnswered
}

/** Why there is no answer. */
export function renderFailedOutcome(outcome: Exclude<Outcome, AskedRows>, sql: string): Markup {
  return 'away' in outcome ? renderAway(outcome.away) : renderRefusal(outcome, sql)
}

function section(title: string, content: Markup): Markup {
  return html`<section class="panel wide" id="result" aria-labelledby="h-result">
    <h2 id="h-result">${title}</h2>
    ${content}
  </section>`
}

/** Shows only messages without an address, which is not for everybody who may ask. */
function renderAway({ code, message }: TransientError): Markup {
  const what =
    code === 'READER_BUSY' || code === 'WAREHOUSE_EMPTY'
      ? message
      : 'The warehouse cannot be read now'
  return html`<p class="failure" role="alert">
    <span class="tag bad">failed</span> ${what}. Next: run it again in a moment.
    <code>${code}</code>
  </p>`
}

function renderRefusal({ sqlState, message, hint, position }: AskRefusal, sql: string): Markup {
  return html`<div class="failure" role="alert">
      <p><span class="tag bad">refused</span> ${message}</p>
      ${hint === undefined ? '' : html`<p>Hint: ${hint}</p>`}
      <p class="muted">SQLSTATE <code>${sqlState}</code></p>
    </div>
    ${position === undefined ? '' : renderPosition(sql, position)}`
}

/** How many characters are shown on each side of a mistake. */
const AROUND = 100

/** The line with the mistake, its word marked. Positions count characters, not UTF-16 units. */
function renderPosition(sql: string, position: number): Markup {
  const characters = Array.from(sql)
  const before = characters.slice(0, position - 1).join('')
  const after = characters.slice(position - 1).join('')
  const start = before.lastIndexOf('\n') + 1
  const line = before.split('\n').length
  const column = Array.from(before.slice(start)).length + 1
  const [word = ''] = /^(?:\w+|[^\n])?/u.exec(after) ?? []
  const rest = after.slice(word.length).split('\n', 1)[0] ?? ''
  const left = before.slice(start)
  const shownLeft = left.length > AROUND ? `… ${left.slice(-AROUND)}` : left
  const shownRest = rest.length > AROUND ? `${rest.slice(0, AROUND)} …` : rest
  const excerpt = html`${shownLeft}<mark>${word === '' ? '⟨end⟩' : word.slice(0, AROUND)}</mark>${shownRest}`
  const under = `${' '.repeat(Array.from(shownLeft).length)}^`
  return html`<p class="note">Line ${line}, character ${column}:</p>
    <pre class="code" tabindex="0" role="region" aria-label="Where in the statement">${excerpt}
<span aria-hidden="true">${under}</span></pre>`
}

function renderAnswer(answer: AskedRows, { draft, keep }: OutcomeOptions): Markup {
  return section(
    'Answer',
    html`<p class="note">${describeSize(answer)} Answered in ${formatTime(answer.durationMs)}.</p>
      ${renderUnfilled(draft)} ${renderChart(answer, draft.chart)}
      ${renderAskedRows(answer, 'the answer')} ${keep}`,
  )
}

/** Names the variables without a value. In the project's questions, an empty one does not filter. */
function renderUnfilled({ sql, question, filters }: Draft): Markup {
  const { named } = variablesIn(sql)
  const filled = withValue(filters)
  const unfilled = named.filter((name) => !Object.hasOwn(filled, name))
  if (question !== undefined || unfilled.length === 0) return html``
  return html`<p class="note">Without a value, and so null: ${unfilled.join(', ')}.</p>`
}

/** Every row as a table with this label, or the names of the columns if there is none. */
export function renderAskedRows(
  { columns, rows }: Pick<AskedRows, 'columns' | 'rows'>,
  label: string,
): Markup {
  if (rows.length > 0) return renderRowsOf(columns, rows, label)
  return html`<p class="empty">
    No rows. The columns are ${columns.map(({ name }) => name).join(', ')}.
  </p>`
}

/** How many rows there are, and whether there are more. */
export function describeSize({ rows, isTruncated }: AskedRows): Markup {
  const count = formatCount(rows.length)
  return isTruncated
    ? html`<strong>Only the first ${count} rows are shown; there are more.</strong> The files have
        up to 50,000.`
    : html`${count} ${rows.length === 1 ? 'row' : 'rows'}.`
}

function formatTime(durationMs: number): string {
  return durationMs < 1000 ? `${durationMs} ms` : `${(durationMs / 1000).toFixed(1)} s`
}

/** Every digit of each number, grouped. With a script, a click on a column sorts the rows by it. */
function renderRowsOf(
  columns: readonly ResultColumn[],
  rows: readonly Row[],
  label: string,
): Markup {
  const classes = columns.map(({ name, kind }) =>
    isQuantity(name, kind)
      ? 'number'
      : kind === 'date' || kind === 'moment'
        ? 'time'
        : kind === 'number'
          ? 'id'
          : '',
  )
  return html`<div
    class="table-wrap ${rows.length > 15 ? 'tall' : ''}"
    tabindex="0"
    role="region"
    aria-label="Rows: ${label}"
  >
    <table data-sortable>
      <thead>
        <tr>
          ${columns.map(
            ({ name }, place) => html`<th scope="col" class="${classes[place]}">${name}</th>`,
          )}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              ${row.map((cell, place) =>
                cell === null
                  ? html`<td class="muted" title="null">∅</td>`
                  : html`<td class="${classes[place]}">${textOf(columns[place], cell)}</td>`,
              )}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`
}

function textOf(column: ResultColumn | undefined, cell: string): string {
  if (column === undefined) return cell
  if (column.kind === 'boolean') return cell === 't' ? 'true' : 'false'
  return isQuantity(column.name, column.kind) && !/(^|_)year$/.test(column.name)
    ? formatDecimal(cell)
    : cell
}
