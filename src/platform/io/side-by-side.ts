/**
 * Calls `work` for each item, at most `width` at once, beginning in the order of the items. Returns
 * the results in that order. After an error no further item begins; `onError` is told at once, and
 * the error is thrown when all work under way has ended.
 */
export async function sideBySide<Item, Result>(
  items: readonly Item[],
  { width, onError = () => {} }: { width: number; onError?: () => void },
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  const errors: unknown[] = []
  // All workers take from one queue.
  const queue = items.entries()
  const worker = async () => {
    for (const [index, item] of queue) {
      if (errors.length > 0) return
      try {
        results[index] = await work(item)
      } catch (error) {
        errors.push(error)
        onError()
      }
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, width) }, worker))
  if (errors.length > 0) throw errors[0]
  return results
}
