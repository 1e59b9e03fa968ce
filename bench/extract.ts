import { rmSync } from 'node:fs'
import { folderMb } from './deps.ts'
import { alternate, type Measurement } from './measure.ts'
import { inChild } from './process.ts'
import type { BenchSystem } from './system.ts'
import { asContender, measureUse, type Use, wallRatio } from './usage.ts'

const BAR = { atMost: 1.6 }
const GOAL = 1.1
const DUCKDB_BAR = { atMost: 2 }

/** Somebody else's way out of the source into files of a folder. */
export interface ExtractPeer {
  readonly name: string
  readonly title: string
  extract(folder: string): Promise<Use>
}

/**
 * A first extract of all eleven tables up to and including the commit record, in a process of its
 * own, against a bare COPY of the same columns; both and every peer take turns.
 */
export async function measureExtract(
  system: BenchSystem,
  { repetitions, peers }: { repetitions: number; peers: readonly ExtractPeer[] },
): Promise<Measurement[]> {
  const place = system.placeOf('extract')
  const clean = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } finally {
      rmSync(place.folder, { recursive: true, force: true })
    }
  }
  const uses = await alternate<string, Use>(
    { repetitions, title: 'extract' },
    {
      raw: () => measureUse(system, () => inChild({ what: 'raw_extract', place })),
      tidemark: () =>
        clean(() =>
          measureUse(
            system,
            () => inChild({ what: 'extract', place }),
            () => folderMb(place.folder),
          ),
        ),
      ...Object.fromEntries(
        peers.map((peer) => [peer.name, () => clean(() => peer.extract(place.folder))]),
      ),
    },
  )
  const of = (name: string, title: string) =>
    asContender({ name, title }, uses[name] ?? [], uses['raw'] ?? [])
  const raw = of('raw', 'raw COPY TO STDOUT, bytes dropped')
  const ours = of('tidemark', 'Tidemark, a first extract')
  const against = (name: string) => wallRatio(uses['tidemark'] ?? [], uses[name] ?? [])
  const others = peers.map(({ name, title }) => of(name, title))
  return [
    {
      name: 'extract',
      title: 'first extract of all tables, against raw COPY TO STDOUT',
      value: ours.ratio,
      unit: '×',
      bar: BAR,
      goal: GOAL,
      parts: { rowsPerSecond: (system.rows * 1000) / ours.wallMs },
      contenders: [raw, ours, ...others],
    },
    ...others.map((peer): Measurement => ({
      name: `extract_against_${peer.name}`,
      title: `first extract, against ${peer.title}`,
      value: against(peer.name),
      unit: '×',
      ...(peer.name === 'duckdb' ? { bar: DUCKDB_BAR } : {}),
    })),
  ]
}
