import { type DuckDb, keepIf, type Relation, together } from '../../io/duckdb.ts'
import { duckLiteral, identifier, identifiers } from '../../io/sql.ts'
import type { PendingBatch } from '../batch.ts'
import type { FileRef } from '../commit-record.ts'
import type { Column } from '../lake-type.ts'
import { readParquet } from '../parquet.ts'
import { sumRows } from '../table-entry.ts'
import { keyColumns, type LakeTable } from '../table-state.ts'
import { openFiles, type Zone } from '../zone.ts'
import {
  type OpenQuarantine,
  prepareOpen,
  prepareQuarantine,
  readRefused,
  rowText,
  selectRefused,
} from './quarantine.ts'

/** The keys of a table in quarantine, after a read of that table. Dispose of them after use. */
export interface QuarantinedKeys extends AsyncDisposable {
  /** Relation of the keys, in the lake's types, with `_key` and `_content`. */
  readonly keys: string
  /** Rows refused by this read that were not in quarantine with the same content. */
  readonly fresh: number
}

/**
 * The keys in quarantine, in the lake's types, beside `_key` and `_content` as the quarantine has
 * them.
 */
export async function openQuarantined(
  db: DuckDb,
  zone: Zone,
  { table, open }: { table: LakeTable; open: readonly FileRef[] },
): Promise<Relation> {
  const structure = JSON.stringify(Object.fromEntries(table.key.map((name) => [name, 'VARCHAR'])))
  const fields = table.key.map(
    (name) => `struct_extract(fields, ${duckLiteral(name)}) as ${identifier(name)}`,
  )
  const values = keyColumns(table).map(
    (column) => `${fromText(column)} as ${identifier(column.name)}`,
  )
  return await db.table(`
    select ${values.join(', ')}, _key, _content
    from (
        select ${fields.join(', ')}, _key, _content
        from (
            select from_json(_key, ${duckLiteral(structure)}) as fields, _key, _content
            from ${readRefused(await openFiles(zone, open))}
        )
    )`)
}

/** The value of a column from the text that `rowText` made of it. */
function fromText({ name, type }: Column): string {
  const text = identifier(name)
  switch (type) {
    case 'VARCHAR':
      return text
    case 'BLOB':
      return `unhex(substr(${text}, 3))`
    case 'DATE':
    case 'TIMESTAMP':
    case 'TIMESTAMPTZ':
      return `regexp_replace(${text}, '^(\\S+)(.*) BC$', '\\1 (BC)\\2')::${type}`
    default:
      return `${text}::${type}`
  }
}

/**
 * The keys in quarantine after a read of the table: keys whose row was read and accepted now
 * (`incoming`) are settled, keys refused now (`refused`, local files of `convertRows`) are added.
 * Returns undefined, without a query, if nothing is in quarantine.
 */
export async function readQuarantinedKeys(
  { db, zone }: Pick<PendingBatch, 'db' | 'zone'>,
  table: LakeTable,
  {
    open,
    refused,
    incoming,
  }: { open: readonly FileRef[]; refused: readonly string[]; incoming: string },
): Promise<QuarantinedKeys | undefined> {
  if (open.length + refused.length === 0) return undefined
  return await keepIf(await openQuarantined(db, zone, { table, open }), async (keys) => {
    const { name } = keys
    await db.run(`
      delete from ${name} where _key in (
          select _key from ${name} semi join ${incoming} using (${identifiers(table.key)})
      )`)
    let fresh = 0
    if (refused.length > 0) {
      await using read = await db.table(`
        select
            ${identifiers(table.key)},
            ${rowText(keyColumns(table))} as _key,
            ${rowText(textColumns(table))} as _content
        from ${readParquet(refused)}`)
      const before = readRefused(await openFiles(zone, open))
      fresh = await db.count(`${read.name} anti join ${before} using (_key, _content)`)
      await db.run(`delete from ${name} where _key in (select _key from ${read.name})`)
      await db.run(`insert into ${name} by name select * from ${read.name}`)
    }
    return { keys: name, fresh, ...together([keys]) }
  })
}

/** How many of the keys in quarantine the table does not hold in any version. */
export async function countMissing(
  db: DuckDb,
  table: LakeTable,
  {
    quarantined,
    state,
    changes,
  }: { quarantined: QuarantinedKeys | undefined; state: string; changes: string },
): Promise<number> {
  if (quarantined === undefined) return 0
  const using = `using (${identifiers(table.key)})`
  return await db.count(
    `${quarantined.keys} anti join ${state} ${using} anti join ${changes} ${using}`,
  )
}

/** Removes the keys that the source no longer holds; `keys` is a relation of those it holds. */
export async function dropGone(
  db: DuckDb,
  table: LakeTable,
  { quarantined, keys }: { quarantined: QuarantinedKeys | undefined; keys: string },
): Promise<void> {
  if (quarantined === undefined) return
  const { keys: name } = quarantined
  await db.run(
    `delete from ${name} where _key in (
        select _key from ${name} anti join ${keys} using (${identifiers(table.key)})
    )`,
  )
}

/** What a read puts into quarantine, and what stays there. */
export interface Refusal extends OpenQuarantine {
  readonly quarantine: FileRef[]
  /** Rows newly refused; one refused before as it is now is unchanged. */
  readonly rows: number
}

/** Writes the rows refused by a read to quarantine, and the quarantine as it stands after it. */
export async function prepareRefusal(
  batch: PendingBatch,
  table: LakeTable,
  {
    open,
    refused,
    quarantined,
  }: {
    open: readonly FileRef[]
    refused: readonly string[]
    quarantined: QuarantinedKeys | undefined
  },
): Promise<Refusal> {
  if (quarantined === undefined) return { quarantine: [], open: [], reasons: [], rows: 0 }
  const before = readRefused(await openFiles(batch.zone, open))
  const quarantine: FileRef[] = []
  if (refused.length > 0) {
    const rows = selectRefused(readParquet(refused), {
      key: rowText(keyColumns(table)),
      columns: textColumns(table),
    })
    const fresh = `select * from (${rows}) anti join ${before} using (_key, _content)`
    quarantine.push(...(await prepareQuarantine(batch, table, { refused: fresh })))
  }
  const outcome = await prepareOpen(batch, table, {
    before: open,
    refused: quarantine,
    settled: `(select _key from ${before} anti join ${quarantined.keys} using (_key))`,
  })
  return { quarantine, ...outcome, rows: sumRows(quarantine) }
}

/** A refused row's columns: the key in its types, everything else the text Postgres sent. */
function textColumns({ key, columns }: LakeTable): Column[] {
  return columns.map((column) =>
    key.includes(column.name) ? column : { ...column, type: 'VARCHAR' },
  )
}
