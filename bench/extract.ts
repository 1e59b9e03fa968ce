import { rmSync } from 'node:fs'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { to as copyTo } from 'pg-copy-streams'
import { extract } from '../src/platform/extract/extract.ts'
import { connect } from '../src/platform/io/postgres.ts'
import { depsAt, partOfTotesys } from './deps.ts'
import { alternate, type Measurement, median, speedRatio, timeMs } from './measure.ts'
import type { BenchSystem } from './system.ts'

/** A first extract of one table, up to and including the commit record, against a bare COPY. */
export async function measureExtract(
  system: BenchSystem,
  repetitions: number,
): Promise<Measurement[]> {
  const project = partOfTotesys({ tables: ['sales_order'], models: [] })
  const place = system.placeOf('extract')
  const times = await alternate(repetitions, {
    copy: async () => timeMs(() => copyOut(place.sourceUrl)),
    extract: async () => {
      const deps = depsAt(place, project)
      const ms = await timeMs(() => extract(deps))
      rmSync(place.folder, { recursive: true })
      return ms
    },
  })
  return [
    {
      name: 'extract',
      title: 'first extract of sales_order, against COPY TO STDOUT',
      value: speedRatio(times.copy, times.extract),
      unit: '×',
      bar: { atLeast: 0.4 },
      parts: {
        copyMs: median(times.copy),
        extractMs: median(times.extract),
        extractRowsPerSecond: (system.orders * 1000) / median(times.extract),
      },
    },
  ]
}

/** `COPY table TO STDOUT` over the same driver, every byte received and dropped. */
async function copyOut(url: string): Promise<void> {
  await using source = await connect({ title: 'Totesys', code: 'SOURCE', url })
  const stream = source.client.query(copyTo('copy public.sales_order to stdout'))
  const discard = new Writable({ write: (_chunk, _encoding, done) => done() })
  await pipeline(stream, discard)
}
