import { html } from 'hono/html'
import type { FileRef } from '../../../../platform/lake/commit-record.ts'
import { commitKey } from '../../../../platform/lake/zone.ts'
import type { NoOrigin, Origin } from '../../../../platform/origins.ts'
import type { Fact } from '../../../../platform/project.ts'
import { formatBytes, formatCount, formatMomentUtc } from '../../../format.ts'
import type { Markup } from '../../markup.ts'
import { type Cell, renderTable, tag } from '../operations/table.ts'
import type { Window } from './versions.ts'

/** Where each version shown comes from: batch, snapshot, commit records and files of the lake. */
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
      The run captured every change of ${fact.from} by the transactions named here in one snapshot;
      deletions it noticed by comparing keys.
    </p>
    ${renderTable({
      label: 'Batches of the versions',
      header: ['Version', 'Batch', 'Snapshot', 'Transactions', 'Commit records'],
      rows: all.map(({ version, origin }) => [version, ...batchCells(origin)]),
    })}
    <p class="note">One of the files named holds it, where there are several.</p>
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
        ? 'its commit record is not in the lake any more'
        : 'the lake cannot say it just now'
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
          back since`,
    html`<time datetime="${snapshot.takenAt}">${formatMomentUtc(snapshot.takenAt)}</time>`,
    html`${
      since === undefined
        ? html`the whole table, as of before ${snapshot.xmax}`
        : html`${since} to before ${snapshot.xmax}`
    }${open > 0 ? `, but for ${open} still open` : ''}`,
    html`<code>ingestion/${commitKey(captured.batch)}</code><br />${
        factFiles === undefined
          ? html`${tag('bad', 'gone')} of the processed zone`
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
