import { createHash } from 'node:crypto'

/** Postgres cuts names that are longer. */
export const MAX_NAME_BYTES = 63

/**
 * A name with a suffix that Postgres does not cut. If the two together are longer than 63 bytes, the
 * name is shortened, at a character, to its beginning and a hash of the whole name. The same name
 * always gives the same result.
 */
export function shortName(name: string, suffix = ''): string {
  const whole = `${name}${suffix}`
  if (Buffer.byteLength(whole) <= MAX_NAME_BYTES) return whole
  const end = `_${createHash('sha256').update(name).digest('hex').slice(0, 8)}${suffix}`
  let start = ''
  for (const character of name) {
    if (Buffer.byteLength(start + character + end) > MAX_NAME_BYTES) break
    start += character
  }
  return `${start}${end}`
}
