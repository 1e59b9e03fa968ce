import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DuckDb } from '../duckdb.ts'
import { ContractError } from '../errors.ts'
import { duckLiteral, identifier, identifiers } from '../sql.ts'
import type { CopiedRows } from '../source/copy.ts'
import type { FileRef } from './commit-record.ts'
import { MAX_ROW_BYTES, readCopyText } from './copy-text.ts'
import { isDistinct, lakeValue } from './lake-type.ts'
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

/**
 * Turns copied rows into a Parquet file in the lake's types plus the four change columns, and
 * removes the file they were in. Rows keep their order; ordinals begin at `firstOrdinal`.
 * Throws `ContractError` naming table and column when a value has no exact form in its type, or
 * when not every row Postgres wrote was read back.
 */
export async function convertRows(
  batch: Stamp,
  table: LakeTable,
  { copied, firstOrdinal }: { copied: CopiedRows; firstOrdinal: number },
): Promise<string> {
  const path = `${copied.path}.parquet`
  const values = table.columns.map((column) => `${lakeValue(column)} as ${identifier(column.name)}`)
  const source = readCopyText(copied.path, table.columns)
  let rows: number
  try {
    rows = await writeParquet(
      batch.db,
      `select ${values.join(', ')}, 'insert' as _operation, ${stamp(batch)},
       ${firstOrdinal - 1} + row_number() over () as _ordinal from ${source}`,
      path,
    )
  } catch (error) {
    throw await explainCast(batch.db, table, { path: copied.path, error })
  }
  if (rows !== copied.rows) {
    throw new ContractError(
      `Table ${table.name}: Postgres sent ${copied.rows} rows, ${rows} could be read back`,
      { code: 'CAPTURE_INCOMPLETE', hint: 'nothing was written; please report this' },
    )
  }
  await rm(copied.path)
  return path
}

/** `_batch` and `_captured_at` of a batch's rows. */
function stamp({ number, takenAt }: Stamp): string {
  return `${number}::bigint as _batch, ${duckLiteral(takenAt)}::timestamptz as _captured_at`
}

/** What DuckDB says of a value quotes it, so nothing of that goes on, not even as the cause. */
async function explainCast(
  db: DuckDb,
  table: LakeTable,
  { path, error }: { path: string; error: unknown },
): Promise<unknown> {
  const message = error instanceof Error ? error.message : ''
  if (/Maximum line size/i.test(message)) {
    return new ContractError(
      `Table ${table.name} has a row of more than ${MAX_ROW_BYTES / 1024 / 1024} MB`,
      { code: 'ROW_TOO_LARGE', hint: 'nothing was written; shorten the row in the source' },
    )
  }
  if (!/^(Conversion|Invalid Input|Out of Range)/i.test(message)) return error
  const unreadable = new ContractError(
    `Table ${table.name}: what Postgres sent could not be read back`,
    { code: 'CAPTURE_INCOMPLETE', hint: 'nothing was written; please report this' },
  )
  const source = readCopyText(
    path,
    table.columns.map(({ name }) => ({ name, type: 'VARCHAR' })),
  )
  for (const column of table.columns) {
    if (column.type === 'VARCHAR' || column.type === 'BLOB') continue
    const tried = lakeValue(column).replaceAll(`::${column.type}`, '')
    const [found] = await db
      .rows<{ rows: bigint }>(
        `select count(*) as rows from ${source}
         where ${identifier(column.name)} is not null and try_cast((${tried}) as ${column.type}) is null`,
      )
      .catch(() => []) // not a value then, but the file itself
    if (found !== undefined && found.rows > 0n) {
      return new ContractError(
        `Table ${table.name}, column ${column.name}: ${found.rows} values have no exact form as ${column.type}`,
        { code: 'VALUE_NOT_EXACT', hint: 'nothing was written; correct the values in the source' },
      )
    }
  }
  return unreadable
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
      hint: 'declare a key that is unique and not null, or mend the source',
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
  const columns = identifiers(table.columns.map((column) => column.name))
  const ordered = identifier(`${changes} in order`)
  // Numbered as they stream out of the sort, which can spill; a window over the order cannot.
  await batch.db.run(`
    create or replace temp table ${ordered} as
    select *, row_number() over () as _ordinal
    from (
        select ${columns}, _operation, ${stamp(batch)}
        from ${identifier(changes)}
        order by ${identifiers(table.key)}
    )`)
  const files: FileRef[] = []
  for (let from = 0; from < rows; from += ROWS_PER_FILE) {
    const path = join(batch.db.scratchDir, `${randomUUID()}.parquet`)
    const written = await writeParquet(
      batch.db,
      `select * from ${ordered} where _ordinal > ${from} and _ordinal <= ${from + ROWS_PER_FILE}`,
      path,
    )
    files.push(await prepareFile(batch, table, { path, rows: written, index: files.length }))
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
    `${folder}${keyPart(table.name)}/date=${batch.takenAt.slice(0, 10)}/` +
    `${padBatch(batch.number)}-${batch.attempt}-${index}.parquet`
  const file = await uploadFile(batch.zone, key, { path, rows })
  await rm(path)
  return file
}

/**
 * How every Parquet file is written. Row groups are a third of DuckDB's usual, because each thread
 * holds one whole: wide rows would not fit into the memory allowed.
 */
export const PARQUET = 'format parquet, compression zstd, row_group_size 40960'

/** Writes a query's result as one Parquet file; returns its rows. */
export async function writeParquet(db: DuckDb, select: string, path: string): Promise<number> {
  const [written] = await db.rows<{ Count: bigint }>(
    `copy (${select}) to ${duckLiteral(path)} (${PARQUET})`,
  )
  return Number(written?.Count)
}

/** Incoming rows as a relation: converted files, or the empty table where nothing was read. */
export function incomingRelation(table: LakeTable, paths: readonly string[]): string {
  if (paths.length > 0) return readParquet(paths)
  return `(${selectNothing(table.columns)})`
}
