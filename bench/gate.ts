import type { Measurement } from './measure.ts'

/** Sales orders at the gate: enough that work outweighs the start of processes, in two minutes. */
export const GATE_ORDERS = 100_000

/**
 * The limits that fail a build. They are not the bars: each lies about half above what a quiet
 * machine finds, so that noise does not reach it, and a stage that takes twice as long does. WAL
 * does not depend on time, so its limit is the bar.
 */
const LIMITS: Readonly<Record<string, number>> = {
  first_load: 2.5,
  first_load_cpu: 2.2,
  wal: 1.2,
  memory: 450,
  extract: 3.4,
  bulk_change: 1.7,
}

/** Measurements with the gate's limits as their bars; those without a limit have none. */
export function atGate(measurements: readonly Measurement[]): Measurement[] {
  return measurements.map(({ bar: _bar, ...measurement }) => {
    const limit = LIMITS[measurement.name]
    return limit === undefined ? measurement : { ...measurement, bar: { atMost: limit } }
  })
}

/** The limits for which nothing was measured. A gate that does not measure is no gate. */
export function findUnmeasured(measurements: readonly Measurement[]): string[] {
  const found = new Set(measurements.map(({ name }) => name))
  return Object.keys(LIMITS).filter((name) => !found.has(name))
}
