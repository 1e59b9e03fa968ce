// The entry of a child process: one errand from standard input, its report on standard output. What
// an errand needs is imported for it alone.
import { readFileSync } from 'node:fs'
import { json } from 'node:stream/consumers'
import type { Errand, ErrandReport } from './process.ts'

const WORK: Readonly<Record<Errand['what'], (errand: Errand) => Promise<unknown>>> = {
  run: async ({ place }) => (await import('./our-work.ts')).runOnce(place),
  extract: async ({ place }) => (await import('./our-work.ts')).extractOnce(place),
  verify: async ({ place }) => (await import('./our-work.ts')).verifyOnce(place),
  collect: async ({ place }) => (await import('./feeds.ts')).collectReadings(place),
  transform: async ({ place }) => (await import('./dimensions.ts')).transformDimensions(place),
  raw_load: async (errand) => (await import('./raw-load.ts')).rawLoad(errand),
  raw_load_one_copy: async (errand) =>
    (await import('./raw-load.ts')).rawLoad(errand, { withCurrent: false }),
  raw_change: async (errand) => (await import('./raw-change.ts')).rawChange(errand),
  raw_extract: async ({ place }) => (await import('./raw-extract.ts')).rawExtract(place),
}

const errand = (await json(process.stdin)) as Errand
const startedAt = performance.now()
await WORK[errand.what](errand)
const workMs = performance.now() - startedAt
const { user, system } = process.cpuUsage()
const report: ErrandReport = {
  workMs,
  cpuS: (user + system) / 1e6,
  maxRssMb: peakMemoryKb() / 1024,
}
console.log(JSON.stringify(report))

/** `maxRSS` of a process begins with that of the process that started it; Linux knows better. */
function peakMemoryKb(): number {
  const { maxRSS } = process.resourceUsage()
  try {
    const status = readFileSync('/proc/self/status', 'utf8')
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? maxRSS)
  } catch {
    return maxRSS
  }
}
