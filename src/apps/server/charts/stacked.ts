import type { EChartsOption } from 'echarts'
import type { StackedChart } from '../../../platform/project/chart.ts'
import { formatNumber, formatShortDay, roundNumber } from '../../format.ts'
import type { AnswerTable } from './answer-table.ts'
import { amountAxis, baseOption, legendBesideOrBelow, timeAxis } from './axes.ts'
import { everyStep } from './every-step.ts'
import type { PlotFrame, PlotSource, UnnamedPlot } from './plot.ts'
import { decalOf, type Theme } from './theme.ts'

/** Bars over steps of time, each a stack of values, with the greatest at the bottom. */
export interface StackedPlot extends PlotFrame {
  readonly kind: 'stacked'
  readonly labels: readonly string[]
  readonly series: readonly { readonly name: string; readonly values: readonly number[] }[]
  /** Whether the step at the same place is whole. */
  readonly complete: readonly boolean[]
}

/**
 * Plots a bar for each step, stacked by the values of `stack`. A step without rows between two others
 * is an empty bar, and whole, because the period holds both of its neighbours. Throws what
 * `AnswerTable` throws.
 */
export function plotStacked(
  chart: StackedChart,
  { table, labels }: PlotSource,
): UnnamedPlot<StackedPlot> {
  const { rows, text, number } = table
  const { step } = chart
  const found = new Set(rows.map((row) => text(row, chart.x)))
  const starts = everyStep([...found], step)
  const counts = countByName(chart, table)
  const names = [...counts].toSorted((a, b) => b[1] - a[1]).map(([name]) => name)
  const keyOf = (start: string, name: string): string => `${start} ${name}`
  const values = new Map(
    rows.map((row) => [
      keyOf(text(row, chart.x), text(row, chart.stack)),
      number(row, chart.value),
    ]),
  )
  const whole = new Set(
    rows.flatMap((row) => (text(row, chart.complete) === 't' ? [text(row, chart.x)] : [])),
  )
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const [most = ''] = names
  return {
    kind: 'stacked',
    labels: starts.map((start) => formatShortDay(start, step)),
    series: names.map((name) => ({
      name: inWords(name),
      values: starts.map((start) => values.get(keyOf(start, name)) ?? 0),
    })),
    complete: starts.map((start) => whole.has(start) || !found.has(start)),
    aside: '',
    sentence: `${roundNumber(total)} ${labels(chart.value).toLowerCase()} in ${formatNumber(starts.length, step)}, most of them in ${inWords(most)} (${roundNumber(counts.get(most) ?? 0)}).`,
    heightPx: 60 + Math.max(names.length * 22, 200),
  }
}

function countByName(
  chart: StackedChart,
  { rows, text, number }: AnswerTable,
): Map<string, number> {
  const counts = new Map<string, number>()
  for (const row of rows) {
    const name = text(row, chart.stack)
    counts.set(name, (counts.get(name) ?? 0) + number(row, chart.value))
  }
  return counts
}

/** `agreed delivery date` for a column, `member` for `member_id`. */
function inWords(column: string): string {
  return column.replace(/_id$/, '').replaceAll('_', ' ')
}

function inTwoLines(step: string): string {
  return step.replace(', ', ',\n')
}

/** Draws each value of the stack in its own colour and pattern. A step that is not whole is paler. */
export function stackedOption(plot: StackedPlot, theme: Theme): EChartsOption {
  const { labels, series, complete } = plot
  const steps = labels.map((label, at) => (complete[at] === true ? label : `${label}, not whole`))
  const names = series.map(({ name }) => name)
  const axis = timeAxis(steps, theme)
  return {
    ...baseOption(theme, plot),
    ...legendBesideOrBelow(names, theme),
    xAxis: {
      ...axis,
      boundaryGap: true,
      axisLabel: { ...axis.axisLabel, lineHeight: 14, formatter: inTwoLines },
    },
    yAxis: { ...amountAxis(theme), minInterval: 1 },
    series: series.map(({ name, values }, place) => ({
      type: 'bar' as const,
      name,
      stack: 'all',
      barMaxWidth: 56,
      data: values.map((value, at) => ({
        value,
        itemStyle: { opacity: complete[at] === true ? 1 : 0.75 },
      })),
      itemStyle: {
        color: theme.series[place % theme.series.length] ?? theme.main,
        borderColor: theme.paper,
        borderWidth: 1,
        ...decalOf(place, theme),
      },
    })),
  }
}
