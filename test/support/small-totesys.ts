import type pg from 'pg'
import { expect } from 'vitest'
import type { CommitRecord } from '../../src/platform/lake/commit-record.ts'
import { sumsTablesOf } from '../../src/platform/warehouse/sums.ts'
import { totesys } from '../../src/totesys/totesys.ts'
import type { TestSystem } from './system.ts'

/**
 * A few rows of every Totesys table: three sales orders of 10, 20 and 30 units, one purchase order,
 * one payment. Every `last_updated` is the same moment.
 */
export async function seedTotesys(sql: pg.Client): Promise<void> {
  await sql.query(`
    insert into address (address_id, address_line_1, city, postal_code, country, phone, created_at, last_updated)
    values (1, '1 Quay', 'Leeds', 'LS1 1AA', 'England', '0113 1', ${MOMENT}, ${MOMENT}),
        (2, '2 Dock', 'Hull', 'HU1 1AA', 'England', '0148 2', ${MOMENT}, ${MOMENT});
    insert into counterparty (counterparty_id, counterparty_legal_name, legal_address_id, created_at, last_updated)
    values (1, 'Acme', 1, ${MOMENT}, ${MOMENT}), (2, 'Bolt', 2, ${MOMENT}, ${MOMENT});
    insert into currency (currency_id, currency_code, created_at, last_updated)
    values (1, 'GBP', ${MOMENT}, ${MOMENT});
    insert into department (department_id, department_name, location, created_at, last_updated)
    values (1, 'Sales', 'Leeds', ${MOMENT}, ${MOMENT});
    insert into design (design_id, design_name, file_location, file_name, created_at, last_updated)
    values (1, 'Bee', '/home', 'bee.json', ${MOMENT}, ${MOMENT});
    insert into payment_type (payment_type_id, payment_type_name, created_at, last_updated)
    values (1, 'SALES_RECEIPT', ${MOMENT}, ${MOMENT});
    insert into staff (staff_id, first_name, last_name, department_id, email_address, created_at, last_updated)
    values (1, 'Ada', 'Byron', 1, 'ada@example.com', ${MOMENT}, ${MOMENT});
    insert into purchase_order
    values (1, ${MOMENT}, ${MOMENT}, 1, 1, 'ABC1234', 5, 9.99, 1, '2024-02-01', '2024-02-02', 1);
    ${insertOrders([
      [1, 10],
      [2, 20],
      [3, 30],
    ])};
    insert into transaction values (1, 'SALE', 1, null, ${MOMENT}, ${MOMENT});
    insert into payment
    values (1, ${MOMENT}, ${MOMENT}, 1, 1, 99.50, 1, 1, false, '2024-02-03', 12345678, 87654321)`)
}

/** Captures the small Totesys in three batches: all of it, an order that changes, and one that goes. */
export async function fillTotesys(system: TestSystem): Promise<void> {
  await seedTotesys(system.sql)
  await system.run()
  await system.sql.query('update sales_order set units_sold = 11 where sales_order_id = 1')
  await system.run()
  await system.sql.query('delete from sales_order where sales_order_id = 3')
  await system.run()
}

/** When every seeded row was made and last updated, as SQL. */
export const MOMENT = `'2024-01-01 10:00:00.123'::timestamp`

/** SQL that inserts sales orders, given as id and units. */
export function insertOrders(orders: readonly (readonly [id: number, units: number])[]): string {
  const rows = orders.map(
    ([id, units]) =>
      `(${id}, ${MOMENT}, ${MOMENT}, 1, 1, 1, ${units}, 2.50, 1, '2024-02-01', '2024-02-02', 1)`,
  )
  return `insert into sales_order values ${rows.join(', ')}`
}

/** The changes of a batch: rows by operation, without tables and operations that have none. */
export function changesOf(
  record: CommitRecord | undefined,
): Record<string, Record<string, number>> {
  const changed = Object.entries(record?.tables ?? {}).flatMap(([table, { counts }]) => {
    const { inserted, updated, deleted } = counts
    const some = Object.entries({ inserted, updated, deleted }).filter(([, rows]) => rows > 0)
    return some.length === 0 ? [] : [[table, Object.fromEntries(some)] as const]
  })
  return Object.fromEntries(changed)
}

/** The changes of the newest batch in the lake. */
export async function lastChanges({ records }: TestSystem): Promise<ReturnType<typeof changesOf>> {
  return changesOf((await records()).at(-1))
}

/** Every version of a sales order in order, as `operation units`. */
export async function orderHistory({ query }: TestSystem, id: number): Promise<string[]> {
  const rows = await query<{ version: string }>(
    `select record_operation || ' ' || units_sold as version
     from fact_sales_order_history where sales_order_id = $1 order by fact_sales_order_history.version`,
    [id],
  )
  return rows.map((row) => row.version)
}

/** The current units of every sales order in the warehouse, by id. */
export async function currentOrders({ query }: TestSystem): Promise<Record<number, number>> {
  const rows = await query<{ id: number; units: number }>(
    'select sales_order_id as id, units_sold as units from fact_sales_order_current',
  )
  return Object.fromEntries(rows.map(({ id, units }) => [id, units]))
}

/** Pairs of queries that must give the same rows: on the source, and on the current facts. */
export const FAITHFUL_PAIRS = [
  [
    `select sales_order_id, created_at::date::text, created_at::time::text, last_updated::text, staff_id,
         counterparty_id, units_sold::integer, unit_price::numeric(10,2), currency_id, design_id,
         agreed_payment_date, agreed_delivery_date, agreed_delivery_location_id
     from sales_order order by 1`,
    `select sales_order_id, created_date::text as created_at, created_time::text as created_at,
         (last_updated_date + last_updated_time)::text as last_updated, sales_staff_id as staff_id,
         counterparty_id, units_sold, unit_price, currency_id, design_id, agreed_payment_date::text,
         agreed_delivery_date::text, agreed_delivery_location_id
     from fact_sales_order_current order by 1`,
  ],
  [
    `select purchase_order_id, last_updated::text, staff_id, counterparty_id, item_code, item_quantity,
         item_unit_price, currency_id
     from purchase_order order by 1`,
    `select purchase_order_id, (last_updated_date + last_updated_time)::text as last_updated, staff_id,
         counterparty_id, item_code, item_quantity, item_unit_price, currency_id
     from fact_purchase_orders_current order by 1`,
  ],
  [
    `select payment_id, last_updated::text, transaction_id, counterparty_id, payment_amount, currency_id,
         payment_type_id, paid, payment_date
     from payment order by 1`,
    `select payment_id, (last_updated_date + last_updated_time)::text as last_updated, transaction_id,
         counterparty_id, payment_amount, currency_id, payment_type_id, paid, payment_date::text
     from fact_payment_current order by 1`,
  ],
] as const

/** I6: the current facts equal the source, row for row, value for value. */
export async function expectFaithful({ source, query }: TestSystem): Promise<void> {
  for (const [ofSource, ofWarehouse] of FAITHFUL_PAIRS) {
    expect(await query(ofWarehouse)).toEqual(await source.query(ofSource))
  }
  for (const [sums, expected] of SUMS) {
    const wrong = `(${sums} except all ${expected}) union all (${expected} except all ${sums})`
    expect(await query(wrong)).toEqual([])
  }
}

/** Pairs of queries on the warehouse that must give the same rows: kept sums, and the rows summed. */
const SUMS = totesys.models.flatMap((model) =>
  model.kind !== 'fact'
    ? []
    : sumsTablesOf(model).map(({ name, by, added, select }) => {
        return [`select ${[...by, ...added].join(', ')} from ${name}`, select] as const
      }),
)
