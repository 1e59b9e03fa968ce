import { rm } from 'node:fs/promises'
import { identifier } from '../../io/sql.ts'
import { type Stamp, stamp } from '../../lake/batch.ts'
import { writeParquet } from '../../lake/parquet.ts'
import type { LakeTable } from '../../lake/table-state.ts'
import type { DividedLines, Place } from './divide-lines.ts'
import { cast, castName, fits, withCasts } from './exact-value.ts'

/**
 * Reads fields as rows in one pass. All of them are text, except in `typed` columns, whose values
 * are proven exact already (`LinePattern`). Returns undefined if any row does not convert exactly.
 * The caller then runs `divideLines` to find that row.
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
    typed = new Set(),
  }: Place & {
    source: string
    isCsv?: boolean
    isChecked?: boolean
    typed?: ReadonlySet<string> | undefined
  },
): Promise<DividedLines | undefined> {
  const values = table.columns.map((column) => {
    const name = identifier(column.name)
    const isNone = isCsv && column.type === 'BLOB'
    return `${isNone ? `case when ${name} <> '' then ${cast(column)} end` : cast(column)} as ${name}`
  })
  const checks = table.columns.flatMap((column) => {
    const name = identifier(column.name)
    if (typed.has(column.name)) {
      return table.key.includes(column.name) ? [`${castName(column)} is not null`] : []
    }
    if (table.key.includes(column.name)) {
      return column.type === 'VARCHAR' && !isChecked ? [`${name} is not null`] : [fits(column)]
    }
    if (column.type === 'VARCHAR' && !isChecked) return []
    return [`(${name} is null or ${isCsv ? `${name} = '' or ` : ''}${fits(column)})`]
  })
  try {
    const rows = await writeParquet(
      batch.db,
      // The check reads the whole row beside its values, so that no value is copied for it.
      `select ${values.join(', ')}, case when ${checks.join(' and ')} then 'insert' else error('inexact') end as _operation,
          ${stamp(batch)}, ${before} + row_number() over () as _ordinal
       from (select ${withCasts(table, typed)} from ${source})`,
      path,
      table.columns,
    )
    return { files: [{ path, rows }], refused: [], span: rows }
  } catch {
    // The error does not matter here: the lines are read again one by one.
    await rm(path, { force: true })
    return undefined
  }
}
