/** A column of a source table, as the catalogue describes it. */
export interface SourceColumn {
  readonly name: string
  /** As `format_type` prints it. */
  readonly type: string
  /** The same type with domains resolved. */
  readonly baseType: string
  readonly nullable: boolean
  /**
   * The expression of the default or of a generated column. This field and the next two are for the
   * archive only; `readTables` always sets them.
   */
  readonly default?: string | null
  readonly generated?: boolean
  /** Labels of its enum, or of the enum in its array, in their order. */
  readonly labels?: readonly string[] | null
}

/** The schema of a source table in this snapshot, and how the table can be read. */
export interface TableShape {
  readonly name: string
  readonly key: readonly string[]
  /** Quoted, for SQL before an alias: a table, or a select of its different rows. */
  readonly relation: string
  /** Whether its rows have no key, and are read as different rows with a count of each. */
  readonly isByContent?: boolean
  readonly columns: readonly SourceColumn[]
  /**
   * Whether transaction ids and a count prove what changed. They do not prove it for a view or a
   * foreign table, which have no such ids; under row security, where a policy decides again each
   * time which rows are visible; for an unlogged table, which a crash empties; and for values that
   * are printed as an object's name (`regclass`, `aclitem`). Such relations are compared whole
   * every time.
   */
  readonly hasXmin: boolean
  /** Whether it can be read in ranges of pages. */
  readonly hasCtidRanges: boolean
  readonly sizeBytes: number
  /** Whether the catalogue proves the key to be unique and not null. */
  readonly keyIsUnique: boolean
  /**
   * Changes with the columns and with the table's identity: its relation, its partitions, and
   * everything that changes the values without touching a row (a column in another's place, the
   * expression of a generated column, the labels of an enum or the attributes of a composite type,
   * at any depth in arrays, domains and ranges).
   */
  readonly fingerprint: string
}
