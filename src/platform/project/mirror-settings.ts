/**
 * Which tables and columns of the source a mirror keeps, and under which names. A pattern is
 * `schema.table` or `schema.table.column`, and each part may be `*`. With two parts, the first is a
 * schema if the source has one of that name, and otherwise a table. A single part is a table.
 */
export interface MirrorSettings {
  /** Patterns of the tables and columns to keep. Without any, all tables that can be read. */
  readonly select?: readonly string[]
  /** Patterns of the tables and columns to leave out. They win over `select`. */
  readonly exclude?: readonly string[]
  /**
   * Whether a table that appears after the first batch is captured, or only reported. Default:
   * `capture`.
   */
  readonly newTables?: 'capture' | 'report'
  /**
   * Whether a table without a key is kept by content (a row is its values, with a count) or left
   * out. Default: `keep`.
   */
  readonly withoutKey?: 'keep' | 'leave'
  /** Whether views, materialized views and foreign tables are kept too. Default: false. */
  readonly views?: boolean
  /** Tables by their place in the source, `schema.table`. */
  readonly tables?: Readonly<Record<string, MirroredTableSettings>>
}

/** What a mirror cannot know from the catalogue about one table. */
export interface MirroredTableSettings {
  /** The name in the lake and in the warehouse, if another table has the usual one. */
  readonly name?: string
  /** The key of a table or view for which the source declares none. */
  readonly key?: readonly string[]
}
