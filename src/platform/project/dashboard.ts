import type { Chart } from './chart.ts'

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
  /** The units of the numbers in a column. Leave out columns whose label already says what they count. */
  readonly units?: Readonly<Record<string, Unit>>
  /** Ids that tables leave out, because a name in the same row says more. Files keep them. */
  readonly unlisted?: readonly string[]
  /** Names that several things share, each with the column of the number that tells them apart. */
  readonly numbered?: Readonly<Record<string, string>>
  /** Lists of every row of one kind. Default: none. */
  readonly lists?: readonly List[]
  /** What only one group of users may see. Default: nothing, everybody may see everything. */
  readonly reserved?: Reserved
  /**
   * The page that finds a fact by its number and shows its versions. Default: none; the page of each
   * table leads to the versions of its rows.
   */
  readonly facts?: FactWords
  /** What the page Ask begins with. */
  readonly ask?: AskWords
  /** What the filters of questions mean, by name, for the description of the API. */
  readonly filterWords?: Readonly<Record<string, FilterWords>>
}

/** What only one group of users may see. The group `analyst` may see everything else. */
export interface Reserved {
  readonly group: string
  /** What is reserved, for people, such as `the fines`. */
  readonly what: string
  /** Addresses that only this group may read, each with the files and everything below it. */
  readonly paths: readonly string[]
  /** The event that is logged whenever somebody reads it. Default: `reserved_read`. */
  readonly event?: string
}

/** The page that finds a fact and shows its versions: its address, and its words. */
export interface FactWords {
  /** The address of the search, such as `/find`. A fact is at `/find/<source table>/<key>`. */
  readonly path: string
  /** The page in the navigation, such as `Order`. */
  readonly title: string
  /** The heading of the search, such as `Find an order`. */
  readonly find: string
  /** What can be found, in one sentence. */
  readonly summary: string
}

/** What the page Ask shows before somebody asks. */
export interface AskWords {
  /** The first statement in the editor: it answers something and shows how to ask. */
  readonly first?: string
  /**
   * Headings for questions whose names are a letter and a number, such as `s01_…`, by the letter, in
   * the order to show.
   */
  readonly groups?: Readonly<Record<string, string>>
}

/** What a filter means. */
export interface FilterWords {
  /** In one sentence. */
  readonly description: string
  readonly example: string
}

/**
 * A word such as `bags`, or `%` for a ratio to show as a percentage. For money, the columns that may
 * name the currency: the first one that the row has does.
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
  /** The kind of date that the period applies to, such as `order date`. Shown beside the period. */
  readonly periodOf?: string
  /** The period if the address names none. Default: twelve weeks. */
  readonly standardPeriod?: 'all'
  /** Links to lists at the top of the page. They keep the page's filters, but not its period. */
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
 * Where the rows of a panel, and the marks that are drawn from them, lead. The link keeps the page's
 * filters that both the question and the target know. A mark of several rows leads to what its rows
 * have in common.
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
  /** Whether the question's period applies to another kind of date than the target's. The link drops it. */
  readonly isOtherPeriod?: boolean
}

/** One value that a filter offers, and its label for people. */
export interface Choice {
  readonly value: string
  readonly label: string
}

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
  /** One of a few fixed values, which change how questions are answered but leave out no rows. */
  | {
      readonly kind: 'option'
      readonly name: string
      readonly label: string
      readonly values: readonly Choice[]
      /** The choice if the address names none. To name its value means the same. */
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
 * Every row of one kind, at `/list/<name>`, to search, filter, sort, page through and download.
 */
export interface List {
  readonly name: string
  readonly title: string
  /** What the list is for, in one sentence. */
  readonly summary: string
  /** The file with the select that finds the rows. It has the header of a question, but no `order by`. */
  readonly sql: URL
  /** The columns to show. */
  readonly columns: readonly string[]
  /** An integer column that identifies a row. It orders rows that are otherwise equal. */
  readonly key: string
  /** The columns by which rows can be sorted, and their types. None of them is ever null. */
  readonly sorts: Readonly<Record<string, SortType>>
  /** The order if the address names none. It should have an index. */
  readonly sort: Sort
  /** The names of the dashboard's filters that it offers. */
  readonly filters: readonly string[]
  /** The filters that only this list has. A text filter comes first on the page. */
  readonly own: readonly ListFilter[]
  /** The kind of date that the period applies to. */
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
