import { createHash } from 'node:crypto'
import type { Checksum } from '../inspect/verify-checksum.ts'
import type { Column } from '../lake/lake-type.ts'

/** The content of one table. */
export interface HashedTable {
  /** In the warehouse: a fact with every version, the current rows of a fact, or a dimension. */
  readonly table: string
  readonly rows: number
  /**
   * 32 hexadecimal digits. Equal content has an equal hash, whatever the order of rows and columns,
   * on any server, and in the lake.
   */
  readonly hash: string
}

/** Every table of a project, as of one batch. */
export interface HashedContent {
  /** The newest batch in it. */
  readonly batch: number
  readonly generation: string
  readonly tables: readonly HashedTable[]
}

/** The columns in the order in which a hash takes them. */
export function inHashOrder<Named extends Pick<Column, 'name'>>(
  columns: readonly Named[],
): Named[] {
  return columns.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** The hash of a table whose columns, in `inHashOrder`, have this checksum. Pure. */
export function hashTable(
  table: string,
  columns: readonly Pick<Column, 'name'>[],
  { rows, sum }: Checksum,
): HashedTable {
  const names = columns.map(({ name }) => name)
  const content = JSON.stringify([names, String(rows), String(sum)])
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 32)
  return { table, rows: Number(rows), hash }
}
