import { expect, it } from 'vitest'
import type { LinesChart, StackedChart } from '../../../platform/project/chart.ts'
import type { DrawnChart } from '../charts/plot-of-answer.ts'
import { isCrowded, renderCrowded, withStep } from './steps.ts'

const line = {
  kind: 'lines',
  split: 'currency',
  x: 'day',
  y: 'amount',
  complete: 'ok',
  step: 'week',
} as const satisfies LinesChart
const stack = {
  kind: 'stacked',
  x: 'day',
  stack: 'field',
  value: 'changes',
  complete: 'ok',
  step: 'month',
} as const satisfies StackedChart

const page = { path: '/p', title: '', summary: '', filters: ['by'], panels: [] }
const context = (filters: readonly string[], by?: string) => ({
  question: { filters },
  selection: { filters: { by }, params: { currency: 'GBP' }, faults: {} },
  page,
})

/** So many days of each of some currencies. */
function answerOf(days: number, { currencies = 1, isTruncated = false } = {}) {
  const rows = Array.from({ length: currencies * days }, (_, at) => {
    const day = new Date(Date.UTC(2020, 0, 1 + (at % days))).toISOString().slice(0, 10)
    return [String(Math.floor(at / days)), day]
  })
  const columns = ['currency', 'day'].map((name) => ({ name, kind: 'text' as const }))
  return { columns, rows, isTruncated } as never
}

it('withStep() draws by the step that the page asks for, if the question knows it', () => {
  expect(withStep(line, context(['by'], 'quarter'))).toEqual({ ...line, step: 'quarter' })
  expect(withStep(line, context(['by']))).toEqual(line)
  expect(withStep(line, context(['from'], 'quarter'))).toEqual(line)
  const bars: DrawnChart = { kind: 'bars', label: ['n'], value: 'a' }
  expect(withStep(bars, context(['by'], 'quarter'))).toEqual(bars)
})

it('isCrowded() counts the steps of stacked bars that have no row', () => {
  const columns = ['day', 'field', 'changes', 'ok'].map((name) => ({ name, kind: 'text' as const }))
  const answer = (last: string) =>
    ({
      columns,
      rows: [
        ['2024-01-01', 'a', '1', 't'],
        [last, 'a', '1', 't'],
      ],
      isTruncated: false,
    }) as never
  const byDay = { ...stack, step: 'day' } as const
  expect(isCrowded(byDay, answer('2025-06-13'))).toBe(false)
  expect(isCrowded(byDay, answer('2025-06-14'))).toBe(true)
  expect(isCrowded(stack, answer('2025-06-01'))).toBe(false)
})

it('isCrowded() counts the steps of one plot, not the rows', () => {
  expect(isCrowded(line, answerOf(1500, { currencies: 3 }))).toBe(false)
  expect(isCrowded(line, answerOf(1501))).toBe(true)
  expect(isCrowded(stack, answerOf(530))).toBe(false)
  expect(isCrowded(stack, answerOf(531))).toBe(true)
})

it('isCrowded() refuses to draw an answer that was cut off, unless only its first rows are drawn', () => {
  const cut = answerOf(10, { isTruncated: true })
  expect(isCrowded(line, cut)).toBe(true)
  expect(isCrowded({ ...line, limit: 6 }, cut)).toBe(false)
  expect(isCrowded({ kind: 'bars', label: ['day'], value: 'currency' }, cut)).toBe(false)
})

it('renderCrowded() says how many there are, and leads to longer steps', async () => {
  const text = async (filters: readonly string[], isTruncated = false) => {
    const answer: never = answerOf(1827, { isTruncated })
    const shown = { ...context(filters), answer }
    return String(await renderCrowded({ ...line, step: 'month' }, shown))
  }
  expect(await text(['by'])).toContain('1,827 months are too many to draw. The CSV has them all.')
  expect(await text(['by'], true)).toContain('More than 1,827 months')
  const links = Array.from((await text(['by'])).matchAll(/href="([^"]+)"/g), ([, href]) => href)
  expect(links).toEqual(['/p?currency=GBP&amp;by=quarter', '/p?currency=GBP&amp;by=year'])
  expect(await text([])).not.toContain('href')
})
