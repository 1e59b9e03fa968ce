import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DuckDb } from '../duckdb.ts'
import { ContractError } from '../errors.ts'
import { duckLiteral, identifier, identifiers } from '../sql.ts'
import type { CopiedRows } from '../source/copy.ts'
import type { FileRef } from './commit-record.ts'
import { MAX_ROW_BYTES, readCopyText } from './copy-text.ts'
import { type Column, isDistinct, lakeValue, tryLakeValue } from './lake-type.ts'
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
   * The rows of which some value has no exact form in its type, if there are any: `_reason` and
   * `_column` say which, the key is in its type, everything else is the text Postgres sent.
   */
  readonly refused: { readonly path: string; readonly rows: number } | undefined
}

/**
 * Turns copied rows into Parquet and removes the file they were in. Rows keep their order; ordinals
 * begin at `firstOrdinal`, and where rows are refused they have gaps. Throws `ContractError` when a
 * key has no exact form, when a row is too large to be read, or when not every row Postgres wrote
 * was read back.
 */
export async function convertRows(
  batch: Stamp,
  table: LakeTable,
  { copied, firstOrdinal }: { copied: CopiedRows; firstOrdinal: number },
): Promise<ConvertedRows> {
  const path = `${copied.path}.parquet`
  const change = `'insert' as _operation, ${stamp(batch)},
    ${firstOrdinal - 1} + row_number() over () as _ordinal`
  const values = table.columns.map((column) => `${lakeValue(column)} as ${identifier(column.name)}`)
  let rows: number
  let refused: ConvertedRows['refused']
  try {
    const source = readCopyText(copied.path, table.columns)
    rows = await writeParquet(
      batch.db,
      `select ${values.join(', ')}, ${change} from ${source}`,
      path,
    )
  } catch (error) {
    checkReadable(table, error)
    try {
      ;({ rows, refused } = await divideRows(batch.db, table, { copied, path, change }))
    } catch (unreadable) {
      // DuckDB quotes the values it trips over, so nothing of its message goes on.
      checkReadable(table, unreadable)
      throw new ContractError(`Table ${table.name}: what Postgres sent could not be read back`, {
        code: 'CAPTURE_INCOMPLETE',
        hint: 'nothing was written; please report this',
      })
    }
  }
  const read = rows + (refused?.rows ?? 0)
  if (read !== copied.rows) {
    throw new ContractError(
      `Table ${table.name}: Postgres sent ${copied.rows} rows, ${read} could be read back`,
      { code: 'CAPTURE_INCOMPLETE', hint: 'nothing was written; please report this' },
    )
  }
  await rm(copied.path)
  return { path, rows, refused }
}

/** Throws unless what failed is the cast of a value. */
function checkReadable(table: LakeTable, error: unknown): void {
  const message = error instanceof Error ? error.message : ''
  if (/Maximum line size/i.test(message)) {
    throw new ContractError(
      `Table ${table.name} has a row of more than ${MAX_ROW_BYTES / 1024 / 1024} MB`,
      { code: 'ROW_TOO_LARGE', hint: 'shorten the row in the source' },
    )
  }
  if (!/^(Conversion|Invalid Input|Out of Range)/i.test(message)) throw error
}

/** Reads every field as text, and parts the rows whose values all have an exact form from the rest. */
async function divideRows(
  db: DuckDb,
  table: LakeTable,
  { copied, path, change }: { copied: CopiedRows; path: string; change: string },
): Promise<Pick<ConvertedRows, 'rows' | 'refused'>> {
  const text = (name: string): Column => ({ name, type: 'VARCHAR' })
  const source = readCopyText(
    copied.path,
    table.columns.map(({ name }) => text(name)),
  )
  const values = table.columns.map((column) => ({ column, value: tryLakeValue(column) }))
  const faults = values
    .filter(({ column }) => column.type !== 'VARCHAR')
    .map(({ column: { name }, value }) => {
      return `when ${identifier(name)} is not null and (${value}) is null then ${duckLiteral(name)}`
    })
  const numbered = identifier(`${table.name} in order`)
  // Numbered once, so that both parts keep their places in the order they were read.
  await db.run(`
    create or replace temp table ${numbered} as
    select * exclude (_ordinal), case when false then null ${faults.join(' ')} else null::varchar end as _column, ${change}
    from ${source}`)
  const keys = table.key.map(duckLiteral).join(', ')
  const found = await db.rows<{ column: string }>(
    `select distinct _column as "column" from ${numbered} where _column in (${keys})`,
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
     _operation, _batch, _captured_at, _ordinal from ${numbered} where _column is null`,
    path,
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
    `select ${raw.join(', ')}, _operation, _batch, _captured_at, _ordinal,
     'value_not_exact' as _reason, _column from ${numbered} where _column is not null`,
    refusedPath,
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
    `${folder}${keyPart(table.name)}/tidemark_date=${batch.takenAt.slice(0, 10)}/` +
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
