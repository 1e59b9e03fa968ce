import { rmSync } from 'node:fs'
import { identifier } from '../src/platform/io/sql.ts'
import { folderMb, type Place } from './deps.ts'
import { alternate, type Contender, type Measurement } from './measure.ts'
import { inChild } from './process.ts'
import {
  checkSameRows,
  checkSameStar,
  makeBareStar,
  readStar,
  type StarState,
} from './star-schema.ts'
import type { BenchSystem } from './system.ts'
import { asContender, measureUse, type Use, wallRatio } from './usage.ts'

const BAR = { atMost: 1.5 }
const GOAL = 1.2
const WAL_BAR = { atMost: 1.2 }
const MEMORY_BAR = { below: 450 }
const LARGE_MEMORY_BAR = { below: 500 }

/** A first load by somebody else, which takes its turn with ours. */
export interface LoadPeer {
  readonly name: string
  readonly title: string
  /** Into a schema of its own; what it leaves there and on the disk is removed here. */
  load(place: Place): Promise<Use>
}

/**
 * The first whole run, in a process of its own, against the raw way into the same end state, which
 * is compared once; both and every peer take turns.
 */
export async function measureFirstLoad(
  system: BenchSystem,
  { repetitions, peers }: { repetitions: number; peers: readonly LoadPeer[] },
): Promise<Measurement[]> {
  const states: { ours?: StarState; raw?: StarState } = {}
  const uses = await alternate<string, Use>(
    { repetitions, title: 'first_load' },
    {
      raw: () =>
        inSchema(system, 'raw', async (place) => {
          const use = await loadRaw(system, place, 'raw_load')
          states.raw ??= await readStar(place)
          return use
        }),
      tidemark: () =>
        inSchema(system, 'ours', async (place) => {
          const use = await measureUse(
            system,
            () => inChild({ what: 'run', place }),
            () => folderMb(place.folder),
          )
          states.ours ??= await readStar(place)
          if (states.raw !== undefined) checkSameStar(states.ours, states.raw)
          return use
        }),
      raw_one_copy: () =>
        inSchema(system, 'raw', (place) => loadRaw(system, place, 'raw_load_one_copy')),
      ...Object.fromEntries(
        peers.map((peer) => [
          peer.name,
          () =>
            inSchema(system, peer.name, async (place) => {
              const use = await peer.load(place)
              if (states.raw !== undefined) await checkSameRows(place, states.raw)
              return use
            }),
        ]),
      ),
    },
  )
  return report(system, { uses, peers })
}

async function loadRaw(
  system: BenchSystem,
  place: Place,
  what: 'raw_load' | 'raw_load_one_copy',
): Promise<Use> {
  const rebuild = await makeBareStar(place)
  return await measureUse(system, () => inChild({ what, place, rebuild }))
}

/** Works in an empty schema and lake, and removes both, so that nobody's turn pays for another's. */
async function inSchema<T>(
  system: BenchSystem,
  name: string,
  work: (place: Place) => Promise<T>,
): Promise<T> {
  const place = system.placeOf(name)
  try {
    return await work(place)
  } finally {
    await system.warehouse.query(`drop schema if exists ${identifier(name)} cascade`)
    rmSync(place.folder, { recursive: true, force: true })
  }
}

function report(
  { orders, rows }: BenchSystem,
  { uses, peers }: { uses: Readonly<Record<string, Use[]>>; peers: readonly LoadPeer[] },
): Measurement[] {
  const baseline = uses['raw'] ?? []
  const of = (name: string, title: string) =>
    asContender({ name, title }, uses[name] ?? [], baseline)
  const raw = of('raw', 'raw COPY | COPY, keys and indexes built after')
  const ours = of('tidemark', 'Tidemark, a first run')
  const oneCopy = of('raw_one_copy', 'raw, without the current tables')
  const against = (name: string) => wallRatio(uses['tidemark'] ?? [], uses[name] ?? [])
  const others = peers.map(({ name, title }) => of(name, title))
  return [
    {
      name: 'first_load',
      title: 'first whole run, against raw COPY into the same end state',
      value: ours.ratio,
      unit: '×',
      bar: BAR,
      goal: GOAL,
      parts: { rowsPerSecond: (rows * 1000) / ours.wallMs, rows },
      contenders: [raw, ours, oneCopy, ...others],
    },
    {
      name: 'first_load_one_copy',
      title: 'first whole run, against raw COPY that leaves the current tables empty',
      value: against(oneCopy.name),
      unit: '×',
    },
    ...cpuRatio(ours, raw),
    {
      name: 'wal',
      title: 'WAL that a first run makes the warehouse write, against raw',
      value: ours.walMb / raw.walMb,
      unit: '×',
      bar: WAL_BAR,
      parts: { oursMb: ours.walMb, rawMb: raw.walMb },
    },
    {
      name: 'memory',
      title: 'peak memory of a first run',
      value: ours.maxRssMb ?? Number.NaN,
      unit: 'MB',
      bar: orders > 1_000_000 ? LARGE_MEMORY_BAR : MEMORY_BAR,
    },
    ...others.map((peer): Measurement => ({
      name: `first_load_against_${peer.name}`,
      title: `first whole run, against ${peer.title}`,
      value: against(peer.name),
      unit: '×',
      ...(peer.name.startsWith('duckdb') ? {} : { bar: { below: 1 } }),
    })),
  ]
}

/** Nothing where the system does not tell. */
function cpuRatio(ours: Contender, raw: Contender): Measurement[] {
  if (ours.cpuS === undefined || raw.cpuS === undefined) return []
  return [
    {
      name: 'first_load_cpu',
      title: 'CPU of a first run and of both clusters, against raw',
      value: ours.cpuS / raw.cpuS,
      unit: '×',
    },
  ]
}
