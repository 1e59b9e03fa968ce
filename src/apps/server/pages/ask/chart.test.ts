import { describe, expect, it } from 'vitest'
import type { ResultColumn, Row } from '../../../../platform/presentation/cursor.ts'
import { formOf, plotsOfRows, renderChart } from './chart.ts'

const answer = (columns: Record<string, ResultColumn['kind']>, rows: readonly Row[]) => ({
  columns: Object.entries(columns).map(([name, kind]) => ({ name, kind })) as ResultColumn[],
  rows,
})
const days = ['2026-01-03', '2026-01-01', '2026-01-02']
const names = (count: number): Row[] => Array.from({ length: count }, (_, n) => [`n${n}`, '1'])

describe('the form that fits an answer', () => {
  it.each([
    ['figures for one row of numbers', { n: 'number', m: 'number' }, [['1', '2']], 'figures'],
    ['bars for numbers by name', { who: 'text', n: 'number' }, names(50), 'bars'],
    ['lines for numbers by day', { day: 'date', n: 'number' }, days.map((d) => [d, '1']), 'lines'],
    [
      'lines for each of several names by day',
      { who: 'text', at: 'moment', n: 'number' },
      days.flatMap((day) => ['a', 'b'].map((who) => [who, day, '1'])),
      'lines',
    ],
    ['no chart of many names', { who: 'text', n: 'number' }, names(51), undefined],
    [
      'no chart of names that repeat',
      { a: 'text', n: 'number' },
      [...names(2), ...names(1)],
      undefined,
    ],
    [
      'no chart of seven lines',
      { who: 'text', day: 'date', n: 'number' },
      days.flatMap((day) => ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((who) => [who, day, '1'])),
      undefined,
    ],
    ['no chart of ids', { who: 'text', staff_id: 'number' }, names(3), undefined],
    ['no chart without numbers', { who: 'text' }, [['a'], ['b']], undefined],
    ['no chart without rows', { who: 'text', n: 'number' }, [], undefined],
    ['no chart of one row with a name', { who: 'text', n: 'number' }, names(1), undefined],
    [
      'no chart of several rows of one name on one day',
      { who: 'text', day: 'date', n: 'number' },
      [
        ['a', days[0]!, '1'],
        ['a', days[0]!, '2'],
      ],
      undefined,
    ],
  ] as const)('%s', (_, columns, rows, form) => {
    expect(formOf(answer(columns, rows))).toBe(form)
  })
})

describe('plots', () => {
  it('draw days in their order, one plot for each name, dashed where a step is not whole', () => {
    const rows = days.flatMap((day) => [
      ['GBP', day, '5', day === '2026-01-03' ? 'f' : 't'],
      ['EUR', day, '7', 't'],
    ])
    const columns = { currency: 'text', day: 'date', n: 'number', is_complete: 'boolean' } as const
    expect(plotsOfRows(answer(columns, rows), 'lines')).toMatchObject([
      {
        name: 'GBP · n',
        labels: days.toSorted(),
        values: [5, 5, 5],
        complete: [true, true, false],
      },
      { name: 'EUR · n', labels: days.toSorted(), complete: [true, true, true] },
    ])
  })

  it('leave out what is not a finite number, and say how much is not drawn', () => {
    const rows = [
      ['a', 'NaN'],
      ['b', null],
      ['c', '-3'],
      ['d', 'Infinity'],
    ]
    expect(plotsOfRows(answer({ who: 'text', n: 'number' }, rows), 'bars')).toMatchObject([
      { labels: ['c'], series: [{ values: [-3] }], aside: '' },
    ])
    const [many] = plotsOfRows(answer({ who: 'text', n: 'number' }, names(60)), 'bars')
    expect(many?.aside).toBe('first 50 of 60')
  })

  it('say why a chart that was chosen cannot be drawn; one that was not says nothing', async () => {
    const none = answer({ n: 'number' }, [['1'], ['2']])
    expect(String(await renderChart(none, 'bars'))).toContain('No chart:')
    expect(String(await renderChart(none, 'auto'))).toBe('')
  })
})
