import { html } from 'hono/html'
import type { NoOrigin, Origin } from '../../../../platform/inspect/origins.ts'
import type { FileRef } from '../../../../platform/lake/commit-record.ts'
import { commitKey } from '../../../../platform/lake/zone.ts'
import type { Fact } from '../../../../platform/project/model.ts'
import { formatBytes, formatCount, formatMomentUtc } from '../../../format.ts'
import type { Markup } from '../../markup.ts'
import { type Cell, renderTable, tag } from '../operations/table.ts'
import type { Window } from './versions.ts'

/** Shows where each version comes from: batch, snapshot, commit records and files in the lake. */
export function renderOrigins(
  origins: readonly (Origin | NoOrigin)[],
  { versions }: Window,
  fact: Fact,
): Markup {
  const all = versions.flatMap(({ version }, place) => {
    const origin = origins[place]
    return origin === undefined ? [] : [{ version: `v${version}`, origin }]
  })
  return html`<section class="panel wide" aria-labelledby="h-origins">
    <h2 id="h-origins">Where does each version come from?</h2>
    <p class="note">
      Each run captured, in one snapshot, every change to ${fact.from} by the transactions named
      here. It noticed deletions by comparing keys.
    </p>
    ${renderTable({
      label: 'Batches of the versions',
      header: ['Version', 'Batch', 'Snapshot', 'Transactions', 'Commit records'],
      rows: all.map(({ version, origin }) => [version, ...batchCells(origin)]),
    })}
    <p class="note">If there are several files, one of them holds the version.</p>
    ${renderTable({
      label: 'Files of the versions in the lake',
      header: ['Version', 'Object', 'Rows', 'Size', 'SHA-256'],
      numeric: [2, 3],
      rows: all.flatMap(({ version, origin }) =>
        'missing' in origin
          ? []
          : fileRows(version, [
              ...origin.captured.files.map((file) => at('ingestion/', file)),
              ...(origin.factFiles ?? []).map((file) =>
                at(`processed/${origin.generation}/`, file),
              ),
            ]),
      ),
    })}
  </section>`
}

function batchCells(origin: Origin | NoOrigin): Cell[] {
  const batch = html`<a href="/run/${origin.batch}">${origin.batch}</a>`
  if ('missing' in origin) {
    const what =
      origin.missing === 'gone'
        ? 'its commit record is no longer in the lake'
        : 'the lake cannot be read now'
    return [
      batch,
      html`${tag('bad', origin.missing === 'gone' ? 'gone' : 'unread')} ${what}`,
      '',
      html`<code>ingestion/${commitKey(origin.batch)}</code> ${
          origin.missing === 'gone' ? '' : html`<code>${origin.missing}</code>`
        }`,
    ]
  }
  const { captured, generation, factFiles } = origin
  const { snapshot, since } = captured
  const open = snapshot.inFlight.length
  return [
    captured.batch === origin.batch
      ? batch
      : html`${batch}, captured in <a href="/run/${captured.batch}">${captured.batch}</a> and held
          since`,
    html`<time datetime="${snapshot.takenAt}">${formatMomentUtc(snapshot.takenAt)}</time>`,
    html`${
      since === undefined
        ? html`all before ${snapshot.xmax}, for the whole table`
        : html`from ${since}, before ${snapshot.xmax}`
    }${open > 0 ? `, except ${open} still open` : ''}`,
    html`<code>ingestion/${commitKey(captured.batch)}</code><br />${
        factFiles === undefined
          ? html`${tag('bad', 'gone')} from the processed zone`
          : html`<code>processed/${generation}/${commitKey(origin.batch)}</code>`
      }`,
  ]
}

function at(prefix: string, file: FileRef): FileRef {
  return { ...file, key: prefix + file.key }
}

function fileRows(version: string, files: readonly FileRef[]): Cell[][] {
  return files.map(({ key, rows, bytes, sha256 }) => [
    version,
    html`<code>${key}</code>`,
    formatCount(rows),
    formatBytes(bytes),
    html`<code title="${sha256}">${sha256.slice(0, 12)}</code>`,
  ])
}
