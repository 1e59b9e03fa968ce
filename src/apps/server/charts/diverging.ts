import type { EChartsOption } from 'echarts'
import type { DivergingChart } from '../../../platform/project/chart.ts'
import { formatNumber, formatShortDay, roundNumber } from '../../format.ts'
import { sayLeftOut } from './answer-table.ts'
import {
  amountAxis,
  baseOption,
  legend,
  lyingAxes,
  shortNumber,
  timeAxis,
  tooltip,
} from './axes.ts'
import { leadsOf, type PlotFrame, type PlotSource, rowsHeightPx, type UnnamedPlot } from './plot.ts'
import { mix, stripes, textStyle, type Theme } from './theme.ts'
import { formatInUnit } from './units.ts'

/** Bars to two sides: what comes in to one, what goes out to the other. */
export interface DivergingPlot extends PlotFrame {
  readonly kind: 'diverging'
  readonly labels: readonly string[]
  /** Null if an amount is unknown. */
  readonly in: readonly (number | null)[]
  readonly out: readonly (number | null)[]
  /** What people call `in` and `out`. */
  readonly names: readonly [string, string]
  /** For steps along a time axis, whether each is whole. Undefined for rows below each other. */
  readonly complete?: readonly boolean[]
}

/** Plots two bars a row, for the first rows. Throws what `AnswerTable` throws. */
export function plotDiverging(
  chart: DivergingChart,
  source: PlotSource,
): UnnamedPlot<DivergingPlot> {
  const { table, labels } = source
  const { text, amount } = table
  const { complete } = chart
  const shown = table.rows.slice(0, chart.limit)
  const { step } = chart
  const names: readonly [string, string] = [labels(chart.in), labels(chart.out)]
  const amountsIn = shown.map((row) => amount(row, chart.in))
  const amountsOut = shown.map((row) => amount(row, chart.out))
  const [sayIn, sayOut] = [
    `${names[0].toLowerCase()} ${sumOf(amountsIn)}`,
    `${names[1].toLowerCase()} ${sumOf(amountsOut)}`,
  ]
  const left = sayLeftOut({ ...table, rows: shown }, chart.leftOut)
  return {
    kind: 'diverging',
    labels: shown.map((row) => {
      const label = text(row, chart.label)
      return step === undefined ? label : formatShortDay(label, step)
    }),
    in: amountsIn,
    out: amountsOut,
    names,
    ...(complete === undefined
      ? {}
      : { complete: shown.map((row) => text(row, complete) === 't') }),
    ...leadsOf(
      shown.map((row) => [row]),
      source,
    ),
    aside: `${sayIn} · ${sayOut}${left}`,
    sentence: `${sayIn}, ${sayOut}, in ${formatNumber(shown.length, step ?? 'row')}${left}.`,
    heightPx: step === undefined ? rowsHeightPx(shown.length) : 240,
  }
}

function sumOf(values: readonly (number | null)[]): string {
  return roundNumber(values.reduce<number>((total, value) => total + (value ?? 0), 0))
}

/**
 * Draws what goes out striped, to the other side of zero, and writes every amount without a sign.
 */
export function divergingOption(plot: DivergingPlot, theme: Theme): EChartsOption {
  const { labels, names, complete, unit } = plot
  const axis = {
    ...amountAxis(theme),
    axisLabel: {
      ...textStyle(theme),
      hideOverlap: true,
      formatter: (value: number) => shortNumber(Math.abs(value)),
    },
  }
  const shared = {
    ...baseOption(theme),
    tooltip: {
      ...tooltip(theme),
      valueFormatter: (value: unknown) => formatInUnit(Math.abs(Number(value)), unit),
    },
    legend: { ...legend(theme), top: 0, left: 0, data: [...names] },
    series: bothSeries(plot, theme),
  }
  return complete !== undefined
    ? {
        ...shared,
        grid: { left: 4, right: 8, top: 32, bottom: 2, containLabel: true },
        xAxis: { ...timeAxis(labels, theme), boundaryGap: true },
        yAxis: axis,
      }
    : {
        ...shared,
        ...lyingAxes(labels, { theme, hasLegend: true }),
        grid: { left: 2, right: 14, top: 26, bottom: 2, containLabel: true },
        xAxis: axis,
      }
}

function bothSeries(plot: DivergingPlot, theme: Theme) {
  const barsOf = (values: readonly (number | null)[], sign: 1 | -1) =>
    values.map((value, place) => ({
      value: value === null ? '-' : value * sign,
      itemStyle: {
        opacity: plot.complete?.[place] === false ? 0.5 : 1,
        // The border of a bar of nothing is a line on the end of the other bar.
        ...(value === 0 ? { borderWidth: 0 } : {}),
      },
    }))
  const [nameIn, nameOut] = plot.names
  return [
    {
      type: 'bar' as const,
      name: nameIn,
      stack: 'both',
      barCategoryGap: '25%',
      data: barsOf(plot.in, 1),
      itemStyle: { color: theme.main },
    },
    {
      type: 'bar' as const,
      name: nameOut,
      stack: 'both',
      data: barsOf(plot.out, -1),
      itemStyle: {
        color: mix(theme.paper, theme.main, 0.3),
        borderColor: theme.main,
        borderWidth: 1,
        decal: stripes(theme),
      },
    },
  ]
}
