import { progress } from './progress.ts'

/** One figure of the report. */
export interface Measurement {
  readonly name: string
  readonly title: string
  /** Sales orders in the source; undefined if the figure does not depend on them. */
  readonly orders?: number
  readonly value: number
  readonly unit: Unit
  readonly bar?: Bar
  /** What we would like to reach beyond the bar. */
  readonly goal?: number
  /** What the figure was made of. */
  readonly parts?: Readonly<Record<string, number>>
  /** What each contender used, if several took turns. */
  readonly contenders?: readonly Contender[]
}

/**
 * `×` is ours divided by the baseline in this run: 1 costs as much, 2 twice as much. `× speed` is
 * the speed of ours: 1 is as fast, 0.5 half as fast.
 */
export type Unit = '×' | '× speed' | 'ms' | 's' | 'MB' | 'objects' | 'pages'

export type Bar = { readonly atLeast: number } | { readonly atMost: number } | Below

interface Below {
  readonly below: number
}

/** What one party took for the same task: medians of its rounds. */
export interface Contender {
  readonly name: string
  readonly title: string
  readonly wallMs: number
  /** CPU seconds of its process and of both clusters; undefined where the system does not tell. */
  readonly cpuS: number | undefined
  readonly processCpuS: number | undefined
  readonly sourceCpuS: number | undefined
  readonly warehouseCpuS: number | undefined
  /** The most memory that its process, the largest of several, ever held. */
  readonly maxRssMb: number | undefined
  /** WAL that the warehouse wrote. */
  readonly walMb: number
  /** What it left on the disk outside the warehouse. */
  readonly bytesMb: number | undefined
  /** Its wall time divided by that of the baseline, the median of the rounds. */
  readonly ratio: number
}

export function isMissed({ value, bar }: Pick<Measurement, 'value' | 'bar'>): boolean {
  if (bar === undefined) return false
  // What could not be measured does not hold.
  if (Number.isNaN(value)) return true
  if ('atLeast' in bar) return value < bar.atLeast
  return 'atMost' in bar ? value > bar.atMost : value >= bar.below
}

/** By how much a bar is missed, or held, as a share of it: 0.5 is half as much again as allowed. */
export function excess({ value, bar }: Pick<Measurement, 'value' | 'bar'>): number | undefined {
  if (bar === undefined) return undefined
  if ('atLeast' in bar) return bar.atLeast / value - 1
  return value / ('atMost' in bar ? bar.atMost : bar.below) - 1
}

/** Wall time of `work` in ms. */
export async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

/**
 * Runs the contestants in turn, `repetitions` rounds, so that whatever slows the machine down
 * meets them all. Each returns what it measured; what it need not count it does before and after.
 */
export async function alternate<Name extends string, Found>(
  { repetitions, title = '' }: { repetitions: number; title?: string },
  contestants: Readonly<Record<Name, () => Promise<Found>>>,
): Promise<Record<Name, Found[]>> {
  const names = Object.keys(contestants) as Name[]
  const found = Object.fromEntries(names.map((name) => [name, [] as Found[]])) as Record<
    Name,
    Found[]
  >
  for (let round = 0; round < repetitions; round++) {
    for (const name of names) {
      if (title !== '') progress(`${title}, round ${round + 1} of ${repetitions}: ${name}`)
      found[name].push(await contestants[name]())
    }
  }
  return found
}

/** How much `ours` takes against `baseline`: the median of the ratios of each round. */
export function costRatio(ours: readonly number[], baseline: readonly number[]): number {
  return median(ours.map((value, round) => value / (baseline[round] ?? Number.NaN)))
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The value below which a share of the values lies, between its neighbours. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = share * (sorted.length - 1)
  const [below, above] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]]
  if (below === undefined || above === undefined) return Number.NaN
  return below + (above - below) * (at - Math.floor(at))
}
