/** What a project's dashboard shows: pages of panels, each panel one question drawn one way. */
export interface Dashboard {
  /** Folders of the questions: `readQuestions` of each, all together. */
  readonly questions: readonly URL[]
  readonly pages: readonly Page[]
  readonly filters: readonly Filter[]
  /** What people call a column, where its name in words will not do. */
  readonly labels: Readonly<Record<string, string>>
  /** Where the cells of a column lead: a path with `{column}` for a value of the same row. */
  readonly links: Readonly<Record<string, Link>>
}

/** A path, or one of several by the value of another column. */
export type Link = string | { readonly by: string; readonly to: Readonly<Record<string, string>> }

export interface Page {
  readonly path: string
  readonly title: string
  /** One sentence that says what the page is for. */
  readonly summary: string
  /** Names of the filters it offers. */
  readonly filters: readonly string[]
  /** A filter without which the page has nothing to say. */
  readonly needs?: string
  readonly panels: readonly Panel[]
}

export interface Panel {
  /** Name of the question; its title is the heading. */
  readonly question: string
  /** A heading of its own, shorter than the question. */
  readonly title?: string
  /** What must be known to read it right. */
  readonly note?: string
  readonly chart: Chart
  /** A filter without which it is not shown. */
  readonly needs?: string
  /** Takes the whole width. */
  readonly wide?: boolean
  /** What it means that there are no rows, and what to do. */
  readonly empty?: string
}

/** A filter people set; its name is the filter of the questions, `from` and `to` apart (`period`). */
export type Filter =
  /** A date range, as the filters `from` and `to`. */
  | { readonly kind: 'period'; readonly name: 'period'; readonly label: string }
  /** One of the rows (`value`, `label`) of a question. */
  | {
      readonly kind: 'choice'
      readonly name: string
      readonly label: string
      readonly options: string
      /** What it says while nothing is chosen. */
      readonly all: string
      /**
       * It narrows nothing: a choice adds the panels that need it. Not offered while there is
       * nothing to choose; then, as a sentence, why a choice in the address cannot be.
       */
      readonly adds?: string
    }
  /** A moment in UTC; `options` asks for moments to choose from (`value`), newest first. */
  | {
      readonly kind: 'moment'
      readonly name: string
      readonly label: string
      readonly options: string
      /** The moment meant while none is given: none at all, or the newest that is a day old. */
      readonly standard: 'none' | 'day-ago'
    }

/**
 * How a question is drawn, in names of its columns. `split` makes one small chart a value, each with
 * axes of its own: amounts of several currencies are never on one axis. `limit` draws the first rows
 * only (of each small chart); the table has them all.
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

/** A figure a row, against one before; drawn as text. */
export interface CardsChart {
  readonly kind: 'cards'
  /** Whose figure it is; a currency's code is shown as such. */
  readonly by: string
  readonly value: string
  /** What the figure is, where the heading does not say it. */
  readonly says?: string
  readonly before?: string
  /** What `before` is, e.g. `the period before`. */
  readonly against?: string
  /** Columns named beneath the figure. */
  readonly more?: readonly string[]
  /** One card for all rows of the same `by`: the values are added up, exactly. */
  readonly sum?: boolean
  /** More is good and less is bad; otherwise it is neither. */
  readonly moreIsBetter?: boolean
  /** Columns of the newest rows, beneath the cards. */
  readonly table?: readonly string[]
}

/**
 * One card of all rows, which are amounts of one currency each, converted into another and added up
 * exactly; beneath it the newest rate of each, and how many things have none. Drawn as text.
 */
export interface ConversionChart {
  readonly kind: 'conversion'
  /** The currency converted into, the same in every row. */
  readonly into: string
  /** Null in a row of which nothing could be converted. */
  readonly value: string
  /** What the figure is, where the heading does not say it. */
  readonly says?: string
  readonly before: string
  /** What `before` is, e.g. `the period before`. */
  readonly against: string
  /** Amounts named beneath the figure, added up as it is. */
  readonly more?: readonly string[]
  readonly moreIsBetter?: boolean
  /** What is counted in the next two, e.g. `orders`. */
  readonly things: string
  /** How many of a row have no rate; and in `before`. */
  readonly unconverted: string
  readonly unconvertedBefore: string
  /** Of a row: its currency, and the newest rate that was used, all null where none was. */
  readonly currency: string
  readonly rate: string
  readonly rateDate: string
  /** Whether it stood in for a rate of a later day, and how many days it was old then. */
  readonly isFilled: string
  readonly daysOld: string
  readonly source: string
}

/** Values over weeks or months; the part of the line up to a row that is not complete is dashed. */
export interface LinesChart {
  readonly kind: 'lines'
  readonly split: string
  readonly x: string
  readonly y: string
  readonly complete: string
  readonly step: 'week' | 'month'
  readonly limit?: number
  /** What never comes near zero: said to five figures, on an axis that does not begin there. */
  readonly isRate?: boolean
}

/** Horizontal bars, in the order of the rows. */
export interface BarsChart {
  readonly kind: 'bars'
  readonly split?: string
  /** Columns that say what a bar is, joined by a space. */
  readonly label: readonly string[]
  readonly value: string
  /** Rows of the same label are one bar, their values added up. */
  readonly sum?: boolean
  /** The part of `value` that is drawn solid, the rest pale. */
  readonly part?: string
  /** A second split inside a bar's place, hatched for this value: `{ column: 'direction', hatched: 'out' }`. */
  readonly side?: { readonly column: string; readonly hatched: string }
  readonly limit?: number
}

/** Bars over months, one colour and place a value of `stack`. */
export interface StackedChart {
  readonly kind: 'stacked'
  readonly x: string
  readonly stack: string
  readonly value: string
  readonly complete: string
}

/** Two dots a row and the way between them; the first and last `limit` rows. */
export interface DumbbellChart {
  readonly kind: 'dumbbell'
  readonly label: readonly string[]
  readonly from: string
  readonly to: string
  readonly limit: number
}

/** Bars with their cumulative share as a line. */
export interface ParetoChart {
  readonly kind: 'pareto'
  readonly split: string
  readonly label: string
  readonly value: string
  readonly cumulative: string
  readonly limit?: number
}

export interface HeatmapChart {
  readonly kind: 'heatmap'
  readonly x: string
  readonly y: string
  readonly yLabel: string
  readonly value: string
}

/** Lowest, quartiles and highest as boxes, lying. */
export interface BoxesChart {
  readonly kind: 'boxes'
  readonly split: string
  readonly label: readonly string[]
  /** Lowest, lower quartile, median, upper quartile, highest. */
  readonly five: readonly [string, string, string, string, string]
  readonly limit: number
}

/** Standing bars over whole numbers, gaps kept; a null `x` is a bar of its own called `other`. */
export interface HistogramChart {
  readonly kind: 'histogram'
  readonly x: string
  readonly value: string
  readonly other?: string
}

/** Steps from the first column to the last; those two stand on the ground. */
export interface WaterfallChart {
  readonly kind: 'waterfall'
  readonly split: string
  readonly steps: readonly string[]
}

/** What comes in to one side, what goes out hatched to the other. */
export interface DivergingChart {
  readonly kind: 'diverging'
  readonly split: string
  readonly label: string
  readonly in: string
  readonly out: string
  /** Weeks stand along the time axis; without, rows lie below each other. */
  readonly step?: 'week'
  readonly complete?: string
  readonly limit?: number
}

/** Nothing to draw: the table is the answer and stands open. */
export interface TableChart {
  readonly kind: 'table'
  /** Columns shown first; the full table has all. */
  readonly columns: readonly string[]
  readonly limit?: number
}
