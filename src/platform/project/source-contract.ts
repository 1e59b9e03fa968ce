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
