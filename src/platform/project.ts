import type { Dashboard } from './presentation/page.ts'

/**
 * What a domain declares so that the platform can carry it. A `Project` is data and SQL only:
 * the platform never calls back into a domain, and knows no table by name.
 */
export interface Project {
  /** Short lower-case name: used in lock names, logs and the warehouse's own tables. */
  readonly name: string
  /** What people call the source, e.g. `Totesys`. */
  readonly title: string
  readonly source: SourceContract
  /** In the order they are made: dimensions before the facts that name them, the calendar last. */
  readonly models: readonly Model[]
  /** What must be true across tables; run with every batch that changes one of the tables they name. */
  readonly tests?: readonly DataTest[]
  readonly warehouse: {
    /** Folder of append-only, numbered `.sql` migrations that make the star's tables. */
    readonly migrations: URL
  }
  /** What people see of it; without, there are no pages. */
  readonly presentation?: Dashboard
}

export interface SourceContract {
  /** Schema of the source tables unless a table names its own. */
  readonly schema: string
  readonly tables: readonly SourceTable[]
  /** Tables that are filled from files or answers beside the database. */
  readonly feeds?: readonly Feed[]
}

/**
 * A table whose rows come in files that somebody drops, or in the answers of a server. A row with a
 * new key is an insert, one that differs an update; what is missing from a later file stays.
 */
export interface Feed {
  /** The table's name in the lake and in the models, and the folder its files are dropped into. */
  readonly name: string
  /** Columns that identify a row for good. */
  readonly key: readonly string[]
  /** Field of a file, which is the column → its Postgres type. Other fields are left in the file. */
  readonly columns: Readonly<Record<string, string>>
  /** The format of its wide CSV files, such as `Date,USD,JPY`. Without it, no file is wide. */
  readonly wide?: WideFormat
}

/**
 * The format of a wide CSV file, such as one with a row for each day and a column for each
 * currency. Each cell with a value becomes a row of the feed. A file is wide if its first title is
 * the one given here and another title matches the pattern.
 */
export interface WideFormat {
  /** The title of the first column, and the feed's column that takes its values. */
  readonly first: { readonly title: string; readonly column: string }
  /**
   * The feed's column that takes the other titles. A column whose title does not match is left out.
   */
  readonly titles: { readonly column: string; readonly pattern: string }
  /** The feed's column that takes the cells. An empty cell, or one of `absent`, makes no row. */
  readonly cells: { readonly column: string; readonly absent: readonly string[] }
  /**
   * Columns with the same value in every row. A file with one of these values as a title is
   * refused: a table with a column EUR does not say what a euro costs.
   */
  readonly constants: Readonly<Record<string, string>>
}

/** How a server's answers become rows of a feed. */
export interface AnswerFormat {
  readonly feed: string
  /** Path and query below the server's address. */
  readonly path: string
  /**
   * A schema whose input is the answer's text and when it came, and whose output are rows. An
   * answer without a row is a failure of the server.
   */
  readonly parse: AnswerSchema
}

/** The part of a zod schema that counts. */
export interface AnswerSchema {
  safeParse(answer: {
    readonly text: string
    /** ISO 8601 UTC. */
    readonly fetchedAt: string
  }):
    | { readonly success: true; readonly data: readonly Readonly<Record<string, string>>[] }
    | { readonly success: false }
}

/** All tables of the ingestion zone that models may read: the database's, then the feeds'. */
export function capturedTables({ tables, feeds = [] }: SourceContract): readonly SourceTable[] {
  return [...tables, ...feeds]
}

/** The table in the ingestion zone that says which files of a feed were taken. */
export function filesOf(feed: string): string {
  return `${feed}_files`
}

export interface SourceTable {
  /** The table's name in the lake and in the models (`change_<name>`, `<name>`). */
  readonly name: string
  /** Columns that identify a row for good. Must be unique and not null. */
  readonly key: readonly string[]
  /**
   * The contract: every column the models read, with its Postgres type as `format_type` prints it,
   * or `enum`. While the source lacks one, or holds it in a narrower type, the table is held back.
   * Models see these columns in these types and no others; everything else is captured all the
   * same. Not given, models see the table as it was captured, whatever it looks like.
   */
  readonly columns?: Readonly<Record<string, string | RequiredColumn>>
  /**
   * Columns that are never read: nothing of them reaches the lake, the warehouse, a log or a page,
   * not even their names. For secrets and personal data that nobody needs. What was captured before
   * a column was named here stays in the lake. While the source has no such column the table is
   * held, so that a name with a typing error lets nothing through.
   */
  readonly exclude?: readonly string[]
  /** The source has no constraint that holds the key unique and not null: every read checks it. */
  readonly keyIsUnenforced?: boolean
  /** Where it lies in the source when that differs from `schema.name`. */
  readonly schema?: string
  readonly relation?: string
}

export interface RequiredColumn {
  readonly type: string
  /** What the source called it before; so the lake's older files still hold it. */
  readonly formerly?: readonly string[]
}

/** Columns that a change carries beside the source's own. */
export const CHANGE_COLUMNS: ReadonlySet<string> = new Set([
  '_operation',
  '_batch',
  '_captured_at',
  '_ordinal',
])

/**
 * Reserved names. A quarantined row carries `_reason` and `_column`, and a file's folder is named
 * by `tidemark_date`, so no source column may use these names.
 */
export const RESERVED_COLUMNS: ReadonlySet<string> = new Set([
  ...CHANGE_COLUMNS,
  '_reason',
  '_column',
  'tidemark_date',
])

export type Model = Dimension | Calendar | Fact

interface ModelBase {
  /** Name of the warehouse table. */
  readonly table: string
  /** The `.sql` file, DuckDB dialect; its final select lists the table's columns in order. */
  readonly sql: URL
  /** Columns that identify a row (dimension) or the thing a version belongs to (fact). */
  readonly key: readonly string[]
  /** Columns that may be null; a null in any other sends the row to quarantine. */
  readonly nullable?: readonly string[]
  /** Rules for its rows. A check's severity decides what happens to a row that breaks it. */
  readonly checks?: readonly Check[]
}

/** A rule of one row. */
export interface Check {
  /** Lower case with underscores: what people and machines call the rule. */
  readonly name: string
  /** The column a reader should look at first. */
  readonly column: string
  /** SQL condition over the model's columns, DuckDB dialect; null counts as met. */
  readonly holds: string
  /** `warn` if not given. */
  readonly severity?: Severity
}

/**
 * What a broken check does. `warn`: the row is published like any other and counted in the commit
 * record. For business rules, because history must hold what the source said, plausible or not.
 * `refuse`: the row goes to quarantine with the check's name as its reason. Only for rows that the
 * warehouse cannot store or join.
 */
export type Severity = 'warn' | 'refuse'

/**
 * A rule across tables that the source may break for good reason, so nothing is kept back for it:
 * rows that break it are counted in the commit record, and reported when there are some.
 */
export interface DataTest {
  readonly name: string
  /**
   * A select of the offending rows over `change_<table>` and the tables as they now stand. Runs
   * when the batch changes a table it reads as `change_<table>`.
   */
  readonly sql: URL
}

/** A select over the tables as they now stand; one row a key. */
export interface Dimension extends ModelBase {
  readonly kind: 'dimension'
}

/** A dimension of days, made for the whole years of every date in the view `named_date (date_id)`. */
export interface Calendar extends ModelBase {
  readonly kind: 'calendar'
}

/**
 * Row by row over `change_<from>`. The model passes `_operation`, `_captured_at` and `_ordinal`
 * through as its last three columns; the platform puts the record id in front and the
 * history columns behind.
 */
export interface Fact extends ModelBase {
  readonly kind: 'fact'
  /** The source table whose changes it maps. */
  readonly from: string
  /** Gapless surrogate id, assigned in capture order. */
  readonly recordId: string
  readonly references: readonly Reference[]
  /** Columns by which its current rows are sought: the current table has an index on each. */
  readonly sought?: readonly string[]
  /**
   * A Postgres query over the stars that returns one `headline`: which of these facts this is, for
   * people. Its parameters are the key's values.
   */
  readonly headline?: URL
}

/** The index of a fact's current table on a column by which its rows are sought. */
export function indexName(fact: string, column: string): string {
  return `${fact}_current_${column}_idx`
}

export interface Reference {
  /** The fact's columns, in the order of the dimension's key. */
  readonly columns: readonly string[]
  /** Table name of the dimension or calendar. */
  readonly dimension: string
}
