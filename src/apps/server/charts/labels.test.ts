import { describe, expect, it } from 'vitest'
import { chartTheme } from '../../../../test/support/chart-theme.ts'
import { divergingOption } from './diverging.ts'
import { heatmapOption } from './heatmap.ts'
import { histogramOption } from './histogram.ts'
import { linesOption } from './lines.ts'
import { paretoOption } from './pareto.ts'

const frame = { name: '', color: '--accent', aside: '', sentence: '', heightPx: 200 }

/** What the first series has, as far as these tests read it. */
interface Series {
  readonly showAllSymbol?: boolean
  readonly label?: { readonly show: boolean }
  readonly data: readonly unknown[]
}

const seriesOf = ({ series }: { series?: unknown }): Series[] => [series].flat() as Series[]

describe('the last whole value of a line', () => {
  const labelOf = (values: readonly number[], unit?: string) => {
    const option = linesOption(
      {
        ...frame,
        kind: 'lines',
        labels: values.map(String),
        values,
        complete: values.map((_, place) => place < 3),
        isRate: false,
        ...(unit === undefined ? {} : { unit }),
      },
      chartTheme(400),
    )
    const [line, part] = seriesOf(option)
    // All symbols, because the one with the value must not be left out.
    expect([line?.showAllSymbol, part?.showAllSymbol]).toEqual([true, true])
    const { label } = line!.data[2] as { label: Record<string, unknown> }
    const { right } = option.grid as { right: number }
    return { ...label, right }
  }

  it('stands above a peak and below a valley', () => {
    expect(labelOf([50, 60, 90, 20])).toMatchObject({ position: 'top', align: 'center' })
    expect(labelOf([50, 90, 60, 80])).toMatchObject({ position: 'bottom', align: 'center' })
  })

  it('stands to the right of a line that falls or rises through it, and has room there', () => {
    const falling = labelOf([50, 90, 60, 1])
    expect(falling).toMatchObject({ position: 'top', align: 'left' })
    expect(falling.right).toBeGreaterThan(labelOf([50, 60, 90, 20]).right)
    expect(labelOf([50, 40, 60, 90])).toMatchObject({ position: 'bottom', align: 'left' })
    expect(labelOf([0, 1, 2, 90])).toMatchObject({ position: 'right', align: 'left' })
  })

  it('is written with its cents if it is money below a thousand', () => {
    expect(labelOf([17, 18, 17.1, 19], 'GBP')).toMatchObject({ formatter: '17.10' })
    expect(labelOf([17, 18, 17_100, 19], 'GBP')).toMatchObject({ formatter: '17.1 k' })
    expect(labelOf([17, 18, 17, 19], 'bags')).toMatchObject({ formatter: '17' })
  })
})

it('the amounts of a pareto chart stand beyond its line', () => {
  const plot = { ...frame, kind: 'pareto' as const, labels: ['A', 'B'], values: [9000, 10] }
  const option = paretoOption({ ...plot, cumulative: [0.9, 1] }, chartTheme(300))
  expect(option.yAxis).toMatchObject([
    { data: ['A', 'B'] },
    { data: ['9.00 k', '10'], position: 'right', axisLabel: { interval: 0 } },
  ])
  expect(seriesOf(option)[0]?.label).toBeUndefined()
})

it('a heatmap writes numbers only if the longest fits its cell', () => {
  const xs = Array.from({ length: 24 }, (_, hour) => String(hour))
  const draw = (most: number, widthPx: number) =>
    seriesOf(
      heatmapOption(
        { ...frame, kind: 'heatmap', xs, ys: ['Monday'], cells: [[0, 0, most]], counted: 'orders' },
        chartTheme(widthPx),
      ),
    )[0]?.label?.show
  expect([draw(158, 580), draw(158, 440), draw(15, 440), draw(1580, 580)]).toEqual([
    true,
    false,
    true,
    false,
  ])
})

it('the last name below a histogram ends with its bar, and numbers have a minus', () => {
  const plot = { ...frame, kind: 'histogram' as const, axis: 'days late' }
  const other = histogramOption(
    { ...plot, labels: ['-1', '0', 'never'], values: [1, 2, 3] },
    chartTheme(400),
  )
  expect(other.xAxis).toMatchObject({
    axisLabel: { showMaxLabel: true, alignMaxLabel: 'right' },
  })
  const { axisLabel } = other.xAxis as { axisLabel: { formatter(label: string): string } }
  expect(['-1', '0', 'never-paid'].map(axisLabel.formatter)).toEqual(['−1', '0', 'never-paid'])
  const plain = histogramOption({ ...plot, labels: ['-1', '0'], values: [1, 2] }, chartTheme(400))
  expect(plain.xAxis).not.toMatchObject({ axisLabel: { alignMaxLabel: 'right' } })
})

it('a bar of nothing has no border', () => {
  const option = divergingOption(
    {
      ...frame,
      kind: 'diverging',
      labels: ['a', 'b'],
      in: [5, 5],
      out: [0, 2],
      names: ['in', 'out'],
    },
    chartTheme(400),
  )
  expect(seriesOf(option)[1]?.data).toMatchObject([
    { itemStyle: { borderWidth: 0 } },
    { itemStyle: expect.not.objectContaining({ borderWidth: 0 }) },
  ])
})
