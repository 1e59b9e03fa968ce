/** The steps of time that a chart can draw, the shortest first. The filter `by` names one. */
export const TIME_STEPS = ['day', 'week', 'month', 'quarter', 'year'] as const
export type TimeStep = (typeof TIME_STEPS)[number]

/**
 * How an answer is shown, by the names of its columns. `split` draws one small chart for each value
 * of a column, each with its own axes, so that amounts in several currencies never share an axis.
 * `limit` draws only the first rows of each small chart; the table below has all rows.
 */
export type Chart =
  | CardsChart
  | ConversionChart
  | LinesChart
  | BarsChart
  | StackedChart
  | DumbbellChart
  | ParetoChart
  | HeatmapChart
  | BoxesChart
  | HistogramChart
  | WaterfallChart
  | DivergingChart
  | TableChart

/** A card for each row: a value, compared with an earlier one. Shown as text. */
export interface CardsChart {
  readonly kind: 'cards'
  /** Whose value it is, such as a currency. */
  readonly by: string
  readonly value: string
  /** What the value is, if the heading does not say so. */
  readonly says?: string
  readonly before?: string
  /** What `before` is, such as `the period before`. */
  readonly against?: string
  /** The first day of the data. A card with a first day and no `before` says that they begin then. */
  readonly since?: string
  /** Columns shown beneath the value. */
  readonly more?: readonly string[]
  /** Makes one card from all rows with the same `by`; their values are added exactly. */
  readonly sum?: boolean
  /** Whether more is good and less is bad. Otherwise neither is. */
  readonly moreIsBetter?: boolean
  /** The columns of a table of the first rows, beneath the cards. */
  readonly table?: readonly string[]
}

/**
 * One card for all rows, each an amount that was converted from its own currency. The amounts are
 * added exactly. Beneath are the newest rate from each currency and the number of things without a
 * rate. Shown as text.
 */
export interface ConversionChart {
  readonly kind: 'conversion'
  /** The currency that amounts are converted into, the same in every row. */
  readonly into: string
  /** The converted amount. Null in a row from which nothing could be converted. */
  readonly value: string
  /** What the value is, if the heading does not say so. */
  readonly says?: string
  readonly before: string
  /** What `before` is, such as `the period before`. */
  readonly against: string
  /** The first day of the data. A card with a first day and no `before` says that they begin then. */
  readonly since?: string
  /** Amounts shown beneath the value, and added in the same way. */
  readonly more?: readonly string[]
  readonly moreIsBetter?: boolean
  /** What the next two columns count, such as `orders`. */
  readonly things: string
  /** How many things of a row have no rate, now and in `before`. Null if there is no `before`. */
  readonly unconverted: string
  readonly unconvertedBefore: string
  /** The currency of a row and the newest rate that was used, all null if none was. */
  readonly currency: string
  readonly rate: string
  readonly rateDate: string
  /** Whether the rate stood in for a later day that has none, and how many days old it was then. */
  readonly isFilled: string
  readonly daysOld: string
  readonly source: string
}

/** What is left out of amounts that are converted: how many things of a row have no rate. */
export interface LeftOut {
  readonly column: string
  /** What the column counts, such as `orders`. */
  readonly things: string
}

/**
 * A line over steps of time, with a gap at a null. The line is dashed to and from a step that is not
 * whole.
 */
export interface LinesChart {
  readonly kind: 'lines'
  readonly split: string
  readonly x: string
  readonly y: string
  readonly complete: string
  /** The step that the question takes without the filter `by`. */
  readonly step: TimeStep
  readonly limit?: number
  /** For values far from zero: shown with five digits, on an axis that does not begin at zero. */
  readonly isRate?: boolean
  readonly leftOut?: LeftOut
}

/** Lying bars, in the order of the rows. */
export interface BarsChart {
  readonly kind: 'bars'
  readonly split?: string
  /** The columns that name a bar, joined by a space. */
  readonly label: readonly string[]
  readonly value: string
  /** Makes one bar from all rows with the same label; their values are added. */
  readonly sum?: boolean
  /** The part of `value` to draw solid; the rest is pale. */
  readonly part?: string
  /** Draws the bars for the values of `column` side by side, the bar for `hatched` hatched. */
  readonly side?: { readonly column: string; readonly hatched: string }
  readonly leftOut?: LeftOut
  readonly limit?: number
}

/** Bars over steps of time, with a colour and a place in the stack for each value of `stack`. */
export interface StackedChart {
  readonly kind: 'stacked'
  /** The step that the question takes without the filter `by`. */
  readonly step: TimeStep
  readonly x: string
  readonly stack: string
  readonly value: string
  readonly complete: string
}

/**
 * Two dots for each row, joined by a line. Draws the first and the last `limit` rows. If `from` is null
 * in every row, draws nothing.
 */
export interface DumbbellChart {
  readonly kind: 'dumbbell'
  readonly label: readonly string[]
  readonly from: string
  readonly to: string
  /** The first day of the data, shown if there is nothing to compare with. */
  readonly since?: string
  readonly limit: number
}

/** Bars, with their cumulative share as a line. */
export interface ParetoChart {
  readonly kind: 'pareto'
  readonly split: string
  readonly label: string
  readonly value: string
  readonly cumulative: string
  readonly leftOut?: LeftOut
  readonly limit?: number
}

/** Cells by two columns, darker for greater values. */
export interface HeatmapChart {
  readonly kind: 'heatmap'
  readonly x: string
  readonly y: string
  readonly yLabel: string
  readonly value: string
}

/** Lying boxes from the lowest value over the quartiles to the highest. */
export interface BoxesChart {
  readonly kind: 'boxes'
  readonly split: string
  readonly label: readonly string[]
  /** Columns: lowest, lower quartile, median, upper quartile, highest. */
  readonly five: readonly [string, string, string, string, string]
  /** What a box stands for, such as `designs`, and what it measures of one, such as `price`. */
  readonly things: string
  readonly measure: string
  readonly limit: number
}

/** Vertical bars over whole numbers, with gaps kept. A row whose `x` is null is the bar `other`. */
export interface HistogramChart {
  readonly kind: 'histogram'
  readonly x: string
  readonly value: string
  readonly other?: string
}

/**
 * Steps from the first column to the last. The first and last are totals: their bars begin at the axis.
 */
export interface WaterfallChart {
  readonly kind: 'waterfall'
  readonly split: string
  readonly steps: readonly string[]
}

/** Bars to two sides: what comes in to one side, and what goes out, hatched, to the other. */
export interface DivergingChart {
  readonly kind: 'diverging'
  readonly split: string
  readonly label: string
  readonly in: string
  readonly out: string
  /**
   * The step that the question takes without the filter `by`. With it, rows are along a time axis.
   * Without it, they are below each other.
   */
  readonly step?: TimeStep
  readonly complete?: string
  readonly leftOut?: LeftOut
  readonly limit?: number
}

/** Rows as a table, for answers that have nothing to draw. */
export interface TableChart {
  readonly kind: 'table'
  /** The columns to show; the full table has all. */
  readonly columns: readonly string[]
  readonly limit?: number
}
