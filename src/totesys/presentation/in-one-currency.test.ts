import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

/** The parts of a question by the names of its CTEs, comments left out; the last select is `''`. */
function partsOf(question: string): ReadonlyMap<string, string> {
  const sql = readFileSync(new URL(`./${question}.sql`, import.meta.url), 'utf8')
  const parts = sql
    .replaceAll(/^--.*\n/gm, '')
    .replace(/^with /, '')
    .split(/\n\n/)
    .map((part): [string, string] => [/^(\w+) as \(/.exec(part)?.[1] ?? '', part.trim()])
  return new Map(parts)
}

const sales = partsOf('s16_sales_in_one_currency')
const purchases = partsOf('p06_purchases_in_one_currency')
const payments = partsOf('y08_payments_in_one_currency')

// Each file is complete, so that it runs by hand and people can copy it. So the text is repeated.
it('sales and purchases are converted by the same SQL, except for the rows that each reads', () => {
  const names = ['clock', 'period', 'cover', 'daily', 'rated', 'newest', 'total', '']
  expect([...sales.keys()]).toEqual(names)
  const converted = (parts: ReadonlyMap<string, string>) =>
    [...parts].filter(([name]) => name !== 'daily' && name !== 'cover')
  expect(converted(purchases)).toEqual(converted(sales))
  const ofPurchases = sales.get('cover')?.replace('fact_sales_order', 'fact_purchase_orders')
  expect(purchases.get('cover')).toBe(ofPurchases)
})

it('payments are converted by the same steps, with the same rates', () => {
  expect([...payments.keys()]).toEqual([...sales.keys()])
  for (const name of ['clock', 'newest']) expect(payments.get(name)).toBe(sales.get(name))
  const rateOf = (parts: ReadonlyMap<string, string>) => [
    parts.get('rated')?.slice(parts.get('rated')?.indexOf('d.day >= ')),
    parts.get('')?.slice(parts.get('')?.indexOf('round(n.rate, 10)')),
  ]
  expect(rateOf(payments)).toEqual(rateOf(sales))
})
