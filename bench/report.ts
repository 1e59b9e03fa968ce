import os from 'node:os'
import { isMissed, type Measurement } from './measure.ts'
import type { BenchSystem } from './system.ts'

/** What the figures depend on. */
export function machine(): Record<string, string | number> {
  return {
    cores: os.availableParallelism(),
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    memoryGb: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.arch()}`,
    node: process.versions.node,
  }
}

export interface Report {
  filled(system: BenchSystem): void
  measured(measurements: readonly Measurement[]): void
  finished(missed: readonly string[]): void
}

/** One JSON object a line. */
export function jsonReport(): Report {
  const print = (event: string, fields: object) => console.log(JSON.stringify({ event, ...fields }))
  print('bench_started', machine())
  return {
    filled: ({ orders, rows, fillMs, postgresVersion }) =>
      print('bench_filled', { orders, rows, fillMs, postgres: postgresVersion }),
    measured: (measurements) => {
      for (const one of measurements) print('bench_measured', { ...one, isMissed: isMissed(one) })
    },
    finished: (missed) => print('bench_finished', { missed }),
  }
}

/** A table for people, a line as soon as it is known. */
export function textReport(): Report {
  const facts = Object.entries(machine()).map(([name, value]) => `${name} ${value}`)
  console.log(facts.join(' · '))
  return {
    filled: ({ orders, rows, fillMs, postgresVersion }) =>
      console.log(
        `\nPostgres ${postgresVersion} · ${orders} sales orders, ${rows} rows, ` +
          `filled in ${Math.round(fillMs / 1000)} s\n`,
      ),
    measured: (measurements) => {
      for (const one of measurements) console.log(line(one))
    },
    finished: (missed) =>
      console.log(missed.length === 0 ? '\nAll bars held.' : `\nMissed: ${missed.join(', ')}.`),
  }
}

function line(one: Measurement): string {
  const { title, value, unit, bar, parts = {} } = one
  const bound = bar === undefined ? '' : 'atLeast' in bar ? `≥ ${bar.atLeast}` : `< ${bar.below}`
  const verdict = bar === undefined ? '' : isMissed(one) ? 'MISSED' : 'held'
  const details = Object.entries(parts).map(([name, part]) => `${name} ${number(part)}`)
  const figure = `${unit === '×' ? value.toFixed(2) : number(value)} ${unit}`
  return [
    title.padEnd(68),
    figure.padStart(14),
    bound.padStart(7),
    verdict.padEnd(6),
    details.join(', '),
  ]
    .join('  ')
    .trimEnd()
}

function number(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 100 ? 1 : 0 })
}
