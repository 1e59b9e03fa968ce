import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask } from '../../../test/support/questions/ask.ts'
import type { AnsweredRow } from '../../../test/support/questions/lake.ts'
import { FIRST, NEWEST, openYears, type Years } from '../../../test/support/questions/years.ts'
import { TIME_STEPS } from '../../platform/project/chart.ts'

type Filters = Record<string, string>

let years: Years
beforeAll(async () => {
  years = await openYears()
})
afterAll(() => years[Symbol.asyncDispose]())

const askBoth = async (name: string, given: Filters): Promise<AnsweredRow[]> =>
  await years.ask(name, given)

describe.each([
  ['s02_sales_by_week', 'week_start'],
  ['p01_spend_by_week', 'week_start'],
  ['y03_due_by_week', 'week_start'],
  ['p03_item_prices', 'month'],
])('%s', (name, column) => {
  const completeOf = async (given: Filters, start: string): Promise<string[]> => {
    const rows = await askBoth(name, given)
    const found = rows.filter((row) => row[column] === start)
    return [...new Set(found.map((row) => row['is_complete'] ?? ''))]
  }

  it.each(TIME_STEPS)('draws by %s over years, with 29 February and week 53', async (by) => {
    expect(await askBoth(name, { by })).not.toEqual([])
    await askBoth(name, { by, from: '2020-12-31', to: '2021-01-01' })
    await askBoth(name, { by, from: '2024-02-26', to: '2024-03-04' })
  })

  it.each([
    // The data begin on a Sunday and end on a Monday.
    ['day', FIRST, {}, true],
    ['day', NEWEST, {}, false],
    ['day', '2024-02-29', {}, true],
    ['day', '2025-03-09', { today: '2025-03-09' }, false],
    ['week', '2020-12-14', {}, false],
    ['week', '2020-12-28', {}, true],
    ['week', '2020-12-28', { to: '2021-01-02' }, false],
    ['week', '2020-12-28', { from: '2020-12-28', to: '2021-01-03' }, true],
    ['week', '2025-03-03', {}, true],
    ['week', '2025-03-10', {}, false],
    ['month', '2020-12-01', {}, false],
    ['month', '2024-02-01', { from: '2024-02-01', to: '2024-02-29' }, true],
    ['month', '2024-02-01', { to: '2024-02-28' }, false],
    ['month', '2025-02-01', { to: '2025-02-28' }, true],
    ['month', '2025-02-01', { today: '2025-02-28' }, false],
    ['month', '2025-02-01', { today: '2025-03-01' }, true],
    ['quarter', '2020-10-01', {}, false],
    ['quarter', '2024-01-01', { from: '2024-01-01', to: '2024-03-31' }, true],
    ['quarter', '2024-01-01', { from: '2024-01-02' }, false],
    ['quarter', '2025-01-01', {}, false],
    ['year', '2020-01-01', {}, false],
    ['year', '2024-01-01', {}, true],
    ['year', '2024-01-01', { to: '2024-12-30' }, false],
    ['year', '2024-01-01', { from: '2024-01-01', to: '2024-12-31' }, true],
    ['year', '2024-01-01', { today: '2024-12-31' }, false],
    ['year', '2025-01-01', {}, false],
  ] as const)('knows whether the %s of %s is whole with %j', async (by, start, given, isWhole) => {
    // Only an item that was bought in two steps has prices to compare.
    if (name === 'p03_item_prices' && ('from' in given || by === 'year')) return
    expect(await completeOf({ by, ...given }, start)).toEqual([String(isWhole)])
  })

  it('refuses a step that does not exist', async () => {
    await expect(ask(years.warehouse, name, { by: 'fortnight' })).rejects.toMatchObject({
      code: '22023',
    })
  })
})

it('a step without orders is a row of zeros, whatever its length', async () => {
  for (const [by, count, start] of [
    ['month', 52, '2022-02-01'],
    ['quarter', 18, '2022-04-01'],
    ['year', 6, '2022-01-01'],
  ] as const) {
    const rows = await askBoth('s02_sales_by_week', { by, currency: 'GBP' })
    expect(rows).toHaveLength(count)
    const empty = rows.find((row) => row['week_start'] === start)
    expect(empty).toMatchObject({ orders: '0', units: '0', amount: '0.00', is_complete: 'true' })
  }
})

it('a week that begins in one year and ends in the next is one row', async () => {
  const rows = await askBoth('s02_sales_by_week', { from: '2020-12-27', to: '2021-01-04' })
  const orders = (start: string): number =>
    rows
      .filter((row) => row['week_start'] === start)
      .reduce((sum, row) => sum + Number(row['orders']), 0)
  expect([orders('2020-12-21'), orders('2020-12-28'), orders('2021-01-04')]).toEqual([1, 7, 1])
})
