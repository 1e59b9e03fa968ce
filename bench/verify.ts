import type pg from 'pg'
import { identifier, qualified } from '../src/platform/io/sql.ts'
import { totesys } from '../src/totesys/totesys.ts'
import type { Place } from './deps.ts'
import { alternate, costRatio, type Measurement, median, timeMs } from './measure.ts'
import { inChild } from './process.ts'
import { connectTo, readTables } from './star-catalogue.ts'
import type { BenchSystem } from './system.ts'

const BAR = { below: 3 }

/**
 * `verify` of everything, in a process of its own, against one scan of source and warehouse that
 * looks at every value of every row once: `count(row::text)`. A bare `count(*)` is no such scan, as
 * it reads no value; its time is told beside.
 */
export async function measureVerify(
  system: BenchSystem,
  { place, repetitions }: { place: Place; repetitions: number },
): Promise<Measurement[]> {
  const star = await connectTo(place)
  try {
    const source = totesys.source.tables.map(({ name }) => qualified(totesys.source.schema, name))
    const warehouse = (await readTables(star)).map(identifier)
    const scan = (what: string) =>
      timeMs(async () => {
        await countIn(system.totesys, source, what)
        await countIn(star, warehouse, what)
      })
    const memories: number[] = []
    const times = await alternate(
      { repetitions, title: 'verify' },
      {
        scan: () => scan('t::text'),
        verify: async () => {
          const { ms, maxRssMb } = await inChild({ what: 'verify', place })
          memories.push(maxRssMb)
          return ms
        },
        count: () => scan('*'),
      },
    )
    return [
      {
        name: 'verify',
        title: 'verify, against one scan of every value in source and warehouse',
        value: costRatio(times.verify, times.scan),
        unit: '×',
        bar: BAR,
        parts: {
          verifyMs: median(times.verify),
          scanMs: median(times.scan),
          countMs: median(times.count),
        },
      },
      {
        name: 'verify_memory',
        title: 'peak memory of verify',
        value: Math.max(...memories),
        unit: 'MB',
      },
    ]
  } finally {
    await star.end()
  }
}

async function countIn(client: pg.Client, tables: readonly string[], what: string): Promise<void> {
  for (const table of tables) await client.query(`select count(${what}) from ${table} as t`)
}
