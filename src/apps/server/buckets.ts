/** How often a client may ask. */
export interface Rate {
  /** Requests that may come at once. */
  readonly burst: number
  readonly perSecond: number
}

/** A bucket of tokens for each client. */
export interface Buckets {
  /** Takes a token from a client's bucket. Returns 0, or the seconds until there is one again. */
  take(client: string): number
}

/** How many clients are remembered. The one that asked longest ago is forgotten first. */
const MAX_CLIENTS = 10_000

/** Creates token buckets in bounded memory. A client that is not known has a full bucket. */
export function createBuckets(
  { burst, perSecond }: Rate,
  now: () => number = () => performance.now(),
): Buckets {
  const buckets = new Map<string, { left: number; at: number }>()
  return {
    take(client) {
      const at = now()
      const before = buckets.get(client) ?? { left: burst, at }
      const left = Math.min(burst, before.left + ((at - before.at) / 1000) * perSecond)
      const isTaken = left >= 1
      buckets.delete(client)
      buckets.set(client, { left: isTaken ? left - 1 : left, at })
      const [oldest] = buckets.keys()
      if (buckets.size > MAX_CLIENTS && oldest !== undefined) buckets.delete(oldest)
      return isTaken ? 0 : (1 - left) / perSecond
    },
  }
}
