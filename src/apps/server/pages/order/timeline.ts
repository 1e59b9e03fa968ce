import { html } from 'hono/html'
import type { FactVersion } from '../../../../platform/presentation/history.ts'
import { formatMomentUtc, formatNumber } from '../../../format.ts'
import type { Markup } from '../../markup.ts'
import { tag } from '../operations/table.ts'
import { nameOf, renderValue, type VersionContext } from './names.ts'

/** Columns named in a line of the timeline; the table below has all. */
const MAX_CHANGES = 6

/** Whether it still is there, and how often it was seen to change. */
export function renderState(versions: readonly FactVersion[], source: string): Markup {
  const last = versions.at(-1)
  const count = formatNumber(versions.length, 'version')
  if (last?.operation !== 'delete')
    return html`<p class="banner">${tag('ok', 'current')} ${count}</p>`
  return html`<p class="banner bad">
    ${tag('bad', 'deleted')} in ${source}, noticed
    <time datetime="${last.validFrom}">${formatMomentUtc(last.validFrom)}</time>. ${count}, the
    deletion one of them.
  </p>`
}

/** Every version in a line, oldest first. */
export function renderTimeline(versions: readonly FactVersion[], context: VersionContext): Markup {
  return html`<section class="panel wide" aria-labelledby="h-timeline">
    <h2 id="h-timeline">How did it evolve?</h2>
    <p class="note">
      Moments are when a change was captured, in UTC by the clock of the source; it was made at some
      time since the run before.
    </p>
    <ol class="timeline">
      ${versions.map((version, place) => renderLine(version, versions[place - 1], context))}
    </ol>
  </section>`
}

function renderLine(
  version: FactVersion,
  before: FactVersion | undefined,
  context: VersionContext,
): Markup {
  const { version: number, validFrom, recordId, batch } = version
  return html`<li id="v${number}">
    <strong>v${number}</strong>
    <time datetime="${validFrom}">${formatMomentUtc(validFrom)}</time>
    ${renderOperation(version, before)} ${describe(version, before, context)}
    <span class="muted">record ${recordId}, <a href="/run/${batch}">batch ${batch}</a></span>
  </li>`
}

/** What happened, as a word with a mark. */
export function renderOperation(
  { operation }: FactVersion,
  before: FactVersion | undefined,
): Markup {
  if (operation === 'delete') return tag('bad', 'deleted')
  if (operation === 'update') return tag('warn', 'changed')
  return tag('ok', before === undefined ? 'created' : 'created again')
}

function describe(
  version: FactVersion,
  before: FactVersion | undefined,
  context: VersionContext,
): Markup {
  const { operation, changed } = version
  if (operation === 'delete') return html`noticed; the last known values are kept`
  if (before === undefined) return html``
  if (changed.length === 0) return html`in nothing that the star holds`
  // When it was last updated changes with everything else, and so says the least.
  const sorted = changed.toSorted((a, b) => rank(a) - rank(b))
  const left = sorted.length - MAX_CHANGES
  return html`${sorted
    .slice(0, MAX_CHANGES)
    .map(
      (column, place) =>
        html`${place === 0 ? '' : ' · '}${nameOf(context, column).toLowerCase()}
        ${renderChange(version, before, { column, context })}`,
    )}${left > 0 ? ` and ${left} more` : ''}`
}

function rank(column: string): number {
  return column.startsWith('last_updated') ? 1 : 0
}

/** Old → new, struck and underlined, so that no colour is needed. */
export function renderChange(
  version: FactVersion,
  before: FactVersion | undefined,
  { column, context }: { column: string; context: VersionContext },
): Markup {
  return html`<del>${renderValue(before, column, context)}</del> →
    <ins>${renderValue(version, column, context)}</ins>`
}
