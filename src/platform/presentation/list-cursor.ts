import { createHash } from 'node:crypto'
import type { Filters } from './question.ts'
import type { List, Sort } from '../project/dashboard.ts'
import type { RowPlace } from './list.ts'

/** What a cursor holds for: one list, in one order, with these filters. */
export interface CursorScope {
  readonly list: Pick<List, 'name'>
  readonly sort: Sort
  readonly filters: Filters
}

/**
 * A place as text for an address. It is opaque to callers and says nothing but a place in rows that
 * they may read.
 */
export function cursorOf({ isBefore, value, key }: RowPlace, scope: CursorScope): string {
  const place = JSON.stringify([hashOf(scope), isBefore, value, key])
  return Buffer.from(`${digest(place)} ${place}`).toString('base64url')
}

/**
 * The place in a cursor. `not a cursor` for any text that `cursorOf` did not return, and
 * `other list` for a cursor from another list, order or filters.
 */
export function placeIn(
  cursor: string,
  scope: CursorScope,
): RowPlace | 'not a cursor' | 'other list' {
  const text = Buffer.from(cursor, 'base64url').toString()
  const [, sum, place = ''] = /^(\S{12}) (\[.*\])$/s.exec(text) ?? []
  const isOurs = sum === digest(place) && Buffer.from(text).toString('base64url') === cursor
  if (!isOurs) return 'not a cursor'
  const [hash, isBefore, value, key] = JSON.parse(place) as [string, boolean, string, string]
  return hash === hashOf(scope) ? { isBefore, value, key } : 'other list'
}

/** The same for the same filters, in whatever order they were given. */
function hashOf({ list, sort, filters }: CursorScope): string {
  const given = Object.entries(filters).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return digest(JSON.stringify([list.name, sort.column, sort.isDescending, given]))
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 12)
}
