import type { DuckDb, Relation } from '../../io/duckdb.ts'
import { openTogether } from '../../io/open-together.ts'
import { duckLiteral, identifier, identifiers } from '../../io/sql.ts'
import type { PendingBatch } from '../batch.ts'
import type { FileRef } from '../commit-record.ts'
import { type Column, moveEra, unhex } from '../lake-type.ts'
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

/** A table's keys in quarantine after a read of the table. Dispose of them after use. */
export interface QuarantinedKeys extends AsyncDisposable {
  /** Relation of the keys, in the lake's types, with `_key` and `_content`. */
  readonly keys: string
  /** Number of rows refused by this read that were not in quarantine with the same content. */
  readonly fresh: number
}

/**
 * Opens a table's keys in quarantine, in the lake's types, with `_key` and `_content` as stored.
 * Dispose of the relation after use.
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

/** SQL that turns the text of `rowText` back into the column's value. */
function fromText({ name, type }: Column): string {
  const text = identifier(name)
  switch (type) {
    case 'VARCHAR':
      return text
    case 'BLOB':
      return unhex(text)
    case 'DATE':
    case 'TIMESTAMP':
    case 'TIMESTAMPTZ':
      return `${moveEra(text)}::${type}`
    default:
      return `${text}::${type}`
  }
}

/**
 * The keys in quarantine after a read of the table. A key whose row was accepted now (`incoming`)
 * leaves quarantine; a key that was refused now (`refused`, local files from `convertRows`) enters
 * it. Returns undefined, without a query, if nothing is in quarantine.
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
  return await openTogether(async (keep) => {
    const { name } = keep(await openQuarantined(db, zone, { table, open }))
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
    return { keys: name, fresh }
  })
}

/** The number of keys in quarantine for which the table holds no version. */
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

/**
 * Removes from `quarantined` the keys that the source no longer holds. `keys` is a relation of the
 * keys that it holds. Does nothing if nothing is in quarantine.
 */
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

/** The quarantine of a table after a read, and the rows that the read added. */
export interface Refusal extends OpenQuarantine {
  readonly quarantine: FileRef[]
  /**
   * Number of newly refused rows. A row that was refused before with the same content is unchanged.
   */
  readonly rows: number
}

/**
 * Uploads the rows that a read refused, and the table's quarantine after the read. `open` are the
 * table's quarantine files before, `refused` the local files from `convertRows`.
 */
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
    released: `(select _key from ${before} anti join ${quarantined.keys} using (_key))`,
  })
  return { quarantine, ...outcome, rows: sumRows(quarantine) }
}

/**
 * The columns of a refused row: the key in its types, every other column as the text that Postgres
 * sent.
 */
function textColumns({ key, columns }: LakeTable): Column[] {
  return columns.map((column) =>
    key.includes(column.name) ? column : { ...column, type: 'VARCHAR' },
  )
}
