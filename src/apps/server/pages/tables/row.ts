import { html } from 'hono/html'
import type { NoOrigin, Origin } from '../../../../platform/inspect/origins.ts'
import type { BrowsedTable } from '../../../../platform/presentation/browsed-table.ts'
import type { FactHistory } from '../../../../platform/presentation/history.ts'
import type { Row } from '../../../../platform/presentation/cursor.ts'
import type { Fact } from '../../../../platform/project/model.ts'
import { formatCount, shorten } from '../../../format.ts'
import type { Markup } from '../../markup.ts'
import { renderTable, tag } from '../operations/table.ts'
import type { VersionContext } from '../order/names.ts'
import { renderOrigins } from '../order/origins.ts'
import { renderState, renderTimeline } from '../order/timeline.ts'
import { renderVersions, type Window } from '../order/versions.ts'
import { sayValue } from './cells.ts'

/** What the page of a row is rendered from. */
export interface RowHistoryOptions {
  readonly fact: Fact
  readonly history: FactHistory
  readonly shown: Window
  readonly origins: readonly (Origin | NoOrigin)[]
  /** The name of the source, for people. */
  readonly source: string
  /** The page's own address. */
  readonly address: string
}

/** Every version of a row, what changed from one to the next, and where each comes from. */
export function renderRowHistory({
  fact,
  history,
  shown,
  origins,
  source,
  address,
}: RowHistoryOptions): Markup {
  const { versions } = history
  const context: VersionContext = {
    fact,
    labels: {},
    names: new Map(),
    units: {},
    isBare: true,
    address: `${address}&`,
  }
  const missing = (versions[0]?.version ?? 1) - 1
  return html`${renderState(versions, source)}
    ${
      missing === 0
        ? ''
        : html`<p class="banner">
            The newest ${formatCount(versions.length)} of ${formatCount(missing + versions.length)}
            versions.
          </p>`
    }
    <div class="panels">
      ${renderTimeline(versions, context)} ${renderVersions(shown, history, context)}
      ${renderOrigins(origins, shown, fact)}
    </div>`
}

/** The most characters of a value on the page of a row without versions. */
const MAX_CHARS = 2000

/** The values of a row of a table that keeps no versions. */
export function renderPlainRow({ model, columns }: BrowsedTable, cells: Row): Markup {
  return html`<div class="panels">
    <section class="panel wide" aria-labelledby="h-values">
      <h2 id="h-values">Values</h2>
      <p class="note">A dimension shows what is known now. It keeps no versions of its rows.</p>
      ${renderTable({
        label: 'Values of the row',
        header: ['Column', 'Value', 'Description'],
        rows: columns.map((column, index) => {
          const value = cells[index] ?? null
          return [
            html`<code>${column.name}</code>${
                model.key.includes(column.name) ? html` ${tag('ok', 'key')}` : ''
              }`,
            value === null
              ? html`<span class="muted">null</span>`
              : shorten(sayValue(column, value), MAX_CHARS),
            column.description ?? '',
          ]
        }),
      })}
    </section>
  </div>`
}
