import type { Freshness } from '../../platform/presentation/freshness.ts'

/** How old an answer is, as headers, for clients that do not read its body. */
export function freshnessHeaders({
  completeTo,
  lagMs,
  isFresh,
}: Freshness): Readonly<Record<string, string>> {
  return {
    'tidemark-complete-to': completeTo,
    'tidemark-lag-seconds': String(lagMs / 1000),
    'tidemark-is-fresh': String(isFresh),
  }
}
