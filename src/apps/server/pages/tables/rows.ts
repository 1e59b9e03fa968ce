import { html, raw } from 'hono/html'
import type {
  BrowsedColumn,
  BrowsedTable,
} from '../../../../platform/presentation/browsed-table.ts'
import {
  type BrowsedRow,
  MAX_COLUMNS,
  type RowsPage,
  type RowsPlace,
} from '../../../../platform/presentation/browse-rows.ts'
import {
  type Condition,
  isBare,
  type Operator,
  OPERATORS,
} from '../../../../platform/presentation/row-condition.ts'
import { formatCount, formatMomentUtc, shorten } from '../../../format.ts'
import type { Markup } from '../../markup.ts'
import { renderFileLinks } from '../files.ts'
import { linkTo } from '../selection.ts'
import { type AskedTable, rowsCursor, rowPath, tablePath, withoutCondition } from './address.ts'
import { isNumeric, renderRawCell } from './cells.ts'

/** What people call an operator, in a sentence about a column. */
const WORDS: Readonly<Record<Operator, string>> = {
  equals: 'is',
  contains: 'contains',
  from: 'is at least',
  to: 'is at most',
  empty: 'is null',
  filled: 'is not null',
}

/** The form to search, the filters that are set, and the form to add one. */
export function renderRowFilters(asked: AskedTable): Markup {
  const { selection, params, faults } = asked
  const { model } = selection.table
  const path = tablePath(model.table)
  return html`<form class="lead" method="get" action="${path}" role="search">
      ${hiddenFields(params, ['q', 'state'])}
      <label class="field"
        ><span>Search</span
        ><input
          type="search"
          name="q"
          value="${params['q'] ?? ''}"
          maxlength="200"
          placeholder="${model.key.length === 1 ? 'Text, or a key' : 'Text'}"
      /></label>
      ${
        model.kind === 'fact'
          ? html`<label class="field"
              ><span>Rows</span
              ><select name="state">
                <option value="">As they are now</option>
                <option value="deleted" ${params['state'] === 'deleted' ? 'selected' : ''}>
                  ${goneWord(selection.table)}
                </option>
              </select></label
            >`
          : ''
      }
      <button class="button" type="submit">Search</button>
    </form>
    <div class="filters">
      ${renderFaults(faults)} ${renderChips(asked, path)} ${renderAddForm(asked, path)}
    </div>`
}

function hiddenFields(params: AskedTable['params'], fields: readonly string[]): Markup {
  return html`${Object.entries(params)
    .filter(([name]) => !fields.includes(name))
    .map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`)}`
}

function renderFaults(faults: AskedTable['faults']): Markup {
  if (faults.length === 0) return html``
  return html`<div class="banner bad" role="alert">
    ${faults.map(
      ({ condition: { column, value }, why }) =>
        html`<p><b>${shorten(column.name)}</b> cannot be “${shorten(value)}”. ${why}.</p>`,
    )}
    <p>The page shows everything else without it.</p>
  </div>`
}

function sayCondition({ column, operator, value }: Condition): string {
  const about = `${shorten(column.name)} ${WORDS[operator]}`
  return isBare(operator) ? about : `${about} ${shorten(value)}`
}

function renderChips({ selection, params }: AskedTable, path: string): Markup {
  const { q, ...withoutSearch } = params
  const chips = [
    ...(q === undefined
      ? []
      : [{ text: `Search: ${shorten(q)}`, href: linkTo(path, withoutSearch) }]),
    ...selection.conditions.map((condition) => ({
      text: sayCondition(condition),
      href: linkTo(path, withoutCondition(params, condition)),
    })),
  ]
  if (chips.length === 0) return html``
  return html`<ul class="chips" aria-label="Filtered by; follow one to undo it">
    ${chips.map(
      ({ text, href }) =>
        html`<li>
          <a class="chip" href="${href}"
            >${text} <span aria-hidden="true">×</span><span class="visually-hidden">, undo</span></a
          >
        </li>`,
    )}
  </ul>`
}

/** A form that adds one filter. The server writes it into the address. */
function renderAddForm({ selection, params, faults }: AskedTable, path: string): Markup {
  const [fault] = faults
  const isChosen = (chosen: boolean): Markup | '' => (chosen ? html`selected` : '')
  return html`<details id="filters" ${faults.length > 0 ? 'open' : ''}>
    <summary>Add a filter</summary>
    <form method="get" action="${path}">
      ${hiddenFields(params, [])}
      <label class="field"
        ><span>Column</span
        ><select name="column">
          ${selection.table.columns.map(
            ({ name }) =>
              html`<option value="${name}" ${isChosen(name === fault?.condition.column.name)}>
                ${name}
              </option>`,
          )}
        </select></label
      >
      <label class="field"
        ><span>Condition</span
        ><select name="is">
          ${OPERATORS.map(
            (operator) =>
              html`<option value="${operator}" ${isChosen(operator === fault?.condition.operator)}>
                ${WORDS[operator]}
              </option>`,
          )}
        </select></label
      >
      <label class="field"
        ><span>Value</span
        ><input
          type="text"
          name="value"
          value="${fault?.condition.value ?? ''}"
          maxlength="400"
          autocomplete="off"
          ${fault === undefined ? '' : raw('aria-invalid="true"')}
      /></label>
      <div class="toolbar">
        <button class="button" type="submit">Add</button>
        <a href="${path}">Reset</a>
      </div>
    </form>
  </details>`
}

/** What people call the rows that a table no longer has. */
function goneWord({ model }: BrowsedTable): string {
  const isSelected = model.kind === 'fact' && model.follows !== undefined
  return isSelected ? 'Deleted rows, or no longer selected' : 'Deleted rows'
}

/** A page of rows with links to the pages beside it, to each row's versions, and to the files. */
export function renderRowsPanel(
  page: RowsPage,
  asked: AskedTable,
  { total }: { readonly total: string | undefined },
): Markup {
  const { selection, params } = asked
  const { model } = selection.table
  const path = tablePath(model.table)
  const title = selection.state === 'deleted' ? goneWord(selection.table) : 'Rows'
  return html`<section class="panel wide" aria-labelledby="h-rows">
    <div class="panel-head">
      <h2 id="h-rows">${title}</h2>
      ${total === undefined ? '' : html`<p class="scope">${total}</p>`}
    </div>
    ${renderNote(selection.table, page)}
    ${page.rows.length === 0 ? renderEmpty(asked, path) : renderTable(page, asked)}
    ${renderPager(page, asked, path)}
    <div class="links">
      ${renderFileLinks(`${path}/rows`, linkTo('', params), ' of these rows')}
    </div>
  </section>`
}

function renderNote({ columns, isByContent }: BrowsedTable, page: RowsPage): Markup {
  const hidden = columns.length - page.columns.length
  return html`${
    isByContent
      ? html`<p class="note">
          The source table has no key. So a row is its values, <code>row_count</code> says how many
          rows have them, and <code>row_hash</code> identifies them.
        </p>`
      : ''
  }
  ${
    hidden > 0
      ? html`<p class="note">
          The first ${MAX_COLUMNS} of ${columns.length} columns. The page of a row and the files
          have all of them.
        </p>`
      : ''
  }`
}

function renderTable(page: RowsPage, asked: AskedTable): Markup {
  const { model } = asked.selection.table
  return html`<div
    class="table-wrap stack grid"
    tabindex="0"
    role="region"
    aria-label="Table: rows of ${model.table}"
  >
    <table>
      <thead>
        <tr>
          <th scope="col"><span class="visually-hidden">Versions</span></th>
          ${page.columns.map((column) => renderHeading(column, asked))}
        </tr>
      </thead>
      <tbody>
        ${page.rows.map((row) => renderRow(row, page, asked))}
      </tbody>
    </table>
  </div>`
}

function renderRow(
  { key, cells, recordedAt }: BrowsedRow,
  page: RowsPage,
  asked: AskedTable,
): Markup {
  const { model } = asked.selection.table
  const since = recordedAt === undefined ? '' : formatMomentUtc(recordedAt)
  const word = model.kind === 'fact' ? 'History' : 'Row'
  return html`<tr>
    <td>
      <a href="${rowPath(model, key)}" title="${since === '' ? '' : `Captured ${since}`}"
        >${word}<span class="visually-hidden"> of ${shorten(key.join(', '))}</span></a
      >
    </td>
    ${page.columns.map((column, index) => {
      const cell = cells[index] ?? null
      return html`<td
        class="${isNumeric(column) ? 'number' : column.kind === 'moment' ? 'time' : ''}"
        data-label="${column.name}"
      >
        ${renderRawCell(column, cell)}
      </td>`
    })}
  </tr>`
}

/** A heading, as a link to the order by its column if its values have one. */
function renderHeading(column: BrowsedColumn, { selection, params }: AskedTable): Markup {
  const { name, isOrdered, description } = column
  const style = isNumeric(column) ? 'number' : ''
  const about = description === undefined ? '' : html`title="${description}"`
  if (!isOrdered) return html`<th scope="col" class="${style}" ${about}>${name}</th>`
  const { sort, table } = selection
  const isSorted = sort?.column === name
  const isDescending = isSorted && !sort.isDescending
  const { cursor: _cursor, order: _order, ...others } = params
  const href = linkTo(tablePath(table.model.table), others, {
    sort: name,
    order: isDescending ? 'desc' : undefined,
  })
  const [state, mark] = sort?.isDescending === true ? ['descending', '↓'] : ['ascending', '↑']
  return html`<th
    scope="col"
    class="${style}"
    ${about}
    ${isSorted ? raw(`aria-sort="${state}"`) : ''}
  >
    <a href="${href}">${name}${isSorted ? html` <span aria-hidden="true">${mark}</span>` : ''}</a>
  </th>`
}

function renderPager(page: RowsPage, asked: AskedTable, path: string): Markup {
  const { next, back } = page
  if (next === undefined && back === undefined) return html``
  const link = (place: RowsPlace): string =>
    linkTo(path, asked.params, { cursor: rowsCursor(place, asked) })
  return html`<nav class="pager links" aria-label="Pages of the table">
    ${
      back === undefined
        ? ''
        : html`<a href="${linkTo(path, asked.params)}">⇤ first rows</a>
            <a href="${link(back)}" rel="prev">← back</a>`
    }
    ${next === undefined ? '' : html`<a href="${link(next)}" rel="next">next →</a>`}
  </nav>`
}

function renderEmpty({ selection, params }: AskedTable, path: string): Markup {
  const isFiltered = selection.search !== undefined || selection.conditions.length > 0
  const { state, sort, order } = params
  const kept = { state, sort, order }
  return html`<p class="empty">
    ${
      isFiltered
        ? html`Nothing meets these filters. <a href="${linkTo(path, {}, kept)}">Show all rows</a>`
        : selection.state === 'deleted'
          ? 'No row was deleted.'
          : 'The table has no rows.'
    }
  </p>`
}

/** How many rows a page says it is about, if all of them are. */
export function sayTotal(total: number, limit: number): string {
  return total > limit
    ? `more than ${formatCount(limit)} rows`
    : `${formatCount(total)} ${total === 1 ? 'row' : 'rows'}`
}
