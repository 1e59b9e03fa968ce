import type { List, Sort } from '../project/dashboard.ts'
import type { RowPlace } from './list.ts'
import type { Filters } from './question.ts'
import { inOneOrder, openPlace, sealPlace } from './sealed-place.ts'

/** What a cursor is valid for: one list, in one order, with these filters. */
export interface CursorScope {
  readonly list: Pick<List, 'name'>
  readonly sort: Sort
  readonly filters: Filters
}

/** A place in a list as text for an address, as `sealPlace` makes it. */
export function cursorOf({ isBefore, value, key }: RowPlace, scope: CursorScope): string {
  return sealPlace({ isBefore, value, key }, partsOf(scope))
}

/**
 * The place in a cursor. `not a cursor` for any text that `cursorOf` did not return, and
 * `other list` for a cursor from another list, order or filters.
 */
export function placeIn(
  cursor: string,
  scope: CursorScope,
): RowPlace | 'not a cursor' | 'other list' {
  const place = openPlace(cursor, partsOf(scope), isRowPlace)
  return place === 'other scope' ? 'other list' : place
}

function isRowPlace(place: unknown): place is RowPlace {
  const { isBefore, value, key } = Object(place) as Partial<Record<keyof RowPlace, unknown>>
  return typeof isBefore === 'boolean' && typeof value === 'string' && typeof key === 'string'
}

function partsOf({ list, sort, filters }: CursorScope): readonly unknown[] {
  return [list.name, sort.column, sort.isDescending, inOneOrder(Object.entries(filters))]
}
