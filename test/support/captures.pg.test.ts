import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type pg from 'pg'
import { capturesDir, loadCapture, turnInto, type RowCounts } from './captures.ts'
import { createDatabase, type TestDatabase } from './database.ts'

const none: RowCounts = { inserted: 0, updated: 0, deleted: 0 }

describe.skipIf(capturesDir() === undefined)('captures', () => {
  let database: TestDatabase
  let client: pg.Client

  beforeAll(async () => {
    database = await createDatabase({ template: 'totesys' })
    client = await database.client()
    await loadCapture(client, '2023-03-31')
  })
  afterAll(() => database.drop())

  it('loadCapture() loads every table as it stood, nulls as nulls', async () => {
    const { rows } = await client.query(
      `select (select count(*)::int from sales_order) as sales,
              (select count(*)::int from purchase_order) as purchases,
              (select count(*)::int from payment) as payments,
              (select count(*)::int from "transaction") as transactions,
              (select count(*)::int from design) as designs,
              (select count(*)::int from address where address_line_2 is null) as one_liners,
              (select count(*)::int from address where address_line_2 = '') as empty_liners`,
    )
    expect(rows).toEqual([
      {
        sales: 1544,
        purchases: 807,
        payments: 2351,
        transactions: 2351,
        designs: 107,
        one_liners: expect.any(Number),
        empty_liners: 0,
      },
    ])
    expect(rows[0].one_liners).toBeGreaterThan(0)
  })

  it('turnInto() changes what differs and nothing else, and is done when repeated', async () => {
    expect(await turnInto(client, '2024-08-22')).toEqual({
      address: none,
      counterparty: none,
      currency: none,
      department: none,
      design: { inserted: 317, updated: 52, deleted: 0 },
      payment_type: none,
      staff: none,
      sales_order: { inserted: 8301, updated: 54, deleted: 0 },
      purchase_order: { inserted: 3307, updated: 60, deleted: 0 },
      transaction: { inserted: 11608, updated: 0, deleted: 0 },
      payment: { inserted: 11608, updated: 27, deleted: 0 },
    })
    const again = await turnInto(client, '2024-08-22')
    expect(Object.values(again)).toEqual(Array.from({ length: 11 }, () => none))
  })

  it('turnInto() leaves the sequences behind the last key', async () => {
    const { rows } = await client.query(
      `select nextval('sales_order_sales_order_id_seq') = max(sales_order_id) + 1 as follows
       from sales_order`,
    )
    expect(rows).toEqual([{ follows: true }])
  })

  it('turnInto() goes back too, deleting rows that are gone', async () => {
    const counts = await turnInto(client, '2023-03-31')
    expect(counts['sales_order']).toEqual({ inserted: 0, updated: 54, deleted: 8301 })
    expect(counts['payment']).toEqual({ inserted: 0, updated: 27, deleted: 11608 })
    expect(counts['design']).toEqual({ inserted: 0, updated: 52, deleted: 317 })
  })
})
