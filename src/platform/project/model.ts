import { shortName } from './names.ts'

/**
 * A `.sql` file that makes one warehouse table, and what the platform must know about the table.
 */
export type Model = Dimension | Calendar | Fact

/** What all kinds of models declare. */
interface ModelBase {
  /** Name of the warehouse table. */
  readonly table: string
  /**
   * The `.sql` file or its text, in DuckDB's dialect. The final select lists the table's columns in
   * order.
   */
  readonly sql: URL | string
  /** What the table holds, for people. */
  readonly description?: string
  /** What its columns hold, by name. */
  readonly descriptions?: Readonly<Record<string, string>>
  /**
   * The types of columns in the warehouse, by name, as Postgres writes them. Default: the type that
   * holds what the SQL returns.
   */
  readonly types?: Readonly<Record<string, string>>
  /** Columns that identify a row (dimension) or the thing a version belongs to (fact). */
  readonly key: readonly string[]
  /** Columns that may be null. A null in any other column sends the row to quarantine. */
  readonly nullable?: readonly string[]
  /**
   * Rules for single rows. The severity of a check decides what happens to a row that breaks it.
   */
  readonly checks?: readonly Check[]
  /**
   * Columns by which people look up its rows. The table has an index on each; of a fact, the table
   * of current rows.
   */
  readonly sought?: readonly string[]
}

/** A rule for one row. */
export interface Check {
  /** The name of the rule, in lower case with underscores. */
  readonly name: string
  /** The column a reader should look at first. */
  readonly column: string
  /** SQL condition over the model's columns, in DuckDB's dialect. Null counts as met. */
  readonly holds: string
  /** Default: `warn`. */
  readonly severity?: Severity
}

/**
 * What happens to a row that breaks a check. With `warn` the row is published like any other and
 * counted in the commit record. Use it for business rules, because history must hold what the
 * source said, plausible or not. With `refuse` the row goes to quarantine, and the check's name is
 * the reason. Use it only for rows that the warehouse cannot store or join.
 */
export type Severity = 'warn' | 'refuse'

/**
 * A rule across tables. The source may have good reasons to break it, so nothing is held back: rows
 * that break it are counted in the commit record and reported.
 */
export interface DataTest {
  readonly name: string
  /**
   * A select of the rows that break the rule, over `change_<table>` and the current tables. Runs if
   * the batch changes a table that the select reads as `change_<table>`.
   */
  readonly sql: URL | string
}

/** A select over the current tables, with one row for each key. */
export interface Dimension extends ModelBase {
  readonly kind: 'dimension'
}

/**
 * A dimension of days. It covers the whole years of all dates in the view `named_date (date_id)`.
 */
export interface Calendar extends ModelBase {
  readonly kind: 'calendar'
}

/**
 * Maps the rows of `change_<from>` one by one. The model passes `_operation`, `_captured_at` and
 * `_ordinal` through as its last three columns. The platform puts the record id before the model's
 * columns and the history columns after them.
 */
export interface Fact extends ModelBase {
  readonly kind: 'fact'
  /** The source table whose changes the model maps. */
  readonly from: string
  /**
   * Source tables that the model joins as they stand, and whose changes it follows: if a change
   * reaches a row, the model maps the row again, and a version is added if any column differs. With
   * `follows`, even an empty one, the model may leave rows out. A row that leaves is gone, with the
   * operation `leave`. The key of such a fact is the key of `from`, in the same order.
   */
  readonly follows?: readonly string[]
  /** Column of the surrogate id, which has no gaps and rises in capture order. */
  readonly recordId: string
  /** Columns of the history whose usual names the table itself needs, by what they hold. */
  readonly history?: Partial<HistoryColumns>
  readonly references: readonly Reference[]
  /** Sums over its current rows that every load keeps up to date. */
  readonly sums?: Sums
  /**
   * A Postgres query over the star schema that returns one `headline` for people: which of these
   * facts this is. Its parameters are the values of the key.
   */
  readonly headline?: URL
  /** How people read its versions. Default: column by column, by the columns' own names. */
  readonly telling?: Telling
}

/** The columns that tell a fact's history. The last four are columns of the history view alone. */
export interface HistoryColumns {
  readonly operation: string
  readonly recordedAt: string
  readonly batch: string
  readonly version: string
  readonly validFrom: string
  readonly validTo: string
  readonly isCurrent: string
}

/** How people read the versions of a fact. */
export interface Telling {
  /**
   * What people call the columns, in the order to show. A column that is not here is shown only where
   * it changes.
   */
  readonly words: Readonly<Record<string, string>>
  /** What a version is worth: its price, times its quantity if there is one, in its currency. */
  readonly worth?: Worth
}

/** The columns that say what a version is worth. The currency is shown by its name in `order_names`. */
export interface Worth {
  readonly quantity?: string
  readonly price: string
  readonly currency: string
}

/**
 * Sums over a fact's current rows, for questions that add up all of them. Each grain has a table,
 * `<fact>_by_<grain>`; the view `<fact>_sums_current` shows all grains and the single rows. The
 * table `<fact>_revisions` has each version that follows another, beside the version before it. It
 * serves sums as of a moment and questions about changes.
 * Expressions are Postgres SQL over the fact's columns. They must not fail for any row, and are
 * immutable: they depend on nothing else, such as the day or the time zone.
 */
export interface Sums {
  /** What a row adds to each sum: an integer or a finite numeric. Null adds nothing. */
  readonly columns: Readonly<Record<string, string>>
  /** By grain, the columns by which it sums: one row for each combination. None may be nullable. */
  readonly grains: Readonly<Record<string, readonly string[]>>
  /** SQL of columns of grains that the fact does not have. Never null. */
  readonly derived?: Readonly<Record<string, string>>
}

/** The grain of the single rows in the view of a fact's sums. */
export const ROW_GRAIN = 'row'

/** The name of the table that keeps a fact's sums by a grain. */
export function sumsName(fact: string, grain: string): string {
  return `${fact}_by_${grain}`
}

/** The name of the table that keeps the revisions of a fact with sums. */
export function revisionsName({ table }: Pick<Fact, 'table'>): string {
  return `${table}_revisions`
}

/** The name of the view that shows all sums of a fact and its single rows. */
export function sumsView({ table }: Pick<Fact, 'table'>): string {
  return `${table}_sums_current`
}

/** The columns by which a fact's sums can be asked for: the columns of its grains, and `sought`. */
export function sumsColumnsOf({ sums, sought = [] }: Fact): string[] {
  return [...new Set([...Object.values(sums?.grains ?? {}).flat(), ...sought])]
}

/** The table that has the indexes on the columns in `sought`. */
export function soughtTable({ kind, table }: Pick<Model, 'kind' | 'table'>): string {
  return kind === 'fact' ? shortName(table, '_current') : table
}

/** The name of the index for a column in `sought`. */
export function indexName(model: Pick<Model, 'kind' | 'table'>, column: string): string {
  return shortName(`${soughtTable(model)}_${column}`, '_idx')
}

/** How a fact refers to a row of a dimension. */
export interface Reference {
  /** The fact's columns, in the order of the dimension's key. */
  readonly columns: readonly string[]
  /** Table name of the dimension or calendar. */
  readonly dimension: string
}

/** Reasons for a refusal that the platform itself gives. No check may use these names. */
export const OWN_REASONS: readonly string[] = [
  'not_null',
  'not_a_day',
  'key_too_large',
  'cast',
  'table_held',
]
