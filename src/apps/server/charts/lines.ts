import type { EChartsOption } from 'echarts'
import type { LinesChart } from '../../../platform/project/chart.ts'
import { formatShortDay, formatStep, roundMoney, roundNumber, roundRate } from '../../format.ts'
import { sayLeftOut } from './answer-table.ts'
import { amountAxis, baseOption, endRoomPx, timeAxis } from './axes.ts'
import { leadsOf, type PlotFrame, type PlotSource, STANDING_PX, type UnnamedPlot } from './plot.ts'
import { textStyle, type Theme } from './theme.ts'
import { formatInUnit, isCurrency } from './units.ts'

/** A line over steps of time, dashed to and from a step that is not whole. */
export interface LinesPlot extends PlotFrame {
  readonly kind: 'lines'
  readonly labels: readonly string[]
  /** Null if a value is unknown. */
  readonly values: readonly (number | null)[]
  /** Whether the step at the same place is whole. */
  readonly complete: readonly boolean[]
  /** Values are written to five digits, and the axis does not begin at zero. */
  readonly isRate: boolean
}

/** Plots a line from rows, one a step. Throws what `AnswerTable` throws. */
export function plotLines(chart: LinesChart, source: PlotSource): UnnamedPlot<LinesPlot> {
  const { table, labels, withCurrency, isMoney } = source
  const { rows, text, amount } = table
  const { step, isRate = false } = chart
  const round = (value: number): string => withCurrency(roundingOf(isRate, isMoney)(value))
  const values = rows.map((row) => amount(row, chart.y))
  const complete = rows.map(
    (row, place) => text(row, chart.complete) === 't' && values[place] !== null,
  )
  const left = sayLeftOut(table, chart.leftOut)
  const plot = {
    kind: 'lines' as const,
    labels: rows.map((row) => formatShortDay(text(row, chart.x), step)),
    values,
    complete,
    ...leadsOf(
      rows.map((row) => [row]),
      source,
    ),
    isRate,
    heightPx: STANDING_PX,
  }
  const whole = values.flatMap((_, place) => (complete[place] ? [place] : []))
  const first = whole[0]
  const last = whole.at(-1)
  if (first === undefined || last === undefined) {
    const newest = values.findLast((value) => value !== null)
    const aside = newest === undefined ? 'nothing has a rate' : `no whole ${step} yet`
    const rest = newest === undefined ? '' : `; the last one stands at ${round(newest)}`
    return { ...plot, aside: `${aside}${left}`, sentence: `${aside}${rest}${left}.` }
  }
  const say = (place: number): string =>
    `${round(values[place] ?? 0)} ${formatStep(text(rows[place] ?? [], chart.x), step)}`
  const peak = whole.reduce((best, place) =>
    (values[place] ?? 0) > (values[best] ?? 0) ? place : best,
  )
  return {
    ...plot,
    aside: `${round(values[last] ?? 0)} last whole ${step}${left}`,
    sentence: `${labels(chart.y).toLowerCase()} by ${step}, from ${say(first)} to ${say(last)}; the most was ${say(peak)}${left}.`,
  }
}

/** How a value is written in few digits. */
function roundingOf(isRate: boolean, isMoney: boolean): (value: number) => string {
  if (isRate) return roundRate
  return isMoney ? roundMoney : roundNumber
}

/**
 * Draws whole steps as a solid line, dashed to and from other steps, and writes the value of the last
 * whole step.
 */
export function linesOption(plot: LinesPlot, theme: Theme): EChartsOption {
  const { labels, complete, isRate } = plot
  const { formatter, align } = endLabel(plot, theme)
  const amounts = amountAxis(theme)
  return {
    ...baseOption(theme),
    grid: {
      left: 4,
      right: endRoomPx([formatter]) / (align === 'center' ? 2 : 1),
      top: 20,
      bottom: 2,
      containLabel: true,
    },
    xAxis: timeAxis(labels, theme),
    ...(isRate
      ? {
          yAxis: {
            ...amounts,
            scale: true,
            axisLabel: { ...amounts.axisLabel, formatter: (value: number) => roundRate(value) },
          },
        }
      : { yAxis: amounts }),
    series: complete.includes(false)
      ? [wholeSeries(plot, theme), partSeries(plot, theme)]
      : [wholeSeries(plot, theme)],
  }
}

function wholeSeries(plot: LinesPlot, theme: Theme) {
  const { labels, values, complete, valueName = 'Value' } = plot
  const last = complete.lastIndexOf(true)
  return {
    type: 'line' as const,
    name: valueName,
    tooltip: { valueFormatter: (_: unknown, place: number) => sayPoint(plot, place) },
    data: values.map((value, place) => {
      if (complete[place] !== true || value === null) return '-'
      if (place !== last) return value
      return { value, symbolSize: 7, label: endLabel(plot, theme) }
    }),
    symbol: 'circle',
    // Otherwise a narrow chart leaves out the symbols, and the value, between the labels of its axis.
    showAllSymbol: true,
    symbolSize: labels.length > 30 ? 0 : 3,
    lineStyle: { width: 2, color: theme.main },
    itemStyle: { color: theme.main },
  }
}

/** The value at a place, with its unit, and whether its week or month is not whole. */
function sayPoint({ values, complete, isRate, unit }: LinesPlot, place: number): string {
  const value = values[place] ?? 0
  const rate = roundRate(value)
  const said = !isRate
    ? formatInUnit(value, unit)
    : unit !== undefined && isCurrency(unit)
      ? `${unit} ${rate}`
      : rate
  return complete[place] === true ? said : `${said}, not whole`
}

function partSeries({ values, complete }: LinesPlot, theme: Theme) {
  const isDashed = (place: number): boolean =>
    complete[place] === false ||
    (complete[place + 1] === false && complete[place] === true) ||
    (place > 0 && complete[place - 1] === false)
  return {
    type: 'line' as const,
    name: 'in part',
    data: values.map((value, place) => (isDashed(place) ? (value ?? '-') : '-')),
    symbol: 'emptyCircle',
    showAllSymbol: true,
    symbolSize: (_: unknown, { dataIndex }: { dataIndex: number }) =>
      complete[dataIndex] === false ? 5 : 0,
    lineStyle: { width: 1.5, color: theme.main, type: [3, 4] },
    itemStyle: { color: theme.main },
    tooltip: { show: false },
  }
}

/**
 * The last whole value, where the line does not cross it: above a peak, below a valley, and to the
 * right, above a line that falls through the point and below one that rises.
 */
function endLabel({ values, complete, isRate, unit }: LinesPlot, theme: Theme) {
  const place = complete.lastIndexOf(true)
  const value = values[place] ?? 0
  const round = roundingOf(isRate, unit !== undefined && isCurrency(unit))
  const [before = 0, after = 0] = [values[place - 1], values[place + 1]].map(
    (other) => (other ?? value) - value,
  )
  const isThrough = before * after < 0
  const isAbove = isThrough ? before > 0 : before + after <= 0
  const highest = Math.max(...values.map((other) => other ?? 0))
  // Just above the axis there is no room below a point.
  const beside = isThrough ? ('right' as const) : ('left' as const)
  const below = value < highest / 8 ? beside : ('bottom' as const)
  return {
    show: true,
    position: isAbove ? ('top' as const) : below,
    align: alignment(isThrough, !isAbove && below === 'left'),
    formatter: round(value),
    ...textStyle(theme, theme.ink),
    fontWeight: 600 as const,
    // Steps may be so narrow that a line runs on both sides of the text.
    textBorderColor: theme.paper,
    textBorderWidth: 3,
  }
}

function alignment(isThrough: boolean, isBeside: boolean): 'left' | 'right' | 'center' {
  if (isThrough) return 'left'
  return isBeside ? 'right' : 'center'
}
