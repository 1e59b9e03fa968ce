import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DuckDb } from '../../io/duckdb.ts'
import { duckLiteral, identifier } from '../../io/sql.ts'
import type { Log } from '../../log.ts'
import type { PendingBatch } from '../batch.ts'
import { prepareFile } from '../change-file.ts'
import type { FileRef } from '../commit-record.ts'
import { type Column, fileValue } from '../lake-type.ts'
import { readParquet, writeParquet } from '../parquet.ts'
import { lastOfEachKey, selectNothing } from '../table-state.ts'
import { openFiles } from '../zone.ts'

/** A way in which rows of a batch were unfit. */
export interface RefusalReason {
  readonly reason: string
  /** `null` where the whole row is at fault. */
  readonly column: string | null
  readonly rows: number
  /** No row was in quarantine for it before. */
  readonly isNew: boolean
}

/** Quarantine after a batch. */
export interface OpenQuarantine {
  readonly open: FileRef[]
  /** Of the rows this batch refused, most rows first. */
  readonly reasons: readonly RefusalReason[]
}

/**
 * SQL of a JSON object of columns (or their labels) → their exact text, or null: floats with as many
 * digits as they need, timestamps in ISO 8601, bytes in hexadecimal, as Postgres prints them. Never
 * null itself.
 */
export function rowText(columns: readonly (Column & { readonly label?: string })[]): string {
  const members = columns.flatMap(({ name, type, label = name }) => [
    duckLiteral(label),
    exactText(name, type),
  ])
  return `json_object(${members.join(', ')})::varchar`
}

/** SQL for a value of the lake as the text Postgres prints for it; null for a null. */
export function exactText(name: string, type: string): string {
  const column = identifier(name)
  switch (type) {
    case 'BLOB':
      return `'\\x' || lower(hex(${column}))`
    case 'DATE':
    case 'TIMESTAMP':
    case 'TIMESTAMPTZ':
      // DuckDB puts its `(BC)` behind the date, Postgres its `BC` at the end.
      return `regexp_replace(${column}::varchar, ' \\(BC\\)(.*)$', '\\1 BC')`
    default:
      return `${fileValue(column, type)}::varchar`
  }
}

/**
 * A select of quarantine rows, whose columns are the same whatever the table. `relation` has the
 * four change columns, `_reason` and `_column`, and `columns`, which become `_content`. `key` is the
 * SQL of `_key`: `rowText` of the key's columns, in its order.
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
 * `index` numbers the table's files of this batch. Nothing is written where there are no rows; the
 * file exists for readers once the batch is committed.
 */
export async function prepareQuarantine(
  batch: PendingBatch,
  table: { readonly name: string },
  { refused, index = 0 }: { refused: string; index?: number },
): Promise<FileRef[]> {
  return writeRefused(batch, table, { select: refused, index, folder: 'quarantine/' })
}

/**
 * The quarantine as it stands after this batch: the last refused version of every key that was not
 * settled since, as one file, or none. A key refused again replaces its older entry. `before` is
 * returned as it is where nothing changes.
 */
export async function prepareOpen(
  batch: PendingBatch,
  table: { readonly name: string },
  {
    before,
    refused,
    settled,
  }: {
    /** The `open` files of the batch before. */
    readonly before: readonly FileRef[]
    /** The `quarantine` files of this one. */
    readonly refused: readonly FileRef[]
    /** Relation with a column `_key`: what was accepted, or is gone, after it was last refused. */
    readonly settled: string
  },
): Promise<OpenQuarantine> {
  if (before.length + refused.length === 0) return { open: [], reasons: [] }
  const { db, zone } = batch
  const earlier = readRefused(await openFiles(zone, before))
  const later = readRefused(await openFiles(zone, refused))
  const reasons = refused.length === 0 ? [] : await findReasons(db, { earlier, later })
  if (refused.length === 0) {
    const [hit] = await db.rows<{ rows: bigint }>(
      `select count(*) as rows from ${earlier} as e semi join ${settled} as s using (_key)`,
    )
    if (hit?.rows === 0n) return { open: [...before], reasons }
  }
  const select = `
    select * from (
        select e.* from ${earlier} as e anti join ${later} as l using (_key)
        union all
        (select * from ${later} ${lastOfEachKey({ key: ['_key'] })})
    )
    anti join ${settled} as s using (_key)`
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
  return found.map((fault) => ({ ...fault, rows: Number(fault.rows) }))
}

/** Says what a batch put into quarantine: an alert where some of it is unfit in a new way. */
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
  const rows = await writeParquet(batch.db, select, path)
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

/** Local quarantine files as a relation. */
export function readRefused(paths: readonly string[]): string {
  return paths.length > 0 ? readParquet(paths) : `(${selectNothing(REFUSED)})`
}
