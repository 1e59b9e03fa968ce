import { expect, it } from 'vitest'
import { notCompared, type VerifiedTable } from '../../../platform/inspect/verified-table.ts'
import { NO_DIFFERENCE } from '../../../platform/lake/difference.ts'
import { describeCorrection, describeProof } from './verify.ts'

/** A table that was compared in one place, without a difference. */
function compared(where: VerifiedTable['where'], table: string, quarantined = 0): VerifiedTable {
  const { held: _, ...rest } = notCompared(table)
  return { ...rest, where, quarantined }
}

const lake = compared('lake', 'sales_order')
const warehouse = compared('warehouse', 'fact_sales_order')
const history = compared('history', 'fact_sales_order')

it.each([
  [[lake, warehouse, history], 'source = lake = warehouse, value for value'],
  [[lake], 'source = lake, value for value'],
  [[history], 'lake = warehouse, value for value'],
  [
    [notCompared('staff'), warehouse],
    'lake = warehouse, value for value, except held tables: staff',
  ],
  [
    [compared('lake', 'sales_order', 1)],
    'source = lake, value for value, except in quarantine: 1 row of sales_order',
  ],
  [
    [lake, notCompared('staff'), compared('warehouse', 'fact_sales_order', 1200), history],
    'source = lake = warehouse, value for value, except held tables: staff; in quarantine: 1,200 rows of fact_sales_order',
  ],
  [[notCompared('staff')], 'no difference, but nothing was compared: held staff'],
])('describeProof() names only what was compared, and what was left out', (tables, proof) => {
  expect(describeProof(tables)).toBe(proof)
})

it.each([
  [{ different: 1 }, '1 row set'],
  [{ missing: 2, extra: 1 }, '2 rows added · 1 row removed'],
])('describeCorrection() says what was done to the rows', (counts, said) => {
  expect(describeCorrection({ ...NO_DIFFERENCE, ...counts })).toBe(said)
})
