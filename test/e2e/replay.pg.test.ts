import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { capturesDir, loadCapture, turnInto } from '../support/captures.ts'
import { createSystem, type TestSystem } from '../support/system.ts'

const isMissing = capturesDir() === undefined
const note = isMissing ? ' (skipped: ../shared/captures is missing)' : ''

describe.skipIf(isMissing)(`replay of two real captures${note}`, () => {
  let system: TestSystem
  beforeAll(async () => {
    system = await createSystem()
    await loadCapture(system.sql, '2023-03-31')
    await system.run()
  })
  afterAll(() => system[Symbol.asyncDispose]())

  it('loads the first capture whole', async () => {
    expect(await rowCounts(system)).toEqual({
      fact_sales_order: 1544,
      fact_purchase_orders: 807,
      fact_payment: 2351,
      dim_design: 107,
      dim_transaction: 2351,
    })
  })

  it('I6 shows the first capture value for value', async () => {
    expect(await starOf(system)).toEqual(await sourceOf(system))
  })

  it('I1 finds every update of the second, though 114 of the orders never moved last_updated', async () => {
    await turnInto(system.sql, '2024-08-22')
    await system.run()
    expect(await rowCounts(system)).toEqual({
      fact_sales_order: 9899,
      fact_purchase_orders: 4174,
      fact_payment: 13_986,
      dim_design: 424,
      dim_transaction: 13_959,
    })
    const [batch] = (await system.records()).slice(-1)
    const updated = Object.entries(batch?.tables ?? {}).map(([name, { counts }]) => [
      name,
      counts.updated,
    ])
    expect(Object.fromEntries(updated)).toMatchObject({
      sales_order: 54,
      purchase_order: 60,
      payment: 27,
      design: 52,
      transaction: 0,
    })
  })

  it('I6 shows the second capture value for value', async () => {
    expect(await starOf(system)).toEqual(await sourceOf(system))
  })

  it('I7 keeps more versions than there are keys, which is all that last_updated would show', async () => {
    const [keys] = await system.query(`
      select
        (select count(distinct sales_order_id)::int from fact_sales_order) as sales,
        (select count(distinct purchase_order_id)::int from fact_purchase_orders) as purchases,
        (select count(distinct payment_id)::int from fact_payment) as payments`)
    expect(keys).toEqual({ sales: 9845, purchases: 4114, payments: 13_959 })
    // What 114 orders looked like before is still there, each as the version before the last.
    const [earlier] = await system.query(`
      select
        (select count(*)::int from fact_sales_order_history where not is_current) as sales,
        (select count(*)::int from fact_purchase_orders_history where not is_current) as purchases,
        (select count(*)::int from fact_payment_history where not is_current and not paid) as payments`)
    expect(earlier).toEqual({ sales: 54, purchases: 60, payments: 27 })
  })

  it('I6 shows the first capture again as of its batch, value for value', async () => {
    const then = await createSystem()
    await using _ = then
    await loadCapture(then.sql, '2023-03-31')
    for (const { warehouse, source, what } of FACTS) {
      const asOf = warehouse.replace(/_current$/, '_as_of_batch(1)')
      expect(await values(system.query, asOf, what), asOf).toEqual(
        await values(then.source.query, ...source),
      )
    }
  })

  it('I9 has nothing more to do', async () => {
    const report = await system.run()
    expect(report.extracted?.committed).toBe(false)
    expect(report.loaded?.batches).toEqual([])
  })
})

interface Compared {
  readonly warehouse: string
  /** Values of a warehouse row. */
  readonly what: string
  /** Relation of the source, and the SQL in Postgres that must give the same values. */
  readonly source: readonly [from: string, what: string]
}

const FACTS: readonly Compared[] = [
  {
    warehouse: 'fact_sales_order_current',
    what: `sales_order_id, created_date, created_time, last_updated_date, last_updated_time,
      sales_staff_id, counterparty_id, units_sold, unit_price::text, currency_id, design_id,
      agreed_payment_date, agreed_delivery_date, agreed_delivery_location_id`,
    source: [
      'sales_order',
      `sales_order_id, created_at::date, created_at::time, last_updated::date, last_updated::time,
      staff_id, counterparty_id, units_sold, unit_price::text, currency_id, design_id,
      agreed_payment_date, agreed_delivery_date, agreed_delivery_location_id`,
    ],
  },
  {
    warehouse: 'fact_purchase_orders_current',
    what: `purchase_order_id, created_date, created_time, last_updated_date, last_updated_time,
      staff_id, counterparty_id, item_code, item_quantity, item_unit_price::text, currency_id,
      agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id`,
    source: [
      'purchase_order',
      `purchase_order_id, created_at::date, created_at::time, last_updated::date,
      last_updated::time, staff_id, counterparty_id, item_code, item_quantity,
      item_unit_price::text, currency_id, agreed_delivery_date, agreed_payment_date,
      agreed_delivery_location_id`,
    ],
  },
  {
    warehouse: 'fact_payment_current',
    what: `payment_id, created_date, created_time, last_updated_date, last_updated_time,
      transaction_id, counterparty_id, payment_amount::text, currency_id, payment_type_id, paid,
      payment_date`,
    source: [
      'payment',
      `payment_id, created_at::date, created_at::time, last_updated::date, last_updated::time,
      transaction_id, counterparty_id, payment_amount::text, currency_id, payment_type_id, paid,
      payment_date`,
    ],
  },
]

const DIMENSIONS: readonly Compared[] = [
  {
    warehouse: 'dim_staff',
    what: 'staff_id, first_name, last_name, department_name, location, email_address',
    source: [
      'staff join department using (department_id)',
      `staff_id, first_name, last_name, department_name, coalesce(location, 'Unknown'), email_address`,
    ],
  },
  {
    warehouse: 'dim_location',
    what: 'location_id, address_line_1, address_line_2, district, city, postal_code, country, phone',
    source: [
      'address',
      'address_id, address_line_1, address_line_2, district, city, postal_code, country, phone',
    ],
  },
  {
    warehouse: 'dim_counterparty',
    what: `counterparty_id, counterparty_legal_name, counterparty_legal_address_line_1,
      counterparty_legal_address_line_2, counterparty_legal_district, counterparty_legal_city,
      counterparty_legal_postal_code, counterparty_legal_country, counterparty_legal_phone_number`,
    source: [
      'counterparty join address on address_id = legal_address_id',
      `counterparty_id, counterparty_legal_name, address_line_1, address_line_2, district, city,
      postal_code, country, phone`,
    ],
  },
  {
    warehouse: 'dim_currency',
    what: 'currency_id, currency_code, currency_name',
    source: [
      `currency join (values ('GBP', 'Pound Sterling'), ('USD', 'US Dollar'), ('EUR', 'Euro'))
        as name (code, currency_name) on code = currency_code`,
      'currency_id, currency_code, currency_name',
    ],
  },
  {
    warehouse: 'dim_design',
    what: 'design_id, design_name, file_location, file_name',
    source: ['design', 'design_id, design_name, file_location, file_name'],
  },
  {
    warehouse: 'dim_payment_type',
    what: 'payment_type_id, payment_type_name',
    source: ['payment_type', 'payment_type_id, payment_type_name'],
  },
  {
    warehouse: 'dim_transaction',
    what: 'transaction_id, transaction_type, sales_order_id, purchase_order_id',
    source: ['transaction', 'transaction_id, transaction_type, sales_order_id, purchase_order_id'],
  },
]

/** The calendar as Postgres makes it, for every year that the source names. */
const EVERY_DAY = `
  (
    select generate_series(make_date(year, 1, 1), make_date(year, 12, 31), '1 day')::date as day
    from (
      select extract(year from unnest(array[
        created_at::date, last_updated::date, agreed_delivery_date::date, agreed_payment_date::date
      ]))::int as year from sales_order
      union
      select extract(year from unnest(array[
        created_at::date, last_updated::date, agreed_delivery_date::date, agreed_payment_date::date
      ]))::int from purchase_order
      union
      select extract(year from unnest(array[
        created_at::date, last_updated::date, payment_date::date
      ]))::int from payment
    ) as named
  ) as calendar`

const CALENDAR: Compared = {
  warehouse: 'dim_date',
  what: 'date_id, year, month, day, day_of_week, day_name, month_name, quarter',
  source: [
    EVERY_DAY,
    `day, extract(year from day)::int, extract(month from day)::int, extract(day from day)::int,
    extract(isodow from day)::int, to_char(day, 'FMDay'), to_char(day, 'FMMonth'),
    extract(quarter from day)::int`,
  ],
}

/** Every current fact and every dimension. */
async function starOf({ query }: TestSystem): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {}
  for (const { warehouse, what } of [...FACTS, ...DIMENSIONS, CALENDAR]) {
    found[warehouse] = await values(query, warehouse, what)
  }
  return found
}

/** The rows that they must hold, from queries over the source that use no model. */
async function sourceOf({ source: { query } }: TestSystem): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {}
  for (const { warehouse, source } of [...FACTS, ...DIMENSIONS, CALENDAR]) {
    const rows = await values(query, ...source)
    if (rows.length === 0) throw new Error(`the capture has nothing for ${warehouse}`)
    found[warehouse] = rows
  }
  return found
}

/** Rows as Postgres writes them, sorted by their text. */
async function values(query: TestSystem['query'], from: string, what: string): Promise<string[]> {
  const rows = await query<{ row: string }>(
    `select json_build_array(${what})::text as row from ${from} order by 1`,
  )
  return rows.map(({ row }) => row)
}

async function rowCounts({ query }: TestSystem): Promise<Record<string, number>> {
  const tables = [
    'fact_sales_order',
    'fact_purchase_orders',
    'fact_payment',
    'dim_design',
    'dim_transaction',
  ]
  const found: Record<string, number> = {}
  for (const table of tables) {
    const [row] = await query<{ rows: number }>(`select count(*)::int as rows from ${table}`)
    found[table] = row?.rows ?? -1
  }
  return found
}
