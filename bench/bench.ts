// `npm run bench`: what Tidemark costs on this machine, as ratios within one run. See
// docs/performance.md. Exits 1 when a bar is missed. Needs nothing but npm's packages; everything it
// makes lies in the temporary folder and is removed.
import { parseArgs } from 'node:util'
import { ConfigError } from '../src/platform/errors.ts'
import { measureFirstCycle, measureRuns, measureVerify } from './cycle.ts'
import { measureDimensions } from './dimensions.ts'
import { measureExtract } from './extract.ts'
import { measureFeeds } from './feeds.ts'
import { measureLoad } from './load.ts'
import { isMissed, type Measurement } from './measure.ts'
import { measurePages } from './pages.ts'
import { jsonReport, textReport } from './report.ts'
import { openBenchSystem } from './system.ts'

const MEMORY_ORDERS = 5_000_000
const DIMENSION_ROWS = 2_000_000

const { values } = parseArgs({
  options: {
    orders: { type: 'string', default: '1000000' },
    repetitions: { type: 'string', default: '3' },
    // Measures only these, of feeds, extract, load, cycle, runs, pages, verify, dimensions.
    only: { type: 'string', multiple: true },
    // The first whole cycle at five million orders too.
    memory: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const orders = wholeNumber('orders', values.orders, 1000)
const repetitions = wholeNumber('repetitions', values.repetitions, 3)
const wants = (part: string) => values.only === undefined || values.only.includes(part)

const report = values.json ? jsonReport() : textReport()
const missed: string[] = []
const add = (measurements: readonly Measurement[]) => {
  report.measured(measurements)
  missed.push(...measurements.filter(isMissed).map(({ name }) => name))
}

if (wants('feeds')) add(await measureFeeds(repetitions))
if (['extract', 'load', 'cycle', 'runs', 'pages', 'verify'].some(wants)) {
  await using system = await openBenchSystem(orders)
  report.filled(system)
  const whole = system.placeOf('whole')
  if (wants('extract')) add(await measureExtract(system, repetitions))
  if (wants('load')) add(await measureLoad(system, repetitions))
  if (['cycle', 'runs', 'pages', 'verify'].some(wants)) {
    add(await measureFirstCycle(system, whole))
  }
  if (wants('runs')) add(await measureRuns(system, whole, Math.max(repetitions, 5)))
  if (wants('pages')) add(await measurePages(system, whole, repetitions))
  if (wants('verify')) add(await measureVerify(system, whole))
}
if (wants('dimensions')) {
  await using system = await openBenchSystem(1000)
  add(await measureDimensions(system, { rows: DIMENSION_ROWS, repetitions }))
}
if (values.memory && orders !== MEMORY_ORDERS) {
  await using system = await openBenchSystem(MEMORY_ORDERS)
  report.filled(system)
  add(await measureFirstCycle(system, system.placeOf('whole')))
}
report.finished(missed)
process.exitCode = missed.length === 0 ? 0 : 1

function wholeNumber(name: string, text: string, least: number): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new ConfigError(`--${name} must be a whole number from ${least}`, { code: 'BENCH_OPTION' })
}
