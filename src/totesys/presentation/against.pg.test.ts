import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AnsweredRow } from '../../../test/support/questions/lake.ts'
import { FIRST, openYears, type Years } from '../../../test/support/questions/years.ts'

let years: Years
beforeAll(async () => {
  years = await openYears()
})
afterAll(() => years[Symbol.asyncDispose]())

/** Each question that compares a period, and what it counts. */
const COMPARED = {
  s01_sales_by_currency: 'orders_before',
  s16_sales_in_one_currency: 'orders_before',
  p06_purchases_in_one_currency: 'orders_before',
  y08_payments_in_one_currency: 'payments_before',
  overview_purchases: '',
  overview_payments: '',
}

/** Periods, and on how many days the same period last year has rows. */
const PERIODS = [
  ['around the end of a year', '2024-12-30', '2025-01-05', 7],
  ['is one day', '2025-02-10', '2025-02-10', 1],
  ['ends on 28 February after a leap year', '2025-02-01', '2025-02-28', 28],
  ['goes over the end of February after a leap year', '2025-02-28', '2025-03-01', 3],
  ['goes over 29 February', '2024-02-29', '2024-03-01', 0],
  ['is longer than a year, so that it overlaps', '2024-01-15', '2025-03-01', 75],
  ['ends today without `to`', '2025-03-01', '', 31],
  ['reaches beyond today', '2025-03-01', '2025-04-10', 41],
  ['begins a year after the data', '2021-12-20', '2022-01-10', 22],
] as const

const filtersOf = (from: string, to: string): Record<string, string> =>
  to === '' ? { from, in: 'GBP' } : { from, to, in: 'GBP' }

const count = (rows: AnsweredRow[], column: string): number =>
  rows.reduce((sum, row) => sum + Number(row[column]), 0)

const earlierOf = (rows: AnsweredRow[]): (string | null)[] =>
  rows.flatMap((row) =>
    Object.entries(row).flatMap(([column, value]) => (column.endsWith('_before') ? [value] : [])),
  )

const ownOf = (row: AnsweredRow): AnsweredRow =>
  Object.fromEntries(
    Object.entries(row).filter(([column]) => !/_before$|^change_ratio$/.test(column)),
  )

describe.each(Object.entries(COMPARED))('%s', (name, counted) => {
  it.each(PERIODS)('compares with the same dates last year if a period %s', async (...period) => {
    const [, from, to, days] = period
    const filters = filtersOf(from, to)
    const rows = await years.ask(name, { ...filters, against: 'year' })
    await years.ask(name, { ...filters, against: 'year', currency: 'USD' })
    // Payments count up to today only.
    const isCut = name === 'y08_payments_in_one_currency' && to > '2025-03-31'
    expect(counted === '' ? days : count(rows, counted)).toBe(isCut ? 31 : days)
    // What is the period's own does not depend on what it is compared with.
    for (const own of await years.ask(name, { ...filters, against: 'none' })) {
      const same = rows.find((row) => row['currency_code'] === own['currency_code'])
      expect(ownOf(same ?? {})).toEqual(ownOf(own))
    }
  })

  it('compares with last year only if the data begin on its first day, or before', async () => {
    // Dollars have no rate then.
    const pounds = { currency: 'GBP', against: 'year' }
    const first = { ...filtersOf('2021-12-20', '2022-01-10'), ...pounds }
    const covered = await years.ask(name, first)
    expect(earlierOf(covered)).not.toContain(null)
    expect(covered[0]).toMatchObject({ data_since: FIRST })
    const before = await years.ask(name, { ...first, from: '2021-12-19' })
    expect(before[0]).toMatchObject({ data_since: FIRST })
    expect(new Set(earlierOf(before))).toEqual(new Set([null]))
    expect(new Set(earlierOf(await years.ask(name, { in: 'GBP', against: 'year' })))).toEqual(
      new Set([null]),
    )
  })

  it('compares with nothing if nothing is asked for', async () => {
    const filters = filtersOf('2025-02-01', '2025-02-28')
    const rows = await years.ask(name, { ...filters, against: 'none' })
    expect(rows).not.toEqual([])
    expect(new Set(earlierOf(rows))).toEqual(new Set([null]))
    // There is nothing in this period, so no row is left.
    const empty = filtersOf('2021-12-20', '2022-01-10')
    expect(await years.ask(name, { ...empty, against: 'none' })).toEqual([])
  })

  it('compares with the period before unless told otherwise', async () => {
    for (const [, from, to] of PERIODS) {
      const filters = filtersOf(from, to)
      const rows = await years.ask(name, filters)
      expect(await years.ask(name, { ...filters, against: 'before' })).toEqual(rows)
      expect(await years.ask(name, { ...filters, against: '' })).toEqual(rows)
    }
  })
})

describe('s04_rising_designs', () => {
  it.each([
    ['before', '2025-03-09', 28],
    // From 9 February to 8 March, which is a day longer in a leap year.
    ['year', '2025-03-09', 29],
    ['year', '2024-03-15', 0],
    // All of February, which leaves out the 29th.
    ['year', '2025-03-01', 28],
    ['year', '2025-03-29', 28],
    ['year', '2022-01-17', 23],
  ])('compares its days with `%s` on %s', async (against, today, orders) => {
    const rows = await years.ask('s04_rising_designs', { against, today })
    expect(count(rows, 'orders_before')).toBe(orders)
  })

  it('compares with nothing if nothing is asked for, or if the data begin later', async () => {
    for (const given of [
      { against: 'none', today: '2025-03-09' },
      { against: 'year', today: '2022-01-16' },
    ]) {
      const rows = await years.ask('s04_rising_designs', given)
      expect(new Set(earlierOf(rows))).toEqual(rows.length === 0 ? new Set() : new Set([null]))
      for (const row of rows) expect(row).toMatchObject({ change_ratio: null, units_change: null })
    }
  })
})
