import { html } from 'hono/html'
import type { QuarantineEntry } from '../../../../platform/inspect/quarantine.ts'
import type { WarningStatus } from '../../../../platform/inspect/status.ts'
import type { Hold } from '../../../../platform/lake/commit-record.ts'
import { formatCount, formatMomentUtc, shorten } from '../../../format.ts'
import type { Markup } from '../../markup.ts'
import { renderTable, tag } from './table.ts'

/** What the page about quarantine is rendered from. */
export interface QuarantineOptions {
  readonly held: readonly { readonly table: string; readonly hold: Hold }[]
  /** The newest quarantined rows. */
  readonly entries: readonly QuarantineEntry[]
  /** How many rows are in quarantine. */
  readonly total: number
  readonly warnings: readonly WarningStatus[]
  /** Whether the project declares no tables, so that none has a contract. */
  readonly isMirror: boolean
}

/**
 * The tables that are held, then the rows that were refused, with what fixes each. Then the rows that
 * are published although they break a check.
 */
export function renderQuarantine(options: QuarantineOptions): Markup {
  return html`${renderHeld(options)} ${renderEntries(options)} ${renderWarnings(options)}`
}

function renderHeld({ held, isMirror }: QuarantineOptions): Markup {
  return html`<section class="panel wide" aria-labelledby="held">
    <h2 id="held">Held tables</h2>
    ${
      held.length === 0
        ? html`<p>
            ${tag('ok', 'none')} Every table ${isMirror ? 'is captured' : 'keeps its contract'}.
          </p>`
        : html`${renderTable({
              label: 'Held tables',
              header: ['Table', 'Reason', 'What is wrong', 'Since', 'Batch'],
              numeric: [],
              rows: held.map(({ table, hold }) => [
                table,
                tag('bad', hold.reason),
                hold.detail,
                formatMomentUtc(hold.sinceAt),
                html`<a href="/run/${hold.since}">${hold.since}</a>`,
              ]),
            })}
            <p class="muted">
              Each stays as it was last captured; all other tables go on.
              ${
                isMirror
                  ? 'Fix the source, or leave the table out (TIDEMARK_EXCLUDE).'
                  : 'Fix the source or the contract.'
              }
              The next run brings in everything that happened meanwhile.
            </p>`
    }
  </section>`
}

function renderEntries({ entries, total }: QuarantineOptions): Markup {
  return html`<section class="panel wide" aria-labelledby="rows">
    <h2 id="rows">Rows in quarantine</h2>
    ${
      total === 0
        ? html`<p>${tag('ok', 'none')} No row was refused.</p>`
        : html`${renderTable({
              label: 'Rows in quarantine',
              header: ['Row', 'Key', 'Reason', 'Column', 'Captured', 'Batch', 'Content'],
              rows: entries.map((entry) => [
                html`<code>${entry.table}</code>`,
                shorten(
                  Object.values(entry.key)
                    .map((value) => value ?? '∅')
                    .join(', '),
                ),
                tag('warn', entry.reason),
                entry.column ?? '',
                formatMomentUtc(entry.capturedAt),
                html`<a href="/run/${entry.batch}">${entry.batch}</a>`,
                renderContent(entry),
              ]),
            })}
            <p class="muted">
              ${
                entries.length < total
                  ? `The newest ${formatCount(entries.length)} of ${formatCount(total)}. `
                  : ''
              }Correct
              a row in the source and the next run takes it. After a change to the models:
              <code>tidemark quarantine replay</code>
            </p>`
    }
  </section>`
}

function renderWarnings({ warnings }: QuarantineOptions): Markup {
  return html`<section class="panel wide" aria-labelledby="warnings">
    <h2 id="warnings">Rows that break a check</h2>
    ${
      warnings.length === 0
        ? html`<p>${tag('ok', 'none')} Every row keeps the checks of its model.</p>`
        : html`${renderTable({
              label: 'Rows that break a check',
              header: ['Table', 'Check', 'In the last batch', 'So far'],
              numeric: [2, 3],
              rows: warnings.map(({ table, check, rows, total: soFar }) => [
                html`<code>${table}</code>`,
                tag('warn', check),
                formatCount(rows),
                formatCount(soFar),
              ]),
            })}
            <p class="muted">
              They are published: the warehouse shows what the source holds, plausible or not.
            </p>`
    }
  </section>`
}

function renderContent({ id, column, content }: QuarantineEntry): Markup {
  return html`<details>
    <summary>Show ${id}</summary>
    <dl class="pairs">
      ${Object.entries(content).map(
        ([name, value]) =>
          html`<dt>${name === column ? html`<strong>${name}</strong>` : name}</dt>
            <dd>${renderValue(value, id)}</dd>`,
      )}
    </dl>
  </details>`
}

/** The most characters of a value that are shown. More would slow the page and help nobody. */
const MAX_VALUE_CHARS = 2000

function renderValue(value: string | null, id: string): Markup {
  if (value === null) return html`<span class="muted">null</span>`
  if (value.length <= MAX_VALUE_CHARS) return html`<code>${value}</code>`
  return html`<code>${shorten(value, MAX_VALUE_CHARS)}</code>
    <span class="muted">
      ${formatCount(value.length)} characters. All of them:
      <code>tidemark quarantine show ${id}</code>
    </span>`
}
