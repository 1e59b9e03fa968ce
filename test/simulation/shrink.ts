/**
 * Takes out of a list what is not needed for `fails`, first in large parts and then one by one, until
 * no single item can go or `tries` attempts were made. Calls `onShorter` with each shorter list.
 */
export async function shrink<Item>(
  items: readonly Item[],
  fails: (items: readonly Item[]) => Promise<boolean>,
  { tries = 500, onShorter }: { tries?: number; onShorter?: (length: number) => void } = {},
): Promise<readonly Item[]> {
  let shortest = items
  let left = tries
  let size = Math.ceil(items.length / 2)
  while (size >= 1 && left > 0) {
    let isShorter = false
    for (let from = 0; from < shortest.length && left > 0; left--) {
      const without = [...shortest.slice(0, from), ...shortest.slice(from + size)]
      if (await fails(without)) {
        shortest = without
        isShorter = true
        onShorter?.(shortest.length)
      } else {
        from += size
      }
    }
    if (size === 1 && !isShorter) break
    size = size === 1 ? 1 : Math.ceil(size / 2)
  }
  return shortest
}
