import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DuckDb } from '../../io/duckdb.ts'
import { duckLiteral, identifier } from '../../io/sql.ts'
import type { Log } from '../../log.ts'
import type { PendingBatch } from '../batch.ts'
import { prepareFile } from '../change-file.ts'
import type { FileRef } from '../commit-record.ts'
import { type Column, fileType, fileValue } from '../lake-type.ts'
import { readParquet, writeParquet } from '../parquet.ts'
import { printedText } from '../printed-text.ts'
import { lastOfEachKey, selectNothing } from '../table-state.ts'
import { openFiles } from '../zone.ts'

/** A reason for which rows of a batch were refused. */
export interface RefusalReason {
  readonly reason: string
  /** The column that is the cause; `null` if it is the whole row. */
  readonly column: string | null
  readonly rows: number
  /** Whether no row was in quarantine for this reason and column before. */
  readonly isNew: boolean
}

/** The quarantine of a table after a batch. */
export interface OpenQuarantine {
  readonly open: FileRef[]
  /** The reasons of the rows that this batch refused, most rows first. */
  readonly reasons: readonly RefusalReason[]
}

/**
 * SQL of a JSON object from each column's name (or label) to its exact text or null. Floats have as
 * many digits as they need, timestamps are ISO 8601, bytes are hexadecimal, all as Postgres prints
 * them. The object itself is never null.
 */
export function rowText(columns: readonly (Column & { readonly label?: string })[]): string {
  const members = columns.flatMap(({ name, type, label = name }) => [
    duckLiteral(label),
    exactText(name, type),
  ])
  return `json_object(${members.join(', ')})::varchar`
}

/** SQL of a lake value as the text that Postgres prints for it; null for a null. */
export function exactText(name: string, type: string): string {
  return printedText(fileValue(identifier(name), type), fileType(type))
}

/**
 * A select of quarantine rows. They have the same columns for every table. `relation` has the four
 * change columns, `_reason`, `_column`, and `columns`, which become `_content`. `key` is the SQL of
 * `_key`: `rowText` of the key's columns, in the key's order.
 */
export function selectRefused(
  relation: string,
  { key, columns }: { key: string; columns: readonly Column[] },
): string {
  return `
    select
        _batch::bigint as _batch,
        _captured_at::timestamptz as _captured_at,
        _ordinal::bigint as _ordinal,
        _operation::varchar as _operation,
        ${key} as _key,
        _column::varchar as _column,
        _reason::varchar as _reason,
        ${rowText(columns)} as _content
    from ${relation}`
}

/**
 * Writes the rows of `refused`, a `selectRefused`, to the zone's quarantine and uploads them.
 * `index` numbers the table's files in this batch. Writes no file if there are no rows. Readers see
 * the file once the batch is committed.
 */
export async function prepareQuarantine(
  batch: PendingBatch,
  table: { readonly name: string },
  { refused, index = 0 }: { refused: string; index?: number },
): Promise<FileRef[]> {
  return writeRefused(batch, table, { select: refused, index, folder: 'quarantine/' })
}

/**
 * The table's quarantine after this batch, as one file, or none if it is empty: the last refused
 * version of every key that has not left quarantine since. A key that is refused again replaces its
 * older entry. Returns the files `before` if nothing changes.
 */
export async function prepareOpen(
  batch: PendingBatch,
  table: { readonly name: string },
  {
    before,
    refused,
    released,
  }: {
    /** The table's `open` files after the batch before. */
    readonly before: readonly FileRef[]
    /** The table's `quarantine` files of this batch. */
    readonly refused: readonly FileRef[]
    /**
     * Relation with a column `_key`: the keys that leave quarantine, because a later version was
     * accepted or the row is gone.
     */
    readonly released: string
  },
): Promise<OpenQuarantine> {
  if (before.length + refused.length === 0) return { open: [], reasons: [] }
  const { db, zone } = batch
  const earlier = readRefused(await openFiles(zone, before))
  const later = readRefused(await openFiles(zone, refused))
  const reasons = refused.length === 0 ? [] : await findReasons(db, { earlier, later })
  if (refused.length === 0) {
    const [hit] = await db.rows<{ rows: bigint }>(
      `select count(*) as rows from ${earlier} as e semi join ${released} as s using (_key)`,
    )
    if (hit?.rows === 0n) return { open: [...before], reasons }
  }
  const select = `
    select * from (
        select e.* from ${earlier} as e anti join ${later} as l using (_key)
        union all
        (select * from ${later} ${lastOfEachKey({ key: ['_key'] })})
    )
    anti join ${released} as s using (_key)`
  return { open: await writeRefused(batch, table, { select, index: 0, folder: 'open/' }), reasons }
}

async function findReasons(
  db: DuckDb,
  { earlier, later }: { earlier: string; later: string },
): Promise<RefusalReason[]> {
  const found = await db.rows<Omit<RefusalReason, 'rows'> & { rows: bigint }>(`
    select
        l._reason as "reason",
        l._column as "column",
        count(*) as "rows",
        e._reason is null as "isNew"
    from ${later} as l
    left join (select distinct _reason, _column from ${earlier}) as e
        on e._reason = l._reason and e._column is not distinct from l._column
    group by all
    order by "rows" desc, "reason", "column"`)
  return found.map((reason) => ({ ...reason, rows: Number(reason.rows) }))
}

/**
 * Logs the rows that a batch put into quarantine: as an alert if a reason is new, else as a
 * warning. Logs reasons and counts, never values. Logs nothing if there are no reasons.
 */
export function logRefused(
  log: Log,
  { batch, table, reasons }: { batch: number; table: string; reasons: readonly RefusalReason[] },
): void {
  if (reasons.length === 0) return
  log({
    event: 'rows_quarantined',
    level: reasons.some(({ isNew }) => isNew) ? 'alert' : 'warn',
    batch,
    table,
    rows: reasons.reduce((sum, { rows }) => sum + rows, 0),
    reasons: reasons.map(({ reason, column }) =>
      column === null ? reason : `${reason} ${column}`,
    ),
  })
}

async function writeRefused(
  batch: PendingBatch,
  table: { readonly name: string },
  { select, index, folder }: { select: string; index: number; folder: string },
): Promise<FileRef[]> {
  const path = join(batch.db.scratchDir, `${randomUUID()}.parquet`)
  const rows = await writeParquet(batch.db, select, path, REFUSED)
  if (rows > 0) return [await prepareFile(batch, table, { path, rows, index, folder })]
  await rm(path)
  return []
}

const REFUSED: readonly Column[] = [
  { name: '_batch', type: 'BIGINT' },
  { name: '_captured_at', type: 'TIMESTAMPTZ' },
  { name: '_ordinal', type: 'BIGINT' },
  { name: '_operation', type: 'VARCHAR' },
  { name: '_key', type: 'VARCHAR' },
  { name: '_column', type: 'VARCHAR' },
  { name: '_reason', type: 'VARCHAR' },
  { name: '_content', type: 'VARCHAR' },
]

/** SQL of the rows in local quarantine files; of an empty relation if there are no files. */
export function readRefused(paths: readonly string[]): string {
  return paths.length > 0 ? readParquet(paths) : `(${selectNothing(REFUSED)})`
}
