import { checkEnds, readHeads } from '../src/platform/continuity.ts'
import { ingestionZone, processedZone } from '../src/platform/deps.ts'
import { createMemory } from '../src/platform/io/memory.ts'
import { connect } from '../src/platform/io/postgres.ts'
import { qualified } from '../src/platform/io/sql.ts'
import { readLastCommit } from '../src/platform/lake/batch-log.ts'
import { run } from '../src/platform/pipeline.ts'
import { generationOf } from '../src/platform/project/generation.ts'
import { totesys as project } from '../src/totesys/totesys.ts'
import { countObjects, depsAt, type Place } from './deps.ts'
import { alternate, type Bar, type Measurement, median, timeMs } from './measure.ts'
import { progress } from './progress.ts'
import type { BenchSystem } from './system.ts'

const CHANGED_ROWS = 100
const QUIET_BAR = { below: 15 }
const CHAIN_BAR = { below: 2 }
const SMALL_ORDERS = 2000

/** One changed order, warm. */
function oneRowBar(orders: number): { bar?: Bar } {
  if (orders > 1_000_000) return {}
  return { bar: { below: orders <= SMALL_ORDERS ? 200 : 600 } }
}

/**
 * Runs in one warm process over the whole Totesys, when nothing, nothing of ours, and little has
 * changed.
 */
export async function measureRuns(
  system: BenchSystem,
  { place, repetitions }: { place: Place; repetitions: number },
): Promise<Measurement[]> {
  const { totesys } = system
  // A batch of its own, so that whatever moved the counter since the first is behind us.
  await totesys.query('update address set phone = phone || $1 where address_id = 1', [' x'])
  await timedRun(place)

  progress('runs: nothing changed')
  const quiet = await manyRuns(place, 4 * repetitions, async () => {})
  progress('runs: only the counter moved')
  const moved = await manyRuns(place, 2 * repetitions, () =>
    totesys.query('select pg_current_xact_id()'),
  )
  progress(`runs: ${CHANGED_ROWS} changed rows`)
  const delta = await manyRuns(place, repetitions, (round) =>
    totesys.query(
      `update sales_order set units_sold = units_sold + 1
       where sales_order_id in (select 1 + $1 + n * ($2 / $3) from generate_series(0, $3 - 1) as n)`,
      [round, system.orders, CHANGED_ROWS],
    ),
  )
  progress('runs: a changed row of a source of a dimension')
  const design = await manyRuns(place, repetitions, (round) =>
    totesys.query(`update design set file_location = $1 where design_id = 1`, [`/round/${round}`]),
  )
  const transaction = await manyRuns(place, repetitions, (round) =>
    totesys.query(
      `update transaction set transaction_type =
           (array['SALE', 'PURCHASE'])[1 + $1::integer % 2]::"TransactionType"
       where transaction_id = 1`,
      [round + 1],
    ),
  )
  progress('runs: the chain')
  const { read, proved } = await timeChain(place)
  return [
    {
      name: 'quiet',
      title: 'run when nothing changed, warm, median',
      value: median(quiet.times),
      unit: 'ms',
      bar: QUIET_BAR,
      parts: { slowestMs: Math.max(...quiet.times), runs: quiet.times.length },
    },
    {
      name: 'quiet_objects',
      title: 'objects that runs wrote when nothing had changed',
      value: quiet.objects,
      unit: 'objects',
      bar: { below: 1 },
    },
    {
      name: 'moved_counter',
      title: 'run when only unrelated transactions came, warm, median',
      value: median(moved.times),
      unit: 'ms',
      parts: { slowestMs: Math.max(...moved.times), objects: moved.objects },
    },
    ...(await measureOneRow(system, { place, repetitions })),
    {
      name: 'delta',
      title: `run that carries ${CHANGED_ROWS} changed orders, warm, median`,
      value: median(delta.times),
      unit: 'ms',
      parts: { objectsPerRun: delta.objects / delta.times.length },
    },
    {
      name: 'dimension_source',
      title: 'run that carries a changed design, warm, median',
      value: median(design.times),
      unit: 'ms',
    },
    {
      name: 'dimension_source_large',
      title: 'run that carries a changed transaction, the largest dimension, warm, median',
      value: median(transaction.times),
      unit: 'ms',
    },
    {
      name: 'chain',
      title: 'proving the links of both logs before a batch, beyond reading their ends',
      value: median(proved) - median(read),
      unit: 'ms',
      bar: CHAIN_BAR,
      parts: { readMs: median(read), provedMs: median(proved), rounds: read.length },
    },
  ]
}

/** One changed order, warm; beside it, in turn, the bare count of all source tables. */
export async function measureOneRow(
  system: BenchSystem,
  { place, repetitions }: { place: Place; repetitions: number },
): Promise<Measurement[]> {
  await using source = await connect({ title: 'Totesys', code: 'SOURCE', url: place.sourceUrl })
  progress('one_row')
  await timedRun(place)
  let round = 0
  const { count, oneRow } = await alternate(
    { repetitions },
    {
      count: () => timeMs(() => source.client.query(COUNT_ALL)),
      oneRow: async () => {
        await system.totesys.query(
          `update sales_order set units_sold = units_sold + 1 where sales_order_id = $1`,
          [1 + ((round++ * 7919) % system.orders)],
        )
        return await timedRun(place)
      },
    },
  )
  return [
    {
      name: 'one_row',
      title: 'run that carries one changed order, warm, median',
      value: median(oneRow),
      unit: 'ms',
      ...oneRowBar(system.orders),
      parts: {
        slowestMs: Math.max(...oneRow),
        bareCountMs: median(count),
        aboveCountMs: median(oneRow) - median(count),
      },
    },
  ]
}

/** Every row of every captured table, counted by one statement and so in one snapshot. */
const COUNT_ALL = `select ${project.source.tables
  .map(({ name }) => `(select count(*) from ${qualified(project.source.schema, name)})`)
  .join(', ')}`

/**
 * Times of reading the newest record of each zone, and of reading and proving them as a batch does
 * before it writes. Each time nothing is remembered of the log.
 */
async function timeChain(place: Place): Promise<Record<'read' | 'proved', number[]>> {
  return await alternate(
    { repetitions: 100 },
    {
      read: () => {
        const deps = { ...depsAt(place), memory: createMemory() }
        return timeMs(async () => {
          const made = await readLastCommit(processedZone(deps, generationOf(deps.project)))
          await readLastCommit(ingestionZone(deps), made?.batch)
        })
      },
      proved: () => {
        const deps = { ...depsAt(place), memory: createMemory() }
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
