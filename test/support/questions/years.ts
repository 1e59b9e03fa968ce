import { deepEqual } from 'node:assert/strict'
import type pg from 'pg'
import type { DuckDb } from '../../../src/platform/io/duckdb.ts'
import { loadRates } from '../rates.ts'
import { seedTotesys } from '../small-totesys.ts'
import { createSystem } from '../system.ts'
import { ask } from './ask.ts'
import { type AnsweredRow, askLake, openLake } from './lake.ts'
import { RATES } from './rates.ts'

/** The day that questions take for today. */
const TODAY = '2025-03-31'

/** The first and the newest day of the data: a Sunday, and a Monday. */
export const [FIRST, NEWEST] = ['2020-12-20', '2025-03-10'] as const

/** A warehouse with data of some years, and the lake behind it. */
export interface Years extends AsyncDisposable {
  /**
   * Asks the warehouse, and the source's own tables by another query. Throws if they differ.
   * `today` is 2025-03-31 unless given.
   */
  ask(name: string, filters: Record<string, string>): Promise<AnsweredRow[]>
  readonly warehouse: pg.Client
}

/**
 * Opens a warehouse with a sale, a purchase and a payment due on every day around the end of 2020
 * with its week 53, and from December 2023, with 29 February. There is nothing between.
 */
export async function openYears(): Promise<Years> {
  const system = await createSystem({ simulatedTime: () => new Date(`${TODAY}T12:00:00Z`) })
  await seedTotesys(system.sql)
  await system.sql.query(`
    delete from payment; delete from transaction; delete from sales_order;
    delete from purchase_order;
    insert into currency values (2, 'USD', '2020-01-01', '2020-01-01');
    insert into payment_type values (2, 'PURCHASE_PAYMENT', '2020-01-01', '2020-01-01');
    create table placed as
    select row_number() over (order by day)::integer as n, day::date
    from generate_series('${FIRST}', '${NEWEST}', interval '1 day') as day
    where day not between '2021-01-12' and '2023-12-17';
    insert into sales_order
    select n, day + time '10:00', day + time '10:00', 1, 1, 1, 10 + n % 7, 2.50, 1 + n % 2,
        '2025-07-01', '2025-07-01', 1
    from placed;
    insert into purchase_order
    select n, day + time '10:00', day + time '10:00', 1, 1, 'ITEM' || n % 3, 5 + n % 4,
        9.99 + n % 5, 1 + n % 2, '2025-07-01', '2025-07-01', 1
    from placed;
    insert into transaction select n, 'SALE', n, null, day, day from placed;
    insert into payment
    select n, day + time '10:00', day + time '10:00', n, 1, 20 + n % 9, 1 + n % 2, 1 + n % 2,
        false, day::text, 10000000, 20000000
    from placed`)
  await system.run()
  const lake: DuckDb = await openLake(system)
  const warehouse = await system.warehouse.client()
  await loadRates(warehouse, RATES)
  return {
    warehouse,
    async ask(name, given) {
      const filters = { today: TODAY, ...given }
      const rows = await ask(warehouse, name, filters)
      deepEqual(rows, await askLake(lake, name, filters))
      return rows
    },
    async [Symbol.asyncDispose]() {
      await lake[Symbol.asyncDispose]()
      await system[Symbol.asyncDispose]()
    },
  }
}
