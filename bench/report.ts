import os from 'node:os'
import { type Contender, isMissed, type Measurement } from './measure.ts'
import type { BenchSystem } from './system.ts'

/** What the figures depend on. */
export interface Machine {
  readonly cores: number
  readonly cpu: string
  readonly memoryGb: number
  readonly system: string
  readonly node: string
}

export function machine(): Machine {
  return {
    cores: os.availableParallelism(),
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    memoryGb: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.arch()}`,
    node: process.versions.node,
  }
}

/** How the bench ended. */
export interface Outcome {
  /** Names of the figures that miss their bar. */
  readonly missed: readonly string[]
  /** What could not be measured. */
  readonly failed: readonly string[]
}

export interface Report {
  filled(system: BenchSystem): void
  measured(measurements: readonly Measurement[]): void
  /** Something that was to be measured could not be. */
  failed(name: string, error: unknown): void
  /** A contender that cannot work here. */
  unavailable(title: string, error: unknown): void
  finished(outcome: Outcome): void
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
    failed: (name, error) => print('bench_failed', { name, error: messageOf(error) }),
    unavailable: (title, error) => print('bench_unavailable', { title, error: messageOf(error) }),
    finished: (outcome) => print('bench_finished', { ...outcome }),
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
      for (const one of measurements) {
        if (one.contenders !== undefined) console.log(contenderTable(one.contenders))
        console.log(line(one))
      }
    },
    failed: (name, error) => console.log(`${name} could not be measured: ${messageOf(error)}`),
    unavailable: (title, error) =>
      console.log(`\nWithout ${title}, which does not work here: ${lastLine(messageOf(error))}`),
    finished: ({ missed, failed }) => {
      console.log(missed.length === 0 ? '\nAll bars held.' : `\nMissed: ${missed.join(', ')}.`)
      if (failed.length > 0) console.log(`Not measured: ${failed.join(', ')}.`)
    },
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Where Python says what went wrong. */
function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}

const COLUMNS: readonly [string, (one: Contender) => string][] = [
  ['', ({ title }) => title],
  ['ratio', ({ ratio }) => `${ratio.toFixed(2)} ×`],
  ['wall', ({ wallMs }) => `${(wallMs / 1000).toFixed(1)} s`],
  ['CPU', ({ cpuS }) => seconds(cpuS)],
  ['own', ({ processCpuS }) => seconds(processCpuS)],
  ['source', ({ sourceCpuS }) => seconds(sourceCpuS)],
  ['warehouse', ({ warehouseCpuS }) => seconds(warehouseCpuS)],
  ['memory', ({ maxRssMb }) => megabytes(maxRssMb)],
  ['WAL', ({ walMb }) => megabytes(walMb)],
  ['files', ({ bytesMb }) => megabytes(bytesMb)],
]

/** What contenders took, side by side. CPU is that of its own process and of both clusters. */
export function contenderTable(contenders: readonly Contender[]): string {
  const rows = [
    COLUMNS.map(([heading]) => heading),
    ...contenders.map((one) => COLUMNS.map(([, read]) => read(one))),
  ]
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const lines = rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  '),
  )
  return `\n${lines.join('\n')}\n`
}

function seconds(value: number | undefined): string {
  return value === undefined ? '–' : `${value.toFixed(1)} s`
}

function megabytes(value: number | undefined): string {
  return value === undefined ? '–' : `${formatFigure(value)} MB`
}

function line(one: Measurement): string {
  const { title, value, unit, parts = {} } = one
  const verdict = one.bar === undefined ? '' : isMissed(one) ? 'MISSED' : 'held'
  const details = Object.entries(parts).map(([name, part]) => `${name} ${formatFigure(part)}`)
  return [
    title.padEnd(72),
    formatValue(value, unit).padStart(14),
    formatBar(one).padStart(7),
    verdict.padEnd(6),
    details.join(', '),
  ]
    .join('  ')
    .trimEnd()
}

/** A figure with its unit, as people read it. */
export function formatValue(value: number, unit: Measurement['unit']): string {
  return `${unit.startsWith('×') ? value.toFixed(2) : formatFigure(value)} ${unit}`
}

/** A bar in signs: `≤ 1.5`, `< 450`; nothing if there is none. */
export function formatBar({ bar }: Pick<Measurement, 'bar'>): string {
  if (bar === undefined) return ''
  if ('atLeast' in bar) return `≥ ${bar.atLeast}`
  return 'atMost' in bar ? `≤ ${bar.atMost}` : `< ${bar.below}`
}

/** A number with as many digits as matter. */
export function formatFigure(value: number): string {
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0
  return value.toLocaleString('en-US', { maximumFractionDigits: digits })
}
