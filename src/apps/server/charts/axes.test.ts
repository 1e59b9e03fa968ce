import { expect, it } from 'vitest'
import { chartTheme } from '../../../../test/support/chart-theme.ts'
import { amountAxis, endRoomPx, legendBesideOrBelow, shortNumber } from './axes.ts'
import { formatAmount, formatInUnit } from './units.ts'

it('formatAmount() rounds to cents and leaves text alone', () => {
  expect([1234567.891, '12.5', 'no amount'].map(formatAmount)).toEqual([
    '1,234,567.89',
    '12.5',
    'no amount',
  ])
})

it('shortNumber() leaves out zeros at the end, as do the numbers of an axis', () => {
  const numbers = [0, 500, 1000, 2_500_000, 8_000_000, 1_250_000_000]
  const texts = ['0', '500', '1 k', '2.5 m', '8 m', '1.25 bn']
  expect(numbers.map(shortNumber)).toEqual(texts)
  expect(numbers.map(amountAxis(chartTheme(400)).axisLabel.formatter)).toEqual(texts)
})

it('legendBesideOrBelow() goes to the right only if there is room', () => {
  const names = ['units', 'price']
  expect(legendBesideOrBelow(names, chartTheme(800))).toMatchObject({
    grid: { right: 240 },
    legend: { orient: 'vertical', right: 0, data: names },
  })
  expect(legendBesideOrBelow(names, chartTheme(400))).toMatchObject({
    grid: { right: 8, bottom: 40 },
    legend: { bottom: 4, data: names },
  })
})

it('endRoomPx() grows with the longest text', () => {
  expect(endRoomPx(['1 k', '−1.23 bn'])).toBeGreaterThan(endRoomPx(['1 k', '1.2 k']))
  expect(endRoomPx(['−999.99 bn'])).toBeGreaterThanOrEqual(10 * 6.5)
})

it('legendBesideOrBelow() leaves room below for every row of names', () => {
  const names = ['agreed delivery date', 'agreed delivery location', 'units sold', 'unit price']
  expect(legendBesideOrBelow(names, chartTheme(280)).grid.bottom).toBe(3 * 26 + 14)
})

it('formatInUnit() writes the currency of money in front, and other units behind', () => {
  expect(formatInUnit(-1234.5, 'GBP')).toBe('GBP −1,234.50')
  expect(formatInUnit('12100', 'bags')).toBe('12,100 bags')
  expect(formatInUnit(12100, undefined)).toBe('12,100')
  expect(formatInUnit('-', 'GBP')).toBe('-')
})
