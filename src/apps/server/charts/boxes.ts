import type { EChartsOption } from 'echarts'
import type { BoxesChart } from '../../../platform/project/chart.ts'
import { amountAxis, baseOption, lyingAxes, tooltip } from './axes.ts'
import { leadsOf, type PlotFrame, type PlotSource, rowsHeightPx, type UnnamedPlot } from './plot.ts'
import { mix, type Theme } from './theme.ts'
import { formatInUnit } from './units.ts'

/** Lying boxes: lowest, quartiles and highest. */
export interface BoxesPlot extends PlotFrame {
  readonly kind: 'boxes'
  readonly labels: readonly string[]
  /** Lowest, lower quartile, median, upper quartile, highest. */
  readonly fives: readonly (readonly number[])[]
}

/** Plots a box a row, for the first rows. Throws what `AnswerTable` throws. */
export function plotBoxes(chart: BoxesChart, source: PlotSource): UnnamedPlot<BoxesPlot> {
  const { table } = source
  const shown = table.rows.slice(0, chart.limit)
  const [, , median] = chart.five
  const medians = shown.map((row) => table.number(row, median)).toSorted((a, b) => a - b)
  return {
    kind: 'boxes',
    labels: shown.map((row) => table.label(row, chart.label)),
    fives: shown.map((row) => chart.five.map((column) => table.number(row, column))),
    ...leadsOf(
      shown.map((row) => [row]),
      source,
    ),
    aside: `${chart.measure} of one`,
    sentence: `of ${shown.length} ${chart.things} the median ${chart.measure} lies between ${medians[0]?.toFixed(2)} and ${medians.at(-1)?.toFixed(2)}.`,
    heightPx: rowsHeightPx(shown.length),
  }
}

/** Draws the boxes on an axis that need not begin at zero. */
export function boxesOption(plot: BoxesPlot, theme: Theme): EChartsOption {
  const { labels, fives, aside, unit } = plot
  return {
    ...baseOption(theme, plot),
    ...lyingAxes(labels, { theme, hasLegend: false }),
    grid: { left: 2, right: 14, top: 4, bottom: 2, containLabel: true },
    xAxis: { ...amountAxis(theme), scale: true },
    tooltip: {
      ...tooltip(theme),
      trigger: 'item',
      valueFormatter: (value) => formatInUnit(value, unit),
    },
    series: [
      {
        type: 'boxplot',
        name: aside,
        layout: 'vertical',
        boxWidth: [8, 13],
        data: fives.map((five) => [...five]),
        itemStyle: {
          color: mix(theme.paper, theme.main, 0.18),
          borderColor: theme.main,
          borderWidth: 1.4,
        },
      },
    ],
  }
}
