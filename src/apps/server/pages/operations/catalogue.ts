import { html } from 'hono/html'
import type { Catalog, CatalogTable, TableVersion } from '../../../../platform/inspect/catalog.ts'
import { isEmptyDifference } from '../../../../platform/lake/schema-difference.ts'
import type { SourceTable } from '../../../../platform/project/source-contract.ts'
import { formatCount, formatMomentUtc } from '../../../format.ts'
import type { Markup } from '../../markup.ts'
import { tablePath } from '../tables/address.ts'
import { renderTable, tag } from './table.ts'
import { own } from '../../../../platform/project/named-record.ts'

/** Every source table and every star table, and which feeds which. */
export function renderCatalogue({ tables, models }: Catalog): Markup {
  return html`
    <section class="panel wide" aria-labelledby="source">
      <h2 id="source">Source tables</h2>
      ${renderTable({
        label: 'Source tables',
        header: ['Table', 'Key', 'Rows', 'Columns', 'Schemas', 'Feeds'],
        numeric: [2, 3, 4],
        rows: tables.map(({ table, key, rows, versions }) => [
          html`<a href="/catalogue/${encodeURIComponent(table)}">${table}</a>`,
          key.join(', '),
          formatCount(rows),
          String(versions.at(-1)?.columns.length ?? 0),
          String(versions.length),
          models
            .filter(({ reads }) => reads.includes(table))
            .map((model) => model.table)
            .join(', '),
        ]),
      })}
    </section>
    <section class="panel wide" aria-labelledby="stars">
      <h2 id="stars">Tables of the warehouse</h2>
      ${renderTable({
        label: 'Tables of the warehouse',
        header: ['Table', 'Made from', 'Columns'],
        rows: models.map((model) => [
          html`<a href="${tablePath(model.table)}">${model.table}</a>`,
          html`${model.reads.map(
            (name, index) =>
              html`${index > 0 ? ', ' : ''}<a href="/catalogue/${encodeURIComponent(name)}"
                  >${name}</a
                >`,
          )}`,
          model.columns.map(({ column }) => column).join(', '),
        ]),
      })}
    </section>
  `
}

/** One source table: its columns now, where each goes, and every schema it was captured with. */
export function renderTableCatalogue(
  catalog: Catalog,
  table: CatalogTable,
  contract: SourceTable['columns'],
): Markup {
  const newest = table.versions.at(-1)
  if (newest === undefined) {
    return html`<section class="panel wide">
      <p class="muted">It has not been captured yet. Next: <code>tidemark run</code></p>
    </section>`
  }
  return html`
    ${
      table.hold === undefined
        ? ''
        : html`<p class="failure">
            ${tag('bad', 'held')} since ${formatMomentUtc(table.hold.sinceAt)}:
            ${table.hold.detail}. This is how it was last captured.
          </p>`
    }
    ${renderColumns(newest, { catalog, table, contract })} ${renderSchemas(table)}
  `
}

function renderColumns(
  { columns }: TableVersion,
  {
    catalog,
    table,
    contract,
  }: { catalog: Catalog; table: CatalogTable; contract: SourceTable['columns'] },
): Markup {
  const goesTo = (column: string) =>
    catalog.models.flatMap((model) =>
      model.columns
        .filter(({ from }) =>
          from.columns.some((each) => each.table === table.table && each.column === column),
        )
        .map((each) => `${model.table}.${each.column}`),
    )
  const isDescribed = columns.some(({ description }) => description !== undefined)
  return html`<section class="panel wide" aria-labelledby="columns">
    <h2 id="columns">Columns</h2>
    ${renderTable({
      label: `Columns of ${table.table}`,
      header: [
        'Column',
        'Type',
        'Null',
        ...(contract === undefined ? [] : ['Contract']),
        'Goes to',
        ...(isDescribed ? ['Description'] : []),
      ],
      rows: columns.map(({ name, type, nullable, generated, description = '' }) => [
        html`<code>${name}</code>${table.key.includes(name) ? html` ${tag('ok', 'key')}` : ''}`,
        `${type}${generated === true ? ', generated' : ''}`,
        nullable ? 'yes' : 'no',
        ...(contract === undefined ? [] : [describeContract(contract, name)]),
        html`${goesTo(name).map((to) => html`<code>${to}</code> `)}`,
        ...(isDescribed ? [description] : []),
      ]),
    })}
  </section>`
}

/** Every schema with which a source table was captured, newest first. */
export function renderSchemas({ table, versions }: CatalogTable): Markup {
  return html`<section class="panel wide" aria-labelledby="shapes">
    <h2 id="shapes">Schemas it was captured with</h2>
    ${renderTable({
      label: `Schemas of ${table}`,
      header: ['From batch', 'Captured', 'What changed', 'Fingerprint'],
      numeric: [0],
      rows: versions
        .toReversed()
        .map((version) => [
          html`<a href="/run/${version.firstBatch}">${version.firstBatch}</a>`,
          formatMomentUtc(version.takenAt),
          describeDifference(version),
          html`<code>${version.fingerprint}</code>`,
        ]),
    })}
  </section>`
}

function describeContract(contract: SourceTable['columns'], name: string): string {
  const wanted = own(contract, name)
  if (wanted === undefined) return ''
  return typeof wanted === 'string' ? wanted : wanted.type
}

function describeDifference({ difference, columns }: TableVersion): string {
  if (difference === undefined) return `first captured, ${columns.length} columns`
  if (isEmptyDifference(difference)) return 'created again with the same schema'
  const names = (list: readonly { name: string }[]) => list.map(({ name }) => name).join(', ')
  return [
    difference.added.length > 0 ? `added ${names(difference.added)}` : '',
    difference.removed.length > 0 ? `removed ${names(difference.removed)}` : '',
    ...difference.changed.map(({ column, type, nullable, labels }) =>
      [
        `${column}:`,
        type === undefined ? '' : `${type.before} → ${type.after}`,
        nullable === undefined ? '' : nullable.after ? 'may be null' : 'not null',
        labels === undefined ? '' : `labels +${labels.added.length} −${labels.removed.length}`,
      ]
        .filter((part) => part !== '')
        .join(' '),
    ),
    difference.reordered ? 'columns in a different order' : '',
    difference.key === undefined ? '' : `key ${difference.key.after.join(', ')}`,
  ]
    .filter((part) => part !== '')
    .join(' · ')
}
