import { html } from 'hono/html'
import type { CatalogTable } from '../../../../platform/inspect/catalog.ts'
import type { TableQuality } from '../../../../platform/inspect/quality.ts'
import type { BrowsedTable } from '../../../../platform/presentation/browsed-table.ts'
import { identifier } from '../../../../platform/io/sql.ts'
import { currentTable, historyView } from '../../../../platform/project/fact-names.ts'
import { formatCount, formatMomentUtc } from '../../../format.ts'
import type { Markup } from '../../markup.ts'
import { renderSchemas } from '../operations/catalogue.ts'
import { renderTable, tag } from '../operations/table.ts'
import { describeQuality } from './overview.ts'

/** The columns of a table, with their types and descriptions. */
export function renderTableColumns({ model, columns }: BrowsedTable): Markup {
  return html`<section class="panel wide" aria-labelledby="h-columns">
    <h2 id="h-columns">Columns</h2>
    ${renderTable({
      label: `Columns of ${model.table}`,
      header: ['Column', 'Type', 'Description'],
      rows: columns.map(({ name, type, description }) => [
        html`<code>${name}</code>${model.key.includes(name) ? html` ${tag('ok', 'key')}` : ''}`,
        type,
        description ?? '',
      ]),
    })}
  </section>`
}

/** What is kept back of a table, with the reasons. */
export function renderTableQuality(quality: TableQuality): Markup {
  const { hold, reasons, quarantined, heldDeletes } = quality
  return html`<section class="panel wide" aria-labelledby="h-quality">
    <h2 id="h-quality">Quality</h2>
    <p>
      ${describeQuality(quality)}
      ${
        hold !== undefined
          ? html`${hold.detail}, since ${formatMomentUtc(hold.sinceAt)}. It stays as it was last
            captured.`
          : quarantined + heldDeletes === 0
            ? 'No row was refused, and nothing is held.'
            : ''
      }
      ${
        heldDeletes > 0
          ? html`Too many rows are gone from the source at once.
              <code>tidemark run --confirm-deletes</code> publishes their deletions.`
          : ''
      }
    </p>
    ${
      reasons.length === 0
        ? ''
        : renderTable({
            label: 'Rows in quarantine by reason',
            header: ['Reason', 'Column', 'Rows'],
            numeric: [2],
            rows: reasons.map(({ reason, column, rows }) => [
              html`<code>${reason}</code>`,
              column ?? '',
              formatCount(rows),
            ]),
          })
    }
  </section>`
}

/** Every schema with which the table's source was captured. Nothing if the lake knows none. */
export function renderSchemaHistory(captured: CatalogTable | undefined): Markup {
  if (captured === undefined || captured.versions.length === 0) return html``
  return renderSchemas(captured)
}

/** Where else a table leads: to its lineage, its source table, and to SQL of one's own. */
export function renderTableLinks(
  { model }: BrowsedTable,
  captured: CatalogTable | undefined,
): Markup {
  const { table } = model
  const relations = model.kind === 'fact' ? [currentTable(model), historyView(model)] : [table]
  return html`<nav class="links related" aria-label="More about ${table}">
    <a href="/lineage?table=${encodeURIComponent(table)}">Lineage</a>
    ${
      captured === undefined
        ? ''
        : html`<a href="/catalogue/${encodeURIComponent(captured.table)}">Source table</a>`
    }
    ${relations.map(
      (name) =>
        html`<a
          href="/ask?${new URLSearchParams({ sql: `select *\nfrom ${identifier(name)}\nlimit 100\n` }).toString()}"
          >Ask ${name}</a
        >`,
    )}
  </nav>`
}
