import { html } from 'hono/html'
import type { Markup } from '../../markup.ts'
import { MAX_NARROW_COLUMNS } from '../answer-rows.ts'

/** A cell of a table: text, or HTML. */
export type Cell = string | Markup

/** A table in a scroller of its own, which the keyboard can reach. `numeric` lists columns by index. */
export function renderTable({
  label,
  header,
  rows,
  numeric = [],
}: {
  label: string
  header: readonly string[]
  rows: readonly (readonly Cell[])[]
  numeric?: readonly number[]
}): Markup {
  const numbers = new Set(numeric)
  const kind = (index: number) => (numbers.has(index) ? 'number' : '')
  const stack = header.length > MAX_NARROW_COLUMNS ? 'stack' : ''
  return html`<div
    class="table-wrap ${stack}"
    tabindex="0"
    role="region"
    aria-label="Table: ${label}"
  >
    <table>
      <thead>
        <tr>
          ${header.map((cell, index) => html`<th scope="col" class="${kind(index)}">${cell}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              ${row.map(
                (cell, index) =>
                  html`<td
                    class="${kind(index)}${cell === '' ? ' none' : ''}"
                    data-label="${header[index] ?? ''}"
                  >
                    ${cell}
                  </td>`,
              )}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`
}

/**
 * A state in a word. The stylesheet adds a mark to a good, doubtful or bad one, so that colour alone
 * tells nothing.
 */
export function tag(kind: 'ok' | 'warn' | 'bad' | 'plain', word: string): Markup {
  return html`<span class="tag ${kind}">${word}</span>`
}
