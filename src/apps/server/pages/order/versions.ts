import { html } from 'hono/html'
import {
  type FactHistory,
  type FactVersion,
  isEnd,
} from '../../../../platform/presentation/history.ts'
import { formatMomentUtc } from '../../../format.ts'
import type { Markup } from '../../markup.ts'
import { nameOf, renderValue, type VersionContext } from './names.ts'
import { renderChange, renderOperation } from './timeline.ts'

/** How many versions are shown side by side. */
export const WINDOW = 12

/** The versions shown side by side, and the one before them. */
export interface Window {
  readonly versions: readonly FactVersion[]
  readonly before: FactVersion | undefined
}

/** The versions that end with version `until`, or with the newest if there is no such version. */
export function windowOf(versions: readonly FactVersion[], until: string | undefined): Window {
  const before = missingBefore(versions)
  const asked = /^\d{1,9}$/.test(until ?? '') ? Number(until) - before : 0
  const end = asked >= 1 && asked <= versions.length ? asked : versions.length
  const start = Math.max(0, end - WINDOW)
  return { versions: versions.slice(start, end), before: versions[start - 1] }
}

/** How many older versions were not read. */
function missingBefore(versions: readonly FactVersion[]): number {
  return (versions[0]?.version ?? 1) - 1
}

/** Shows every column of the versions, side by side, with changes marked. */
export function renderVersions(
  { versions, before }: Window,
  { versions: all }: FactHistory,
  context: VersionContext,
): Markup {
  const columns = Object.keys(versions[0]?.values ?? {})
  const beforeOf = (place: number): FactVersion | undefined =>
    place === 0 ? before : versions[place - 1]
  return html`<section class="panel wide" aria-labelledby="h-versions">
    <h2 id="h-versions">Version by version</h2>
    <p class="note">
      A change is shown as <del>old</del> → <ins>new</ins>. Names are those in use now.
    </p>
    <div class="table-wrap" tabindex="0" role="region" aria-label="Versions side by side">
      <table>
        <thead>
          <tr>
            <th scope="col">Column</th>
            ${versions.map(
              (version, place) =>
                html`<th scope="col">
                  v${version.version} ${renderOperation(version, beforeOf(place))}<br />
                  <time datetime="${version.validFrom}">${formatMomentUtc(version.validFrom)}</time>
                </th>`,
            )}
          </tr>
        </thead>
        <tbody>
          ${columns.map(
            (column) =>
              html`<tr>
                <th scope="row" title="${column}">${nameOf(context, column)}</th>
                ${versions.map((version, place) =>
                  renderCell(version, beforeOf(place), { column, context }),
                )}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${renderPager(versions, { all, context })}
  </section>`
}

function renderCell(
  version: FactVersion,
  before: FactVersion | undefined,
  { column, context }: { column: string; context: VersionContext },
): Markup {
  if (version.changed.includes(column)) {
    return html`<td class="changed">${renderChange(version, before, { column, context })}</td>`
  }
  const isGone = isEnd(version)
  return html`<td class="${isGone ? 'muted' : ''}">${renderValue(version, column, context)}</td>`
}

function renderPager(
  versions: readonly FactVersion[],
  { all, context }: { all: readonly FactVersion[]; context: VersionContext },
): Markup {
  const oldest = missingBefore(all) + 1
  const count = oldest + all.length - 1
  const first = versions[0]?.version ?? 1
  const last = versions.at(-1)?.version ?? count
  if (versions.length === all.length) return html``
  const next = Math.min(count, last + WINDOW)
  const { address = '?' } = context
  const href = (until: number): string => `${address}until=${until}#h-versions`
  return html`<nav class="pager links" aria-label="Versions">
    <span>Versions ${first} to ${last} of ${count}</span>
    ${first > oldest ? html`<a href="${href(first - 1)}">← older versions</a>` : ''}
    ${last < count ? html`<a href="${href(next)}">newer versions →</a>` : ''}
  </nav>`
}
