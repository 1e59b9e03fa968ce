import { expect, it } from 'vitest'
import type { FactVersion } from '../../../../platform/presentation/history.ts'
import { totesys } from '../../../../totesys/totesys.ts'
import {
  describeTotal,
  renderDifference,
  renderTotalChange,
  sayBareNumber,
  sayNumber,
} from './amounts.ts'

const fact = totesys.models.find(({ table }) => table === 'fact_sales_order')
if (fact?.kind !== 'fact') throw new Error('there is no fact_sales_order')
const { units = {} } = totesys.presentation ?? {}
const names = new Map([['currency_id', new Map([['2', { name: 'GBP', href: undefined }]])]])
const context = { fact, names, units }

const version = (values: Record<string, string>): FactVersion => ({
  version: 1,
  recordId: '1',
  operation: 'update',
  validFrom: '',
  validTo: undefined,
  batch: 1,
  values: { currency_id: '2', ...values },
  changed: [],
})
const before = version({ units_sold: '6445', unit_price: '2.93', staff_id: '12000' })
const after = version({ units_sold: '6481', unit_price: '2.93' })

it('sayNumber() groups thousands, names the currency of money and leaves ids alone', () => {
  expect(sayNumber(before, 'units_sold', context)).toBe('6,445')
  expect(sayNumber(before, 'unit_price', context)).toBe('GBP 2.93')
  expect(sayBareNumber(before, 'unit_price', context)).toBe('2.93')
  expect(sayNumber(before, 'staff_id', context)).toBeUndefined()
})

it('renderDifference() says by how much a quantity changed', async () => {
  const of = async (column: string): Promise<string> =>
    String(await renderDifference(after, before, { column, context }))
  expect(await of('units_sold')).toContain('(+36)')
  expect(await of('staff_id')).toBe('')
})

it('a total is exact, in its currency, and is compared only if it changed', async () => {
  expect(describeTotal(before, context)).toBe('total GBP 18,883.85')
  const change = String(await renderTotalChange(after, before, context))
  expect(change).toContain('<del>GBP 18,883.85</del> → <ins>GBP 18,989.33</ins>')
  expect(change).toContain('(+105.48)')
  expect(String(await renderTotalChange(before, before, context))).toBe('')
  expect(describeTotal(version({ units_sold: 'many' }), context)).toBe('')
})
