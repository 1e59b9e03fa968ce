import { createHash } from 'node:crypto'

/**
 * A place between rows as text for an address, bound to `scope`: the rows that it is a place in. It is
 * opaque to callers, and reveals only a place in rows that they may read. Both are values that JSON
 * can hold.
 */
export function sealPlace(place: unknown, scope: unknown): string {
  const text = JSON.stringify([hashOf(scope), place])
  return Buffer.from(`${digest(text)} ${text}`).toString('base64url')
}

/**
 * The place in a text. `not a cursor` if `sealPlace` did not return the text, or if `isPlace` refuses
 * the place; `other scope` if `sealPlace` returned it for another scope.
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

/** Anybody can compute the checksum, so the content is not trusted. */
function parseArray(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}

/** Filters in one order, so that the order in which they are given does not change the scope. */
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
