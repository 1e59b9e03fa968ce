import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/**
 * Bytes of JavaScript's objects and buffers that this process holds. Garbage, of which there may be
 * any amount where the collector gets no time, is none of them: it is collected first, unless the
 * figure is no higher than `above` with it.
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
