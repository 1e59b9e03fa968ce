/** A run of this many digits, points and exponents may be a number that a double cannot hold. */
const LONG = 17
/** The bytes that a number may hold: `0`–`9`, `.`, `+`, `-`, `e`, `E`. */
const NUMERIC = new Uint8Array(256)
for (const char of '0123456789.+-eE') NUMERIC[char.charCodeAt(0)] = 1

/**
 * Looks through JSON, chunk by chunk, for text that DuckDB would misread: `\u0000`, or a number with
 * more digits than a double can hold. `isPlain` is false once something was found.
 */
export function findMisreadText(): { add(chunk: Buffer): void; isPlain(): boolean } {
  let isPlain = true
  let tail = Buffer.alloc(0)
  const look = (bytes: Buffer): void => {
    isPlain &&= !bytes.includes('\\u0000') && !holdsLongNumber(bytes)
  }
  return {
    add(chunk) {
      if (!isPlain) return
      // Text that begins in one chunk and ends in the next.
      if (tail.length > 0) look(Buffer.concat([tail, chunk.subarray(0, 64)]))
      look(chunk)
      tail = Buffer.from(chunk.subarray(-64))
    },
    isPlain: () => isPlain,
  }
}

/**
 * Looks at every sixteenth byte only, because a run of seventeen bytes always covers one of them.
 */
function holdsLongNumber(bytes: Buffer): boolean {
  const { length } = bytes
  for (let at = LONG - 1; at < length; at += LONG - 1) {
    if (NUMERIC[bytes[at] ?? 0] === 0) continue
    // A run of seventeen that covers this byte reaches eight bytes to its left or to its right.
    if (NUMERIC[bytes[at - 8] ?? 0] === 0 && NUMERIC[bytes[at + 8] ?? 0] === 0) continue
    let from = at
    while (from > 0 && NUMERIC[bytes[from - 1] ?? 0] === 1) from--
    let to = at + 1
    while (to < length && NUMERIC[bytes[to] ?? 0] === 1) to++
    // A run after a quote is a text, not a number.
    if (to - from < LONG || bytes[from - 1] === 34) continue
    const text = bytes.toString('latin1', from, to)
    if (/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) && /[.eE]/.test(text)) return true
    if (from === 0 || to === length) return true
  }
  return false
}
