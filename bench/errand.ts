// The entry of a child process: one errand from standard input, its report on standard output.
import { json } from 'node:stream/consumers'
import { run } from '../src/platform/pipeline.ts'
import { verify } from '../src/platform/inspect/verify.ts'
import { depsAt } from './deps.ts'
import { transformDimensions } from './dimensions.ts'
import { collectReadings } from './feeds.ts'
import type { Errand, ErrandReport } from './process.ts'

const { what, place } = (await json(process.stdin)) as Errand
const startedAt = performance.now()
if (what === 'collect') {
  await collectReadings(place)
} else if (what === 'transform') {
  await transformDimensions(place)
} else if (what === 'run') {
  const { failures } = await run(depsAt(place))
  if (failures[0] !== undefined) throw failures[0].error
} else {
  const { isEqual } = await verify(depsAt(place))
  if (!isEqual) throw new Error('verify found a difference')
}
const report: ErrandReport = {
  ms: performance.now() - startedAt,
  maxRssMb: process.resourceUsage().maxRSS / 1024,
}
console.log(JSON.stringify(report))
