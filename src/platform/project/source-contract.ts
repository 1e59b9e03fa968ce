/** What the platform requires of the source: its tables, and the feeds beside the database. */
export interface SourceContract {
  /** Schema of the source tables. A table may name another. */
  readonly schema: string
  readonly tables: readonly SourceTable[]
  /** Tables whose rows come from files or servers instead of the database. */
  readonly feeds?: readonly Feed[]
}

/**
 * A table whose rows come from dropped files or from a server's answers. A row with a new key is an
 * insert, and a row that differs is an update. A row that a later file lacks stays.
 */
export interface Feed {
  /** The table's name in the lake and in the models, and the folder its files are dropped into. */
  readonly name: string
  /** Columns that identify a row for good. */
  readonly key: readonly string[]
  /**
   * Columns by name, which is also the field in a file, with their Postgres types. Other fields are
   * ignored, but stay in the archived file.
   */
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
   * The feed's column that takes the other titles. A column of the file whose title does not match
   * the pattern is ignored.
   */
  readonly titles: { readonly column: string; readonly pattern: string }
  /** The feed's column that takes the cells. An empty cell, or one of `absent`, makes no row. */
  readonly cells: { readonly column: string; readonly absent: readonly string[] }
  /**
   * Columns with the same value in every row. A file that has one of these values as a title is
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
   * A schema that turns an answer's text and the time it came into rows. An answer without rows
   * counts as a failure of the server.
   */
  readonly parse: AnswerSchema
}

/** The part of a zod schema that the platform uses. */
export interface AnswerSchema {
  safeParse(answer: {
    readonly text: string
    /** ISO 8601 UTC. */
    readonly fetchedAt: string
  }):
    | { readonly success: true; readonly data: readonly Readonly<Record<string, string>>[] }
    | { readonly success: false }
}

/**
 * All tables of the ingestion zone that models may read: first the database's tables, then feeds.
 */
export function capturedTables({ tables, feeds = [] }: SourceContract): readonly SourceTable[] {
  return [...tables, ...feeds]
}

/** The part of a contract that decides which rows are captured, as text: all but descriptions. */
export function contractText(contract: SourceContract): string {
  const tables = contract.tables.map((table) => ({
    ...table,
    description: undefined,
    descriptions: undefined,
  }))
  return JSON.stringify({ ...contract, tables })
}

/** The table in the ingestion zone that lists the files taken for a feed. */
export function filesOf(feed: string): string {
  return `${feed}_files`
}

/** A table, view or foreign table of the source database. */
export interface SourceTable {
  /** The table's name in the lake and in the models (`change_<name>`, `<name>`). */
  readonly name: string
  /** Columns that identify a row for good. They must be unique and not null. */
  readonly key: readonly string[]
  /**
   * The contract: every column that models read, with its Postgres type as `format_type` prints it,
   * or `enum`. While the source lacks a column, or has it in a narrower type, the table is held.
   * Models see exactly these columns in these types, but all other columns are captured too.
   * Without `columns`, models see the table as it was captured.
   */
  readonly columns?: Readonly<Record<string, string | RequiredColumn>>
  /**
   * Columns that are never read. Nothing of them, not even a name, reaches the lake, the warehouse,
   * a log or a page. Use it for secrets and for personal data that nobody needs. Values captured
   * before a column was listed here stay in the lake. While the source lacks a listed column, the
   * table is held, so that a misspelt name lets nothing through.
   */
  readonly exclude?: readonly string[]
  /**
   * No constraint in the source keeps the key unique and not null, so every read checks the key.
   */
  readonly keyIsUnenforced?: boolean
  /**
   * The table has no key, so a row is its values. It is captured with a count of equal rows
   * (`row_count`), under a hash of its values (`row_hash`), which is the key.
   */
  readonly isByContent?: boolean
  /** The table is kept as it is, with its history. */
  readonly mirrored?: boolean
  /** A table of a mirror whose name another table has: which, and what to do. It is held. */
  readonly clash?: string
  /** A table of a mirror that was captured before: what its history needs. */
  readonly captured?: CapturedTable
  /** What the table holds, for people, and what its columns hold, by name. */
  readonly description?: string
  readonly descriptions?: Readonly<Record<string, string>>
  /** Place in the source, if it differs from `schema.name`. */
  readonly schema?: string
  readonly relation?: string
}

/** What the history of a table that a mirror keeps needs from now on. */
export interface CapturedTable {
  readonly key: readonly string[]
  /** The columns that the lake holds. */
  readonly columns: readonly string[]
  /** Names of the columns that tell the history, which no column of the source may take any more. */
  readonly reserved: readonly string[]
}

/** A column of the contract that was renamed in the source. */
export interface RequiredColumn {
  readonly type: string
  /** Earlier names of the column in the source. The lake's older files still use them. */
  readonly formerly?: readonly string[]
}

/** Columns that every change carries beside those of the source. */
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
