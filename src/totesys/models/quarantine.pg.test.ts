import { describe, expect, it } from 'vitest'
import { readRefusedRows } from '../../../test/support/lake.ts'
import { verify } from '../../platform/inspect/verify.ts'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'

const NOW = `'2024-06-10 10:00:00.123', '2024-06-10 10:00:00.123'`

/** One of everything that an order or a payment refers to, with the key 1. */
async function fillReferences({ sql }: TestSystem): Promise<void> {
  await sql.query(`
    insert into address values (1, 'line 1', null, null, 'city', '08841', 'country', '0803', ${NOW});
    insert into counterparty values (1, 'O''Keefe, Sons', 1, null, null, ${NOW});
    insert into currency values (1, 'GBP', ${NOW});
    insert into department values (1, 'Sales', null, null, ${NOW});
    insert into design (design_id, design_name, file_location, file_name, created_at, last_updated)
      values (1, 'Wooden', '/lib', 'wooden.json', ${NOW});
    insert into staff values (1, 'Ada', 'Byron', 1, 'ada@example.com', ${NOW});
    insert into payment_type values (1, 'SALES_RECEIPT', ${NOW})`)
}

const sale = (id: number, changes: { created?: string; payment?: string; delivery?: string }) => `
  insert into sales_order values (
    ${id}, '${changes.created ?? '2024-06-10 10:00:00.123'}', '2024-06-10 23:59:59.999',
    1, 1, 1, 1001, 2.50, 1, '${changes.delivery ?? '2024-06-12'}', '${changes.payment ?? '2024-06-11'}', 1
  )`

const purchase = (id: number, delivery: string) => `
  insert into purchase_order values (${id}, ${NOW}, 1, 1, 'ABC1234', 5, 3.32, 1, '${delivery}', '2024-06-12', 1)`

const payment = (id: number, date: string) => `
  insert into transaction values (${id}, 'SALE', null, null, ${NOW});
  insert into payment values (${id}, ${NOW}, ${id}, 1, 10.00, 1, 1, false, '${date}', 1, 1)`

describe('rows that no fact can hold', () => {
  it('I6 go to quarantine with reason, column and key, and the others go on', async () => {
    await using system = await createSystem()
    await fillReferences(system)
    await system.sql.query(
      [
        sale(1, {}),
        sale(2, { payment: '2024-02-30' }),
        sale(3, { delivery: '10/06/2024' }),
        sale(4, { created: 'infinity' }),
        sale(5, { created: '-infinity' }),
        sale(6, { created: '0044-03-15 00:00:00 BC' }),
        sale(7, { payment: '' }),
        sale(8, { created: '0001-01-01', delivery: '9999-12-31' }),
        purchase(1, 'TBC'),
        purchase(2, '2024-06-12'),
        payment(1, '2024-02-29'),
        payment(2, '2023-02-29'),
      ].join(';'),
    )
    const report = await system.run()
    expect(report.quarantined).toBe(8)
    expect(await rejected(system, 'fact_sales_order')).toEqual([
      [2, 'not_null', 'agreed_payment_date'],
      [3, 'not_null', 'agreed_delivery_date'],
      [4, 'not_null', 'created_date'],
      [5, 'not_null', 'created_date'],
      [6, 'not_null', 'created_date'],
      [7, 'not_null', 'agreed_payment_date'],
    ])
    expect(await rejected(system, 'fact_purchase_orders')).toEqual([
      [1, 'not_null', 'agreed_delivery_date'],
    ])
    expect(await rejected(system, 'fact_payment')).toEqual([[2, 'not_null', 'payment_date']])
    expect(
      await system.query(`
        select sales_record_id::int as id, sales_order_id, created_date::text, created_time::text,
          last_updated_time::text, agreed_delivery_date::text
        from fact_sales_order_current order by 1`),
    ).toEqual([
      {
        id: 1,
        sales_order_id: 1,
        created_date: '2024-06-10',
        created_time: '10:00:00.123',
        last_updated_time: '23:59:59.999',
        agreed_delivery_date: '2024-06-12',
      },
      {
        id: 2,
        sales_order_id: 8,
        created_date: '0001-01-01',
        created_time: '00:00:00',
        last_updated_time: '23:59:59.999',
        agreed_delivery_date: '9999-12-31',
      },
    ])
    expect(await system.query(`select purchase_order_id from fact_purchase_order`)).toEqual([
      { purchase_order_id: 2 },
    ])

    await system.sql.query(
      `update sales_order set agreed_payment_date = '2024-03-01' where sales_order_id = 2`,
    )
    expect((await system.run()).quarantined).toBe(0)
    expect(
      await system.query(
        `select sales_record_id::int as id from fact_sales_order where sales_order_id = 2`,
      ),
    ).toEqual([{ id: 3 }])
  })
})

describe('checks', () => {
  it('I7 warn about implausible orders and payments, and keep nothing out of history', async () => {
    await using system = await createSystem()
    await fillReferences(system)
    await system.sql.query(
      [
        `alter table payment alter column paid drop not null`,
        ...[1, 2, 3].map((id) => sale(id, {})),
        ...[1, 2, 3].map((id) => purchase(id, '2024-06-12')),
        ...[1, 2, 3].map((id) => payment(id, '2024-06-12')),
        `update sales_order set units_sold = 0 where sales_order_id = 1`,
        `update sales_order set unit_price = -0.01 where sales_order_id = 2`,
        `update sales_order set unit_price = 0, units_sold = 1 where sales_order_id = 3`,
        `update purchase_order set item_quantity = -1 where purchase_order_id = 1`,
        `update purchase_order set item_unit_price = -1 where purchase_order_id = 2`,
        `update payment set payment_amount = -10 where payment_id = 1`,
        `update payment set paid = null where payment_id = 2`,
        `update payment set payment_amount = 0 where payment_id = 3`,
        `insert into currency values (2, 'gbp', ${NOW}), (3, 'GB', ${NOW}), (4, 'XYZ', ${NOW})`,
      ].join(';'),
    )
    const report = await system.run()
    expect(report.warnings).toEqual([
      { table: 'dim_currency', check: 'three_letters', rows: 2 },
      { table: 'fact_sales_order', check: 'positive', rows: 1 },
      { table: 'fact_sales_order', check: 'not_negative', rows: 1 },
      { table: 'fact_purchase_orders', check: 'positive', rows: 1 },
      { table: 'fact_purchase_orders', check: 'not_negative', rows: 1 },
      { table: 'fact_payment', check: 'not_negative', rows: 1 },
    ])
    // Only a row that lacks a required value is refused.
    expect(report.quarantined).toBe(1)
    expect(await rejected(system, 'fact_payment')).toEqual([[2, 'not_null', 'paid']])
    expect(
      await system.query(
        `select currency_id as id, currency_code as code from dim_currency order by 1`,
      ),
    ).toEqual([
      { id: 1, code: 'GBP' },
      { id: 2, code: 'gbp' },
      { id: 3, code: 'GB' },
      { id: 4, code: 'XYZ' },
    ])
    expect(
      await system.query(`select payment_id as id, payment_amount as amount from fact_payment`),
    ).toEqual([
      { id: 1, amount: '-10.00' },
      { id: 3, amount: '0.00' },
    ])
    expect(await verify(system.deps)).toMatchObject({ isEqual: true })
  })

  it('I6 show an order as the source holds it now, however implausible that is', async () => {
    await using system = await createSystem()
    await fillReferences(system)
    await system.sql.query(`${sale(1, {})}; ${sale(2, {})}`)
    await system.run()
    await system.sql.query(`
      update sales_order set unit_price = -0.01 where sales_order_id = 1;
      update sales_order set units_sold = 0 where sales_order_id = 2`)
    const report = await system.run()
    expect(report).toMatchObject({ quarantined: 0, held: [] })
    expect(
      await system.query(
        `select sales_order_id as id, units_sold as units, unit_price as price
         from fact_sales_order_current order by 1`,
      ),
    ).toEqual([
      { id: 1, units: 1001, price: '-0.01' },
      { id: 2, units: 0, price: '2.50' },
    ])
    expect(
      await system.query(
        `select sales_order_id as id, version::int, is_current
         from fact_sales_order_history order by 1, 2`,
      ),
    ).toEqual([
      { id: 1, version: 1, is_current: false },
      { id: 1, version: 2, is_current: true },
      { id: 2, version: 1, is_current: false },
      { id: 2, version: 2, is_current: true },
    ])
    expect(await verify(system.deps)).toMatchObject({ isEqual: true })
  })
})

describe('payment_amount_differs_from_order', () => {
  it('counts payments with another amount than their order, whenever either of them changes', async () => {
    await using system = await createSystem()
    await fillReferences(system)
    const { sql } = system
    const found = async (change: string): Promise<unknown> => {
      await sql.query(change)
      await system.run()
      return (await system.records('processed')).at(-1)?.tests
    }
    const differ = (payments: number) => ({ payment_amount_differs_from_order: payments })
    const amount = (id: number, value: string) =>
      `update payment set payment_amount = ${value} where payment_id = ${id}`
    const link = (id: number, column: string) =>
      `update transaction set ${column} = ${id} where transaction_id = ${id}`
    expect(
      await found(
        [
          sale(1, {}),
          purchase(2, '2024-06-12'),
          ...[1, 2, 3].map((id) => payment(id, '2024-06-12')),
          link(1, 'sales_order_id'),
          link(2, 'purchase_order_id'),
          amount(1, '1001 * 2.50'),
          amount(2, '16.60'),
        ].join(';'),
      ),
    ).toEqual(differ(0))
    expect(await found(amount(2, '16.61'))).toEqual(differ(1))
    expect(await found(`update staff set first_name = 'Grace'`)).toEqual({})
    // The other payment still differs, but did not change.
    expect(await found(`update sales_order set units_sold = 1002`)).toEqual(differ(1))
    expect(await found(`update purchase_order set staff_id = staff_id, item_code = 'X'`)).toEqual(
      differ(1),
    )
    expect(system.entries.filter(({ event }) => event === 'test_failed')).toHaveLength(3)
  })
})

describe('a source without foreign keys', () => {
  it('I11 gets inferred rows for what is missing, replaced when the real ones arrive', async () => {
    await using system = await createSystem()
    await fillReferences(system)
    await system.sql.query(`
      alter table sales_order drop constraint sales_order_counterparty_id_fkey;
      alter table sales_order drop constraint sales_order_agreed_delivery_location_id_fkey;
      alter table counterparty drop constraint counterparty_legal_address_id_fkey;
      ${sale(1, {})};
      update sales_order set counterparty_id = 50, agreed_delivery_location_id = 60`)
    await system.run()
    const joined = () =>
      system.query(`
        select counterparty_legal_name as name, counterparty_legal_city as at, city
        from fact_sales_order_current
        join dim_counterparty using (counterparty_id)
        join dim_location on location_id = agreed_delivery_location_id`)
    expect(await joined()).toEqual([{ name: 'Unknown', at: 'Unknown', city: 'Unknown' }])
    // The counterparty alone has no legal address yet.
    await system.sql.query(
      `insert into counterparty values (50, 'Late Ltd', 60, null, null, ${NOW})`,
    )
    await system.run()
    expect(await joined()).toEqual([{ name: 'Unknown', at: 'Unknown', city: 'Unknown' }])
    await system.sql.query(
      `insert into address values (60, 'line 1', null, null, 'Hull', '1', 'country', '1', ${NOW})`,
    )
    await system.run()
    expect(await joined()).toEqual([{ name: 'Late Ltd', at: 'Hull', city: 'Hull' }])
  })
})

/** Key, reason and column of each row that the first batch refused. */
async function rejected(system: TestSystem, table: string): Promise<unknown[][]> {
  const [record] = await system.records('processed')
  const rows = await readRefusedRows(system, record, { table, what: 'quarantine' })
  return rows.map(({ key, reason, column }) => [...Object.values(key).map(Number), reason, column])
}
