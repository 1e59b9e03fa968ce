import type { EChartsOption } from 'echarts'
import { barsOption } from '../charts/bars.ts'
import { boxesOption } from '../charts/boxes.ts'
import { divergingOption } from '../charts/diverging.ts'
import { dumbbellOption } from '../charts/dumbbell.ts'
import { heatmapOption } from '../charts/heatmap.ts'
import { histogramOption } from '../charts/histogram.ts'
import { linesOption } from '../charts/lines.ts'
import { paretoOption } from '../charts/pareto.ts'
import type { Plot } from '../charts/plot-of-answer.ts'
import { stackedOption } from '../charts/stacked.ts'
import type { Theme } from '../charts/theme.ts'
import { waterfallOption } from '../charts/waterfall.ts'

type Kind = Plot['kind']
/** The plots of one kind. Written so that the compiler pairs a plot with the function for it. */
type PlotOfKind<K extends Kind> = { [P in K]: Extract<Plot, { kind: P }> }[K]

/** How each kind of plot becomes an ECharts option; the compiler asks for every kind. */
const OPTIONS: { [K in Kind]: (plot: PlotOfKind<K>, theme: Theme) => EChartsOption } = {
  lines: linesOption,
  bars: barsOption,
  stacked: stackedOption,
  dumbbell: dumbbellOption,
  pareto: paretoOption,
  heatmap: heatmapOption,
  boxes: boxesOption,
  histogram: histogramOption,
  waterfall: waterfallOption,
  diverging: divergingOption,
}

/**
 * A plot as an ECharts option. All kinds keep to the same rules: quiet axes from zero, no smoothing,
 * values at the ends of lines and bars so that colour alone tells nothing, and stripes on what goes
 * out.
 */
export function optionOf<K extends Kind>(plot: PlotOfKind<K>, theme: Theme): EChartsOption {
  return OPTIONS[plot.kind](plot, theme)
}
