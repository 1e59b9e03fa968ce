import type { Measurement } from './measure.ts'

/** Where and when a figure was found. */
export interface Circumstances {
  /** The day, in UTC. */
  readonly date: string
  /** The short hash of the commit; followed by `+` if files had been changed since. */
  readonly commit: string
  readonly machine: string
}

/** A measurement that is kept. */
export type Figure = Measurement & Circumstances

/** What `docs/performance.json` holds, and `docs/performance.md` is made from. */
export interface PerformanceFile {
  readonly figures: readonly Figure[]
}

/**
 * The known figures and the new measurements. A measurement takes the place of the figure with its
 * name and its number of orders; others stay, as do contenders that were not asked this time.
 * Figures are ordered by orders, those without any last, and otherwise keep their order.
 */
export function mergeFigures(
  { figures }: PerformanceFile,
  {
    measurements,
    circumstances,
  }: { measurements: readonly Measurement[]; circumstances: Circumstances },
): PerformanceFile {
  const merged = new Map(figures.map((figure) => [keyOf(figure), figure]))
  for (const measurement of measurements) {
    merged.set(keyOf(measurement), { ...rounded(measurement), ...circumstances })
  }
  const size = ({ orders }: Figure) => orders ?? Infinity
  return { figures: [...merged.values()].toSorted((a, b) => compare(size(a), size(b))) }
}

function keyOf({ name, orders }: Measurement): string {
  return `${orders ?? ''} ${name}`
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a - b
}

/** With four digits that count: the rest is noise. */
function rounded(measurement: Measurement): Measurement {
  const { value, parts, contenders } = measurement
  return {
    ...measurement,
    value: round(value),
    ...(parts === undefined ? {} : { parts: roundAll(parts) }),
    ...(contenders === undefined ? {} : { contenders: contenders.map(roundAll) }),
  }
}

function roundAll<T extends object>(values: T): T {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === 'number' ? round(value) : value,
    ]),
  ) as T
}

function round(value: number): number {
  return Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(4))
}
