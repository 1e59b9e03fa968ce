import { expect, it } from 'vitest'
import { amountAxis, formatAmount, legendBesideOrBelow, shortNumber } from './axes.ts'
import type { Theme } from './theme.ts'

const theme = (widthPx: number): Theme => ({
  paper: '#ffffff',
  ink: '#000000',
  muted: '#666666',
  line: '#dddddd',
  main: '#0000ff',
  series: ['#111111'],
  up: '#00ff00',
  down: '#ff0000',
  font: 'sans-serif',
  isStill: true,
  widthPx,
})

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
  expect(numbers.map(amountAxis(theme(400)).axisLabel.formatter)).toEqual(texts)
})

it('legendBesideOrBelow() goes to the right only if there is room', () => {
  const names = ['units', 'price']
  expect(legendBesideOrBelow(names, theme(800))).toMatchObject({
    grid: { right: 240 },
    legend: { orient: 'vertical', right: 0, data: names },
  })
  expect(legendBesideOrBelow(names, theme(400))).toMatchObject({
    grid: { right: 8, bottom: 50 },
    legend: { bottom: 0, data: names },
  })
})
