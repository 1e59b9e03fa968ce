import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { describe, expect, it } from 'vitest'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'
import { generationOf } from '../../platform/models/generation.ts'
import { totesys } from '../totesys.ts'

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

/** Key, reason and column of each quarantined row, from the file itself. */
async function rejected(system: TestSystem, table: string): Promise<unknown[][]> {
  const [record] = await system.records('processed')
  const [file] = record?.tables[table]?.quarantine ?? []
  const path = join(system.folder, 'processed', generationOf(totesys), file?.key ?? '')
  const model = totesys.models.find((each) => each.table === table)
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const reader = await connection.runAndReadAll(
    `select "${model?.key[0]}", _reason, _column from '${path}' order by 1`,
  )
  const rows = reader.getRowsJson()
  connection.closeSync()
  instance.closeSync()
  return rows
}
