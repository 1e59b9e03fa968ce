import type { Answer } from '../../../platform/presentation/answer.ts'
import type {
  CardsChart,
  Chart,
  ConversionChart,
  TableChart,
} from '../../../platform/project/dashboard.ts'
import { splitTable, tableOf } from './answer-table.ts'
import { plotBars } from './bars.ts'
import { plotBoxes } from './boxes.ts'
import { plotDiverging } from './diverging.ts'
import { plotDumbbell } from './dumbbell.ts'
import { plotHeatmap } from './heatmap.ts'
import { plotHistogram } from './histogram.ts'
import { plotLines } from './lines.ts'
import { plotPareto } from './pareto.ts'
import type { PlotFrame, PlotSource } from './plot.ts'
import { plotStacked } from './stacked.ts'
import { plotWaterfall } from './waterfall.ts'

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
  [K in Kind]: Pick<PlotFrame, 'name' | 'color'> & ReturnType<(typeof KINDS)[K]>
}[Kind]

/**
 * The plots of a chart: one for each value that it is split by, at most `limit` of them in a chart of
 * lines. Amounts are added exactly; only what is drawn becomes a floating-point number. Throws if the
 * chart names a column that the answer does not have.
 */
export function plotsOf(
  chart: DrawnChart,
  answer: Answer,
  labels: PlotSource['labels'],
): readonly Plot[] {
  const table = tableOf(answer)
  const split = 'split' in chart ? chart.split : undefined
  const groups = split === undefined ? [{ name: '', table }] : splitTable(table, split)
  const limit = chart.kind === 'lines' ? (chart.limit ?? groups.length) : groups.length
  return groups
    .slice(0, limit)
    .map(({ name, table: own }) => plotGroup(chart, { name, source: { table: own, labels } }))
}

function plotGroup<K extends Kind>(
  chart: ChartOfKind<K>,
  { name, source }: { name: string; source: PlotSource },
): Plot {
  const plot = PLOTS[chart.kind](chart, source)
  const color = /^[A-Z]{3}$/.test(name) ? `--currency-${name.toLowerCase()}` : '--accent'
  const sentence = name === '' ? capitalise(plot.sentence) : `${name}: ${plot.sentence}`
  return { ...plot, name, color, sentence }
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
