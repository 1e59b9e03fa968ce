import type { Answer } from '../../../platform/presentation/answer.ts'
import type {
  CardsChart,
  Chart,
  ConversionChart,
  TableChart,
} from '../../../platform/project/chart.ts'
import type { Unit } from '../../../platform/project/dashboard.ts'
import { type AnswerTable, splitTable, tableOf } from './answer-table.ts'
import { plotBars } from './bars.ts'
import { plotBoxes } from './boxes.ts'
import { plotDiverging } from './diverging.ts'
import { plotDumbbell } from './dumbbell.ts'
import { plotHeatmap } from './heatmap.ts'
import { plotHistogram } from './histogram.ts'
import { plotLines } from './lines.ts'
import { plotPareto } from './pareto.ts'
import { leadsOf, type PlotFrame, type PlotSource } from './plot.ts'
import { plotStacked } from './stacked.ts'
import { isCurrency } from './units.ts'
import { plotWaterfall } from './waterfall.ts'
import { own } from '../../../platform/project/named-record.ts'

/** The charts that are drawn. Cards and tables are text. */
export type DrawnChart = Exclude<Chart, CardsChart | ConversionChart | TableChart>

type Kind = DrawnChart['kind']
/** The charts of one kind. Written so that the compiler pairs a chart with the function for it. */
type ChartOfKind<K extends Kind> = { [P in K]: Extract<DrawnChart, { kind: P }> }[K]

/**
 * How an answer becomes a plot, by kind of chart. A new kind is declared in the platform's `Chart`,
 * written in a file of its own beside this one, and named here and in `browser/options.ts`.
 */
const KINDS = {
  lines: plotLines,
  bars: plotBars,
  stacked: plotStacked,
  dumbbell: plotDumbbell,
  pareto: plotPareto,
  heatmap: plotHeatmap,
  boxes: plotBoxes,
  histogram: plotHistogram,
  waterfall: plotWaterfall,
  diverging: plotDiverging,
} satisfies { [K in Kind]: (chart: ChartOfKind<K>, source: PlotSource) => { kind: K } }

/** The same table, typed so that the compiler pairs each chart with the function for its kind. */
const PLOTS: {
  [K in Kind]: (chart: ChartOfKind<K>, source: PlotSource) => ReturnType<(typeof KINDS)[K]>
} = KINDS

/** What a chart draws from an answer, whatever its kind. */
export type Plot = {
  [K in Kind]: Pick<PlotFrame, 'name' | 'color' | 'unit' | 'valueName'> &
    ReturnType<(typeof KINDS)[K]>
}[Kind]

/** What people call columns, and the units of their numbers. */
export interface ColumnWords {
  labels(column: string): string
  readonly units?: Readonly<Record<string, Unit>> | undefined
}

/**
 * The plots of a chart: one for each value that it is split by, at most `limit` of them in a chart of
 * lines. Amounts are added exactly; only what is drawn becomes a floating-point number. Throws if the
 * chart names a column that the answer does not have.
 */
export function plotsOf(
  chart: DrawnChart,
  answer: Answer,
  words: ColumnWords & Pick<PlotSource, 'leadOf'>,
): readonly Plot[] {
  const table = tableOf(answer)
  const split = 'split' in chart ? chart.split : undefined
  const groups = split === undefined ? [{ name: '', table }] : splitTable(table, split)
  const limit = chart.kind === 'lines' ? (chart.limit ?? groups.length) : groups.length
  return groups.slice(0, limit).map((group) => plotGroup(chart, { ...group, words }))
}

function plotGroup<K extends Kind>(
  chart: ChartOfKind<K>,
  {
    name,
    table,
    words,
  }: { name: string; table: AnswerTable; words: ColumnWords & Pick<PlotSource, 'leadOf'> },
): Plot {
  const column = valueColumnOf(chart)
  const unit = unitOf(column, table, words)
  const isMoney = unit !== undefined && isCurrency(unit)
  const plot = PLOTS[chart.kind](chart, {
    table,
    labels: words.labels,
    leadOf: words.leadOf,
    isMoney,
    withCurrency: (amount) => (isMoney && unit !== name ? `${unit} ${amount}` : amount),
  })
  const color = isCurrency(name) ? `--currency-${name.toLowerCase()}` : '--accent'
  const sentence = name === '' ? capitalise(plot.sentence) : `${name}: ${plot.sentence}`
  const valueName = words.labels(column)
  return {
    // Marks lead to what all rows have in common, unless their kind knows the rows of each mark.
    ...leadsOf([table.rows], words),
    ...plot,
    name,
    color,
    sentence,
    valueName,
    ...(unit === undefined ? {} : { unit }),
  }
}

/** The column of the values that a chart draws, or of one of them if there are several. */
function valueColumnOf(chart: DrawnChart): string {
  if ('value' in chart) return chart.value
  if (chart.kind === 'lines') return chart.y
  if (chart.kind === 'dumbbell') return chart.to
  if (chart.kind === 'boxes') return chart.five[2]
  if (chart.kind === 'diverging') return chart.in
  return chart.steps.at(-1) ?? ''
}

/** The unit of a column. Undefined if the project declares none, or if the rows differ. */
function unitOf(column: string, table: AnswerTable, { units }: ColumnWords): string | undefined {
  const unit = own(units, column)
  if (unit === undefined || typeof unit === 'string') return unit
  const place = unit.currency.find((name) => table.has(name))
  if (place === undefined) return undefined
  const found = new Set(table.rows.map((row) => table.text(row, place)).filter(Boolean))
  return found.size === 1 ? [...found][0] : undefined
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
