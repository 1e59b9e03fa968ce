import type { EChartsOption } from 'echarts'
import type { ParetoChart } from '../../../platform/project/chart.ts'
import { formatRatio, roundNumber } from '../../format.ts'
import { ratedRows, sayLeftOut } from './answer-table.ts'
import { baseOption, lyingAxes } from './axes.ts'
import { leadsOf, type PlotFrame, type PlotSource, rowsHeightPx, type UnnamedPlot } from './plot.ts'
import { mix, textStyle, type Theme } from './theme.ts'

/** Bars, with their cumulative share as a line. */
export interface ParetoPlot extends PlotFrame {
  readonly kind: 'pareto'
  readonly labels: readonly string[]
  readonly values: readonly number[]
  /** The share from the first row to this one, 0 to 1. */
  readonly cumulative: readonly number[]
}

/** Plots the first rows. Throws what `AnswerTable` throws. */
export function plotPareto(chart: ParetoChart, source: PlotSource): UnnamedPlot<ParetoPlot> {
  const { table } = source
  const { text, number } = table
  const rows = ratedRows(table, chart)
  const left = sayLeftOut(table, chart.leftOut)
  const shown = rows.slice(0, chart.limit)
  const labels = shown.map((row) => text(row, chart.label))
  const values = shown.map((row) => number(row, chart.value))
  const cumulative = shown.map((row) => number(row, chart.cumulative))
  const third = cumulative[Math.min(2, shown.length - 1)] ?? 0
  const share = formatRatio(third).replace('+', '')
  return {
    kind: 'pareto',
    labels,
    values,
    cumulative,
    ...leadsOf(
      shown.map((row) => [row]),
      source,
    ),
    aside: `${rows.length === 0 ? NOTHING : `first three: ${share}`}${left}`,
    sentence: `${
      rows.length === 0
        ? NOTHING
        : `the biggest of ${rows.length} is ${labels[0] ?? 'none'} with ${roundNumber(values[0] ?? 0)}; the first three make up ${share} of the total`
    }${left}.`,
    heightPx: rowsHeightPx(shown.length) + 44,
  }
}

const NOTHING = 'nothing has a rate'
const SHARE = 'share so far'

/** Draws the amounts from the left, and the cumulative share on a separate axis beneath. */
export function paretoOption(plot: ParetoPlot, theme: Theme): EChartsOption {
  const ends = plot.values.map(roundNumber)
  const base = lyingAxes(plot.labels, { theme, hasLegend: true })
  const { valueName = 'Amount' } = plot
  return {
    ...baseOption(theme, plot),
    ...base,
    grid: { ...base.grid, right: 2 },
    legend: { ...base.legend, data: [valueName, SHARE] },
    xAxis: [base.xAxis, shareAxis(theme)],
    // The amounts stand beyond the line, which would cross them at the ends of their bars.
    yAxis: [
      base.yAxis,
      {
        ...base.yAxis,
        position: 'right',
        data: ends,
        axisLabel: { ...textStyle(theme, theme.ink), interval: 0 },
      },
    ],
    series: [
      {
        type: 'bar',
        name: valueName,
        barMaxWidth: 18,
        data: [...plot.values],
        itemStyle: { color: mix(theme.paper, theme.main, 0.4) },
      },
      {
        type: 'line',
        name: SHARE,
        xAxisIndex: 1,
        symbol: 'circle',
        symbolSize: 6,
        data: plot.cumulative.map((share, place) => [share, place]),
        lineStyle: { width: 1.5, color: theme.ink },
        itemStyle: { color: theme.ink },
        tooltip: {
          valueFormatter: (value) =>
            `${(Number(Array.isArray(value) ? value[0] : value) * 100).toFixed(1)} %`,
        },
      },
    ],
  }
}

function shareAxis(theme: Theme) {
  return {
    type: 'value' as const,
    position: 'bottom' as const,
    min: 0,
    max: 1,
    interval: theme.widthPx < 370 ? 0.5 : 0.25,
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: theme.line } },
    axisLabel: {
      ...textStyle(theme),
      hideOverlap: true,
      formatter: (value: number) => `${Math.round(value * 100)} %`,
    },
  }
}
