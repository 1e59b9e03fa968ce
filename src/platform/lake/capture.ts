import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DuckDb } from '../duckdb.ts'
import { DuckDbError } from '../duckdb-fault.ts'
import { ContractError } from '../errors.ts'
import { duckLiteral, identifier, identifiers } from '../sql.ts'
import type { CopiedRows } from '../source/copy.ts'
import type { FileRef } from './commit-record.ts'
import { type DividedLines, divideLines, READABLE_LEAD, UNREADABLE_LEAD } from './copy-lines.ts'
import { MAX_ROW_BYTES, readCopyText } from './copy-text.ts'
import { type Column, fileValues, isDistinct, lakeValue, tryLakeValue } from './lake-type.ts'
import { type LakeTable, readParquet, selectNothing } from './table-state.ts'
import { keyPart, padBatch, uploadFile, type Zone } from './zone.ts'

/** The batch being prepared: nothing of it exists for readers until its commit record does. */
export interface PendingBatch {
  readonly zone: Zone
  readonly db: DuckDb
  readonly number: number
  /** In every file name, so that a retry never meets the orphans of an earlier attempt. */
  readonly attempt: string
  /** ISO 8601 UTC; becomes `_captured_at`. */
  readonly takenAt: string
}

/** What a row of a batch carries of it. */
export type Stamp = Pick<PendingBatch, 'db' | 'number' | 'takenAt'>

/** No file holds more rows than this, so that none grows with its table. */
const ROWS_PER_FILE = 1_000_000

/** Copied rows as local Parquet files. */
export interface ConvertedRows {
  /** The rows in the lake's types plus the four change columns. */
  readonly path: string
  readonly rows: number
  /**
   * The rows that were refused, if there are any: because some value has no exact form in its type,
   * is not UTF-8, or is too large. `_reason` and `_column` say which, the key is in its type,
   * everything else is the text Postgres sent (see `divideLines` for what is not text).
   */
  readonly refused: { readonly path: string; readonly rows: number } | undefined
}

/**
 * Turns copied rows into Parquet and removes the file they were in. Rows keep their order; ordinals
 * begin at `firstOrdinal`, and where rows are refused they have gaps. Throws `ContractError` when a
 * key has no exact form, or when not every row Postgres wrote was read back.
 */
export async function convertRows(
  batch: Stamp,
  table: LakeTable,
  { copied, firstOrdinal }: { copied: CopiedRows; firstOrdinal: number },
): Promise<ConvertedRows> {
  const path = `${copied.path}.parquet`
  const converted =
    (await convertAll(batch, table, { copied, firstOrdinal, path })) ??
    (await convertDivided(batch, table, { copied, firstOrdinal, path }))
  await rm(copied.path)
  return converted
}

interface Conversion {
  readonly copied: CopiedRows
  readonly firstOrdinal: number
  readonly path: string
}

/** Converts all rows at once; undefined when some of them do not convert. */
async function convertAll(
  batch: Stamp,
  table: LakeTable,
  { copied, firstOrdinal, path }: Conversion,
): Promise<ConvertedRows | undefined> {
  // Other text can break not only DuckDB's statement but all of DuckDB ("database invalidated").
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
      { width: table.columns.length },
    )
    return rows === copied.rows ? { path, rows, refused: undefined } : undefined
  } catch (error) {
    if (error instanceof DuckDbError) return undefined
    throw error
  }
}

/** Converts the rows that can be read and converted, and keeps all others as they came. */
async function convertDivided(
  batch: Stamp,
  table: LakeTable,
  conversion: Conversion,
): Promise<ConvertedRows> {
  const { copied } = conversion
  const lines = await divideLines(copied, table)
  const incomplete = (why: string) =>
    new ContractError(`Table ${table.name}: ${why}`, {
      code: 'CAPTURE_INCOMPLETE',
      hint: 'nothing of it was written; please report this',
    })
  try {
    const { rows, refused } = await divideRows(batch, table, { ...conversion, lines })
    const read = rows + (refused?.rows ?? 0)
    if (read !== copied.rows) {
      throw incomplete(`Postgres sent ${copied.rows} rows, ${read} could be read back`)
    }
    return { path: conversion.path, rows, refused }
  } catch (error) {
    if (error instanceof DuckDbError) throw incomplete('what Postgres sent could not be read back')
    throw error
  } finally {
    await rm(lines.readable)
    await rm(lines.unreadable)
  }
}

/** Reads every field as text, and separates the rows that convert exactly from all others. */
async function divideRows(
  batch: Stamp,
  table: LakeTable,
  { copied, firstOrdinal, path, lines }: Conversion & { lines: DividedLines },
): Promise<Pick<ConvertedRows, 'rows' | 'refused'>> {
  const { db } = batch
  const text = (name: string): Column => ({ name, type: 'VARCHAR' })
  const texts = table.columns.map(({ name }) => text(name))
  const values = table.columns.map((column) => ({ column, value: tryLakeValue(column) }))
  const fault = (columns: readonly string[]) => {
    const faults = values
      .filter(({ column: { name, type } }) => columns.includes(name) && type !== 'VARCHAR')
      .map(({ column: { name }, value }) => {
        return `when ${identifier(name)} is not null and (${value}) is null then ${duckLiteral(name)}`
      })
    return `case when false then null ${faults.join(' ')} else null::varchar end`
  }
  const numbered = identifier(`${table.name} in order`)
  const rest = `${firstOrdinal - 1} + _ordinal as _ordinal, 'insert' as _operation, ${stamp(batch)}`
  await db.run(`
    create or replace temp table ${numbered} as
    select * exclude (_ordinal), ${fault(table.columns.map(({ name }) => name))} as _column,
      case when _column is not null then 'value_not_exact' end as _reason, ${rest}
    from ${readCopyText(lines.readable, texts, { lead: READABLE_LEAD })}
    union all by name
    select * exclude (_ordinal, _column),
      coalesce(${fault(table.key)}, ${lakeValue(text('_column'))}) as _column, ${rest}
    from ${readCopyText(lines.unreadable, texts, { lead: UNREADABLE_LEAD })}`)
  const keys = `[${table.key.map(duckLiteral).join(', ')}]::varchar[]`
  const found = await db.rows<{ column: string }>(
    `select distinct _column as "column" from ${numbered} where list_contains(${keys}, _column)`,
  )
  if (found[0] !== undefined) {
    throw new ContractError(
      `Table ${table.name}: its key column ${found[0].column} holds values that have no exact form`,
      { code: 'KEY_NOT_EXACT', hint: 'correct the keys in the source, or declare another key' },
    )
  }
  const as = (value: string, { name }: Column) => `${value} as ${identifier(name)}`
  const rows = await writeParquet(
    db,
    `select ${values.map(({ column, value }) => as(value, column)).join(', ')},
     _operation, _batch, _captured_at, _ordinal from ${numbered} where _reason is null`,
    path,
    { width: table.columns.length },
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
     from ${numbered} where _reason is not null`,
    refusedPath,
    { width: table.columns.length },
  )
  await db.run(`drop table ${numbered}`)
  return { rows, refused: refused > 0 ? { path: refusedPath, rows: refused } : undefined }
}

/** `_batch` and `_captured_at` of a batch's rows. */
function stamp({ number, takenAt }: Stamp): string {
  return `${number}::bigint as _batch, ${duckLiteral(takenAt)}::timestamptz as _captured_at`
}

/** What a comparison found, in rows. */
export interface Comparison {
  readonly read: number
  readonly inserted: number
  readonly updated: number
  readonly unchanged: number
}

/**
 * Compares incoming rows with the table as it stood, by key, and makes the temporary table
 * `changes` of those that are new (`insert`) or differ in any column (`update`). What was seen
 * already drops out here, however it came to be read again.
 */
export async function compareRows(
  db: DuckDb,
  table: LakeTable,
  { incoming, state, changes }: { incoming: string; state: string; changes: string },
): Promise<Comparison> {
  const columns = identifiers(table.columns.map((column) => column.name))
  const first = identifier(table.key[0] ?? '')
  const on = table.key.map((name) => `i.${identifier(name)} = s.${identifier(name)}`).join(' and ')
  const differs = table.columns
    .filter((column) => !table.key.includes(column.name))
    .map((column) => isDistinct(column, 'i', 's'))
    .join(' or ')
  await db.run(`
    create or replace temp table ${identifier(changes)} as
    select ${columns
      .split(', ')
      .map((name) => `i.${name}`)
      .join(', ')},
        case when s.${first} is null then 'insert' else 'update' end as _operation
    from ${incoming} i left join ${identifier(state)} s on ${on}
    where s.${first} is null or ${differs === '' ? 'false' : differs}`)
  const [found] = await db.rows<{ read: bigint; inserted: bigint; updated: bigint }>(`
    select
        (select count(*) from ${incoming}) as read,
        count(*) filter (where _operation = 'insert') as inserted,
        count(*) filter (where _operation = 'update') as updated
    from ${identifier(changes)}`)
  const [read, inserted, updated] = [found?.read, found?.inserted, found?.updated].map(Number)
  if (read === undefined || inserted === undefined || updated === undefined) {
    throw new TypeError('a count returned no row')
  }
  return { read, inserted, updated, unchanged: read - inserted - updated }
}

/**
 * Compares the keys the source holds with those of the state. `gone` are held by the state only,
 * `unknown` by the source only and not among the changes.
 */
export async function compareKeys(
  db: DuckDb,
  table: LakeTable,
  { keys, state, changes }: { keys: string; state: string; changes: string },
): Promise<{ gone: number; unknown: number }> {
  const using = `using (${identifiers(table.key)})`
  const [found] = await db.rows<{ gone: bigint; unknown: bigint }>(`
    select
        (select count(*) from ${identifier(state)} anti join ${keys} ${using}) as gone,
        (
            select count(*) from ${keys}
            anti join ${identifier(state)} ${using}
            anti join ${identifier(changes)} ${using}
        ) as unknown`)
  return { gone: Number(found?.gone), unknown: Number(found?.unknown) }
}

/** Adds a `delete` with the last known values for every key of the state that `keys` lacks. */
export async function addDeletes(
  db: DuckDb,
  table: LakeTable,
  { keys, state, changes }: { keys: string; state: string; changes: string },
): Promise<void> {
  await db.run(`
    insert into ${identifier(changes)}
    select ${identifiers(table.columns.map((column) => column.name))}, 'delete'
    from ${identifier(state)}
    anti join ${keys} using (${identifiers(table.key)})`)
}

/** Throws `ContractError` when a relation holds a key twice or not at all: it could not be compared. */
export async function checkKeys(db: DuckDb, table: LakeTable, relation: string): Promise<void> {
  const missing = table.key.map((name) => `${identifier(name)} is null`).join(' or ')
  const [found] = await db.rows<{ nulls: bigint; twice: bigint }>(`
    select
        (select count(*) from ${relation} where ${missing}) as nulls,
        (
            select count(*) from (
                select 1 from ${relation} group by ${identifiers(table.key)} having count(*) > 1
            )
        ) as twice`)
  if (found !== undefined && found.nulls === 0n && found.twice === 0n) return
  throw new ContractError(
    `Table ${table.name}: the key (${table.key.join(', ')}) is not unique: ` +
      `${found?.twice} keys occur twice, ${found?.nulls} rows have none`,
    {
      code: 'KEY_NOT_UNIQUE',
      hint: 'declare a key that is unique and not null, or fix the source',
    },
  )
}

/**
 * Writes the temporary table `changes` as change files, ordered by key, and uploads them.
 * Ordinals begin at 1. The files exist for readers once the batch is committed.
 */
export async function prepareChanges(
  batch: PendingBatch,
  table: LakeTable,
  { changes, rows }: { changes: string; rows: number },
): Promise<FileRef[]> {
  if (rows === 0) return []
  const columns = fileValues(table.columns)
  // Numbered as they stream out of the sort, which can spill; a window over the order cannot.
  const inOrder = `
    select *, row_number() over () as _ordinal
    from (
        select ${columns}, _operation, ${stamp(batch)}
        from ${identifier(changes)}
        order by ${identifiers(table.key)}
    )`
  const width = table.columns.length
  const path = () => join(batch.db.scratchDir, `${randomUUID()}.parquet`)
  const upload = (written: { path: string; rows: number }, index: number) =>
    prepareFile(batch, table, { ...written, index })
  if (rows <= ROWS_PER_FILE) {
    const only = path()
    const written = await writeParquet(batch.db, inOrder, only, { width })
    return [await upload({ path: only, rows: written }, 0)]
  }
  const ordered = identifier(`${changes} in order`)
  await batch.db.run(`create or replace temp table ${ordered} as ${inOrder}`)
  const files: FileRef[] = []
  for (let from = 0; from < rows; from += ROWS_PER_FILE) {
    const part = path()
    const written = await writeParquet(
      batch.db,
      `select * from ${ordered} where _ordinal > ${from} and _ordinal <= ${from + ROWS_PER_FILE}`,
      part,
      { width },
    )
    files.push(await upload({ path: part, rows: written }, files.length))
  }
  await batch.db.run(`drop table ${ordered}`)
  return files
}

/** Uploads one local Parquet file as a change file and removes it locally. */
export async function prepareFile(
  batch: PendingBatch,
  table: { readonly name: string },
  {
    path,
    rows,
    index,
    folder = '',
  }: { path: string; rows: number; index: number; folder?: string },
): Promise<FileRef> {
  const key =
    `${folder}${keyPart(table.name)}/tidemark_date=${batch.takenAt.slice(0, 10)}/` +
    `${padBatch(batch.number)}-${batch.attempt}-${index}.parquet`
  const file = await uploadFile(batch.zone, key, { path, rows })
  await rm(path)
  return file
}

/**
 * How every Parquet file is written. Row groups are a third of DuckDB's usual, because each thread
 * holds one whole: wide rows would not fit into the memory allowed. Tables of many columns (`width`)
 * get the smallest groups there are, and dictionaries of text that take less than DuckDB's 1 MB a
 * column.
 */
export function parquetOptions(width: number): string {
  const [rows, dictionaryBytes] =
    width <= 30 ? [40_960, 1 << 20] : width <= 100 ? [8192, 1 << 17] : [2048, 1 << 14]
  return `format parquet, compression zstd, row_group_size ${rows},
    string_dictionary_page_size_limit ${dictionaryBytes}`
}

/** Writes a query's result as one Parquet file; returns its rows. `width` is its columns, if many. */
export async function writeParquet(
  db: DuckDb,
  select: string,
  path: string,
  { width = 0 }: { width?: number } = {},
): Promise<number> {
  const [written] = await db.rows<{ Count: bigint }>(
    `copy (${select}) to ${duckLiteral(path)} (${parquetOptions(width)})`,
  )
  return Number(written?.Count)
}

/** Incoming rows as a relation: converted files, or the empty table where nothing was read. */
export function incomingRelation(table: LakeTable, paths: readonly string[]): string {
  if (paths.length > 0) return readParquet(paths)
  return `(${selectNothing(table.columns)})`
}
