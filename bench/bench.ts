// `npm run bench`: what Tidemark costs on this machine, as ratios within one run. See
// docs/performance.md. Exits 1 when a bar is missed or something could not be measured. Needs nothing
// but npm's packages; everything it makes lies in the temporary folder and is removed. `--peers`
// also needs Python, and keeps the packages of the peers in the user's cache folder.
import { measureBulkChange } from './bulk-change.ts'
import { measureDimensions } from './dimensions.ts'
import { isStopped } from './ending.ts'
import { measureEvery } from './every.ts'
import { measureExtract } from './extract.ts'
import { measureFeeds } from './feeds.ts'
import { measureFirstLoad } from './first-load.ts'
import { atGate, findUnmeasured } from './gate.ts'
import { isMissed, type Measurement } from './measure.ts'
import { type Part, parseOptions } from './options.ts'
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

const options = parseOptions(process.argv.slice(2))
if ('usage' in options) {
  const stream = options.exitCode === 0 ? process.stdout : process.stderr
  stream.write(`${options.usage}\n`)
  process.exit(options.exitCode)
}
const { orders, repetitions, seconds, gate } = options
const wants = (...parts: readonly Part[]) => parts.some((part) => options.parts.includes(part))

const circumstances = readCircumstances()
const report = options.json ? jsonReport() : textReport()
const measured: Measurement[] = []
const failed: string[] = []

const peersOn = options.peers && wants('first_load', 'extract') ? await tryPeers() : noPeers
await measure('feeds', () => measureFeeds(repetitions))
await measure('small', measureSmall, { orders: SMALL_ORDERS })
if (wants('first_load', 'extract', 'bulk_change', 'runs', 'every', 'pages', 'verify', 'start')) {
  await using system = await openBenchSystem(orders)
  report.filled(system)
  await measureAt(system)
}
for (const factor of [...(options.linear ? [5] : []), ...(options.tenfold ? [10] : [])]) {
  await measure('first_load', () => measureLinear(factor), {
    orders: orders * factor,
    title: `first_load × ${factor}`,
  })
}
await measure('dimensions', async () => {
  await using system = await openBenchSystem(1000)
  return await measureDimensions(system, { rows: DIMENSION_ROWS, repetitions })
})
if (gate) failed.push(...findUnmeasured(measured))
const missed = measured
  .filter(isMissed)
  .map((one) =>
    one.orders === undefined || one.orders === orders
      ? one.name
      : `${one.name} at ${one.orders} orders`,
  )
if (options.record) recordFigures(measured, circumstances)
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
    const found = gate ? atGate(own) : own
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
