/**
 * Makes one item of a generator ahead, while the others are used, so that nobody waits for it.
 * Returns a function that takes the next one.
 */
export function readAhead<Item>(source: AsyncGenerator<Item>): () => Promise<IteratorResult<Item>> {
  const begin = (): Promise<IteratorResult<Item>> => {
    const next = source.next()
    // Awaited by its taker. Until then, keep an error from becoming an unhandled rejection.
    next.catch(() => {})
    return next
  }
  let ahead = begin()
  return async () => {
    const taken = ahead
    // A generator makes its items one after the other, in the order in which they are asked for.
    ahead = begin()
    return await taken
  }
}
