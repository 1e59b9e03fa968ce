/** What a chart shows, ready to be drawn: numbers, names and colours, no columns any more. */
export interface Figure {
  readonly plots: readonly Plot[]
}

/** One drawing. Several of a figure have axes of their own. */
export interface Plot {
  /** Whose it is (a currency, an item); empty when there is only one. */
  readonly name: string
  /** Name of the CSS variable with its colour. */
  readonly color: string
  /** A few words beside the name. */
  readonly aside: string
  /** What it shows, in a sentence. */
  readonly sentence: string
  readonly heightPx: number
  readonly shape: Shape
}

export type Shape =
  | LinesShape
  | BarsShape
  | StackedShape
  | DumbbellShape
  | ParetoShape
  | HeatmapShape
  | BoxesShape
  | HistogramShape
  | WaterfallShape
  | DivergingShape

export interface LinesShape {
  readonly kind: 'lines'
  readonly labels: readonly string[]
  readonly values: readonly number[]
  /** Whether the week or month of the same place is whole; the line to one that is not is dashed. */
  readonly complete: readonly boolean[]
  /** Said to five figures, on an axis that does not begin at zero. */
  readonly isRate?: boolean
}

export interface BarsShape {
  readonly kind: 'bars'
  readonly labels: readonly string[]
  readonly series: readonly BarSeries[]
}

export interface BarSeries {
  readonly name: string
  readonly values: readonly number[]
  readonly isHatched?: boolean
  readonly isPale?: boolean
  /** Stands on the series before it. */
  readonly isStacked?: boolean
}

export interface StackedShape {
  readonly kind: 'stacked'
  readonly labels: readonly string[]
  readonly series: readonly { readonly name: string; readonly values: readonly number[] }[]
  readonly complete: readonly boolean[]
}

export interface DumbbellShape {
  readonly kind: 'dumbbell'
  readonly labels: readonly string[]
  readonly from: readonly number[]
  readonly to: readonly number[]
  readonly names: readonly [string, string]
}

export interface ParetoShape {
  readonly kind: 'pareto'
  readonly labels: readonly string[]
  readonly values: readonly number[]
  /** Of the whole, 0 to 1. */
  readonly cumulative: readonly number[]
}

export interface HeatmapShape {
  readonly kind: 'heatmap'
  readonly xs: readonly string[]
  readonly ys: readonly string[]
  /** Place in `xs`, place in `ys`, value. */
  readonly cells: readonly (readonly [number, number, number])[]
  readonly unit: string
}

export interface BoxesShape {
  readonly kind: 'boxes'
  readonly labels: readonly string[]
  readonly fives: readonly (readonly number[])[]
}

export interface HistogramShape {
  readonly kind: 'histogram'
  readonly labels: readonly string[]
  readonly values: readonly number[]
  /** What the numbers beneath the bars count. */
  readonly axis: string
}

export interface WaterfallShape {
  readonly kind: 'waterfall'
  readonly labels: readonly string[]
  /** The first and the last are totals, the others steps between them. */
  readonly values: readonly number[]
}

export interface DivergingShape {
  readonly kind: 'diverging'
  readonly labels: readonly string[]
  readonly in: readonly number[]
  readonly out: readonly number[]
  readonly names: readonly [string, string]
  /** Of weeks, which stand along the time axis; without, rows lie. */
  readonly complete?: readonly boolean[]
}
