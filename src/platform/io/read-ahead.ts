/**
 * Lets a generator make its next item while the caller uses the last one. Returns a function that
 * takes the next item. It may be called again before it has returned; each call gets another item,
 * in order. Throws what the generator throws.
 */
export function readAhead<Item>(source: AsyncGenerator<Item>): () => Promise<IteratorResult<Item>> {
  const begin = (): Promise<IteratorResult<Item>> => {
    const next = source.next()
    // Awaited when it is taken. Until then, keep an error from becoming an unhandled rejection.
    next.catch(() => {})
    return next
  }
  let ahead = begin()
  return async () => {
    const taken = ahead
    // A generator queues its calls and makes the items in their order.
    ahead = begin()
    return await taken
  }
}
