import { html } from 'hono/html'
import type { BrowsedColumn } from '../../../../platform/presentation/browsed-table.ts'
import { MAX_CELL_CHARS } from '../../../../platform/presentation/browse-rows.ts'
import { formatCount, shorten } from '../../../format.ts'
import type { Markup } from '../../markup.ts'

/** A value as Postgres prints it: nothing is rounded or translated. Moments with a zone are in UTC. */
export function sayValue({ type }: Pick<BrowsedColumn, 'type'>, value: string): string {
  const hasZone = type.startsWith('timestamp') && type.endsWith('with time zone')
  return hasZone ? value.replace(/\+00$/, ' UTC') : value
}

/** A value in a cell; a long one is cut, and an empty text is said. */
export function renderRawCell(column: BrowsedColumn, value: string | null): Markup {
  if (value === null) return html`<span class="muted">null</span>`
  if (value === '') return html`<span class="muted">empty</span>`
  return html`${shorten(sayValue(column, value), MAX_CELL_CHARS)}`
}

/** Whether values of a column stand to the right, digit under digit. */
export function isNumeric({ kind }: BrowsedColumn): boolean {
  return kind === 'integer' || kind === 'number' || kind === 'float'
}

/** A count that was cut at a limit. */
export function sayAtMost(count: number, limit: number): string {
  return count > limit ? `more than ${formatCount(limit)}` : formatCount(count)
}
