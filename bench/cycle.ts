import { checkEnds, readHeads } from '../src/platform/continuity.ts'
import { ingestionZone, processedZone } from '../src/platform/deps.ts'
import { readLastCommit } from '../src/platform/lake/batch-log.ts'
import { generationOf } from '../src/platform/project/generation.ts'
import { run } from '../src/platform/pipeline.ts'
import { countObjects, depsAt, type Place } from './deps.ts'
import { alternate, type Measurement, median, timeMs } from './measure.ts'
import { inChild } from './process.ts'
import type { BenchSystem } from './system.ts'

const CHANGED_ROWS = 100

/** A first whole cycle in a process of its own: its time and the most memory it ever held. */
export async function measureFirstCycle(system: BenchSystem, place: Place): Promise<Measurement[]> {
  const { maxRssMb, ms } = await inChild({ what: 'run', place })
  return [
    {
      name: 'memory',
      title: `peak memory of a first whole run, ${millions(system.orders)} orders`,
      value: maxRssMb,
      unit: 'MB',
      bar: { below: 600 },
      parts: { runMs: ms, rows: system.rows },
    },
  ]
}

/** `verify` of the whole in a process of its own. */
export async function measureVerify(system: BenchSystem, place: Place): Promise<Measurement[]> {
  const { maxRssMb, ms } = await inChild({ what: 'verify', place })
  const size = millions(system.orders)
  return [
    { name: 'verify', title: `verify, ${size} orders`, value: ms, unit: 'ms' },
    { name: 'verify_memory', title: 'peak memory of verify', value: maxRssMb, unit: 'MB' },
  ]
}

/** Runs over the whole Totesys when nothing, nothing of ours, and little changed. */
export async function measureRuns(
  system: BenchSystem,
  place: Place,
  repetitions: number,
): Promise<Measurement[]> {
  const { totesys } = system
  // A batch of its own, so that whatever moved the counter since the first is behind us.
  await totesys.query('update address set last_updated = last_updated where address_id = 1')
  await totesys.query('update address set phone = phone || $1 where address_id = 1', [' x'])
  await timedRun(place)

  const quiet = await manyRuns(place, 4 * repetitions, async () => {})
  const moved = await manyRuns(place, 2 * repetitions, () =>
    totesys.query('select pg_current_xact_id()'),
  )
  const delta = await manyRuns(place, repetitions, (round) =>
    totesys.query(
      `update sales_order set units_sold = units_sold + 1
       where sales_order_id in (select 1 + $1 + n * ($2 / $3) from generate_series(0, $3 - 1) as n)`,
      [round, system.orders, CHANGED_ROWS],
    ),
  )
  const { read, proved } = await timeChain(place)
  return [
    {
      name: 'quiet',
      title: 'run when nothing changed, median',
      value: median(quiet.times),
      unit: 'ms',
      bar: { below: 50 },
      parts: { slowestMs: Math.max(...quiet.times), runs: quiet.times.length },
    },
    {
      name: 'quiet_objects',
      title: 'objects those runs wrote',
      value: quiet.objects,
      unit: 'objects',
      bar: { below: 1 },
    },
    {
      name: 'moved_counter',
      title: 'run when only unrelated transactions came, median',
      value: median(moved.times),
      unit: 'ms',
      parts: { slowestMs: Math.max(...moved.times), objects: moved.objects },
    },
    {
      name: 'delta',
      title: `run that carries ${CHANGED_ROWS} changed rows, median`,
      value: median(delta.times),
      unit: 'ms',
      parts: { objectsPerRun: delta.objects / delta.times.length },
    },
    {
      name: 'chain',
      title: 'proving the links of both logs before a batch, beyond reading their ends',
      value: median(proved) - median(read),
      unit: 'ms',
      bar: { below: 2 },
      parts: { readMs: median(read), provedMs: median(proved), rounds: read.length },
    },
  ]
}

/**
 * Times of reading the newest record of each zone, and of reading and proving them as a batch does
 * before it writes. Each time nothing is remembered of the log.
 */
async function timeChain(place: Place): Promise<Record<'read' | 'proved', number[]>> {
  return await alternate(
    { repetitions: 100 },
    {
      read: () => {
        const deps = depsAt(place)
        return timeMs(async () => {
          const made = await readLastCommit(processedZone(deps, generationOf(deps.project)))
          await readLastCommit(ingestionZone(deps), made?.batch)
        })
      },
      proved: () => {
        const deps = depsAt(place)
        return timeMs(async () => checkEnds(deps, await readHeads(deps)))
      },
    },
  )
}

/** Runs `times` times, each after `change`; how long each took and the objects all of them wrote. */
async function manyRuns(
  place: Place,
  times: number,
  change: (round: number) => Promise<unknown>,
): Promise<{ times: number[]; objects: number }> {
  const before = countObjects(place.folder)
  const found: number[] = []
  for (let round = 0; round < times; round++) {
    await change(round)
    found.push(await timedRun(place))
  }
  return { times: found, objects: countObjects(place.folder) - before }
}

async function timedRun(place: Place): Promise<number> {
  const deps = depsAt(place)
  const startedAt = performance.now()
  const { failures } = await run(deps)
  if (failures[0] !== undefined) throw failures[0].error
  return performance.now() - startedAt
}

function millions(orders: number): string {
  return `${orders / 1_000_000} M`
}
