import { describe, expect, it } from 'vitest'
import { chartTheme } from '../../../../test/support/chart-theme.ts'
import type { ResultColumn } from '../../../platform/presentation/cursor.ts'
import { optionOf } from '../browser/options.ts'
import { type DrawnChart, plotsOf } from './plot-of-answer.ts'

const theme = chartTheme(400)

/** The plots of rows, each row written as one text, and the options that draw them. */
function draw(chart: DrawnChart, names: string, rows: readonly string[]) {
  const columns = names.split(' ').map((name): ResultColumn => ({ name, kind: 'text' }))
  const cells = rows.map((row) => row.split(' ').map((cell) => (cell === '-' ? null : cell)))
  const plots = plotsOf(chart, { columns, rows: cells, isTruncated: false } as never, {
    labels: (c) => c,
  })
  return { plots, options: plots.map((plot) => optionOf(plot, theme)) }
}

/** The values of each series, without their styles. */
function valuesOf({ series }: ReturnType<typeof optionOf>): unknown[] {
  return [series].flat().map((each) => (each?.data as unknown[] | undefined)?.map(valueOf))
}

function valueOf(entry: unknown): unknown {
  return typeof entry === 'object' && entry !== null && 'value' in entry ? entry.value : entry
}

/** Calls the function at a path of keys of an option, of its first series, with the last argument. */
function call(option: unknown, ...path: readonly unknown[]): unknown {
  const found = path.slice(0, -1).reduce<unknown>((at, key) => {
    const next = (at as Record<string, unknown>)[String(key)]
    return Array.isArray(next) ? next[0] : next
  }, option)
  return (found as (value: unknown) => unknown)(path.at(-1))
}

/** What the entries of the first series have under a key. */
function valuesOfKey({ series }: ReturnType<typeof optionOf> = {}, key: string): unknown[] {
  const [first] = [series].flat()
  const entries = (first?.data ?? []) as Record<string, unknown>[]
  return entries.map((entry) => entry[key])
}

describe('plotsOf()', () => {
  it('plots lines by currency, each with its own axis, the last week dashed', () => {
    const { plots, options } = draw(
      { kind: 'lines', split: 'c', x: 'w', y: 'a', complete: 'ok', step: 'week' },
      'c w ok a',
      ['EUR 2026-01-05 t 10', 'EUR 2026-01-12 t 30', 'EUR 2026-01-19 f 5', 'GBP 2026-01-05 t 7'],
    )
    expect(plots.map(({ name, color }) => [name, color])).toEqual([
      ['EUR', '--currency-eur'],
      ['GBP', '--currency-gbp'],
    ])
    expect(plots[0]?.sentence).toBe(
      'EUR: a by week, from 10 in the week of 2026-01-05 to 30 in the week of 2026-01-12; the most was 30 in the week of 2026-01-12.',
    )
    expect(valuesOf(options[0]!)).toEqual([
      [10, 30, '-'],
      ['-', 30, 5],
    ])
    expect(options[0]!.series).toMatchObject([{}, { lineStyle: { type: [3, 4] } }])
    expect(valuesOf(options[1]!)).toEqual([[7]])
  })

  it('dashes the way from a first week that is not whole, and no other part', () => {
    const chart = {
      kind: 'lines',
      split: 'c',
      x: 'w',
      y: 'a',
      complete: 'ok',
      step: 'week',
    } as const
    const { plots, options } = draw(chart, 'c w ok a', [
      'EUR 2026-01-05 f 10',
      'EUR 2026-01-12 t 30',
      'EUR 2026-01-19 t 20',
      'EUR 2026-01-26 t 25',
      'EUR 2026-02-02 f 5',
    ])
    expect(valuesOf(options[0]!)).toEqual([
      ['-', 30, 20, 25, '-'],
      [10, 30, '-', 25, 5],
    ])
    expect(plots[0]?.sentence).toContain('from 30 in the week of 2026-01-12 to 25')
  })

  it('writes rates to five digits, on an axis that does not begin at zero', () => {
    const chart = {
      kind: 'lines',
      split: 'c',
      x: 'w',
      y: 'rate',
      complete: 'ok',
      step: 'week',
      isRate: true,
    } as const
    const { plots, options } = draw(chart, 'c w ok rate', [
      'USD 2026-01-05 t 0.791234',
      'USD 2026-01-12 t 0.79',
    ])
    expect(plots[0]?.aside).toBe('0.79 last whole week')
    expect(plots[0]?.sentence).toContain('from 0.79123 in the week of 2026-01-05')
    expect(options[0]).toMatchObject({ yAxis: { scale: true } })
  })

  it('says that no week of a line is complete yet', () => {
    const chart = {
      kind: 'lines',
      split: 'c',
      x: 'w',
      y: 'a',
      complete: 'ok',
      step: 'week',
    } as const
    const { plots } = draw(chart, 'c w ok a', ['EUR 2026-01-05 f 10'])
    expect(plots[0]?.aside).toBe('no whole week yet')
    expect(plots[0]?.sentence).toBe('EUR: no whole week yet; the last one stands at 10.')
  })

  it('adds up bars with the same label exactly, and hatches what goes out', () => {
    const summed = draw(
      { kind: 'bars', split: 'c', label: ['d'], value: 'a', sum: true },
      'c d a',
      ['EUR x 0.10', 'EUR x 0.20', 'EUR y 1'],
    )
    expect(valuesOf(summed.options[0]!)).toEqual([[0.3, 1]])
    expect(summed.plots[0]?.sentence).toContain('y with 1')
    const sides = draw(
      { kind: 'bars', label: ['age'], value: 'a', side: { column: 's', hatched: 'out' } },
      's age a',
      ['in 0-7 1', 'in 8-30 2', 'out 0-7 3', 'out 8-30 4'],
    )
    expect(valuesOf(sides.options[0]!)).toEqual([
      [1, 2],
      [3, 4],
    ])
    const [, out] = [sides.options[0]!.series].flat()
    expect(out).toMatchObject({ name: 'a_out', itemStyle: { decal: { symbol: 'rect' } } })
    const parts = draw({ kind: 'bars', label: ['n'], value: 'a', part: 'd', limit: 1 }, 'n a d', [
      'x 10 4',
      'y 5 5',
    ])
    expect(valuesOf(parts.options[0]!)).toEqual([[4], [6]])
    expect(parts.plots[0]?.aside).toBe('first 1 of 2')
  })

  it('leaves a gap at an amount without any rate, and says how many things have none', () => {
    const leftOut = { column: 'n', things: 'orders' }
    const chart = { split: 'c', complete: 'ok', step: 'week', leftOut } as const
    const rows = ['GBP 2026-01-05 t - 0 2', 'GBP 2026-01-12 t 30 1 1', 'GBP 2026-01-19 t 20 2 0']
    const lines = draw({ ...chart, kind: 'lines', x: 'w', y: 'a' }, 'c w ok a b n', rows)
    expect(valuesOf(lines.options[0]!)[0]).toEqual(['-', 30, 20])
    expect(lines.plots[0]?.aside).toBe('20 last whole week · 3 orders left out: no rate')
    expect(lines.plots[0]?.sentence).toContain('from 30 in the week of 2026-01-12')
    expect(lines.plots[0]?.sentence).toMatch(/ · 3 orders left out: no rate\.$/)
    const none = draw({ ...chart, kind: 'lines', x: 'w', y: 'a' }, 'c w ok a n', [
      'GBP 2026-01-05 t - 1',
    ])
    expect(none.plots[0]?.sentence).toBe('GBP: nothing has a rate · 1 order left out: no rate.')
    const bars = { ...chart, kind: 'diverging', label: 'w', in: 'a', out: 'b' } as const
    const sides = draw(bars, 'c w ok a b n', rows)
    expect(valuesOf(sides.options[0]!)).toEqual([
      ['-', 30, 20],
      [-0, -1, -2],
    ])
    expect(sides.plots[0]?.aside).toBe('a 50 · b 3 · 3 orders left out: no rate')
    const all = draw({ ...chart, kind: 'lines', x: 'w', y: 'a' }, 'c w ok a n', [
      'GBP 2026-01-05 t 1 0',
    ])
    expect(all.plots[0]?.aside).toBe('1 last whole week')
  })

  it('ranks nothing without any rate, and says how many orders have none', () => {
    const leftOut = { column: 'n', things: 'orders' }
    const bars = { kind: 'bars', split: 'c', label: ['d'], value: 'a', sum: true, leftOut } as const
    const rows = ['GBP x 6 1', 'GBP x - 2', 'GBP y 4 0', 'GBP z - 1']
    const { plots, options } = draw({ ...bars, limit: 1 }, 'c d a n', rows)
    expect(plots[0]).toMatchObject({ labels: ['x'] })
    expect(valuesOf(options[0]!)).toEqual([[6]])
    expect(plots[0]?.aside).toBe('first 1 of 2 · 4 orders left out: no rate')
    expect(plots[0]?.sentence).toBe(
      'GBP: the longest of 2 bars is x with 6 · 4 orders left out: no rate.',
    )
    expect(draw(bars, 'c d a n', rows).plots[0]?.aside).toBe('4 orders left out: no rate')
    const shares = { kind: 'pareto', split: 'c', label: 'd', value: 'a', cumulative: 's' } as const
    const pareto = draw({ ...shares, leftOut }, 'c d a s n', [
      'GBP x 6 0.6 1',
      'GBP y 4 1 0',
      'GBP z - 1 1',
    ])
    expect(pareto.plots[0]).toMatchObject({
      labels: ['x', 'y'],
      aside: 'first three: 100 % · 2 orders left out: no rate',
    })
    for (const chart of [bars, { ...shares, leftOut }]) {
      const none = draw(chart, 'c d a s n', ['GBP x - - 1']).plots[0]
      expect(none).toMatchObject({ labels: [] })
      expect(none?.sentence).toBe('GBP: nothing has a rate · 1 order left out: no rate.')
    }
  })

  it('has a bar of nothing for each step between two others', () => {
    const chart = { kind: 'stacked', x: 'm', stack: 'f', value: 'n', complete: 'ok' } as const
    const { options, plots } = draw({ ...chart, step: 'day' }, 'm ok f n', [
      '2026-02-27 t a 1',
      '2026-03-02 f a 2',
      '2026-03-02 f b 1',
    ])
    expect(options[0]!.xAxis).toMatchObject({
      data: ['27 Feb', '28 Feb', '1 Mar', '2 Mar, not whole'],
    })
    expect(valuesOf(options[0]!)).toEqual([
      [1, 0, 0, 2],
      [0, 0, 0, 1],
    ])
    expect(plots[0]?.sentence).toContain('4 n in 4 days')
    for (const [step, last, count] of [
      ['week', '2026-01-26', 5],
      ['month', '2026-04-01', 5],
      ['quarter', '2026-10-01', 5],
      ['year', '2029-01-01', 5],
    ] as const) {
      const first =
        step === 'week'
          ? '2025-12-29'
          : `2025-${step === 'month' ? '12' : step === 'quarter' ? '10' : '01'}-01`
      const { plots: drawn } = draw({ ...chart, step }, 'm ok f n', [
        `${first} t a 1`,
        `${last} t a 1`,
      ])
      expect(drawn[0]).toMatchObject({ complete: Array.from({ length: count }, () => true) })
    }
  })

  it.each([
    ['day', '3 Aug', '4 Aug', 'on 3 Aug 2026', 'on 4 Aug 2026'],
    ['month', 'Aug 2026', 'Aug 2026', 'in August 2026', 'in August 2026'],
    ['quarter', 'Q3 2026', 'Q3 2026', 'in Q3 2026', 'in Q3 2026'],
    ['year', '2026', '2026', 'in 2026', 'in 2026'],
  ] as const)('names each %s on the axis and in the sentence', (step, first, last, from, to) => {
    const rows = ['EUR 2026-08-03 t 10 1', 'EUR 2026-08-04 t 30 2']
    const line = { kind: 'lines', split: 'c', x: 'w', y: 'a', complete: 'ok', step } as const
    const lines = draw(line, 'c w ok a o', rows)
    expect(lines.options[0]!.xAxis).toMatchObject({ data: [first, last] })
    expect(lines.plots[0]).toMatchObject({
      aside: `30 last whole ${step}`,
      sentence: `EUR: a by ${step}, from 10 ${from} to 30 ${to}; the most was 30 ${to}.`,
    })
    const bars = { kind: 'diverging', split: 'c', label: 'w', in: 'a', out: 'o', step } as const
    const sides = draw({ ...bars, complete: 'ok' }, 'c w ok a o', rows)
    expect(sides.options[0]!.xAxis).toMatchObject({ data: [first, last] })
    expect(sides.plots[0]?.sentence).toContain(`in 2 ${step}s.`)
    const stack = { kind: 'stacked', x: 'w', stack: 'c', value: 'a', complete: 'ok' } as const
    const stacked = draw({ ...stack, step }, 'c w ok a o', rows)
    expect(stacked.plots[0]?.sentence).toContain(`40 a in 2 ${step}s`)
    expect(stacked.options[0]!.xAxis).toMatchObject({ data: [first, last] })
  })

  it('stacks the greatest first and gives each place a pattern', () => {
    const { options, plots } = draw(
      { kind: 'stacked', step: 'month', x: 'm', stack: 'f', value: 'n', complete: 'ok' },
      'm ok f n',
      ['2026-01-01 t staff_id 1', '2026-01-01 t design_id 2', '2026-02-01 f design_id 4'],
    )
    expect(valuesOf(options[0]!)).toEqual([
      [2, 4],
      [1, 0],
    ])
    expect(options[0]!.xAxis).toMatchObject({ data: ['Jan 2026', 'Feb 2026, not whole'] })
    expect(plots[0]?.sentence).toBe('7 n in 2 months, most of them in design (6).')
    expect([options[0]!.series].flat()[1]).toMatchObject({ itemStyle: { decal: {} } })
  })

  it('shows both ends of rises and falls', () => {
    const { options, plots } = draw(
      { kind: 'dumbbell', label: ['n'], from: 'a', to: 'b', limit: 1 },
      'n a b',
      ['up 1 9', 'up2 1 3', 'same 2 2', 'down2 4 3', 'down 9 1'],
    )
    expect(valuesOf(options[0]!).slice(0, 2)).toEqual([
      [1, 1],
      [8, 8],
    ])
    expect(plots[0]?.sentence).toContain(
      'The greatest rise is up from 1 to 9, the greatest fall down from 9 to 1',
    )
  })

  it('shows no rise of what has nothing to compare with', () => {
    const chart = { kind: 'dumbbell', label: ['n'], from: 'a', to: 'b', limit: 9 } as const
    const { plots } = draw(chart, 'n a b', ['new - 9', 'up 1 3'])
    expect(plots[0]).toMatchObject({ labels: ['up'], from: [1], to: [3] })
  })

  it('gives customers their share so far', () => {
    const { options, plots } = draw(
      { kind: 'pareto', split: 'c', label: 'n', value: 'a', cumulative: 's' },
      'c n a s',
      ['EUR x 6 0.6', 'EUR y 4 1'],
    )
    expect(valuesOf(options[0]!)).toEqual([
      [6, 4],
      [
        [0.6, 0],
        [1, 1],
      ],
    ])
    expect(plots[0]?.aside).toBe('first three: 100 %')
  })

  it('has every hour between the first and the last', () => {
    const { plots } = draw(
      { kind: 'heatmap', x: 'h', y: 'd', yLabel: 'day', value: 'n' },
      'd day h n',
      ['1 Monday 10 3', '2 Tuesday 8 5'],
    )
    expect(plots[0]).toMatchObject({
      xs: ['08', '09', '10'],
      ys: ['Monday', 'Tuesday'],
      cells: [
        [2, 0, 3],
        [0, 1, 5],
      ],
    })
    expect(plots[0]?.sentence).toContain('5, on Tuesday at 08:00')
  })

  it('plots prices as boxes', () => {
    const { options } = draw(
      {
        kind: 'boxes',
        things: 'designs',
        measure: 'price',
        split: 'c',
        label: ['n'],
        five: ['a', 'b', 'm', 'd', 'e'],
        limit: 5,
      },
      'c n a b m d e',
      ['EUR x 1 2 3 4 5'],
    )
    expect(valuesOf(options[0]!)).toEqual([[[1, 2, 3, 4, 5]]])
  })

  it('keeps the gaps between days, and rows without a day apart', () => {
    const { options, plots } = draw(
      { kind: 'histogram', x: 'd', value: 'n', other: 'never' },
      'd n',
      ['-1 2', '1 4', '- 3'],
    )
    expect(options[0]!.xAxis).toMatchObject({ data: ['-1', '0', '1', 'never'] })
    expect(valuesOf(options[0]!)).toEqual([[2, 0, 4, 3]])
    expect(plots[0]?.sentence).toContain('9 n by d; the most, 4, at 1')
    const none = draw({ kind: 'histogram', x: 'd', value: 'n', other: 'never' }, 'd n', ['- 3'])
    expect(valuesOf(none.options[0]!)).toEqual([[3]])
  })

  it('leads in steps from the first total to the last', () => {
    const { options } = draw(
      { kind: 'waterfall', split: 'c', steps: ['a', 'b', 'd', 'e'] },
      'c a b d e',
      ['EUR 100 5 -15 90'],
    )
    expect(valuesOf(options[0]!)).toEqual([
      [0, 100, 90, 0],
      [100, 5, 15, 90],
    ])
  })

  it('begins the steps with the first thing there was', () => {
    const { plots, options } = draw(
      { kind: 'waterfall', split: 'c', steps: ['a', 'b', 'd', 'e'] },
      'c a b d e',
      ['EUR 0 100 -15 85'],
    )
    expect(valuesOf(options[0]!)).toEqual([
      [0, 85, 0],
      [100, 15, 85],
    ])
    expect(plots[0]?.sentence).toBe('EUR: b 100, d −15, e 85.')
  })

  it('draws what goes out to the other side, weeks standing and rows lying', () => {
    const rows = ['EUR 2026-01-05 t 5 3', 'EUR 2026-01-12 f 1 2']
    const chart = { kind: 'diverging', split: 'c', label: 'w', in: 'i', out: 'o' } as const
    const weeks = draw({ ...chart, step: 'week', complete: 'ok' }, 'c w ok i o', rows)
    expect(valuesOf(weeks.options[0]!)).toEqual([
      [5, 1],
      [-3, -2],
    ])
    expect(weeks.options[0]!.xAxis).toMatchObject({ type: 'category' })
    expect(draw(chart, 'c w ok i o', rows).options[0]!.yAxis).toMatchObject({ type: 'category' })
  })

  it('writes the values of a heatmap into its cells and its tooltip', () => {
    const { options } = draw(
      { kind: 'heatmap', x: 'h', y: 'd', yLabel: 'day', value: 'n' },
      'd day h n',
      ['1 Monday 10 3', '2 Tuesday 8 5'],
    )
    const [option] = options
    expect(call(option, 'tooltip', 'formatter', { value: [2, 0, 3] })).toBe('Monday 10:00, 3 n')
    expect(call(option, 'series', 'label', 'formatter', { value: [2, 0, 3] })).toBe('3')
    const dark = valuesOfKey(option, 'label').map((label) => (label as { color: string }).color)
    expect(dark).toEqual([theme.paper, theme.paper])
  })

  it('writes amounts and shares beside the bars of a pareto chart', () => {
    const { options } = draw(
      { kind: 'pareto', split: 'c', label: 'n', value: 'a', cumulative: 's' },
      'c n a s',
      ['EUR x 6000 0.6', 'EUR y 4000 1'],
    )
    const [option] = options
    expect([option?.yAxis].flat()[1]).toMatchObject({ data: ['6.00 k', '4.00 k'] })
    const [, share] = [option?.series].flat()
    const { valueFormatter } = (share as { tooltip: { valueFormatter(value: unknown): string } })
      .tooltip
    expect([valueFormatter([0.6, 0]), valueFormatter(1)]).toEqual(['60.0 %', '100.0 %'])
    const [, axis] = [option?.xAxis].flat()
    const { formatter } = (axis as { axisLabel: { formatter(value: number): string } }).axisLabel
    expect(formatter(0.25)).toBe('25 %')
  })

  it('writes values beside bars, above days that have any, and without a sign on both ways', () => {
    const bars = draw({ kind: 'bars', label: ['n'], value: 'a' }, 'n a', ['x 1200', 'y 5'])
    expect(call(bars.options[0], 'series', 'label', 'formatter', { dataIndex: 0 })).toBe('1.20 k')
    const days = draw({ kind: 'histogram', x: 'd', value: 'n' }, 'd n', ['1 4', '3 2'])
    const labels = [4, 0].map((value) =>
      call(days.options[0], 'series', 'label', 'formatter', { value }),
    )
    expect(labels).toEqual(['4', ''])
    const ways = draw({ kind: 'diverging', split: 'c', label: 'p', in: 'i', out: 'o' }, 'c p i o', [
      'EUR x 5 3',
    ])
    expect(call(ways.options[0], 'tooltip', 'valueFormatter', -1234.5)).toBe('1,234.5')
    expect(call(ways.options[0], 'xAxis', 'axisLabel', 'formatter', -2000)).toBe('2 k')
  })

  it('leads from each mark to what its rows have in common', () => {
    const columns = ['c', 'n', 'a'].map((name): ResultColumn => ({ name, kind: 'text' }))
    const rows = [
      ['EUR', 'x', '1'],
      ['EUR', 'y', '2'],
      ['EUR', 'y', '3'],
    ]
    const leadsOf = (chart: DrawnChart) =>
      plotsOf(chart, { columns, rows, isTruncated: false } as never, {
        labels: (c) => c,
        leadOf: (own) => own.map(([, name, value]) => `${name}${value}`).join('+'),
      }).map(({ leads }) => leads)
    const bars = { kind: 'bars', split: 'c', label: ['n'], value: 'a' } as const
    expect(leadsOf(bars)).toEqual([['x1', 'y2', 'y3']])
    expect(leadsOf({ ...bars, sum: true })).toEqual([['x1', 'y2+y3']])
    expect(leadsOf({ ...bars, limit: 1 })).toEqual([['x1']])
    // A kind that does not say which rows a mark is from leads to what all rows have in common.
    const heatmap = { kind: 'heatmap', x: 'a', y: 'a', yLabel: 'n', value: 'a' } as const
    expect(leadsOf(heatmap)).toEqual([['x1+y2+y3']])
    const { plots } = draw(bars, 'c n a', ['EUR x 1'])
    expect(plots[0]).not.toHaveProperty('leads')
  })

  it('fails if the question does not have a column', () => {
    const chart = { kind: 'histogram', x: 'gone', value: 'n' } as const
    expect(() => draw(chart, 'd n', ['1 1'])).toThrow('no column gone')
  })
})

describe('tooltips', () => {
  const words = {
    labels: (column: string) => column.toUpperCase(),
    units: {
      amount: { currency: ['in_currency', 'currency_code'] },
      units: 'bags',
    },
  }
  const optionsOf = (chart: DrawnChart, names: string, rows: readonly string[]) => {
    const columns = names.split(' ').map((name): ResultColumn => ({ name, kind: 'text' }))
    const answer = { columns, rows: rows.map((row) => row.split(' ')), isTruncated: false }
    return plotsOf(chart, answer as never, words).map((plot) => optionOf(plot, theme))
  }

  it('name the value and its currency, and say which week is not whole', () => {
    const [option] = optionsOf(
      { kind: 'lines', split: 'currency_code', x: 'w', y: 'amount', complete: 'ok', step: 'week' },
      'currency_code w ok amount',
      ['EUR 2026-01-05 t 1234567.5', 'EUR 2026-01-12 f 3'],
    )
    const [line] = [option?.series].flat() as {
      name: string
      tooltip: { valueFormatter(value: unknown, place: number): string }
    }[]
    expect(line?.name).toBe('AMOUNT')
    const { valueFormatter: say } = line?.tooltip ?? {}
    expect([say?.(0, 0), say?.('-', 1)]).toEqual(['EUR 1,234,567.50', 'EUR 3.00, not whole'])
  })

  it('name a unit that is not money', () => {
    const chart: DrawnChart = { kind: 'bars', label: ['d'], value: 'units' }
    const [option] = optionsOf(chart, 'd units', ['Bamboo 7680000'])
    expect(call(option, 'tooltip', 'valueFormatter', 7680000)).toBe('7,680,000 bags')
    expect(option?.series).toMatchObject([{ name: 'UNITS' }])
  })

  it('name no currency if the rows differ in it', () => {
    const chart: DrawnChart = { kind: 'bars', label: ['d'], value: 'amount' }
    const [option] = optionsOf(chart, 'd currency_code amount', ['A EUR 1000', 'B USD 2'])
    expect(call(option, 'tooltip', 'valueFormatter', 1000)).toBe('1,000')
  })

  it('show the value of a dot, not its place', () => {
    const chart: DrawnChart = { kind: 'dumbbell', label: ['d'], from: 'a', to: 'units', limit: 2 }
    const [option] = optionsOf(chart, 'd a units', ['A 10 1300'])
    expect(call(option, 'tooltip', 'valueFormatter', [1300, 0])).toBe('1,300 bags')
  })
})
