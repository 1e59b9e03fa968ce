import { mkdirSync, mkdtempSync, rmSync, statSync, utimesSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { collect } from '../src/platform/collect/collect.ts'
import { type Deps, ingestionZone } from '../src/platform/deps.ts'
import { type DuckDb, openDuckDb } from '../src/platform/io/duckdb.ts'
import { parquetOptions } from '../src/platform/lake/parquet.ts'
import { lakeType } from '../src/platform/lake/lake-type.ts'
import { commitBatch } from '../src/platform/lake/batch-log.ts'
import type { Project } from '../src/platform/project/project.ts'
import type { Feed } from '../src/platform/project/source-contract.ts'
import { diskDrop } from '../src/platform/source/drop.ts'
import { duckLiteral } from '../src/platform/io/sql.ts'
import { depsAt, type Place } from './deps.ts'
import { alternate, type Measurement, median, costRatio, timeMs } from './measure.ts'
import { inChild } from './process.ts'

/** Lines of nearly 138 bytes: a gigabyte. */
const ROWS = 7_600_000

const readings: Feed = {
  name: 'reading',
  key: ['reading_id'],
  columns: {
    reading_id: 'bigint',
    station: 'text',
    day: 'date',
    taken_at: 'timestamp without time zone',
    reading: 'numeric(12,4)',
    is_checked: 'boolean',
  },
}

const project: Project = {
  name: 'readings',
  title: 'readings',
  source: { schema: 'public', tables: [], feeds: [readings] },
  models: [],
  warehouse: { migrations: new URL('.', import.meta.url) },
}

/**
 * A file of JSON lines, dropped on a disk, into an empty feed, up to and including the commit record;
 * against DuckDB's own reader with the types declared, which keeps nothing but the rows and takes
 * what does not fit for something that does.
 */
export async function measureFeeds(repetitions: number): Promise<Measurement[]> {
  const folder = mkdtempSync(join(os.tmpdir(), 'tidemark-bench-'))
  const file = join(folder, 'drop', readings.name, 'readings.jsonl')
  const place: Place = {
    sourceUrl: '',
    warehouseUrl: '',
    readerUrl: '',
    schema: '',
    folder: join(folder, 'lake'),
  }
  const memories: number[] = []
  try {
    mkdirSync(join(folder, 'drop', readings.name), { recursive: true })
    await using db = await openDuckDb({ scratchDir: folder })
    await writeReadings(db, file)
    const times = await alternate(
      { repetitions, title: 'feeds' },
      {
        own: () => timeMs(() => readOwn(folder, file)),
        collect: async () => {
          await commitNothing(depsAt(place, project))
          const { workMs, maxRssMb } = await inChild({ what: 'collect', place })
          memories.push(maxRssMb ?? Number.NaN)
          rmSync(place.folder, { recursive: true })
          return workMs
        },
      },
    )
    const sizeMb = statSync(file).size / 1e6
    return [
      {
        name: 'feed',
        title: `a file of ${Math.round(sizeMb)} MB of JSON lines, against DuckDB's own reader`,
        value: 1 / costRatio(times.collect, times.own),
        unit: '× speed',
        bar: { atLeast: 0.5 },
        parts: {
          ownMs: median(times.own),
          collectMs: median(times.collect),
          collectRowsPerSecond: (ROWS * 1000) / median(times.collect),
        },
      },
      {
        name: 'feed_memory',
        title: 'peak memory of the process that collects it',
        value: Math.max(...memories),
        unit: 'MB',
        bar: { below: 400 },
      },
    ]
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Collects the file at a place; in a process of its own. */
export async function collectReadings(place: Place): Promise<void> {
  const drop = diskDrop(join(place.folder, '..', 'drop'))
  const { record, failures } = await collect({ ...depsAt(place, project), feeds: { drop } })
  if (failures[0] !== undefined) throw failures[0].error
  const inserted = record?.tables[readings.name]?.counts.inserted
  if (inserted !== ROWS) throw new Error(`${inserted} of ${ROWS} rows were collected`)
}

async function writeReadings(db: DuckDb, file: string): Promise<void> {
  await db.run(`
    copy (
        select
            i as reading_id,
            'station ' || (i * 7919 % 4096) as station,
            (date '2000-01-01' + (i // 1100)::int) as day,
            (timestamp '2000-01-01 00:00:00' + to_seconds(i * 86)) as taken_at,
            ((hash(i) % 100000000) / 10000.0)::decimal(12, 4) as reading,
            i % 3 = 0 as is_checked
        from range(${ROWS}) as r(i)
    ) to ${duckLiteral(file)} (format json)`)
  const earlier = new Date(Date.now() - 60_000)
  utimesSync(file, earlier, earlier)
}

async function readOwn(folder: string, file: string): Promise<void> {
  await using db = await openDuckDb({ scratchDir: folder })
  const columns = Object.entries(readings.columns).map(
    ([name, type]) => `${name}: '${lakeType(type)}'`,
  )
  await db.run(`
    copy (
        select * from read_json(${duckLiteral(file)}, format = 'newline_delimited', columns = {${columns.join(', ')}})
    ) to ${duckLiteral(join(folder, 'own.parquet'))} (${parquetOptions([])})`)
}

/** Feeds wait for the first batch of the database. */
async function commitNothing(deps: Deps): Promise<void> {
  const content = {
    snapshot: {
      xmin: '1',
      xmax: '1',
      inFlight: [],
      takenAt: '2026-01-01T00:00:00.000Z',
      systemId: '1',
      timeline: 1,
      standby: false,
    },
    tables: {},
    writer: { version: deps.version, runId: deps.runId },
  }
  await commitBatch(ingestionZone(deps), content, { previous: undefined })
}
