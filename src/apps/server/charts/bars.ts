import type { EChartsOption } from 'echarts'
import type { Row } from '../../../platform/presentation/cursor.ts'
import { addDecimals } from '../../../platform/presentation/decimal.ts'
import type { BarsChart } from '../../../platform/project/chart.ts'
import { roundNumber } from '../../format.ts'
import { type AnswerTable, ratedRows, sayLeftOut } from './answer-table.ts'
import { baseOption, lyingAxes } from './axes.ts'
import { leadsOf, type PlotFrame, type PlotSource, rowsHeightPx, type UnnamedPlot } from './plot.ts'
import { mix, stripes, textStyle, type Theme } from './theme.ts'

/** Lying bars, in the order of the rows. */
export interface BarsPlot extends PlotFrame {
  readonly kind: 'bars'
  readonly labels: readonly string[]
  /** One bar a label from each; the bars of a label lie beside or behind each other. */
  readonly series: readonly BarSeries[]
}

/** One value a label. */
export interface BarSeries {
  readonly name: string
  readonly values: readonly number[]
  readonly isHatched?: boolean
  readonly isPale?: boolean
  /** Starts where the series before it ends. */
  readonly isStacked?: boolean
}

interface Bar {
  readonly label: string
  readonly rows: readonly Row[]
  readonly total: number
}

/** Plots a bar a row, or a bar a label if rows are added up. Throws what `AnswerTable` throws. */
export function plotBars(chart: BarsChart, source: PlotSource): UnnamedPlot<BarsPlot> {
  const { table } = source
  const bars = gatherBars(chart, { ...table, rows: ratedRows(table, chart) })
  const left = sayLeftOut(table, chart.leftOut)
  const shown = bars.slice(0, chart.limit)
  const labels = shown.map(({ label }) => label)
  const series = seriesOf(chart, shown, source)
  const heightPx = rowsHeightPx(shown.length, chart.side === undefined ? 26 : 44)
  return {
    kind: 'bars',
    labels,
    series,
    ...leadsOf(
      shown.map(({ rows }) => rows),
      source,
    ),
    aside: `${sayShown(shown, bars)}${left}`.replace(/^ · /, ''),
    sentence: `${chart.side === undefined ? sayLongest(bars) : sayAll(labels, series)}${left}.`,
    heightPx: heightPx + (series.length > 1 ? 24 : 0),
  }
}

function gatherBars(chart: BarsChart, table: AnswerTable): Bar[] {
  const isOneALabel = chart.sum === true || chart.side !== undefined
  const gathered = new Map<string, Row[]>()
  for (const [place, row] of table.rows.entries()) {
    const label = table.label(row, chart.label)
    const key = isOneALabel ? label : `${place} ${label}`
    gathered.set(key, [...(gathered.get(key) ?? []), row])
  }
  return [...gathered.values()].map((rows) => ({
    label: table.label(rows[0] ?? [], chart.label),
    rows,
    total: Number(addDecimals(rows.map((row) => table.text(row, chart.value) || '0'))),
  }))
}

function seriesOf(
  { value, part, side }: BarsChart,
  bars: readonly Bar[],
  { table, labels }: PlotSource,
): BarSeries[] {
  const { text, number } = table
  if (side !== undefined) {
    const names = [...new Set(table.rows.map((row) => text(row, side.column)))].toSorted()
    return names.map((name) => ({
      name: labels(`${value}_${name}`),
      values: bars.map(({ rows }) => {
        const row = rows.find((each) => text(each, side.column) === name)
        return row === undefined ? 0 : number(row, value)
      }),
      isHatched: name === side.hatched,
    }))
  }
  if (part !== undefined) {
    const parts = bars.map(({ rows }) => rows.reduce((sum, row) => sum + number(row, part), 0))
    const rest = bars.map(({ total }, place) => total - (parts[place] ?? 0))
    return [
      { name: labels(part), values: parts },
      { name: `${labels(value)}, later`, values: rest, isPale: true, isStacked: true },
    ]
  }
  return [{ name: labels(value), values: bars.map(({ total }) => total) }]
}

function sayShown(shown: readonly Bar[], bars: readonly Bar[]): string {
  return shown.length < bars.length ? `first ${shown.length} of ${bars.length}` : ''
}

function sayLongest(bars: readonly Bar[]): string {
  if (bars.length === 0) return 'nothing has a rate'
  const longest = bars.reduce<Pick<Bar, 'label' | 'total'>>(
    (best, bar) => (bar.total > best.total ? bar : best),
    { label: 'none', total: 0 },
  )
  return `the longest of ${bars.length} bars is ${longest.label} with ${roundNumber(longest.total)}`
}

function sayAll(labels: readonly string[], series: readonly BarSeries[]): string {
  const said = series.map(({ name, values }) => {
    const parts = values.map((value, place) => `${roundNumber(value)} at ${labels[place]}`)
    return `${name.toLowerCase()} ${parts.join(', ')}`
  })
  return said.join('; ')
}

/** Draws each value to the right of its bar; of a stack, the total. */
export function barsOption(plot: BarsPlot, theme: Theme): EChartsOption {
  const { labels, series } = plot
  const ends = series.flatMap((_, place) => endsOf(series, place)).map(roundNumber)
  return {
    ...baseOption(theme, plot),
    ...lyingAxes(labels, { theme, hasLegend: series.length > 1, ends }),
    series: series.map((one, place) => barSeries(one, { all: series, place, theme })),
  }
}

/** The values at the ends of the bars in a series: their own, or the totals of a stack. */
function endsOf(all: readonly BarSeries[], place: number): readonly number[] {
  const values = all[place]?.values ?? []
  if (!all.some(({ isStacked }) => isStacked === true)) return values
  return values.map((_, at) => all.reduce((sum, each) => sum + (each.values[at] ?? 0), 0))
}

function barSeries(
  { name, values, isHatched = false, isPale = false }: BarSeries,
  { all, place, theme }: { all: readonly BarSeries[]; place: number; theme: Theme },
) {
  const isStack = all.some(({ isStacked }) => isStacked === true)
  const totals = endsOf(all, place)
  const isLight = isHatched || isPale
  return {
    type: 'bar' as const,
    name,
    barMaxWidth: 18,
    barGap: '15%',
    ...(isStack ? { stack: 'all' } : {}),
    data: [...values],
    itemStyle: {
      color: isLight ? mix(theme.paper, theme.main, isHatched ? 0.3 : 0.35) : theme.main,
      ...(isHatched ? { decal: stripes(theme), borderColor: theme.main, borderWidth: 1 } : {}),
    },
    label: {
      show: !isStack || place === all.length - 1,
      position: 'right' as const,
      formatter: ({ dataIndex }: { dataIndex: number }) => roundNumber(totals[dataIndex] ?? 0),
      ...textStyle(theme, theme.ink),
    },
  }
}
