import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { settingsAt, TIDEMARK } from './command-line.ts'
import type { Place } from './deps.ts'
import { atEnd } from './ending.ts'
import { type Measurement, quantile } from './measure.ts'
import { progress } from './progress.ts'
import { connectTo } from './star-catalogue.ts'
import type { BenchSystem } from './system.ts'

const P50_BAR = { below: 0.8 }
const P99_BAR = { below: 1.6 }
const POLL_MS = 10
/** A change that takes longer than this will not come. */
const PATIENCE_MS = 120_000

/**
 * `run --every 1s`, the real process, while somebody commits a change to the source at random
 * moments: from the commit until a reader of the warehouse sees the value.
 */
export async function measureEvery(
  system: BenchSystem,
  { place, seconds }: { place: Place; seconds: number },
): Promise<Measurement[]> {
  progress(`every: ${seconds} s of run --every 1s`)
  const runs = startRuns(place)
  try {
    const ages = await Promise.race([changeAndWatch(system, { place, seconds }), runs.ended])
    return [
      {
        name: 'every_p50',
        title: 'run --every 1s: a change committed → visible in the warehouse, p50',
        value: quantile(ages, 0.5),
        unit: 's',
        bar: P50_BAR,
        parts: { changes: ages.length },
      },
      {
        name: 'every_p99',
        title: 'run --every 1s: a change committed → visible in the warehouse, p99',
        value: quantile(ages, 0.99),
        unit: 's',
        bar: P99_BAR,
        parts: { slowestS: Math.max(...ages) },
      },
    ]
  } finally {
    await runs.stop()
  }
}

function startRuns(place: Place): { ended: Promise<never>; stop(): Promise<void> } {
  const child = spawn(process.execPath, [TIDEMARK, 'run', '--every', '1s', '--json'], {
    cwd: place.folder,
    env: settingsAt(place),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said = `${said}${chunk.toString()}`.slice(-2000)
    })
  }
  const exit = once(child, 'exit')
  const ended = exit.then(() => {
    throw new Error(`run --every ended: ${said}`)
  })
  ended.catch(() => {}) // it is stopped in the end
  const stop = async (): Promise<void> => {
    forget()
    if (child.exitCode !== null) return
    child.kill('SIGINT')
    await exit
  }
  const forget = atEnd(async () => void child.kill('SIGKILL'))
  return { ended, stop }
}

/** The ages in seconds at which changes became visible. The first waits for the process's start. */
async function changeAndWatch(
  { totesys, orders }: BenchSystem,
  { place, seconds }: { place: Place; seconds: number },
): Promise<number[]> {
  const reader = await connectTo(place)
  const pending = new Map<number, { units: number; committedAt: number }>()
  const ages: number[] = []
  let changes = 0
  const change = async (): Promise<void> => {
    const id = 1 + ((changes++ * 104_729) % orders)
    const { rows } = await totesys.query<{ units: number }>(
      `update sales_order set units_sold = units_sold + 1 where sales_order_id = $1
       returning units_sold as units`,
      [id],
    )
    pending.set(id, { units: rows[0]?.units ?? Number.NaN, committedAt: performance.now() })
  }
  const look = async (): Promise<void> => {
    const { rows } = await reader.query<{ id: number; units: number }>(
      `select sales_order_id as id, units_sold as units from fact_sales_order_current
       where sales_order_id = any($1)`,
      [[...pending.keys()]],
    )
    for (const { id, units } of rows) {
      const waiting = pending.get(id)
      if (waiting === undefined || waiting.units !== units) continue
      pending.delete(id)
      ages.push((performance.now() - waiting.committedAt) / 1000)
    }
  }
  const watch = async (isOver: () => boolean): Promise<void> => {
    const patientUntil = performance.now() + PATIENCE_MS + seconds * 1000
    while (!isOver()) {
      if (performance.now() > patientUntil) throw new Error('a change never became visible')
      if (pending.size > 0) await look()
      await delay(POLL_MS)
    }
  }
  try {
    await change()
    await watch(() => pending.size === 0)
    ages.length = 0
    const until = performance.now() + seconds * 1000
    let isChanging = true
    const changing = async (): Promise<void> => {
      while (performance.now() < until) {
        await delay(200 + Math.random() * 2300)
        await change()
      }
      isChanging = false
    }
    await Promise.all([changing(), watch(() => !isChanging && pending.size === 0)])
    return ages
  } finally {
    await reader.end()
  }
}
