import { createHash } from 'node:crypto'

/**
 * A place in rows as text for an address, bound to `scope`: what it is a place in. It is opaque to
 * callers and says nothing but a place in rows that they may read. Both are values that JSON keeps.
 */
export function sealPlace(place: unknown, scope: unknown): string {
  const text = JSON.stringify([hashOf(scope), place])
  return Buffer.from(`${digest(text)} ${text}`).toString('base64url')
}

/**
 * The place in a text. `not a cursor` for any text that `sealPlace` did not return for a place as
 * `isPlace` takes it, and `other scope` for one that it returned for another scope.
 */
export function openPlace<Place extends object>(
  cursor: string,
  scope: unknown,
  isPlace: (value: unknown) => value is Place,
): Place | 'not a cursor' | 'other scope' {
  const text = Buffer.from(cursor, 'base64url').toString()
  const [, sum, sealed = ''] = /^(\S{12}) (\[.*\])$/s.exec(text) ?? []
  const isOurs = sum === digest(sealed) && Buffer.from(text).toString('base64url') === cursor
  const [hash, place] = isOurs ? parseArray(sealed) : []
  if (!isPlace(place)) return 'not a cursor'
  return hash === hashOf(scope) ? place : 'other scope'
}

/** A checksum can be made by anybody, so what is in it is not trusted. */
function parseArray(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}

/** Filters in one order, so that the order in which they were given makes no other scope. */
export function inOneOrder<Value>(
  filters: Iterable<readonly [string, Value]>,
): (readonly [string, Value])[] {
  return [...filters].toSorted(([a], [b]) => (a < b ? -1 : 1))
}

function hashOf(scope: unknown): string {
  return digest(JSON.stringify(scope))
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 12)
}
