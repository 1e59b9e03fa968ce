import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readSql } from '../../platform/project/generation.ts'
import { totesys } from '../totesys.ts'

let connection: DuckDBConnection
beforeAll(async () => {
  connection = await (await DuckDBInstance.create(':memory:')).connect()
})
afterAll(() => connection.closeSync())

/** Keys are few, so that most of them meet, and may be negative. */
const key = fc.integer({ min: -3, max: 4 })
const amount = fc.integer({ min: 0, max: 3 })
const isChanged = fc.boolean()

const order = fc.record({ id: key, quantity: amount, price: amount, isChanged })
const transaction = fc.record({
  id: key,
  sale: fc.option(key),
  purchase: fc.option(key),
  isChanged,
})
const payment = fc.record({ id: key, transaction: key, paid: fc.option(amount), isChanged })

const many = <T extends { id: number }>(one: fc.Arbitrary<T>) =>
  fc.uniqueArray(one, { selector: ({ id }) => id, maxLength: 6 })

const database = fc.record({
  sales: many(order),
  purchases: many(order),
  transactions: many(transaction),
  payments: many(payment),
})
type Database = typeof database extends fc.Arbitrary<infer T> ? T : never

/** Makes a source table and its changes. `columns` are those after the key. */
async function make(
  table: string,
  columns: string,
  rows: readonly { readonly isChanged: boolean; readonly values: readonly (number | null)[] }[],
): Promise<void> {
  const select = (some: typeof rows) =>
    some.map(({ values }) => `(${values.map(String).join(', ')})`).join(', ')
  const empty = `(${[...columns.split(', '), table].map(() => 'null').join(', ')})`
  const view = (name: string, some: typeof rows) => `
    create or replace table "${name}" as
    select * from (values ${select(some) || empty}) as made (${table}_id, ${columns})
    where ${some.length > 0}`
  await connection.run(view(table, rows))
  await connection.run(
    view(
      `change_${table}`,
      rows.filter((row) => row.isChanged),
    ),
  )
}

/** The payments that differ, found by comparing each row with each. */
function findDiffering({ sales, purchases, transactions, payments }: Database): number[] {
  return payments.flatMap((paid) => {
    const its = transactions.filter(({ id }) => id === paid.transaction)
    const orders = its.flatMap(({ sale, purchase }) => [
      ...sales.filter(({ id }) => id === sale),
      ...purchases.filter(({ id }) => id === purchase),
    ])
    const beside = payments.filter((each) => each.transaction === paid.transaction)
    const isTouched = [...beside, ...its, ...orders].some((each) => each.isChanged)
    if (!isTouched || paid.paid === null) return []
    return orders.filter(({ quantity, price }) => quantity * price !== paid.paid).map(() => paid.id)
  })
}

it('payment_amount_differs_from_order finds the same payments as comparing each row with each', async () => {
  const test = totesys.tests?.find(({ name }) => name === 'payment_amount_differs_from_order')
  if (test === undefined) throw new Error('the test is not declared')
  const sql = readSql(test.sql)
  await fc.assert(
    fc.asyncProperty(database, async (made) => {
      for (const [table, names, orders] of [
        ['sales_order', 'units_sold, unit_price', made.sales],
        ['purchase_order', 'item_quantity, item_unit_price', made.purchases],
      ] as const) {
        const rows = orders.map((each) => ({
          ...each,
          values: [each.id, each.quantity, each.price],
        }))
        await make(table, names, rows)
      }
      await make(
        'transaction',
        'sales_order_id, purchase_order_id',
        made.transactions.map((each) => ({ ...each, values: [each.id, each.sale, each.purchase] })),
      )
      await make(
        'payment',
        'transaction_id, payment_amount',
        made.payments.map((each) => ({ ...each, values: [each.id, each.transaction, each.paid] })),
      )
      const reader = await connection.runAndReadAll(`select payment_id from (${sql})`)
      const found = reader.getRowsJS().map(([id]) => Number(id))
      const byId = (one: number, other: number) => one - other
      expect(found.toSorted(byId)).toEqual(findDiffering(made).toSorted(byId))
    }),
    { numRuns: 150 },
  )
})
