/** A table, view or foreign table of a database, as its catalogue describes it. */
export interface CatalogueTable {
  readonly schema: string
  readonly relation: string
  readonly kind: 'table' | 'partitioned' | 'view' | 'materialized view' | 'foreign table'
  /** Whether this user may read at least one of its columns. */
  readonly isReadable: boolean
  /** All its columns, in their order. */
  readonly columns: readonly CatalogueColumn[]
  /**
   * The columns of its primary key, or else of a unique index over columns that are never null.
   * Undefined without either, and for a table that others inherit from, whose keys do not cover the
   * rows of those. This user may read every column of it.
   */
  readonly key: readonly string[] | undefined
  readonly keyFrom: 'primary key' | 'unique index' | undefined
  readonly comment: string | undefined
  readonly foreignKeys: readonly ForeignKey[]
  /** As the server last estimated them. Undefined if it never did, and for views. */
  readonly rows: number | undefined
  /** Size of its rows without indexes, as the server last noted it. Undefined if it never did. */
  readonly bytes: number | undefined
}

/** A column of a relation in the catalogue. */
export interface CatalogueColumn {
  readonly name: string
  /** As `format_type` prints it. */
  readonly type: string
  /** The same type with domains resolved. */
  readonly baseType: string
  readonly isEnum: boolean
  readonly nullable: boolean
  readonly isReadable: boolean
  readonly comment: string | undefined
}

/** Columns whose values are the key of a row in another table. */
export interface ForeignKey {
  readonly columns: readonly string[]
  /** In the order of `columns`. */
  readonly refersTo: {
    readonly schema: string
    readonly relation: string
    readonly columns: readonly string[]
  }
}
