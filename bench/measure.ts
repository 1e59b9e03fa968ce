/** One figure of the report. */
export interface Measurement {
  readonly name: string
  readonly title: string
  readonly value: number
  /** `×` is a ratio of speeds within this run: 1 is as fast as the baseline, 0.5 half as fast. */
  readonly unit: '×' | 'ms' | 'MB' | 'objects'
  readonly bar?: Bar
  /** What the figure was made of. */
  readonly parts?: Readonly<Record<string, number>>
}

export type Bar = { readonly atLeast: number } | { readonly below: number }

export function isMissed({ value, bar }: Measurement): boolean {
  if (bar === undefined) return false
  return 'atLeast' in bar ? value < bar.atLeast : value >= bar.below
}

/** Wall time of `work` in ms. */
export async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

/**
 * Runs the contestants in turn, `repetitions` rounds, so that whatever slows the machine down
 * meets them all. Each returns its time in ms; what it need not count it does before and after.
 */
export async function alternate<Name extends string>(
  repetitions: number,
  contestants: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(contestants) as Name[]
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<
    Name,
    number[]
  >
  for (let round = 0; round < repetitions; round++) {
    for (const name of names) times[name].push(await contestants[name]())
  }
  return times
}

/** How fast `ours` is against `baseline`: the median of the ratios of each round. */
export function speedRatio(baseline: readonly number[], ours: readonly number[]): number {
  return median(baseline.map((ms, round) => ms / (ours[round] ?? Number.NaN)))
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}
