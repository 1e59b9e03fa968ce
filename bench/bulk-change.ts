import { identifier } from '../src/platform/io/sql.ts'
import type { Place } from './deps.ts'
import { alternate, type Measurement } from './measure.ts'
import { inChild } from './process.ts'
import { progress } from './progress.ts'
import { checkSameStar, makeBareStar, readStar } from './star-schema.ts'
import type { BenchSystem } from './system.ts'
import { asContender, measureUse, type Use } from './usage.ts'

const BAR = { atMost: 1.6 }
const CHANGED_ROWS = 100_000

/**
 * A run that carries 100,000 changed orders into the filled warehouse at a place, which nothing but
 * its first run has touched, against an incremental load by hand of the same rows into a warehouse
 * of its own. Both take turns; in the end both warehouses must hold the same.
 */
export async function measureBulkChange(
  system: BenchSystem,
  { place, repetitions }: { place: Place; repetitions: number },
): Promise<Measurement[]> {
  const { totesys, warehouse } = system
  const rows = Math.min(CHANGED_ROWS, system.orders / 2)
  const raw = system.placeOf('raw')
  progress('bulk_change: filling the raw warehouse')
  const rebuild = await makeBareStar(raw)
  await inChild({ what: 'raw_load', place: raw, rebuild })
  await warehouse.query('vacuum (analyze)')
  let since = ''
  let round = 0
  /** The next orders; the raw way recognizes them by `last_updated`. */
  const change = async (): Promise<void> => {
    since = `2026-07-01 12:00:${String(round).padStart(2, '0')}`
    await totesys.query(
      `update sales_order set units_sold = units_sold + 1, last_updated = $1
       where sales_order_id in (
           select 1 + ($2 + n * ($3::bigint / $4)) % $3 from generate_series(0, $4 - 1) as n
       )`,
      [since, round, system.orders, rows],
    )
    round++
    // As autovacuum would: nobody's turn pays for setting the hint bits.
    await totesys.query('vacuum (analyze) sales_order')
  }
  try {
    const uses = await alternate<string, Use>(
      { repetitions, title: 'bulk_change' },
      {
        raw: async () => {
          await change()
          return await measureUse(system, () => inChild({ what: 'raw_change', place: raw, since }))
        },
        tidemark: () => measureUse(system, () => inChild({ what: 'run', place })),
      },
    )
    checkSameStar(await readStar(place), await readStar(raw))
    const of = (name: string, title: string) =>
      asContender({ name, title }, uses[name] ?? [], uses['raw'] ?? [])
    const ours = of('tidemark', 'Tidemark, a run')
    return [
      {
        name: 'bulk_change',
        title: `run with ${rows.toLocaleString('en-US')} changed orders, against an incremental load by hand`,
        value: ours.ratio,
        unit: '×',
        bar: BAR,
        parts: { rows },
        contenders: [of('raw', 'by hand: staging table, insert, upsert'), ours],
      },
    ]
  } finally {
    await warehouse.query(`drop schema ${identifier(raw.schema)} cascade`)
  }
}
