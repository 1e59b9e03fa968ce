import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { type Contender, costRatio, median } from './measure.ts'
import type { BenchSystem } from './system.ts'

/** What one piece of work took. */
export interface Use {
  readonly wallMs: number
  readonly processCpuS: number | undefined
  readonly sourceCpuS: number | undefined
  readonly warehouseCpuS: number | undefined
  readonly maxRssMb: number | undefined
  readonly walMb: number
  readonly bytesMb: number | undefined
}

/** What the process that did the work tells of itself. */
export interface OwnUse {
  readonly ms: number
  readonly cpuS: number | undefined
  readonly maxRssMb: number | undefined
}

/** Runs work in a process of its own, and measures that process, both clusters and the WAL. */
export async function measureUse(
  system: BenchSystem,
  work: () => Promise<OwnUse>,
  readBytesMb: () => number | undefined = () => undefined,
): Promise<Use> {
  // What was written before is not flushed while this is measured.
  await system.totesys.query('checkpoint')
  await system.warehouse.query('checkpoint')
  const before = await readState(system)
  const own = await work()
  const after = await readState(system)
  return {
    wallMs: own.ms,
    processCpuS: own.cpuS,
    sourceCpuS: difference(after.sourceCpuS, before.sourceCpuS),
    warehouseCpuS: difference(after.warehouseCpuS, before.warehouseCpuS),
    maxRssMb: own.maxRssMb,
    walMb: (after.walBytes - before.walBytes) / 1e6,
    bytesMb: readBytesMb(),
  }
}

async function readState({ pids, warehouse }: BenchSystem) {
  const { rows } = await warehouse.query<{ bytes: string }>(
    `select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') as bytes`,
  )
  return {
    sourceCpuS: clusterCpuS(pids.source),
    warehouseCpuS: clusterCpuS(pids.warehouse),
    walBytes: Number(rows[0]?.bytes),
  }
}

function difference(after: number | undefined, before: number | undefined): number | undefined {
  return after === undefined || before === undefined ? undefined : after - before
}

/**
 * CPU seconds that a Postgres has taken so far: its postmaster, the processes that have ended (the
 * postmaster waited for them, so they are in its cutime and cstime), and those that live. Undefined
 * without `/proc`.
 */
export function clusterCpuS(postmaster: number): number | undefined {
  let ticks = 0
  try {
    const living = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
    for (const pid of living) {
      const stat = readStat(pid)
      if (stat === undefined) continue
      if (Number(pid) === postmaster || stat.parent === postmaster) ticks += stat.ticks
    }
  } catch {
    return undefined
  }
  return ticks / clockTicks()
}

/** See proc(5). The name in parentheses may hold blanks. */
function readStat(pid: string): { parent: number; ticks: number } | undefined {
  let text
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined // it has ended meanwhile
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0)
  return { parent: Number(fields[1]), ticks }
}

let ticksPerSecond: number | undefined

function clockTicks(): number {
  ticksPerSecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  return ticksPerSecond
}

/** A party's uses in all rounds as one contender, against the baseline's in the same rounds. */
export function asContender(
  { name, title }: { name: string; title: string },
  uses: readonly Use[],
  baseline: readonly Use[],
): Contender {
  const each = (read: (use: Use) => number | undefined): number | undefined => {
    const known = uses.map(read).filter((value) => value !== undefined)
    return known.length === uses.length ? median(known) : undefined
  }
  return {
    name,
    title,
    wallMs: median(uses.map(({ wallMs }) => wallMs)),
    cpuS: each(totalCpuS),
    processCpuS: each((use) => use.processCpuS),
    sourceCpuS: each((use) => use.sourceCpuS),
    warehouseCpuS: each((use) => use.warehouseCpuS),
    maxRssMb: each((use) => use.maxRssMb),
    walMb: median(uses.map(({ walMb }) => walMb)),
    bytesMb: each((use) => use.bytesMb),
    ratio: wallRatio(uses, baseline),
  }
}

/** How much longer `uses` took than the baseline in the same round: the median. */
export function wallRatio(uses: readonly Use[], baseline: readonly Use[]): number {
  return costRatio(
    uses.map(({ wallMs }) => wallMs),
    baseline.map(({ wallMs }) => wallMs),
  )
}

function totalCpuS({ processCpuS, sourceCpuS, warehouseCpuS }: Use): number | undefined {
  const all = [processCpuS, sourceCpuS, warehouseCpuS].filter((value) => value !== undefined)
  return all.length === 3 ? all.reduce((sum, value) => sum + value, 0) : undefined
}
