import type { Row } from '../../../platform/presentation/cursor.ts'
import type { AnswerTable } from './answer-table.ts'

/**
 * What every plot has, whatever its kind. A *plot* is what a chart draws from an answer: numbers,
 * names and colours, without columns. It is sent to the browser as JSON. A chart that is split has
 * one plot for each value, and each plot has its own axes.
 */
export interface PlotFrame {
  /** The value that the plot is for, such as a currency. Empty if the chart has one plot. */
  readonly name: string
  /** The name of the CSS variable with its colour. */
  readonly color: string
  /** A few words beside the name. */
  readonly aside: string
  /** The plot in one sentence, for people who cannot see it. */
  readonly sentence: string
  readonly heightPx: number
  /** What people call the values. Undefined if they have no label. */
  readonly valueName?: string
  /** The unit of the values: a currency such as `GBP`, or a word such as `bags`. */
  readonly unit?: string
  /**
   * The address that the mark at each place of the category axis leads to; a single one is for every
   * mark.
   */
  readonly leads?: readonly string[]
}

/**
 * A plot before its name and colour are known: they come from the group of rows it is made from.
 */
export type UnnamedPlot<P extends PlotFrame> = Omit<P, 'name' | 'color' | 'unit' | 'valueName'>

/** The rows that a plot is made from. */
export interface PlotSource {
  readonly table: AnswerTable
  /** What people call a column. */
  labels(column: string): string
  /** Whether the values are money in one currency. */
  readonly isMoney: boolean
  /** Puts the currency in front of an amount, unless the name of the plot says it already. */
  withCurrency(amount: string): string
  /** The address that a mark of these rows leads to. Undefined if marks lead nowhere. */
  readonly leadOf?: ((rows: readonly Row[]) => string) | undefined
}

/** The addresses of marks, each given by its rows. Nothing if marks lead nowhere. */
export function leadsOf(
  marks: readonly (readonly Row[])[],
  { leadOf }: Pick<PlotSource, 'leadOf'>,
): Pick<PlotFrame, 'leads'> {
  return leadOf === undefined ? {} : { leads: marks.map((rows) => leadOf(rows)) }
}

/** The height of a plot with vertical bars or lines. */
export const STANDING_PX = 210

/** The height of a plot with a row for each bar, at least two. */
export function rowsHeightPx(rows: number, eachPx = 26): number {
  return Math.max(rows, 2) * eachPx + 34
}
