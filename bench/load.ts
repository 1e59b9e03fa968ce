import { createReadStream, createWriteStream, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { extract, load, transform } from '../src/platform/pipeline.ts'
import { identifier } from '../src/platform/io/sql.ts'
import { migrate } from '../src/platform/warehouse/migrate.ts'
import { openWarehouse, type WarehouseClient } from '../src/platform/warehouse/warehouse.ts'
import { depsAt, partOfTotesys } from './deps.ts'
import { alternate, type Measurement, median, speedRatio, timeMs } from './measure.ts'
import type { BenchSystem } from './system.ts'

const FACT = 'fact_sales_order'
const DIMENSIONS = [
  'dim_staff',
  'dim_location',
  'dim_currency',
  'dim_design',
  'dim_counterparty',
  'dim_date',
]
const TABLES = [
  'sales_order',
  'staff',
  'department',
  'address',
  'currency',
  'design',
  'counterparty',
]
const project = partOfTotesys({ tables: TABLES, models: [FACT, ...DIMENSIONS] })
const wait = { waitMs: 10_000 }

/**
 * The load of one batch that holds a whole fact, with current table, dimensions and ledger,
 * against a bare COPY of the same rows into the same table.
 */
export async function measureLoad(
  system: BenchSystem,
  repetitions: number,
): Promise<Measurement[]> {
  const place = system.placeOf('filled')
  const deps = depsAt(place, project)
  await extract(deps)
  await transform(deps)
  await load(deps)
  const text = join(place.folder, 'fact.copy')
  await using filled = await openWarehouse(deps.warehouse)
  // The platform sets the path in each of its transactions; these statements are outside them.
  await filled.client.query('set search_path to filled')
  await pipeline(
    filled.client.query(copyTo(`copy ${FACT} to stdout`)),
    createWriteStream(text, { highWaterMark: 1 << 20 }),
  )

  /** A warehouse fresh from its migrations; dropped afterwards. */
  const inFreshWarehouse = async (measure: (warehouse: WarehouseClient) => Promise<number>) => {
    await using warehouse = await openWarehouse({ ...deps.warehouse, schema: 'fresh' })
    await migrate(warehouse, project, wait)
    await warehouse.client.query('set search_path to fresh')
    const ms = await measure(warehouse)
    await warehouse.client.query('drop schema fresh cascade')
    return ms
  }
  const copyIn = (prepare: (warehouse: WarehouseClient) => Promise<void>) =>
    inFreshWarehouse(async (warehouse) => {
      for (const table of DIMENSIONS) {
        await warehouse.client.query(`insert into ${table} select * from filled.${table}`)
      }
      await prepare(warehouse)
      await system.warehouse.query('checkpoint')
      return timeMs(() =>
        pipeline(
          createReadStream(text),
          warehouse.client.query(copyFrom(`copy ${FACT} from stdin`)),
        ),
      )
    })
  const times = await alternate(repetitions, {
    copy: () => copyIn(async () => {}),
    copyWithoutForeignKeys: () => copyIn(dropForeignKeys),
    load: () =>
      inFreshWarehouse(async () => {
        await system.warehouse.query('checkpoint')
        return timeMs(() => load({ ...deps, warehouse: { ...deps.warehouse, schema: 'fresh' } }))
      }),
  })
  await filled.client.query('drop schema filled cascade')
  rmSync(place.folder, { recursive: true })
  return [
    {
      name: 'load',
      title: `load of ${FACT}, against COPY FROM STDIN into the same table`,
      value: speedRatio(times.copy, times.load),
      unit: '×',
      bar: { atLeast: 0.4 },
      parts: {
        copyMs: median(times.copy),
        loadMs: median(times.load),
        loadRowsPerSecond: (system.orders * 1000) / median(times.load),
      },
    },
    {
      name: 'load_strict',
      title: 'the same, against a table without foreign keys',
      value: speedRatio(times.copyWithoutForeignKeys, times.load),
      unit: '×',
      parts: { copyMs: median(times.copyWithoutForeignKeys), loadMs: median(times.load) },
    },
  ]
}

async function dropForeignKeys({ client }: WarehouseClient): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select conname as name from pg_constraint
     where conrelid = to_regclass($1) and contype = 'f'`,
    [FACT],
  )
  for (const { name } of rows) {
    await client.query(`alter table ${FACT} drop constraint ${identifier(name)}`)
  }
}
