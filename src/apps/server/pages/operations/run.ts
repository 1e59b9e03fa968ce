import { html } from 'hono/html'
import type { Batch } from '../../../../platform/inspect/batches.ts'
import type { FileRef, TableEntry } from '../../../../platform/lake/commit-record.ts'
import { changedRows } from '../../../../platform/lake/table-entry.ts'
import { commitKey } from '../../../../platform/lake/zone.ts'
import type { LedgerBatch } from '../../../../platform/presentation/ledger-batches.ts'
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatMomentUtc,
  formatNumber,
} from '../../../format.ts'
import type { Markup } from '../../markup.ts'
import { describeState } from './pipeline.ts'
import { type Cell, renderTable, tag } from './table.ts'

/** A batch, from the snapshot it was read in to its row in the ledger. */
export function renderBatch(found: Batch, loaded: LedgerBatch | undefined): Markup {
  const { captured, transformed } = found
  const { batch } = captured
  return html`
    ${renderJourney(found, loaded)}
    <section class="panel wide" aria-labelledby="source">
      <h2 id="source">Source tables</h2>
      ${renderEntries('Rows by source table', captured.tables)}
    </section>
    ${
      transformed === undefined
        ? ''
        : html`<section class="panel wide" aria-labelledby="stars">
            <h2 id="stars">Tables of the warehouse</h2>
            ${renderEntries('Rows by table of the warehouse', transformed.tables)}
            ${renderWarnings(transformed.tables)} ${renderTests(transformed.tests)}
          </section>`
    }
    ${renderObjects(found)}
    <nav class="pager links" aria-label="Batches">
      ${batch > 1 ? html`<a href="/run/${batch - 1}">← Batch ${batch - 1}</a>` : ''}
      <a href="/run/${batch + 1}">Batch ${batch + 1} →</a>
    </nav>
  `
}

/** When and by which run the batch was captured, transformed and loaded. */
function renderJourney(
  { captured, transformed, generation }: Batch,
  loaded: LedgerBatch | undefined,
): Markup {
  const { batch, snapshot, writer } = captured
  return html`<section class="panel wide" aria-labelledby="way">
    <h2 id="way">Its journey</h2>
    <dl class="pairs">
      <dt>Captured</dt>
      <dd>
        ${formatMomentUtc(snapshot.takenAt)}${
          snapshot.clock === 'simulated' ? html` ${tag('plain', 'simulated time')}` : ''
        },
        in one snapshot of the source, with everything committed before transaction
        ${snapshot.xmax}${
          snapshot.inFlight.length > 0
            ? html`, except ${String(snapshot.inFlight.length)} that were still open`
            : ''
        }
      </dd>
      <dt>Transformed</dt>
      <dd>
        ${
          transformed === undefined
            ? tag('warn', 'not yet')
            : html`by generation <code>${generation}</code>`
        }
      </dd>
      <dt>Loaded</dt>
      <dd>
        ${
          loaded === undefined
            ? tag('warn', 'not yet')
            : html`${formatMomentUtc(loaded.loadedAt)}${
                loaded.lagMs === undefined
                  ? ''
                  : html`, ${formatDuration(loaded.lagMs)} after the snapshot`
              }`
        }
      </dd>
      <dt>Written by</dt>
      <dd>Tidemark ${writer.version}, run <code>${writer.runId}</code></dd>
      <dt>Commit record</dt>
      <dd><code>ingestion/${commitKey(batch)}</code></dd>
      <dt>Snapshot</dt>
      <dd>
        <code>${snapshot.xmin}:${snapshot.xmax}:${snapshot.inFlight.join(',')}</code> of system
        <code>${snapshot.systemId === '' ? 'unknown' : snapshot.systemId}</code>, timeline
        ${String(snapshot.timeline)}${snapshot.standby ? ', a standby' : ''}
      </dd>
    </dl>
  </section>`
}

function renderObjects({ captured, transformed, generation }: Batch): Markup {
  return html`<section class="panel wide" aria-labelledby="objects">
    <h2 id="objects">Objects in the lake</h2>
    ${renderTable({
      label: `Objects of batch ${captured.batch}`,
      header: ['Object', 'Rows', 'Size', 'SHA-256'],
      numeric: [1, 2],
      rows: [
        ...listFiles('ingestion/', captured.tables),
        ...(transformed === undefined
          ? []
          : listFiles(`processed/${generation}/`, transformed.tables)),
      ],
    })}
  </section>`
}

/** The tables in which something happened. In each, read = accepted + unchanged + refused (I10). */
function renderEntries(label: string, tables: Readonly<Record<string, TableEntry>>): Markup {
  const entries = Object.entries(tables)
  const touched = entries.filter(
    ([, { counts, held, heldDeletes }]) =>
      counts.read + changedRows(counts) > 0 || held !== undefined || heldDeletes !== undefined,
  )
  const rest = entries.length - touched.length
  return html`${renderTable({
      label,
      header: ['Table', 'Read', 'New', 'Changed', 'Deleted', 'Unchanged', 'Refused', 'State'],
      numeric: [1, 2, 3, 4, 5, 6],
      rows: touched.map(([table, { counts, held, heldDeletes }]): Cell[] => [
        table,
        ...[
          counts.read,
          counts.inserted,
          counts.updated,
          counts.deleted,
          counts.unchanged,
          counts.quarantined,
        ].map(formatCount),
        held === undefined && heldDeletes === undefined
          ? ''
          : describeState({ hold: held, heldDeletes: heldDeletes ?? 0 }),
      ]),
    })}
    <p class="muted">
      ${touched.length === 0 ? 'Nothing changed in any table.' : `${rest} other tables did not change.`}
    </p>`
}

/** The checks that rows of this batch break. The rows are published all the same. */
function renderWarnings(tables: Readonly<Record<string, TableEntry>>): Markup {
  const found = Object.entries(tables).flatMap(([table, { warnings = {} }]) =>
    Object.entries(warnings).map(([check, rows]) => ({ table, check, rows })),
  )
  if (found.length === 0) return html``
  return html`<ul class="rows">
    ${found.map(
      ({ table, check, rows }) =>
        html`<li>
          ${tag('warn', formatNumber(rows, 'row'))} of <code>${table}</code>, published although
          ${rows === 1 ? 'it breaks' : 'they break'} the check <code>${check}</code>
        </li>`,
    )}
  </ul>`
}

function renderTests(tests: Readonly<Record<string, number>> | undefined): Markup {
  const found = Object.entries(tests ?? {})
  if (found.length === 0) return html``
  return html`<ul class="rows">
    ${found.map(
      ([name, rows]) =>
        html`<li>
          ${rows === 0 ? tag('ok', 'holds') : tag('warn', formatNumber(rows, 'row'))}
          <code>${name}</code>
        </li>`,
    )}
  </ul>`
}

function listFiles(prefix: string, tables: Readonly<Record<string, TableEntry>>): Cell[][] {
  const files: FileRef[] = Object.values(tables).flatMap((table) => [
    ...table.changes,
    ...table.quarantine,
  ])
  return files.map(({ key, rows, bytes, sha256 }) => [
    html`<code>${prefix}${key}</code>`,
    formatCount(rows),
    formatBytes(bytes),
    html`<code title="${sha256}">${sha256.slice(0, 12)}</code>`,
  ])
}
