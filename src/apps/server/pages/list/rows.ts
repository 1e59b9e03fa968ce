import { html, raw } from 'hono/html'
import type { ResultColumn } from '../../../../platform/presentation/cursor.ts'
import type { ListPage, RowPlace } from '../../../../platform/presentation/list.ts'
import { type CursorScope, cursorOf } from '../../../../platform/presentation/list-cursor.ts'
import type { List, Page, Sort } from '../../../../platform/project/dashboard.ts'
import type { Markup } from '../../markup.ts'
import { renderFileLinks } from '../files.ts'
import { isQuantity, labelOf, renderCell, type TableWords, tableViewOf } from '../answer-rows.ts'
import { narrowing } from '../panel.ts'
import { type AnyFilter, linkTo, type Selection } from '../selection.ts'

/** What a page of rows is rendered from. */
export interface RowsOptions {
  readonly list: List
  readonly page: Page
  readonly scope: CursorScope
  readonly selection: Selection
  readonly dashboard: TableWords & {
    readonly filters: readonly AnyFilter[]
  }
}

/** A page of rows, with links to the pages beside it, to every order, and to the file of all rows. */
export function renderRows(found: ListPage, options: RowsOptions): Markup {
  const { list, page, selection } = options
  const { params } = selection
  return html`<section class="panel wide" aria-label="${list.title}">
    ${found.rows.length === 0 ? renderEmpty(options) : renderTable(found, options)}
    ${renderPager(found, options)}
    <div class="links">${renderFileLinks(page.path, linkTo('', params), ' of all rows')}</div>
  </section>`
}

function renderTable({ columns, rows }: ListPage, options: RowsOptions): Markup {
  const { list, dashboard } = options
  const places = list.columns.map((name) => columns.findIndex((column) => column.name === name))
  const shown = places.flatMap((place) => columns[place] ?? [])
  const view = tableViewOf({ columns }, { dashboard, shown })
  return html`<div
    class="table-wrap stack"
    tabindex="0"
    role="region"
    aria-label="Table: ${list.title}"
  >
    <table>
      <thead>
        <tr>
          ${places.map((place) => renderHeading(columns[place], options))}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              ${places.map((place) => renderCell(row, place, view))}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`
}

/** A heading, as a link to the order by its column if there is one. */
function renderHeading(
  column: ResultColumn | undefined,
  { list, page, scope, selection, dashboard }: RowsOptions,
): Markup {
  if (column === undefined) throw new TypeError(`${list.name} shows a column that it does not have`)
  const { name, kind } = column
  const label = labelOf(dashboard, name)
  const style = isQuantity(name, kind) ? 'number' : ''
  const type = list.sorts[name]
  if (type === undefined) return html`<th scope="col" class="${style}">${label}</th>`
  const isSorted = scope.sort.column === name
  const isDescending = isSorted ? !scope.sort.isDescending : type !== 'text'
  const href = linkTo(page.path, selection.params, {
    sort: sortText({ column: name, isDescending }),
  })
  const [state, mark] = scope.sort.isDescending ? ['descending', '↓'] : ['ascending', '↑']
  return html`<th scope="col" class="${style}" ${isSorted ? raw(`aria-sort="${state}"`) : ''}>
    <a href="${href}">${label}${isSorted ? html` <span aria-hidden="true">${mark}</span>` : ''}</a>
  </th>`
}

function renderPager({ next, back }: ListPage, { page, scope, selection }: RowsOptions): Markup {
  if (next === undefined && back === undefined) return html``
  const link = (place: RowPlace): string =>
    linkTo(page.path, selection.params, { cursor: cursorOf(place, scope) })
  return html`<nav class="pager links" aria-label="Pages of the list">
    ${
      back === undefined
        ? ''
        : html`<a href="${linkTo(page.path, selection.params)}">⇤ first rows</a>
            <a href="${link(back)}" rel="prev">← back</a>`
    }
    ${next === undefined ? '' : html`<a href="${link(next)}" rel="next">next →</a>`}
  </nav>`
}

/** Says why there are no rows, with a link for each filter that the list can be without. */
function renderEmpty({ page, selection, dashboard }: RowsOptions): Markup {
  const ways = narrowing(selection, dashboard)
  return html`<p class="empty">
    ${ways.length === 0 ? 'Nothing yet. The next run brings it.' : 'Nothing meets these filters.'}
    ${ways.map(
      ({ without, undo }) =>
        html` <a href="${linkTo(page.path, selection.params, undo)}">Show ${without}</a>`,
    )}
  </p>`
}

/** An order as an address has it: `amount`, or `-amount` for descending. */
export function sortText({ column, isDescending }: Sort): string {
  return isDescending ? `-${column}` : column
}
