import type { EChartsOption } from 'echarts'
import type { HeatmapChart } from '../../../platform/project/chart.ts'
import { roundNumber } from '../../format.ts'
import { baseOption, tooltip } from './axes.ts'
import type { PlotFrame, PlotSource, UnnamedPlot } from './plot.ts'
import { mix, textStyle, type Theme } from './theme.ts'
import { formatAmount } from './units.ts'

/** Cells by hour and day, darker the more there is. */
export interface HeatmapPlot extends PlotFrame {
  readonly kind: 'heatmap'
  readonly xs: readonly string[]
  readonly ys: readonly string[]
  /** Place in `xs`, place in `ys`, value. */
  readonly cells: readonly (readonly [number, number, number])[]
  /** What the values count. */
  readonly counted: string
}

/**
 * Plots every hour between the first and the last, and every day named. Throws what `AnswerTable`
 * throws.
 */
export function plotHeatmap(
  chart: HeatmapChart,
  { table, labels }: PlotSource,
): UnnamedPlot<HeatmapPlot> {
  const { rows, text, number } = table
  const byDay = rows.toSorted((a, b) => number(a, chart.y) - number(b, chart.y))
  const ys = [...new Set(byDay.map((row) => text(row, chart.yLabel)))]
  const hours = rows.map((row) => number(row, chart.x))
  const first = Math.min(...hours)
  const last = Math.max(...hours)
  const xs = Array.from({ length: last - first + 1 }, (_, at) =>
    String(first + at).padStart(2, '0'),
  )
  const cells = rows.map((row): [number, number, number] => [
    number(row, chart.x) - first,
    ys.indexOf(text(row, chart.yLabel)),
    number(row, chart.value),
  ])
  const unit = labels(chart.value).toLowerCase()
  const [x, y, most] = cells.reduce((best, cell) => (cell[2] > best[2] ? cell : best))
  const axes = `${labels(chart.y).toLowerCase()} and ${labels(chart.x).toLowerCase().replace('utc', 'UTC')}`
  return {
    kind: 'heatmap',
    xs,
    ys,
    cells,
    counted: unit,
    aside: '',
    sentence: `${unit} by ${axes}; the most, ${roundNumber(most)}, on ${ys[y]} at ${xs[x]}:00.`,
    heightPx: ys.length * 34 + 60,
  }
}

/** The width of a digit in a cell, and what the names of the rows take at most. */
const DIGIT_PX = 5.8
const NAMES_PX = 80

/** Draws the cells between paper and the plot's colour, and their values if there is room. */
export function heatmapOption(plot: HeatmapPlot, theme: Theme): EChartsOption {
  const { xs, ys, cells, counted: unit } = plot
  const most = Math.max(...cells.map(([, , value]) => value))
  const longest = Math.max(...cells.map(([, , value]) => roundNumber(value).length))
  const quietAxis = { axisLine: { show: false }, axisTick: { show: false } }
  return {
    ...baseOption(theme),
    tooltip: {
      ...tooltip(theme),
      trigger: 'item',
      formatter: (params) => {
        const [x = 0, y = 0, value = 0] = (params as { value: number[] }).value
        return `${ys[y]} ${xs[x]}:00, ${formatAmount(value)} ${unit}`
      },
    },
    grid: { left: 4, right: 4, top: 4, bottom: 2, containLabel: true },
    xAxis: { type: 'category', data: [...xs], ...quietAxis, axisLabel: textStyle(theme) },
    yAxis: {
      type: 'category',
      inverse: true,
      data: [...ys],
      ...quietAxis,
      axisLabel: textStyle(theme, theme.ink),
    },
    visualMap: {
      show: false,
      type: 'continuous',
      min: 0,
      max: most,
      inRange: { color: [mix(theme.paper, theme.main, 0.06), theme.main] },
    },
    series: [
      {
        type: 'heatmap',
        data: cells.map(([x, y, value]) => ({
          value: [x, y, value],
          label: { color: value > most * 0.5 ? theme.paper : theme.ink },
        })),
        label: {
          show: longest * DIGIT_PX + 2 <= (theme.widthPx - NAMES_PX) / xs.length,
          formatter: (params) => roundNumber((params.value as number[])[2] ?? 0),
          fontFamily: theme.font,
          fontSize: 10,
        },
        itemStyle: { borderColor: theme.paper, borderWidth: 2, borderRadius: 3 },
      },
    ],
  }
}
