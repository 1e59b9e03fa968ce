import { createHash } from 'node:crypto'
import type { Payment } from './payments.ts'

/** The place after which a page of payments begins. */
interface Place {
  readonly date: string
  readonly id: number
}

/**
 * A cursor: the place after a payment, in the order of day and id, for these filters. It is opaque to
 * callers, says nothing but a place in rows that they may read, and holds for as long as they like.
 */
export function cursorAfter(
  { date, id }: Pick<Payment, 'date' | 'id'>,
  filters: ReadonlyMap<string, string>,
): string {
  const place = `${hashOf(filters)} ${date} ${id}`
  return Buffer.from(`${place} ${digest(place)}`).toString('base64url')
}

/**
 * The place in a cursor. `not a cursor` for any text that `cursorAfter` did not return, and
 * `other filters` for a cursor that was returned for others.
 */
export function placeOf(
  cursor: string,
  filters: ReadonlyMap<string, string>,
): Place | 'not a cursor' | 'other filters' {
  const text = Buffer.from(cursor, 'base64url').toString('latin1')
  const {
    place = '',
    hash,
    date,
    id,
    sum,
  } = /^(?<place>(?<hash>\S+) (?<date>\d{4}-\d\d-\d\d) (?<id>-?\d+)) (?<sum>\S+)$/.exec(text)
    ?.groups ?? {}
  const isOurs = sum === digest(place) && Buffer.from(text).toString('base64url') === cursor
  if (!isOurs || date === undefined) return 'not a cursor'
  return hash === hashOf(filters) ? { date, id: Number(id) } : 'other filters'
}

/** The same for the same filters, in whatever order they were given. */
function hashOf(filters: ReadonlyMap<string, string>): string {
  return digest(JSON.stringify([...filters].toSorted(([a], [b]) => (a < b ? -1 : 1))))
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 12)
}
