import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { identifier } from '../src/platform/io/sql.ts'
import { totesys } from '../src/totesys/totesys.ts'
import { folderMb, type Place } from './deps.ts'
import { isStopped } from './ending.ts'
import type { ExtractPeer } from './extract.ts'
import type { LoadPeer } from './first-load.ts'
import { runProcess } from './process.ts'
import { progress } from './progress.ts'
import { repository } from './repository.ts'
import type { BenchSystem } from './system.ts'
import { measureUse, type OwnUse, type Use } from './usage.ts'

const FOLDER = join(repository, 'bench/peers')

const LOADS = {
  sling: 'Sling, then dbt',
  dlt_connectorx: 'dlt (connectorx), then dbt',
  dlt_pyarrow: 'dlt (pyarrow), then dbt',
  duckdb_postgres: "DuckDB's postgres extension, then dbt",
} as const

/** Other ways to the same tables: without history, keys or proof. */
export interface Peers {
  readonly loads: readonly LoadPeer[]
  readonly extracts: readonly ExtractPeer[]
}

/**
 * The contenders, each tried once on a small source so that one that cannot work here is left out
 * and said so in `report`. Their packages come from PyPI into a virtual environment in the cache
 * folder, which is made once. Needs Python 3.10 or newer.
 */
export async function openPeers(
  small: BenchSystem,
  report: { unavailable(title: string, error: unknown): void },
): Promise<(system: BenchSystem) => Peers> {
  let python: string
  try {
    python = await preparePython()
  } catch (error) {
    report.unavailable('every peer', error)
    return () => ({ loads: [], extracts: [] })
  }
  const working = new Set<string>()
  const all = peersOn(small, python)
  for (const { name, title, load } of all.loads) {
    progress(`trying ${title}`)
    await attempt(name, title, () => load(small.placeOf(`try_${name}`)))
  }
  for (const { name, title, extract } of all.extracts) {
    progress(`trying ${title}`)
    await attempt(name, title, () => extract(join(small.folder, `try_${name}`)))
  }
  return (system) => {
    const { loads, extracts } = peersOn(system, python)
    return {
      loads: loads.filter(({ name }) => working.has(name)),
      extracts: extracts.filter(({ name }) => working.has(name)),
    }
  }

  async function attempt(name: string, title: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
      working.add(name)
    } catch (error) {
      // If the bench was stopped, it is not the peer's fault.
      if (!isStopped()) report.unavailable(title, error)
    }
  }
}

function peersOn(system: BenchSystem, python: string): Peers {
  const use = (place: Place, peer: string, readBytesMb?: () => number): Promise<Use> => {
    mkdirSync(place.folder, { recursive: true })
    return measureUse(system, () => contend(python, { peer, place }), readBytesMb)
  }
  return {
    loads: Object.entries(LOADS).map(([name, title]) => ({
      name,
      title,
      load: async (place) => {
        const landing = landingOf(place)
        try {
          return await use(place, name)
        } finally {
          await system.warehouse.query(`drop schema if exists ${identifier(landing)} cascade`)
        }
      },
    })),
    extracts: [
      {
        name: 'duckdb',
        title: "DuckDB's postgres extension into Parquet",
        extract: (folder) =>
          use({ ...system.placeOf('duckdb'), folder }, 'duckdb', () => folderMb(folder)),
      },
    ],
  }
}

function landingOf({ schema }: Place): string {
  return `${schema}_landing`
}

async function contend(
  python: string,
  { peer, place }: { peer: string; place: Place },
): Promise<OwnUse> {
  const tables = Object.fromEntries(
    totesys.source.tables.map(({ name, columns = {} }) => [name, Object.keys(columns)]),
  )
  const { ms, output } = await runProcess(python, {
    args: [join(FOLDER, 'contend.py')],
    input: JSON.stringify({
      peer,
      source: place.sourceUrl,
      warehouse: place.warehouseUrl,
      landing: landingOf(place),
      schema: place.schema,
      folder: place.folder,
      tables,
    }),
  })
  const { cpuS, maxRssMb } = JSON.parse(output.trim().split('\n').at(-1) ?? '') as {
    cpuS: number
    maxRssMb: number
  }
  return { ms, cpuS, maxRssMb }
}

/** The environment's Python. It is made again when the list of packages has changed. */
async function preparePython(): Promise<string> {
  const requirements = join(FOLDER, 'requirements.txt')
  const list = readFileSync(requirements)
  const id = createHash('sha256').update(list).digest('hex').slice(0, 12)
  const folder = join(cacheFolder(), `peers-${id}`)
  const python = join(folder, 'bin/python')
  if (existsSync(join(folder, 'complete'))) return python
  progress(`installing the peers' packages into ${folder}, once`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(cacheFolder(), { recursive: true })
  await runProcess('python3', { args: ['-m', 'venv', folder] })
  await runProcess(python, {
    args: ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements],
  })
  const done = join(folder, 'complete')
  mkdirSync(`${done}.new`)
  renameSync(`${done}.new`, done)
  return python
}

function cacheFolder(): string {
  const home = os.homedir()
  const base =
    process.platform === 'darwin'
      ? join(home, 'Library/Caches')
      : (process.env['XDG_CACHE_HOME'] ?? join(home, '.cache'))
  return join(base, 'tidemark-bench')
}
