import { html } from 'hono/html'
import type { Overview, TableOverview } from '../../../../platform/inspect/overview.ts'
import { MAX_COUNTED } from '../../../../platform/presentation/browse-rows.ts'
import { formatCount, formatMomentUtc, formatNumber } from '../../../format.ts'
import type { Markup } from '../../markup.ts'
import { type Cell, renderTable, tag } from '../operations/table.ts'
import { tablePath } from './address.ts'
import { sayAtMost } from './cells.ts'
import { renderChanges, sayCounts } from './changes-chart.ts'

/** Every table with its rows, versions, last change and quality, and what changed when. */
export function renderOverview(overview: Overview): Markup {
  const { tables, head, changes } = overview
  return html`${head === undefined ? renderEmpty(tables) : renderFigures(overview)}
  ${renderHeld(overview)} ${head === undefined ? '' : renderChanges(changes, 'Rows that changed')}
  ${tables.length === 0 ? '' : renderTables(overview)}`
}

function renderEmpty(tables: readonly TableOverview[]): Markup {
  return html`<section class="panel wide" aria-label="Nothing is loaded">
    <p class="empty">
      Nothing has been loaded
      yet${tables.length === 0 ? '' : `, and ${formatNumber(tables.length, 'table waits', 'tables wait')} for it`}.
      Next: <code>tidemark run</code>. This page shows it as soon as it is loaded.
    </p>
  </section>`
}

function renderFigures({ tables, head }: Overview): Markup {
  const loaded = tables.flatMap((each) => each.loaded ?? [])
  const rows = loaded.reduce((sum, each) => sum + Math.min(each.rows, MAX_COUNTED), 0)
  const isMore = loaded.some((each) => each.rows > MAX_COUNTED)
  const versions = loaded.reduce((sum, each) => sum + (each.versions ?? 0), 0)
  const quarantined = tables.reduce((sum, each) => sum + each.quarantined, 0)
  const figures: [string, string, Cell][] = [
    ['Tables', formatCount(loaded.length), 'in the warehouse'],
    ['Rows', `${isMore ? '≥ ' : ''}${formatCount(rows)}`, 'as they are now'],
    ['Versions', formatCount(versions), 'kept, deletions included'],
    [
      'In quarantine',
      formatCount(quarantined),
      quarantined === 0 ? 'no row was refused' : html`<a href="/quarantine">see why</a>`,
    ],
  ]
  return html`<section class="panel wide" aria-label="In short">
    <div class="cards">
      ${figures.map(
        ([name, figure, more]) =>
          html`<div class="card">
            <p class="card-name">${name}</p>
            <p class="figure">${figure}</p>
            <p class="card-more">${more}</p>
          </div>`,
      )}
    </div>
    <p class="muted">
      Batch <a href="/run/${head?.batch ?? 0}">${formatCount(head?.batch ?? 0)}</a> is the newest.
      <a href="/pipeline">Pipeline</a> shows every batch, <a href="/lineage">Lineage</a> where each
      table comes from.
    </p>
  </section>`
}

function renderHeld({ held }: Overview): Markup {
  if (held.length === 0) return html``
  return html`<section class="panel wide" aria-labelledby="h-held">
    <h2 id="h-held">Held</h2>
    <ul class="rows">
      ${held.map(
        ({ table, hold }) =>
          html`<li>
            ${tag('bad', 'held')} <a href="/catalogue/${encodeURIComponent(table)}">${table}</a>:
            ${hold.detail}, since ${formatMomentUtc(hold.sinceAt)}
          </li>`,
      )}
    </ul>
    <p class="muted">
      Each stays as it was last captured; all other tables go on.
      <a href="/quarantine">Quarantine</a> says what fixes it.
    </p>
  </section>`
}

function renderTables({ tables, head }: Overview): Markup {
  return html`<section class="panel wide" aria-labelledby="h-tables">
    <h2 id="h-tables">Tables</h2>
    ${renderTable({
      label: 'Tables of the warehouse',
      header: ['Table', 'Rows', 'Versions', 'Last change', 'What changed', 'State'],
      numeric: [1, 2],
      rows: tables.map((each) => tableRow(each, head !== undefined)),
    })}
    <p class="muted">
      Unless a table is held, it has everything that was committed in the source up to the moment at
      the top of the page.
    </p>
  </section>`
}

function tableRow(table: TableOverview, isLoaded: boolean): Cell[] {
  const { table: name, loaded, description } = table
  const link = html`<a href="${tablePath(name)}">${name}</a>`
  const about =
    description === undefined ? '' : html`<br /><span class="muted">${description}</span>`
  if (loaded === undefined) {
    return [
      html`${name}${about}`,
      '',
      '',
      '',
      '',
      tag('warn', isLoaded ? 'not loaded yet' : 'waits'),
    ]
  }
  const { rows, versions, last } = loaded
  return [
    html`${link}${about}`,
    sayAtMost(rows, MAX_COUNTED),
    versions === undefined ? '' : formatCount(versions),
    last === undefined ? '' : html`<time datetime="${last.at}">${formatMomentUtc(last.at)}</time>`,
    last === undefined
      ? ''
      : html`${sayCounts(last)} <a class="muted" href="/run/${last.batch}">batch ${last.batch}</a>`,
    describeQuality(table),
  ]
}

/** Whether a table is whole, and what is kept back of it. */
export function describeQuality({
  hold,
  heldDeletes,
  quarantined,
}: Pick<TableOverview, 'hold' | 'heldDeletes' | 'quarantined'>): Cell {
  const refused =
    quarantined === 0
      ? ''
      : html` <a href="/quarantine">${formatNumber(quarantined, 'row')} in quarantine</a>`
  if (hold !== undefined) return html`${tag('bad', 'held')}${refused}`
  if (heldDeletes > 0) {
    return html`${tag('warn', 'deletions held')} ${formatCount(heldDeletes)}${refused}`
  }
  return quarantined === 0 ? tag('ok', 'whole') : html`${tag('warn', 'incomplete')}${refused}`
}
