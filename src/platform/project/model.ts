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

/** Reasons that are the platform's own; no check may be called so. */
export const OWN_REASONS: readonly string[] = [
  'not_null',
  'not_a_day',
  'key_too_large',
  'cast',
  'table_held',
]
