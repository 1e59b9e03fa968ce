import { expect, it } from 'vitest'
import { notCompared, type VerifiedTable } from '../../../platform/inspect/verified-table.ts'
import { describeProof, findRepair } from './verify.ts'

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

it('findRepair() names what to drop if only sums and revisions differ', () => {
  const different = (where: VerifiedTable['where'], table: string): VerifiedTable => ({
    ...compared(where, table),
    difference: { missing: 0, extra: 0, different: 1, keys: [] },
  })
  const sums = different('sums', 'fact_payment_by_day')
  const revisions = different('revisions', 'fact_payment_revisions')
  expect(findRepair({ tables: [lake, sums, history, revisions], faults: [] }, 'my star')).toEqual([
    'drop table "my star"."fact_payment_by_day" cascade;',
    'drop table "my star"."fact_payment_revisions" cascade;',
  ])
  const versions = different('history', 'fact_payment')
  expect(findRepair({ tables: [sums, versions], faults: [] }, 'public')).toEqual([])
  const faults = [{ place: 'ledger', batch: 1, detail: 'another record' }] as const
  expect(findRepair({ tables: [sums], faults }, 'public')).toEqual([])
})
