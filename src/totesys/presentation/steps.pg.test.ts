import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask } from '../../../test/support/questions/ask.ts'
import { type AnsweredRow, askLake, openLake } from '../../../test/support/questions/lake.ts'
import { seedTotesys } from '../../../test/support/small-totesys.ts'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'
import type { DuckDb } from '../../platform/io/duckdb.ts'
import { TIME_STEPS } from '../../platform/project/dashboard.ts'

type Filters = Record<string, string>

const TODAY = '2025-03-31'
/** The first and the newest day of the data: a Sunday, and a Monday. */
const [FIRST, NEWEST] = ['2020-12-20', '2025-03-10']

let system: TestSystem
let lake: DuckDb
let warehouse: pg.Client

// Around the end of 2020 with its week 53, and around 29 February 2024. Nothing between.
beforeAll(async () => {
  system = await createSystem({ simulatedTime: () => new Date(`${TODAY}T12:00:00Z`) })
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
  lake = await openLake(system)
  warehouse = await system.warehouse.client()
})
afterAll(async () => {
  await lake[Symbol.asyncDispose]()
  await system[Symbol.asyncDispose]()
})

/** Asks the warehouse, and the source's own tables by another query: both must say the same. */
async function askBoth(name: string, given: Filters): Promise<AnsweredRow[]> {
  const filters = { today: TODAY, ...given }
  const rows = await ask(warehouse, name, filters)
  expect(rows).toEqual(await askLake(lake, name, filters))
  return rows
}

describe.each([
  ['s02_sales_by_week', 'week_start'],
  ['p01_spend_by_week', 'week_start'],
  ['y03_due_by_week', 'week_start'],
  ['p03_item_prices', 'month'],
])('%s', (name, column) => {
  const completeOf = async (given: Filters, start: string): Promise<string[]> => {
    const rows = await askBoth(name, given)
    const found = rows.filter((row) => row[column] === start)
    return [...new Set(found.map((row) => row['is_complete'] ?? ''))]
  }

  it.each(TIME_STEPS)('draws by %s over years, with 29 February and week 53', async (by) => {
    expect(await askBoth(name, { by })).not.toEqual([])
    await askBoth(name, { by, from: '2020-12-31', to: '2021-01-01' })
    await askBoth(name, { by, from: '2024-02-26', to: '2024-03-04' })
  })

  it.each([
    // The data begin on a Sunday and end on a Monday.
    ['day', FIRST, {}, true],
    ['day', NEWEST, {}, false],
    ['day', '2024-02-29', {}, true],
    ['day', '2025-03-09', { today: '2025-03-09' }, false],
    ['week', '2020-12-14', {}, false],
    ['week', '2020-12-28', {}, true],
    ['week', '2020-12-28', { to: '2021-01-02' }, false],
    ['week', '2020-12-28', { from: '2020-12-28', to: '2021-01-03' }, true],
    ['week', '2025-03-03', {}, true],
    ['week', '2025-03-10', {}, false],
    ['month', '2020-12-01', {}, false],
    ['month', '2024-02-01', { from: '2024-02-01', to: '2024-02-29' }, true],
    ['month', '2024-02-01', { to: '2024-02-28' }, false],
    ['month', '2025-02-01', { to: '2025-02-28' }, true],
    ['month', '2025-02-01', { today: '2025-02-28' }, false],
    ['month', '2025-02-01', { today: '2025-03-01' }, true],
    ['quarter', '2020-10-01', {}, false],
    ['quarter', '2024-01-01', { from: '2024-01-01', to: '2024-03-31' }, true],
    ['quarter', '2024-01-01', { from: '2024-01-02' }, false],
    ['quarter', '2025-01-01', {}, false],
    ['year', '2020-01-01', {}, false],
    ['year', '2024-01-01', {}, true],
    ['year', '2024-01-01', { to: '2024-12-30' }, false],
    ['year', '2024-01-01', { from: '2024-01-01', to: '2024-12-31' }, true],
    ['year', '2024-01-01', { today: '2024-12-31' }, false],
    ['year', '2025-01-01', {}, false],
  ] as const)('knows whether the %s of %s is whole with %j', async (by, start, given, isWhole) => {
    // Only an item that was bought in two steps has prices to compare.
    if (name === 'p03_item_prices' && ('from' in given || by === 'year')) return
    expect(await completeOf({ by, ...given }, start)).toEqual([String(isWhole)])
  })

  it('refuses a step that does not exist', async () => {
    await expect(ask(warehouse, name, { by: 'fortnight' })).rejects.toMatchObject({ code: '22023' })
  })
})

it('a step without orders is a row of zeros, whatever its length', async () => {
  for (const [by, count, start] of [
    ['month', 52, '2022-02-01'],
    ['quarter', 18, '2022-04-01'],
    ['year', 6, '2022-01-01'],
  ] as const) {
    const rows = await askBoth('s02_sales_by_week', { by, currency: 'GBP' })
    expect(rows).toHaveLength(count)
    const empty = rows.find((row) => row['week_start'] === start)
    expect(empty).toMatchObject({ orders: '0', units: '0', amount: '0.00', is_complete: 'true' })
  }
})

it('a week that begins in one year and ends in the next is one row', async () => {
  const rows = await askBoth('s02_sales_by_week', { from: '2020-12-27', to: '2021-01-04' })
  const orders = (start: string): number =>
    rows
      .filter((row) => row['week_start'] === start)
      .reduce((sum, row) => sum + Number(row['orders']), 0)
  expect([orders('2020-12-21'), orders('2020-12-28'), orders('2021-01-04')]).toEqual([1, 7, 1])
})
