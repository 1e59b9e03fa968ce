// `npm run bench`: what Tidemark costs on this machine, as ratios within one run. See
// docs/performance.md. Exits 1 when a bar is missed. Needs nothing but npm's packages; everything it
// makes lies in the temporary folder and is removed.
import { parseArgs } from 'node:util'
import { ConfigError } from '../src/platform/errors.ts'
import { measureFirstCycle, measureRuns, measureVerify } from './cycle.ts'
import { measureDimensions } from './dimensions.ts'
import { measureExtract } from './extract.ts'
import { measureFeeds } from './feeds.ts'
import { measureFirstLoad } from './first-load.ts'
import { isMissed, type Measurement } from './measure.ts'
import { measurePages } from './pages.ts'
import { openPeers, type Peers } from './peers.ts'
import { jsonReport, textReport } from './report.ts'
import { type BenchSystem, openBenchSystem } from './system.ts'

const DIMENSION_ROWS = 2_000_000

const { values } = parseArgs({
  options: {
    orders: { type: 'string', default: '1000000' },
    repetitions: { type: 'string', default: '3' },
    // Measures only these, of feeds, first_load, extract, runs, pages, verify, dimensions.
    only: { type: 'string', multiple: true },
    // Other ways to the same tables take their turns; their packages come from PyPI.
    peers: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const orders = wholeNumber('orders', values.orders, 1000)
const repetitions = wholeNumber('repetitions', values.repetitions, 1)
const wants = (part: string) => values.only === undefined || values.only.includes(part)

const report = values.json ? jsonReport() : textReport()
const missed: string[] = []
const failed: string[] = []
const measure = async (name: string, work: () => Promise<readonly Measurement[]>) => {
  if (!wants(name)) return
  try {
    const measurements = await work()
    report.measured(measurements)
    missed.push(...measurements.filter(isMissed).map((one) => one.name))
  } catch (error) {
    failed.push(name)
    report.failed(name, error)
  }
}

const peersOn = values.peers && ['first_load', 'extract'].some(wants) ? await tryPeers() : noPeers

await measure('feeds', () => measureFeeds(repetitions))
if (['first_load', 'extract', 'runs', 'pages', 'verify'].some(wants)) {
  await using system = await openBenchSystem(orders)
  report.filled(system)
  const whole = system.placeOf('whole')
  const { loads, extracts } = peersOn(system)
  await measure('first_load', () => measureFirstLoad(system, { repetitions, peers: loads }))
  await measure('extract', () => measureExtract(system, { repetitions, peers: extracts }))
  if (['runs', 'pages', 'verify'].some(wants)) await measureFirstCycle(system, whole)
  await measure('runs', () => measureRuns(system, whole, Math.max(repetitions, 5)))
  await measure('pages', () => measurePages(system, whole, repetitions))
  await measure('verify', () => measureVerify(system, whole))
}
await measure('dimensions', async () => {
  await using system = await openBenchSystem(1000)
  return await measureDimensions(system, { rows: DIMENSION_ROWS, repetitions })
})
report.finished({ missed, failed })
process.exitCode = missed.length + failed.length === 0 ? 0 : 1

function noPeers(): Peers {
  return { loads: [], extracts: [] }
}

async function tryPeers(): Promise<(system: BenchSystem) => Peers> {
  await using small = await openBenchSystem(1000)
  return await openPeers(small, report)
}

function wholeNumber(name: string, text: string, least: number): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new ConfigError(`--${name} must be a whole number from ${least}`, { code: 'BENCH_OPTION' })
}
