import type { EChartsOption } from 'echarts'
import type { HistogramChart } from '../../../platform/project/chart.ts'
import { roundNumber } from '../../format.ts'
import type { AnswerTable } from './answer-table.ts'
import { amountAxis, baseOption } from './axes.ts'
import type { PlotFrame, PlotSource, UnnamedPlot } from './plot.ts'
import { mix, stripes, textStyle, type Theme } from './theme.ts'
import { formatAmount } from './units.ts'

/** Vertical bars over whole numbers, and one more for rows without a number. */
export interface HistogramPlot extends PlotFrame {
  readonly kind: 'histogram'
  /** A number, or the name of the bar for rows without one. */
  readonly labels: readonly string[]
  readonly values: readonly number[]
  /** What the numbers beneath the bars count. */
  readonly axis: string
}

/** Bars beyond the first are left out from here on. */
const MAX_SPAN = 60

interface Bar {
  readonly label: string
  readonly value: number
}

/**
 * Plots a bar for each number from the first to the last, gaps included. Throws what `AnswerTable`
 * throws.
 */
export function plotHistogram(
  chart: HistogramChart,
  { table, labels }: PlotSource,
): UnnamedPlot<HistogramPlot> {
  const bars = countBars(chart, table)
  const axis = labels(chart.x).toLowerCase()
  const most = bars.reduce((best, bar) => (bar.value > best.value ? bar : best))
  const total = bars.reduce((sum, bar) => sum + bar.value, 0)
  return {
    kind: 'histogram',
    labels: bars.map(({ label }) => label),
    values: bars.map(({ value }) => value),
    axis,
    aside: '',
    sentence: `${roundNumber(total)} ${labels(chart.value).toLowerCase()} by ${axis}; the most, ${roundNumber(most.value)}, at ${most.label}.`,
    heightPx: 240,
  }
}

function countBars(chart: HistogramChart, { rows, text, number }: AnswerTable): Bar[] {
  const counted = rows.filter((row) => text(row, chart.x) !== '')
  const days = counted.map((row) => number(row, chart.x))
  const first = Math.min(...days)
  const last = Math.min(Math.max(...days), first + MAX_SPAN)
  const bars = Array.from({ length: counted.length === 0 ? 0 : last - first + 1 }, (_, at) => {
    const row = counted.find((each) => number(each, chart.x) === first + at)
    return { label: String(first + at), value: row === undefined ? 0 : number(row, chart.value) }
  })
  const other = rows.find((row) => text(row, chart.x) === '')
  return other === undefined || chart.other === undefined
    ? bars
    : [...bars, { label: chart.other, value: number(other, chart.value) }]
}

/** Draws the bar without a number in the colour of what is bad, striped. */
export function histogramOption(plot: HistogramPlot, theme: Theme): EChartsOption {
  const { labels, values, axis, valueName = 'Rows' } = plot
  const hasOther = Number.isNaN(Number(labels.at(-1)))
  return {
    ...baseOption(theme),
    grid: { left: 4, right: 8, top: 22, bottom: 22, containLabel: true },
    xAxis: {
      type: 'category',
      data: [...labels],
      name: axis,
      nameLocation: 'middle',
      nameGap: 26,
      nameTextStyle: textStyle(theme),
      axisLine: { lineStyle: { color: theme.line } },
      axisTick: { show: false },
      axisLabel: {
        ...textStyle(theme),
        hideOverlap: true,
        formatter: (label: string) => label.replace(/^-/, '−'),
        // The bar without a number is the last one, and its name is wider than the bar.
        ...(hasOther ? { showMaxLabel: true, alignMaxLabel: 'right' as const } : {}),
      },
    },
    yAxis: { ...amountAxis(theme), minInterval: 1 },
    series: [
      {
        type: 'bar',
        name: valueName,
        tooltip: {
          valueFormatter: (value, place) =>
            `${formatAmount(value)}${Number.isNaN(Number(labels[place])) ? '' : `, ${axis} ${labels[place]}`}`,
        },
        barCategoryGap: '20%',
        barMaxWidth: 64,
        data: values.map((value, place) => ({
          value,
          itemStyle: Number.isNaN(Number(labels[place]))
            ? { color: mix(theme.paper, theme.down, 0.75), decal: stripes(theme) }
            : { color: theme.main },
        })),
        label: {
          show: values.length <= 16,
          position: 'top',
          formatter: ({ value }) => (value === 0 ? '' : roundNumber(Number(value))),
          ...textStyle(theme, theme.ink),
        },
      },
    ],
  }
}
