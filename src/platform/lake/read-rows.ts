import { rm } from 'node:fs/promises'
import { incomingRelation } from './change-file.ts'
import type { ConvertedRows } from './convert.ts'
import type { LakeTable } from './table-state.ts'

/** The rows that one read of a table has brought so far, as local files. */
export interface ReadRows {
  /** All files of the read, to be removed at the end. */
  readonly paths: string[]
  /** The files with refused rows. */
  readonly refused: string[]
  add(converted: ConvertedRows): void
  /** Number of rows read, including refused rows. */
  read(): number
  /** SQL of the accepted rows; `refusedRows` is SQL of the refused rows. */
  accepted(): string
  refusedRows(): string
  remove(): Promise<void>
}

/** Begins to collect the rows of one read of a table. `remove` deletes all its files. */
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
