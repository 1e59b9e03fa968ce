import { html } from 'hono/html'
import { type FactVersion, isEnd } from '../../../../platform/presentation/history.ts'
import { formatMomentUtc, formatNumber } from '../../../format.ts'
import type { Markup } from '../../markup.ts'
import { tag } from '../operations/table.ts'
import {
  currencyOfValue,
  describeTotal,
  sayBareNumber,
  renderDifference,
  renderTotalChange,
} from './amounts.ts'
import { nameOf, renderValue, type VersionContext } from './names.ts'

/** How many columns a line of the timeline names. The table below has them all. */
const MAX_CHANGES = 6

/** Says whether the fact still exists and how many versions it has. */
export function renderState(versions: readonly FactVersion[], source: string): Markup {
  const last = versions.at(-1)
  const count = formatNumber(versions.length, 'version')
  if (last === undefined || !isEnd(last))
    return html`<p class="banner">${tag('ok', 'current')} ${count}</p>`
  return html`<p class="banner bad">
    ${last.operation === 'leave' ? html`${tag('bad', 'left')}: its model no longer selects it` : html`${tag('bad', 'deleted')} in ${source}`},
    noticed
    <time datetime="${last.validFrom}">${formatMomentUtc(last.validFrom)}</time>. ${count},
    including this one.
  </p>`
}

/** A line for each version, the oldest first. */
export function renderTimeline(versions: readonly FactVersion[], context: VersionContext): Markup {
  return html`<section class="panel wide" aria-labelledby="h-timeline">
    <h2 id="h-timeline">How did it change over time?</h2>
    <p class="note">
      The times are when a change was captured, in UTC by the clock of the source. The change itself
      was made at some time since the run before.
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

/** What happened to the version, as a word with a mark. */
export function renderOperation(
  { operation }: FactVersion,
  before: FactVersion | undefined,
): Markup {
  if (operation === 'delete') return tag('bad', 'deleted')
  if (operation === 'leave') return tag('bad', 'left')
  if (operation === 'update') return tag('warn', 'changed')
  return tag('ok', before === undefined ? 'created' : 'created again')
}

function describe(
  version: FactVersion,
  before: FactVersion | undefined,
  context: VersionContext,
): Markup {
  const { operation, changed } = version
  if (isEnd(version)) {
    const total = describeTotal(version, context)
    return html`noticed; the last known values are kept${total === '' ? '' : ` · ${total}`}`
  }
  if (before === undefined) return html`${describeTotal(version, context)}`
  if (changed.length === 0) {
    return operation === 'insert' ? html`with the same values` : html`in no column of the warehouse`
  }
  // `last_updated` changes with everything else, so it says the least and comes last.
  const sorted = changed.toSorted((a, b) => rank(a) - rank(b))
  const left = sorted.length - MAX_CHANGES
  return html`${sorted
    .slice(0, MAX_CHANGES)
    .map(
      (column, place) =>
        html`${place === 0 ? '' : ' · '}${sayName(context, column)}
        ${renderChange(version, before, { column, context })}${renderDifference(version, before, { column, context })}`,
    )}${renderTotalChange(version, before, context)}${left > 0 ? ` and ${left} more` : ''}`
}

function sayName(context: VersionContext, column: string): string {
  const name = nameOf(context, column)
  return context.isBare === true ? name : name.toLowerCase()
}

function rank(column: string): number {
  return column.startsWith('last_updated') ? 1 : 0
}

/** `old → new`, struck through and underlined, so that it needs no colour. */
export function renderChange(
  version: FactVersion,
  before: FactVersion | undefined,
  { column, context }: { column: string; context: VersionContext },
): Markup {
  const currency = currencyOfValue(version, column, context)
  const [was, now] = [before, version].map((each) => sayBareNumber(each, column, context))
  // Both are in one currency: it is said once, in front of both.
  if (
    was !== undefined &&
    now !== undefined &&
    currency === currencyOfValue(before, column, context)
  )
    return html`${currency === '' ? '' : `${currency} `}<del>${was}</del> → <ins>${now}</ins>`
  return html`<del>${renderValue(before, column, context)}</del> →
    <ins>${renderValue(version, column, context)}</ins>`
}
