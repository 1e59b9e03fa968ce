// `npm run bench`: what Tidemark costs on this machine, as ratios within one run. See
// docs/performance.md. Exits 1 when a bar is missed or something could not be measured. Needs nothing
// but npm's packages; everything it makes lies in the temporary folder and is removed. `--peers`
// also needs Python, and keeps the packages of the peers in the user's cache folder.
import { parseArgs } from 'node:util'
import { ConfigError } from '../src/platform/errors.ts'
import { measureBulkChange } from './bulk-change.ts'
import { measureDimensions } from './dimensions.ts'
import { isStopped } from './ending.ts'
import { measureEvery } from './every.ts'
import { measureExtract } from './extract.ts'
import { measureFeeds } from './feeds.ts'
import { measureFirstLoad } from './first-load.ts'
import { atGate, findUnmeasured, GATE_ORDERS } from './gate.ts'
import { isMissed, type Measurement } from './measure.ts'
import { measurePages } from './pages.ts'
import { openPeers, type Peers } from './peers.ts'
import { inChild } from './process.ts'
import { progress } from './progress.ts'
import { readCircumstances, recordFigures } from './record.ts'
import { jsonReport, textReport } from './report.ts'
import { measureOneRow, measureRuns } from './runs.ts'
import { measureStart } from './start.ts'
import { type BenchSystem, openBenchSystem } from './system.ts'
import { measureVerify } from './verify.ts'

const SMALL_ORDERS = 2000
const DIMENSION_ROWS = 2_000_000
/** In this order. Those after `extract` work on the same filled lake and warehouse. */
const PARTS = [
  'feeds',
  'small',
  'first_load',
  'extract',
  'bulk_change',
  'runs',
  'every',
  'pages',
  'verify',
  'start',
  'dimensions',
] as const
type Part = (typeof PARTS)[number]
const GATE_PARTS: readonly Part[] = ['first_load', 'extract', 'bulk_change']

const { values } = parseArgs({
  options: {
    // Default: 1,000,000.
    orders: { type: 'string' },
    repetitions: { type: 'string', default: '3' },
    // Seconds for which changes are made while `run --every 1s` works.
    seconds: { type: 'string', default: '90' },
    // Measures only these PARTS.
    only: { type: 'string', multiple: true },
    // The first load at five times the orders too, once, and at ten times.
    linear: { type: 'boolean', default: false },
    tenfold: { type: 'boolean', default: false },
    // Other ways to the same tables take their turns; their packages come from PyPI.
    peers: { type: 'boolean', default: false },
    // Fails on a regression only: limits with room for noise, a small source, three parts.
    gate: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    // Writes the figures into docs/performance.json, and docs/performance.md from it.
    record: { type: 'boolean', default: false },
  },
})
const orders = wholeNumber('orders', values.orders ?? (values.gate ? GATE_ORDERS : 1_000_000), 1000)
const repetitions = wholeNumber('repetitions', values.repetitions, 1)
const seconds = wholeNumber('seconds', values.seconds, 1)
const only = values.gate ? GATE_PARTS : values.only?.map(partOf)
const wants = (...parts: readonly Part[]) =>
  parts.some((part) => only === undefined || only.includes(part))

const circumstances = readCircumstances()
const report = values.json ? jsonReport() : textReport()
const measured: Measurement[] = []
const failed: string[] = []

const peersOn = values.peers && wants('first_load', 'extract') ? await tryPeers() : noPeers
await measure('feeds', () => measureFeeds(repetitions))
await measure('small', measureSmall, { orders: SMALL_ORDERS })
if (wants('first_load', 'extract', 'bulk_change', 'runs', 'every', 'pages', 'verify', 'start')) {
  await using system = await openBenchSystem(orders)
  report.filled(system)
  await measureAt(system)
}
for (const factor of [...(values.linear ? [5] : []), ...(values.tenfold ? [10] : [])]) {
  await measure('first_load', () => measureLinear(factor), {
    orders: orders * factor,
    title: `first_load × ${factor}`,
  })
}
await measure('dimensions', async () => {
  await using system = await openBenchSystem(1000)
  return await measureDimensions(system, { rows: DIMENSION_ROWS, repetitions })
})
if (values.gate) failed.push(...findUnmeasured(measured))
const missed = measured
  .filter(isMissed)
  .map((one) =>
    one.orders === undefined || one.orders === orders
      ? one.name
      : `${one.name} at ${one.orders} orders`,
  )
if (values.record) recordFigures(measured, circumstances)
report.finished({ missed, failed })
process.exitCode = missed.length + failed.length === 0 ? 0 : 1

/**
 * One part, over a source of so many orders; if it fails, that is said and the others go on.
 */
async function measure(
  part: Part,
  work: () => Promise<readonly Measurement[]>,
  { orders: size, title = part }: { orders?: number; title?: string } = {},
): Promise<void> {
  if (!wants(part)) return
  try {
    const sized = size === undefined ? {} : { orders: size }
    const own = (await work()).map((one) => ({ ...one, ...sized }))
    const found = values.gate ? atGate(own) : own
    report.measured(found)
    measured.push(...found)
  } catch (error) {
    // The process is about to end, and this only failed because of that.
    if (isStopped()) await new Promise(() => {})
    failed.push(title)
    report.failed(title, error)
  }
}

async function measureAt(system: BenchSystem): Promise<void> {
  const { loads, extracts } = peersOn(system)
  const at = (part: Part, work: () => Promise<readonly Measurement[]>) =>
    measure(part, work, { orders })
  await at('first_load', () => measureFirstLoad(system, { repetitions, peers: loads }))
  await at('extract', () => measureExtract(system, { repetitions, peers: extracts }))
  const place = system.placeOf('whole')
  const input = { place, repetitions }
  if (!wants('bulk_change', 'runs', 'every', 'pages', 'verify', 'start')) return
  try {
    progress('filling the lake and the warehouse')
    await inChild({ what: 'run', place })
  } catch (error) {
    failed.push('everything over a filled warehouse')
    report.failed('everything over a filled warehouse', error)
    return
  }
  await at('bulk_change', () => measureBulkChange(system, input))
  const many = { place, repetitions: Math.max(repetitions, 5) }
  await at('runs', () => measureRuns(system, many))
  await at('every', () => measureEvery(system, { place, seconds }))
  await at('pages', () => measurePages(system, place))
  await at('verify', () => measureVerify(system, input))
  await at('start', () => measureStart(place))
}

/** One changed row in a small source, where all of a run is overhead. */
async function measureSmall(): Promise<Measurement[]> {
  await using system = await openBenchSystem(SMALL_ORDERS)
  const place = system.placeOf('whole')
  await inChild({ what: 'run', place })
  return await measureOneRow(system, { place, repetitions: Math.max(repetitions, 10) })
}

/** A first load of a source that many times as large, once: what a row costs there. */
async function measureLinear(factor: number): Promise<Measurement[]> {
  await using system = await openBenchSystem(orders * factor)
  report.filled(system)
  const found = await measureFirstLoad(system, { repetitions: 1, peers: [] })
  const perRow = ({ parts }: Measurement) => 1 / (parts?.['rowsPerSecond'] ?? Number.NaN)
  const isFirstLoad = (one: Measurement) => one.name === 'first_load'
  const [large, small] = [found.find(isFirstLoad), measured.find(isFirstLoad)]
  if (large === undefined || small === undefined) return found
  return [
    ...found,
    {
      name: 'first_load_linear',
      title: `time for a row in a first run, against one of ${orders.toLocaleString('en-US')} orders`,
      value: perRow(large) / perRow(small),
      unit: '×',
      bar: { atMost: 1.1 },
    },
  ]
}

function noPeers(): Peers {
  return { loads: [], extracts: [] }
}

async function tryPeers(): Promise<(system: BenchSystem) => Peers> {
  await using small = await openBenchSystem(1000)
  return await openPeers(small, report)
}

function partOf(name: string): Part {
  const found = PARTS.find((part) => part === name)
  if (found !== undefined) return found
  throw new ConfigError(`--only must be one of ${PARTS.join(', ')}`, { code: 'BENCH_OPTION' })
}

function wholeNumber(name: string, text: string | number, least: number): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new ConfigError(`--${name} must be a whole number from ${least}`, { code: 'BENCH_OPTION' })
}
