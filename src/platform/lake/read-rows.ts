import { rm } from 'node:fs/promises'
import { incomingRelation } from './change-file.ts'
import type { ConvertedRows } from './convert.ts'
import type { LakeTable } from './table-state.ts'

/** What one read of a table has brought so far, as local files. */
export interface ReadRows {
  /** Everything to remove in the end. */
  readonly paths: string[]
  readonly refused: string[]
  add(converted: ConvertedRows): void
  /** Rows, refused ones included. */
  read(): number
  /** Relations of the rows by what became of them. */
  accepted(): string
  refusedRows(): string
  remove(): Promise<void>
}

/** Nothing read yet. */
export function collectRows(table: LakeTable): ReadRows {
  const paths: string[] = []
  const accepted: string[] = []
  const refused: string[] = []
  let read = 0
  return {
    paths,
    refused,
    add(converted) {
      accepted.push(converted.path)
      paths.push(converted.path)
      read += converted.rows
      if (converted.refused === undefined) return
      refused.push(converted.refused.path)
      paths.push(converted.refused.path)
      read += converted.refused.rows
    },
    read: () => read,
    accepted: () => incomingRelation(table, accepted),
    refusedRows: () => incomingRelation(table, refused),
    async remove() {
      for (const path of paths) await rm(path)
    },
  }
}
