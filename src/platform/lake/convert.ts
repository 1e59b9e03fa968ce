import { rm } from 'node:fs/promises'
import { ContractError } from '../errors.ts'
import { DuckDbError } from '../io/duckdb-errors.ts'
import { duckLiteral, identifier } from '../io/sql.ts'
import type { CopiedRows } from '../source/copy.ts'
import { type Stamp, stamp } from './batch.ts'
import { type SeparatedLines, separateLines, READABLE_LEAD, UNREADABLE_LEAD } from './copy-lines.ts'
import { MAX_ROW_BYTES, readCopyText } from './copy-text.ts'
import { type Column, lakeValue, tryLakeValue } from './lake-type.ts'
import { writeParquet } from './parquet.ts'
import type { LakeTable } from './table-state.ts'

/** Copied rows, converted to local Parquet files. */
export interface ConvertedRows {
  /** File of the accepted rows, in the lake's types, with the four change columns. */
  readonly path: string
  readonly rows: number
  /**
   * The refused rows, if any: a value has no exact form in its type, is not UTF-8, or the row is
   * too large. `_reason` and `_column` say why. The key is in its type; every other column holds
   * the text that Postgres sent (see `separateLines` for bytes that are not text).
   */
  readonly refused: { readonly path: string; readonly rows: number } | undefined
}

/**
 * Converts copied rows to Parquet and removes the file with the copied text. Rows keep their order.
 * Ordinals begin at `firstOrdinal`; refused rows leave gaps in them. Throws `ContractError` if a
 * key has no exact form (`KEY_NOT_EXACT`), or if not every row that Postgres sent could be read
 * back (`CAPTURE_INCOMPLETE`).
 */
export async function convertRows(
  batch: Stamp,
  table: LakeTable,
  { copied, firstOrdinal }: { copied: CopiedRows; firstOrdinal: number },
): Promise<ConvertedRows> {
  const path = `${copied.path}.parquet`
  const converted =
    (await convertAll(batch, table, { copied, firstOrdinal, path })) ??
    (await convertSeparated(batch, table, { copied, firstOrdinal, path }))
  await rm(copied.path)
  return converted
}

interface Conversion {
  readonly copied: CopiedRows
  readonly firstOrdinal: number
  readonly path: string
}

/** Converts all rows at once; undefined if some of them do not convert. */
async function convertAll(
  batch: Stamp,
  table: LakeTable,
  { copied, firstOrdinal, path }: Conversion,
): Promise<ConvertedRows | undefined> {
  // Text that is not UTF-8 can break not only the statement but all of DuckDB ("database
  // invalidated").
  const isReadable = copied.isUtf8 && copied.longestLineBytes <= MAX_ROW_BYTES
  if (!isReadable || copied.isNoted === true) return undefined
  const values = table.columns.map((column) => `${lakeValue(column)} as ${identifier(column.name)}`)
  try {
    const rows = await writeParquet(
      batch.db,
      `select ${values.join(', ')}, 'insert' as _operation, ${stamp(batch)},
        ${firstOrdinal - 1} + row_number() over () as _ordinal
       from ${readCopyText(copied.path, table.columns, { maxLineBytes: copied.longestLineBytes })}`,
      path,
      table.columns,
    )
    return rows === copied.rows ? { path, rows, refused: undefined } : undefined
  } catch (error) {
    if (error instanceof DuckDbError) return undefined
    throw error
  }
}

/** Converts the rows that can be converted, and keeps all others as text with the reason. */
async function convertSeparated(
  batch: Stamp,
  table: LakeTable,
  conversion: Conversion,
): Promise<ConvertedRows> {
  const { copied } = conversion
  const lines = await separateLines(copied, table)
  const incomplete = (why: string) =>
    new ContractError(`Table ${table.name}: ${why}`, {
      code: 'CAPTURE_INCOMPLETE',
      hint: 'nothing was written; please report this',
    })
  try {
    const { rows, refused } = await convertReadable(batch, table, { ...conversion, lines })
    const read = rows + (refused?.rows ?? 0)
    if (read !== copied.rows) {
      throw incomplete(`Postgres sent ${copied.rows} rows, but ${read} could be read back`)
    }
    return { path: conversion.path, rows, refused }
  } catch (error) {
    if (error instanceof DuckDbError)
      throw incomplete('the rows that Postgres sent could not be read back')
    throw error
  } finally {
    await rm(lines.readable)
    await rm(lines.unreadable)
  }
}

/** Reads every field as text and separates the rows that convert exactly from those that do not. */
async function convertReadable(
  batch: Stamp,
  table: LakeTable,
  { copied, firstOrdinal, path, lines }: Conversion & { lines: SeparatedLines },
): Promise<Pick<ConvertedRows, 'rows' | 'refused'>> {
  const { db } = batch
  const text = (name: string): Column => ({ name, type: 'VARCHAR' })
  const texts = table.columns.map(({ name }) => text(name))
  const values = table.columns.map((column) => ({ column, value: tryLakeValue(column) }))
  const inexactColumn = (columns: readonly string[]) => {
    const cases = values
      .filter(({ column: { name, type } }) => columns.includes(name) && type !== 'VARCHAR')
      .map(({ column: { name }, value }) => {
        return `when ${identifier(name)} is not null and (${value}) is null then ${duckLiteral(name)}`
      })
    return `case when false then null ${cases.join(' ')} else null::varchar end`
  }
  const rest = `${firstOrdinal - 1} + _ordinal as _ordinal, 'insert' as _operation, ${stamp(batch)}`
  await using numbered = await db.table(`
    select * exclude (_ordinal), ${inexactColumn(table.columns.map(({ name }) => name))} as _column,
      case when _column is not null then 'value_not_exact' end as _reason, ${rest}
    from ${readCopyText(lines.readable, texts, { lead: READABLE_LEAD })}
    union all by name
    select * exclude (_ordinal, _column),
      coalesce(${inexactColumn(table.key)}, ${lakeValue(text('_column'))}) as _column, ${rest}
    from ${readCopyText(lines.unreadable, texts, { lead: UNREADABLE_LEAD })}`)
  const keys = `[${table.key.map(duckLiteral).join(', ')}]::varchar[]`
  const found = await db.rows<{ column: string }>(
    `select distinct _column as "column" from ${numbered.name} where list_contains(${keys}, _column)`,
  )
  if (found[0] !== undefined) {
    throw new ContractError(
      `Table ${table.name}: key column ${found[0].column} holds values that have no exact form`,
      { code: 'KEY_NOT_EXACT', hint: 'correct the keys in the source, or declare another key' },
    )
  }
  const as = (value: string, { name }: Column) => `${value} as ${identifier(name)}`
  const rows = await writeParquet(
    db,
    `select ${values.map(({ column, value }) => as(value, column)).join(', ')},
     _operation, _batch, _captured_at, _ordinal from ${numbered.name} where _reason is null`,
    path,
    table.columns,
  )
  const raw = table.columns.map((column) =>
    as(
      table.key.includes(column.name) ? tryLakeValue(column) : lakeValue(text(column.name)),
      column,
    ),
  )
  const refusedPath = `${copied.path}.refused.parquet`
  const refused = await writeParquet(
    db,
    `select ${raw.join(', ')}, _operation, _batch, _captured_at, _ordinal, _reason, _column
     from ${numbered.name} where _reason is not null`,
    refusedPath,
    table.columns,
  )
  return { rows, refused: refused > 0 ? { path: refusedPath, rows: refused } : undefined }
}
