/**
 * The name that is nearest to a mistyped one, if it differs by `most` letters at most. Capitals do not
 * count. Pure.
 */
export function nearestName(
  written: string,
  names: Iterable<string>,
  most: number,
): string | undefined {
  let best: string | undefined
  let least = most + 1
  for (const name of names) {
    if (Math.abs(name.length - written.length) >= least) continue
    const distance = distanceOf(written.toLowerCase(), name.toLowerCase())
    if (distance < least) [best, least] = [name, distance]
  }
  return best
}

/** How many letters to insert, remove or replace (Levenshtein distance). */
function distanceOf(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, at) => at)
  for (const [at, letter] of left.split('').entries()) {
    const next = [at + 1]
    for (const [place, other] of right.split('').entries()) {
      const replaced = (row[place] ?? 0) + (letter === other ? 0 : 1)
      next.push(Math.min(replaced, (row[place + 1] ?? 0) + 1, (next[place] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
