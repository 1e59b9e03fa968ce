import { rm } from 'node:fs/promises'
import { identifier } from '../sql.ts'
import { type Stamp, writeParquet } from './capture.ts'
import { type Divided, type Place, stamp } from './feed-divide.ts'
import { cast, fits, withCasts } from './feed-exact.ts'
import type { LakeTable } from './table-state.ts'

/**
 * Reads fields, which are all text, as rows in one pass; undefined where one of them is none or has
 * no exact form: which one it is has to be found line by line.
 */
export async function readWhole(
  batch: Stamp,
  table: LakeTable,
  {
    source,
    before,
    path,
    isCsv = false,
    isChecked = false,
  }: Place & { source: string; isCsv?: boolean; isChecked?: boolean },
): Promise<Divided | undefined> {
  const values = table.columns.map((column) => {
    const name = identifier(column.name)
    const isNone = isCsv && column.type === 'BLOB'
    return `${isNone ? `case when ${name} <> '' then ${cast(column)} end` : cast(column)} as ${name}`
  })
  const checks = table.columns.flatMap((column) => {
    const name = identifier(column.name)
    if (table.key.includes(column.name)) {
      return column.type === 'VARCHAR' && !isChecked ? [`${name} is not null`] : [fits(column)]
    }
    if (column.type === 'VARCHAR' && !isChecked) return []
    return [`(${name} is null or ${isCsv ? `${name} = '' or ` : ''}${fits(column)})`]
  })
  try {
    const rows = await writeParquet(
      batch.db,
      // All of a row at once, and beside its values: no value is copied for being looked at.
      `select ${values.join(', ')}, case when ${checks.join(' and ')} then 'insert' else error('inexact') end as _operation,
          ${stamp(batch)}, ${before} + row_number() over () as _ordinal
       from (select ${withCasts(table)} from ${source})`,
      path,
    )
    return { files: [{ path, rows }], refused: [], span: rows }
  } catch {
    // It is read again, whatever it was.
    await rm(path, { force: true })
    return undefined
  }
}
