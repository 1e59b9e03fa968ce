import { inOneOrder, openPlace, sealPlace } from '../../platform/presentation/sealed-place.ts'
import type { Payment } from './payments.ts'

/** The place after which a page of payments begins. */
type Place = Pick<Payment, 'date' | 'id'>

/**
 * A cursor: the place after a payment, in the order of day and id, for these filters, as `sealPlace`
 * makes it. It holds for as long as callers like.
 */
export function cursorAfter({ date, id }: Place, filters: ReadonlyMap<string, string>): string {
  return sealPlace({ date, id }, ['payments', inOneOrder(filters)])
}

/**
 * The place in a cursor. `not a cursor` for any text that `cursorAfter` did not return, and
 * `other filters` for a cursor that was returned for others.
 */
export function placeOf(
  cursor: string,
  filters: ReadonlyMap<string, string>,
): Place | 'not a cursor' | 'other filters' {
  const place = openPlace(cursor, ['payments', inOneOrder(filters)], isPlace)
  return place === 'other scope' ? 'other filters' : place
}

function isPlace(place: unknown): place is Place {
  const { date, id } = Object(place) as Partial<Record<keyof Place, unknown>>
  return typeof date === 'string' && /^\d{4}-\d\d-\d\d$/.test(date) && Number.isInteger(id)
}
