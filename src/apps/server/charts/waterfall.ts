import type { EChartsOption } from 'echarts'
import type { WaterfallChart } from '../../../platform/project/chart.ts'
import { roundNumber } from '../../format.ts'
import { amountAxis, baseOption } from './axes.ts'
import type { PlotFrame, PlotSource, UnnamedPlot } from './plot.ts'
import { stripes, textStyle, type Theme } from './theme.ts'
import { formatInUnit } from './units.ts'

/** Steps from a first total to a last one. */
export interface WaterfallPlot extends PlotFrame {
  readonly kind: 'waterfall'
  readonly labels: readonly string[]
  /** The first and the last are totals, the others are steps between them. */
  readonly values: readonly number[]
}

/**
 * Plots the columns of the first row. If the first column is zero, the next step becomes the first
 * total, because it would dwarf all others. Throws what `AnswerTable` throws.
 */
export function plotWaterfall(
  chart: WaterfallChart,
  { table, labels }: PlotSource,
): UnnamedPlot<WaterfallPlot> {
  const [row = []] = table.rows
  const [first = '', ...others] = chart.steps
  const steps = table.number(row, first) === 0 ? others : chart.steps
  const names = steps.map((column) => labels(column))
  const values = steps.map((column) => table.number(row, column))
  const parts = names.map(
    (name, place) => `${name.toLowerCase()} ${roundNumber(values[place] ?? 0)}`,
  )
  return {
    kind: 'waterfall',
    labels: names,
    values,
    aside: `${roundNumber(values.at(-1) ?? 0)} ${names.at(-1)?.toLowerCase()}`,
    sentence: `${parts.join(', ')}.`,
    heightPx: 230,
  }
}

interface Step {
  readonly value: number
  readonly isTotal: boolean
  /** Where its bar begins, and how high it is. */
  readonly base: number
  readonly height: number
}

/** Draws each step as a bar that floats on an invisible one, so that steps begin where others end. */
export function waterfallOption(plot: WaterfallPlot, theme: Theme): EChartsOption {
  const { labels, values, unit } = plot
  const steps = stepsOf(values)
  return {
    ...baseOption(theme),
    grid: { left: 4, right: 4, top: 24, bottom: 2, containLabel: true },
    xAxis: {
      type: 'category',
      data: [...labels],
      axisLine: { lineStyle: { color: theme.line } },
      axisTick: { show: false },
      axisLabel: { ...textStyle(theme), interval: 0 },
    },
    yAxis: { ...amountAxis(theme), show: false, ...rangeOf(steps) },
    series: [
      {
        type: 'bar',
        stack: 'steps',
        silent: true,
        data: steps.map(({ base }) => base),
        itemStyle: { color: 'transparent' },
        tooltip: { show: false },
      },
      {
        type: 'bar',
        name: 'Amount',
        stack: 'steps',
        barCategoryGap: '22%',
        data: steps.map((step) => stepBar(step, theme)),
        tooltip: { valueFormatter: (_, place) => formatInUnit(values[place], unit) },
      },
    ],
  }
}

function stepsOf(values: readonly number[]): Step[] {
  let level = 0
  return values.map((value, place) => {
    const isTotal = place === 0 || place === values.length - 1
    const start = isTotal ? 0 : level
    const end = isTotal ? value : level + value
    level = end
    return { value, isTotal, base: Math.min(start, end), height: Math.abs(end - start) }
  })
}

/** A range in which the steps can be seen: it begins a little below the lowest of them. */
function rangeOf(steps: readonly Step[]): { min: number; max: number } {
  const levels = steps.slice(1, -1).flatMap(({ base, height }) => [base, base + height])
  const low = Math.min(...levels, steps.at(-1)?.value ?? 0)
  const high = Math.max(...levels, steps[0]?.value ?? 0)
  return { min: Math.max(0, low - Math.max((high - low) * 1.2, high * 0.001)), max: high }
}

function stepBar({ value, isTotal, height }: Step, theme: Theme) {
  return {
    value: height,
    itemStyle: {
      color: isTotal ? theme.main : value >= 0 ? theme.up : theme.down,
      ...(value < 0 ? { decal: stripes(theme) } : {}),
    },
    label: {
      show: true,
      position: 'top' as const,
      formatter: isTotal ? roundTotal(value) : `${value > 0 ? '+' : ''}${roundNumber(value)}`,
      ...textStyle(theme, theme.ink),
    },
  }
}

/** `121.24 m`: enough digits to see a small step between two totals. */
function roundTotal(value: number): string {
  return value >= 1e6 ? `${(value / 1e6).toFixed(2)} m` : roundNumber(value)
}
