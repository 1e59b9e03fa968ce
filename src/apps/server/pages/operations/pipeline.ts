import { html } from 'hono/html'
import type { Batch } from '../../../../platform/inspect/batches.ts'
import type { Status } from '../../../../platform/inspect/status.ts'
import type { Hold, TableEntry } from '../../../../platform/lake/commit-record.ts'
import type { LedgerBatch } from '../../../../platform/presentation/ledger-batches.ts'
import type { Delays } from '../../../../platform/warehouse/delays.ts'
import { formatCount, formatDuration, formatMomentUtc, formatNumber } from '../../../format.ts'
import type { Markup } from '../../markup.ts'
import { renderFileLinks } from '../files.ts'
import { tablePath } from '../tables/address.ts'
import { type Cell, renderTable, tag } from './table.ts'

/** How many of the newest batches the page shows. */
export const RECENT = 40

/** What the page about the pipeline is rendered from. */
export interface PipelineOptions {
  readonly status: Status
  /** The newest batches in the lake. */
  readonly batches: readonly Batch[]
  /** The newest batches in the ledger, by number. */
  readonly loaded: ReadonlyMap<number, LedgerBatch>
  /** The name of the project's question about lags, if it has one. */
  readonly question: string | undefined
  /** Names of the tables that the catalogue shows. */
  readonly catalogued: ReadonlySet<string>
}

/** How far changes from the source have come, batch by batch, and how fresh the warehouse is. */
export function renderPipeline(options: PipelineOptions): Markup {
  const { status } = options
  return html`
    ${renderPromise(status)} ${renderLags(options)} ${renderBatches(options)}
    ${renderLakeRows(options)} ${renderWarehouseRows(status)}
  `
}

function renderLags({ status, loaded, question }: PipelineOptions): Markup {
  const lags = [...loaded.values()]
    .toSorted((a, b) => a.batch - b.batch)
    .flatMap(({ lagMs }) => (lagMs === undefined ? [] : [lagMs]))
  const batches = lags.length === 1 ? 'batch' : `${lags.length} batches`
  return html`<section class="panel wide" aria-labelledby="strip">
    <h2 id="strip">Lag${lags.length === 0 ? '' : ` of the last ${batches}`}</h2>
    ${renderStrip(lags, status.promiseMs)}
    ${
      question === undefined
        ? ''
        : html`<div class="links">
            ${renderFileLinks(`/questions/${question}`, '')}
            <a href="/questions/${question}">SQL</a>
          </div>`
    }
  </section>`
}

const BATCH_HEADER = [
  'Batch',
  'Captured',
  'New',
  'Changed',
  'Deleted',
  'Refused',
  'Warnings',
  'Lag',
  'State',
]

function renderBatches({ status, batches, loaded }: PipelineOptions): Markup {
  return html`<section class="panel wide" aria-labelledby="batches">
    <h2 id="batches">Batches</h2>
    ${
      batches.length === 0
        ? html`<p class="muted">No batch yet. Next: <code>tidemark run</code></p>`
        : renderTable({
            label: 'The newest batches',
            header: BATCH_HEADER,
            numeric: [2, 3, 4, 5, 6, 7],
            rows: batches.map((batch) => batchRow(batch, { status, loaded })),
          })
    }
  </section>`
}

function renderLakeRows({ status: { tables }, catalogued }: PipelineOptions): Markup {
  return html`<section class="panel wide" aria-labelledby="tables">
    <h2 id="tables">Rows in the lake</h2>
    ${renderTable({
      label: 'Source tables as captured',
      header: ['Source table', 'Rows', 'In quarantine', 'State'],
      numeric: [1, 2],
      rows: tables.map(({ table, rows, heldDeletes, hold, quarantined }) => [
        catalogued.has(table)
          ? html`<a href="/catalogue/${encodeURIComponent(table)}">${table}</a>`
          : table,
        formatCount(rows),
        formatCount(quarantined),
        describeState({ hold, heldDeletes }),
      ]),
    })}
  </section>`
}

function renderWarehouseRows({ facts }: Status): Markup {
  return html`<section class="panel wide" aria-labelledby="facts">
    <h2 id="facts">Rows in the warehouse</h2>
    ${renderTable({
      label: 'Rows in the warehouse',
      header: ['Table', 'Current', 'Versions'],
      numeric: [1, 2],
      rows: facts.map(({ table, current, versions }) => [
        html`<a href="${tablePath(table)}">${table}</a>`,
        formatCount(current),
        formatCount(versions),
      ]),
    })}
    <p class="muted">
      <code>tidemark verify</code> compares source, lake and warehouse row by row and value by value
      at one snapshot.
    </p>
  </section>`
}

function renderPromise({
  warehouse,
  lagMs,
  promiseMs,
  isFresh,
  batches,
  delays,
  quarantined,
}: Status): Markup {
  if (warehouse === undefined || lagMs === undefined) {
    return html`<section class="panel wide">
      <p>${tag('bad', 'empty')} Nothing has been loaded yet. Next: <code>tidemark run</code></p>
    </section>`
  }
  const pending = batches.ingestion - batches.warehouse
  return html`<section class="panel wide">
    <p>
      ${isFresh ? tag('ok', 'fresh') : tag('bad', 'late')} Everything committed in the source up to
      <time datetime="${warehouse.completeTo}">${formatMomentUtc(warehouse.completeTo)}</time> is
      here: ${formatDuration(lagMs)} ago. The promise is ${formatDuration(promiseMs)}.
      ${isFresh ? '' : html`Next: <code>tidemark run</code>, then <code>tidemark doctor</code>.`}
    </p>
    <p class="muted">
      Batch ${batches.ingestion} captured, ${batches.processed} transformed, ${batches.warehouse}
      loaded${pending > 0 ? html` (${tag('warn', `${pending} pending`)})` : ''}.
      ${
        quarantined > 0
          ? html`<a href="/quarantine">${formatNumber(quarantined, 'row')} in quarantine</a>.`
          : 'Nothing is in quarantine.'
      }
    </p>
    ${renderDelays(delays)}
  </section>`
}

function renderDelays({ batches, p50Ms, p99Ms }: Delays): Markup | '' {
  if (p50Ms === undefined || p99Ms === undefined) return ''
  return html`<p class="muted" id="delays">
    In the last hour, changes were visible at most ${formatDuration(p50Ms)} (p50) and
    ${formatDuration(p99Ms)} (p99) after their commit, in
    ${formatNumber(batches, 'batch', 'batches')}.
  </p>`
}

/** A bar for each batch, as tall as its lag, and the same as a sentence. */
function renderStrip(lags: readonly number[], promiseMs: number): Markup {
  if (lags.length === 0) return html`<p class="muted">No lag is known yet.</p>`
  const top = Math.max(...lags, 1)
  const late = lags.filter((lag) => lag > promiseMs).length
  const sentence =
    `From the source's snapshot to the warehouse the last ${lags.length === 1 ? 'batch' : `${lags.length} batches`} took ` +
    `${formatDuration(Math.min(...lags))} to ${formatDuration(top)}; ` +
    (late === 0 ? 'all within the promise.' : `${late} of them missed the promise.`)
  return html`<svg
      class="strip"
      viewBox="0 0 ${lags.length * 10} 60"
      preserveAspectRatio="none"
      role="img"
      aria-label="${sentence}"
    >
      ${lags.map((lagMs, index) => {
        const height = Math.max(1.5, (lagMs / top) * 56)
        return html`<rect
          class="${lagMs > promiseMs ? 'bad' : 'ok'}"
          x="${index * 10 + 1}"
          y="${(60 - height).toFixed(1)}"
          width="8"
          height="${height.toFixed(1)}"
        ></rect>`
      })}
    </svg>
    <p class="muted">${sentence}</p>`
}

function batchRow(
  { captured, transformed }: Batch,
  { status, loaded }: { status: Status; loaded: ReadonlyMap<number, LedgerBatch> },
): Cell[] {
  const { batch, snapshot, tables } = captured
  const entries = Object.values(tables)
  const sum = (
    of: readonly TableEntry[],
    name: 'inserted' | 'updated' | 'deleted' | 'quarantined',
  ) => of.reduce((total, { counts }) => total + counts[name], 0)
  const stars = Object.values(transformed?.tables ?? {})
  const refused = sum(entries, 'quarantined') + sum(stars, 'quarantined')
  const warned = stars
    .flatMap(({ warnings = {} }) => Object.values(warnings))
    .reduce((total, rows) => total + rows, 0)
  const inWarehouse = loaded.get(batch)
  const held = entries.filter(({ held: hold }) => hold !== undefined).length
  return [
    html`<a href="/run/${batch}">${batch}</a>`,
    formatMomentUtc(snapshot.takenAt),
    formatCount(sum(entries, 'inserted')),
    formatCount(sum(entries, 'updated')),
    formatCount(sum(entries, 'deleted')),
    formatCount(refused),
    formatCount(warned),
    inWarehouse?.lagMs === undefined ? '' : formatDuration(inWarehouse.lagMs),
    html`${
      batch <= status.batches.warehouse
        ? tag('ok', 'loaded')
        : tag('warn', batch <= status.batches.processed ? 'transformed' : 'captured')
    }${held > 0 ? html` ${tag('bad', `${held} held`)}` : ''}${
      snapshot.clock === 'simulated' ? html` ${tag('plain', 'simulated time')}` : ''
    }`,
  ]
}

/** The state of a source table: captured, held, or with its deletions held. */
export function describeState({
  hold,
  heldDeletes,
}: {
  hold: Hold | undefined
  heldDeletes: number
}): Cell {
  if (hold !== undefined) {
    return html`${tag('bad', 'held')} ${hold.detail}, since ${formatMomentUtc(hold.sinceAt)}`
  }
  if (heldDeletes === 0) return tag('ok', 'captured')
  return html`${tag('warn', 'deletions held')} ${formatCount(heldDeletes)} rows are gone from the
    source; <code>tidemark run --confirm-deletes</code> lets them through`
}
