import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/**
 * Bytes that this process holds in JavaScript objects and buffers. Garbage does not count, because
 * it is collected first. If the number is at most `above` with garbage, that number is returned.
 */
export function heldBytes({ above = 0 }: { readonly above?: number } = {}): number {
  const all = usedBytes()
  if (all <= above) return all
  collectGarbage()
  return usedBytes()
}

function usedBytes(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
