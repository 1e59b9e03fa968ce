/** The dashboard of a project: pages of panels. A panel shows the answer to one question. */
export interface Dashboard {
  /** The folders with the questions, which `readQuestions` reads. */
  readonly questions: readonly URL[]
  readonly pages: readonly Page[]
  readonly filters: readonly Filter[]
  /** What people call a column. Name only the columns whose own names, in words, would not do. */
  readonly labels: Readonly<Record<string, string>>
  /** Where the cells of a column lead: a path with `{column}` for a value in the same row. */
  readonly links: Readonly<Record<string, Link>>
  /** What the numbers of a column are in. Name no column that only counts what its label says. */
  readonly units?: Readonly<Record<string, Unit>>
  /** Ids that tables leave out, because a name in the same row says more. Files have them. */
  readonly unlisted?: readonly string[]
  /** Lists of every row of one kind. Default: none. */
  readonly lists?: readonly List[]
}

/**
 * A word such as `bags`, `%` for a ratio that is shown as a percentage, or, for money, the columns of
 * which one says the currency: the first that the row has.
 */
export type Unit = string | { readonly currency: readonly string[] }

/** A path, or one of several paths, chosen by the value of another column. */
export type Link = string | { readonly by: string; readonly to: Readonly<Record<string, string>> }

/** A page: a title, filters, and a list of panels. */
export interface Page {
  readonly path: string
  readonly title: string
  /** What the page is for, in one sentence. */
  readonly summary: string
  /** The names of the filters that the page offers. */
  readonly filters: readonly string[]
  /** Which date the period of the page is about, such as `order date`. Shown beside the period. */
  readonly periodOf?: string
  /** The period if the address names none. Default: twelve weeks. */
  readonly standardPeriod?: 'all'
  /** Lists to look at in full: links at the top of the page. Its filters go along, but no period. */
  readonly related?: readonly { readonly title: string; readonly to: string }[]
  /** A filter that must be set before the page can show anything. */
  readonly needs?: string
  readonly panels: readonly Panel[]
}

/** A question, and how its answer is shown. */
export interface Panel {
  /** The name of the question. */
  readonly question: string
  /** The heading. Default: the title of the question. */
  readonly title?: string
  /** What people must know to read the panel correctly. */
  readonly note?: string
  readonly chart: Chart
  /** A filter that must be set before the panel is shown. */
  readonly needs?: string
  /** Whether the panel takes the whole width of the page. */
  readonly wide?: boolean
  /** What it means if there are no rows, and what to do then. */
  readonly empty?: string
  /** Where its rows and marks lead. */
  readonly leads: Lead
}

/**
 * Where the rows of a panel, and the marks that are drawn from them, lead. The filters of the page
 * that the question and the target know go along. A mark of several rows leads to what its rows have
 * in common.
 */
export interface Lead {
  /**
   * The address of a page or a list. It may name parameters, and `{column}` stands for a value in the
   * row.
   */
  readonly to: string
  /** The columns from which parameters come, by parameter. A null leaves its parameter out. */
  readonly set?: Readonly<Record<string, string>>
  /** The column with the first day of a week or a month, which becomes `from` and `to`. */
  readonly span?: { readonly column: string; readonly step: 'week' | 'month' }
  /** Whether the period of the question is about another date than the target's, and stays behind. */
  readonly isOtherPeriod?: boolean
}

/** One value that a filter offers, and what people read for it. */
export interface Choice {
  readonly value: string
  readonly label: string
}

/** The steps of time that a chart can draw, the shortest first. The filter `by` names one. */
export const TIME_STEPS = ['day', 'week', 'month', 'quarter', 'year'] as const
export type TimeStep = (typeof TIME_STEPS)[number]

/** A filter that people set. Questions use it by its name; a period is `from` and `to` for them. */
export type Filter =
  /** A range of dates, for the filters `from` and `to`. */
  | { readonly kind: 'period'; readonly name: 'period'; readonly label: string }
  /** One value. The question `options` gives the values to choose from (`value`, `label`). */
  | {
      readonly kind: 'choice'
      readonly name: string
      readonly label: string
      readonly options: string
      /** The text that means no choice. */
      readonly all: string
      /**
       * For a filter that adds the panels that need it and narrows nothing. It is offered only if
       * there is a value to choose. The text says why a value in the address is refused.
       */
      readonly adds?: string
    }
  /** One of a few fixed values, which change how questions are answered and leave out nothing. */
  | {
      readonly kind: 'option'
      readonly name: string
      readonly label: string
      readonly values: readonly Choice[]
      /** What holds if the address names no value. Its own value means the same as none. */
      readonly standard: Choice
    }
  /**
   * A moment in UTC. The question `options` gives moments to choose from (`value`), newest first.
   */
  | {
      readonly kind: 'moment'
      readonly name: string
      readonly label: string
      readonly options: string
      /** The moment if none is given: none at all, or the newest that is at least a day old. */
      readonly standard: 'none' | 'day-ago'
    }

/** A filter of a list alone. Its select uses it by its name, a range as `<name>_from`, `<name>_to`. */
export type ListFilter =
  /** A text that people type. */
  | { readonly kind: 'text'; readonly name: string; readonly label: string }
  /** A range of numbers. */
  | { readonly kind: 'range'; readonly name: string; readonly label: string }
  /** One of a few values. The one that means no choice is called `all`. */
  | {
      readonly kind: 'fixed'
      readonly name: string
      readonly label: string
      readonly all: string
      readonly values: readonly { readonly value: string; readonly label: string }[]
    }

/**
 * Every row of one kind, at `/list/<name>`: to be searched, filtered, sorted, paged through, and
 * downloaded.
 */
export interface List {
  readonly name: string
  readonly title: string
  /** What the list is for, in one sentence. */
  readonly summary: string
  /** The file with the select that finds the rows. It has the header of a question, and no order. */
  readonly sql: URL
  /** The columns to show. */
  readonly columns: readonly string[]
  /** An integer column that identifies a row. It orders the rows that are equal otherwise. */
  readonly key: string
  /** The columns by which rows can be sorted, and their types. None of them is ever null. */
  readonly sorts: Readonly<Record<string, SortType>>
  /** The order if the address names none. It should have an index. */
  readonly sort: Sort
  /** The names of the dashboard's filters that it offers. */
  readonly filters: readonly string[]
  /** The filters that only this list has. A text filter comes first on the page. */
  readonly own: readonly ListFilter[]
  /** Which date the period is about. */
  readonly periodOf?: string
  /** The page of the navigation to which it belongs. */
  readonly page: string
}

/** The type of a column by which rows are sorted. */
export type SortType = 'text' | 'date' | 'integer' | 'numeric'

/** An order of rows by one column. */
export interface Sort {
  readonly column: string
  readonly isDescending: boolean
}

/**
 * How an answer is shown, by the names of its columns. `split` draws one small chart for each value
 * of a column, each with its own axes, so that amounts in several currencies never share an axis.
 * `limit` draws only the first rows, of each small chart; the table below has them all.
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

/** A card for each row: a value, compared with the one before. Shown as text. */
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
 * A line over steps of time, with a gap at a value that is null. The parts to and from one that is not whole are
 * dashed.
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
  /** For values far from zero: written to five digits, on an axis that does not begin at zero. */
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
  /** The part of `value` that is drawn solid; the rest is pale. */
  readonly part?: string
  /** Draws a bar for each value of `column` beside each other, the one for `hatched` hatched. */
  readonly side?: { readonly column: string; readonly hatched: string }
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
 * Two dots for each row and the way between them. Draws the first and the last `limit` rows. If
 * `from` is null in every row, nothing is drawn.
 */
export interface DumbbellChart {
  readonly kind: 'dumbbell'
  readonly label: readonly string[]
  readonly from: string
  readonly to: string
  /** The first day of the data. It is said if there is nothing to compare with. */
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
 * Steps from the first column to the last. These two are totals, so their bars begin at the axis.
 */
export interface WaterfallChart {
  readonly kind: 'waterfall'
  readonly split: string
  readonly steps: readonly string[]
}

/** Bars to two sides: what comes in to one, what goes out, hatched, to the other. */
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
