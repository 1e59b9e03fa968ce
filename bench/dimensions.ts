import { extract, transform } from '../src/platform/pipeline.ts'
import { depsAt, partOfTotesys, type Place } from './deps.ts'
import { type Measurement, median } from './measure.ts'
import { inChild } from './process.ts'
import type { BenchSystem } from './system.ts'

/** Two dimensions with as many rows as their sources: one a projection, one a join of both. */
const project = partOfTotesys({
  tables: ['address', 'counterparty'],
  models: ['dim_location', 'dim_counterparty'],
})

/** Transforms what is captured, in this process. */
export async function transformDimensions(place: Place): Promise<void> {
  await transform(depsAt(place, project))
}

/**
 * What changed rows cost in dimensions of `rows` rows, each time in a process of its own, and what it
 * costs to make the dimensions whole.
 */
export async function measureDimensions(
  { totesys, placeOf }: BenchSystem,
  { rows, repetitions }: { rows: number; repetitions: number },
): Promise<Measurement[]> {
  const place = placeOf('dimensions')
  await totesys.query(
    `insert into address
     select n, n || ' High Street', 'Flat ' || n % 50, null, 'City ' || n % 1000, 'P' || n % 90000,
         'Country ' || n % 200, '0' || n, now(), now()
     from generate_series(1000001, 1000000 + $1::integer) as n`,
    [rows],
  )
  await totesys.query(
    `insert into counterparty
     select n, 'Company ' || n, n, 'contact ' || n, null, now(), now()
     from generate_series(1000001, 1000000 + $1::integer) as n`,
    [rows],
  )
  await totesys.query('vacuum (analyze) address, counterparty')
  await extract(depsAt(place, project))
  const whole = await inChild({ what: 'transform', place })
  const nothing = await inChild({ what: 'transform', place })
  const changed = { ms: [] as number[], maxRssMb: [] as number[] }
  for (let round = 1; round <= repetitions; round++) {
    const id = 1_000_000 + Math.ceil((round * rows) / (repetitions + 1))
    await totesys.query(
      'update counterparty set commercial_contact = $1 where counterparty_id = $2',
      [`contact ${round}`, id],
    )
    await totesys.query(
      `update counterparty set counterparty_legal_name = $1 where counterparty_id = $2`,
      [`Company, round ${round}`, id],
    )
    await totesys.query('update address set phone = $1 where address_id = $2', [`+${round}`, id])
    await extract(depsAt(place, project))
    const { workMs, maxRssMb } = await inChild({ what: 'transform', place })
    changed.ms.push(workMs)
    changed.maxRssMb.push(maxRssMb)
  }
  const size = `${rows / 1_000_000} M`
  return [
    {
      name: 'dimension_row',
      title: `transform of a changed row, two dimensions of ${size} rows, median`,
      value: median(changed.ms),
      unit: 'ms',
      parts: {
        slowestMs: Math.max(...changed.ms),
        wholeMs: whole.workMs,
        nothingMs: nothing.workMs,
      },
    },
    {
      name: 'dimension_row_memory',
      title: 'peak memory of such a transform, median',
      value: median(changed.maxRssMb),
      unit: 'MB',
      parts: { wholeMb: whole.maxRssMb, nothingMb: nothing.maxRssMb },
    },
  ]
}
