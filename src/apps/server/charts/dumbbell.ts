import type { EChartsOption } from 'echarts'
import type { Answer } from '../../../platform/presentation/answer.ts'
import type { Row } from '../../../platform/presentation/cursor.ts'
import type { DumbbellChart } from '../../../platform/project/chart.ts'
import { formatDay, roundNumber } from '../../format.ts'
import { tableOf } from './answer-table.ts'
import { baseOption, legend, lyingAxes, tooltip } from './axes.ts'
import { leadsOf, type PlotFrame, type PlotSource, rowsHeightPx, type UnnamedPlot } from './plot.ts'
import { textStyle, type Theme } from './theme.ts'
import { formatInUnit } from './units.ts'

/** Two dots a row, and the way from one to the other. */
export interface DumbbellPlot extends PlotFrame {
  readonly kind: 'dumbbell'
  readonly labels: readonly string[]
  readonly from: readonly number[]
  readonly to: readonly number[]
  /** What people call `from` and `to`. */
  readonly names: readonly [string, string]
}

/** Whether some row has a value to compare with. Throws what `AnswerTable` throws. */
export function hasComparison(chart: DumbbellChart, answer: Answer): boolean {
  const { rows, text } = tableOf(answer)
  return rows.some((row) => text(row, chart.from) !== '')
}

/**
 * Why no row has a value to compare with, in a sentence. An empty `against` means that the page
 * compares nothing. Throws what `AnswerTable` throws.
 */
export function sayIncomparable(
  { since }: DumbbellChart,
  answer: Answer,
  against?: string,
): string {
  if (against === '') return 'Nothing is compared. The table shows what is known.'
  const { rows, text } = tableOf(answer)
  const day = since === undefined ? '' : text(rows[0] ?? [], since)
  const why = day === '' ? '' : `: the data begin on ${formatDay(day)}`
  return `Nothing to compare with yet${why}. The table shows what is known.`
}

/**
 * Plots the first rows that rise and the last rows that fall, among those with a value to compare
 * with. Throws what `AnswerTable` throws.
 */
export function plotDumbbell(chart: DumbbellChart, source: PlotSource): UnnamedPlot<DumbbellPlot> {
  const { table, labels } = source
  const { text, number, label } = table
  const rows = table.rows.filter((row) => text(row, chart.from) !== '')
  const changeOf = (row: Row): number => number(row, chart.to) - number(row, chart.from)
  const rising = rows.filter((row) => changeOf(row) > 0).slice(0, chart.limit)
  const falling = rows.filter((row) => changeOf(row) < 0).slice(-chart.limit)
  const shown = [...rising, ...falling]
  const say = (row: Row | undefined): string =>
    row === undefined
      ? 'none'
      : `${label(row, chart.label)} from ${roundNumber(number(row, chart.from))} to ${roundNumber(number(row, chart.to))}`
  return {
    kind: 'dumbbell',
    labels: shown.map((row) => label(row, chart.label)),
    from: shown.map((row) => number(row, chart.from)),
    to: shown.map((row) => number(row, chart.to)),
    names: [labels(chart.from), labels(chart.to)],
    ...leadsOf(
      shown.map((row) => [row]),
      source,
    ),
    aside: '',
    sentence: `the greatest rise is ${say(rising[0])}, the greatest fall ${say(falling.at(-1))}.`,
    heightPx: rowsHeightPx(shown.length, 24) + 26,
  }
}

type Way = readonly [from: number, to: number]

/** Draws the way as a thin bar that floats on an invisible one, with a dot at each end. */
export function dumbbellOption(plot: DumbbellPlot, theme: Theme): EChartsOption {
  const { labels, from, to, names, unit } = plot
  const ways = from.map((value, place): Way => [value, to[place] ?? 0])
  const ends = ways.map(([a, b]) => `▲ ${roundNumber(Math.abs(b - a))}`)
  return {
    ...baseOption(theme),
    tooltip: {
      ...tooltip(theme),
      valueFormatter: (value) => formatInUnit(Array.isArray(value) ? value[0] : value, unit),
    },
    ...lyingAxes(labels, { theme, hasLegend: true, ends }),
    series: [
      ...wayBars(ways, theme),
      ...endDots(ways, { names, theme }),
      changeLabels(ways, theme),
    ],
    legend: { ...legend(theme), top: 0, left: 0, data: [...names] },
  }
}

function wayBars(ways: readonly Way[], { up, down }: Theme) {
  const shared = { type: 'bar' as const, stack: 'way', silent: true, tooltip: { show: false } }
  return [
    {
      ...shared,
      name: 'base',
      data: ways.map(([a, b]) => Math.min(a, b)),
      itemStyle: { color: 'transparent' },
    },
    {
      ...shared,
      name: 'way',
      barWidth: 3,
      data: ways.map(([a, b]) => ({
        value: Math.abs(b - a),
        itemStyle: { color: b >= a ? up : down, opacity: 0.55 },
      })),
    },
  ]
}

function endDots(
  ways: readonly Way[],
  { names, theme }: { names: DumbbellPlot['names']; theme: Theme },
) {
  return [
    {
      type: 'scatter' as const,
      name: names[0],
      symbolSize: 8,
      data: ways.map(([a], place) => [a, place]),
      itemStyle: { color: theme.paper, borderColor: theme.muted, borderWidth: 1.5 },
    },
    {
      type: 'scatter' as const,
      name: names[1],
      symbolSize: 10,
      data: ways.map(([a, b], place) => ({
        value: [b, place],
        itemStyle: { color: b >= a ? theme.up : theme.down },
      })),
      itemStyle: { color: theme.muted },
    },
  ]
}

/** Invisible dots at the right ends, which carry the texts. */
function changeLabels(ways: readonly Way[], theme: Theme) {
  return {
    type: 'scatter' as const,
    name: 'change',
    silent: true,
    symbolSize: 10,
    data: ways.map(([a, b], place) => ({
      value: [Math.max(a, b), place],
      label: {
        show: true,
        position: 'right' as const,
        formatter: `${b >= a ? '▲' : '▼'} ${roundNumber(Math.abs(b - a))}`,
        ...textStyle(theme, theme.ink),
      },
    })),
    itemStyle: { color: 'transparent' },
    tooltip: { show: false },
  }
}
