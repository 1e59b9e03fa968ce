import type { DuckDb } from '../../io/duckdb.ts'
import { duckLiteral, identifier, identifiers } from '../../io/sql.ts'
import type { PendingBatch } from '../batch.ts'
import { type FileRef, sumRows } from '../commit-record.ts'
import type { Column } from '../lake-type.ts'
import { readParquet } from '../parquet.ts'
import type { LakeTable } from '../table-state.ts'
import { openFiles, type Zone } from '../zone.ts'
import {
  type OpenQuarantine,
  prepareOpen,
  prepareQuarantine,
  readRefused,
  rowText,
  selectRefused,
} from './quarantine.ts'

/** The keys of a table that are in quarantine: relations in DuckDB, while a batch is prepared. */
export interface Withheld {
  /** Temporary table of their keys, in the lake's types, with `_key` and `_content`. */
  readonly keys: string
  /** Rows refused now that were not in quarantine as they are. */
  readonly fresh: number
  /** Those the table does not hold in any version, out of `count`. */
  countMissing(relations: { state: string; changes: string }): Promise<number>
}

/**
 * Makes the temporary table `relation` of the keys in quarantine, in the lake's types, beside
 * `_key` and `_content` as the quarantine has them.
 */
export async function openQuarantined(
  db: DuckDb,
  zone: Zone,
  { relation, table, open }: { relation: string; table: LakeTable; open: readonly FileRef[] },
): Promise<void> {
  const structure = JSON.stringify(Object.fromEntries(table.key.map((name) => [name, 'VARCHAR'])))
  const fields = table.key.map(
    (name) => `struct_extract(fields, ${duckLiteral(name)}) as ${identifier(name)}`,
  )
  const values = keyColumns(table).map(
    (column) => `${fromText(column)} as ${identifier(column.name)}`,
  )
  await db.run(`
    create or replace temp table ${identifier(relation)} as
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

export function keyColumns({ key, columns }: LakeTable): Column[] {
  return key.flatMap((name) => columns.find((column) => column.name === name) ?? [])
}

/**
 * Sets the keys in quarantine against one read of the table: those whose row was read and accepted
 * now (`incoming`) are settled, those refused now (`refused`, local files of `convertRows`) are
 * added. Undefined where there never were any, at no cost.
 */
export async function withhold(
  { db, zone }: Pick<PendingBatch, 'db' | 'zone'>,
  table: LakeTable,
  {
    open,
    refused,
    incoming,
  }: { open: readonly FileRef[]; refused: readonly string[]; incoming: string },
): Promise<Withheld | undefined> {
  if (open.length + refused.length === 0) return undefined
  const keys = `withheld of ${table.name}`
  const name = identifier(keys)
  const using = `using (${identifiers(table.key)})`
  await openQuarantined(db, zone, { relation: keys, table, open })
  await db.run(
    `delete from ${name} where _key in (select _key from ${name} semi join ${incoming} ${using})`,
  )
  let fresh = 0
  if (refused.length > 0) {
    const read = identifier(`refused of ${table.name}`)
    await db.run(`
      create or replace temp table ${read} as
      select ${identifiers(table.key)}, ${rowText(keyColumns(table))} as _key, ${rowText(textColumns(table))} as _content
      from ${readParquet(refused)}`)
    const [found] = await db.rows<{ rows: bigint }>(`
      select count(*) as rows from ${read}
      anti join ${readRefused(await openFiles(zone, open))} using (_key, _content)`)
    fresh = Number(found?.rows)
    await db.run(`delete from ${name} where _key in (select _key from ${read})`)
    await db.run(`insert into ${name} by name select * from ${read}`)
  }
  return {
    keys,
    fresh,
    async countMissing({ state, changes }) {
      const [found] = await db.rows<{ rows: bigint }>(`
        select count(*) as rows from ${name}
        anti join ${identifier(state)} ${using}
        anti join ${identifier(changes)} ${using}`)
      return Number(found?.rows)
    },
  }
}

/** Drops the keys that the source no longer holds. */
export async function dropGone(
  db: DuckDb,
  table: LakeTable,
  { withheld, keys }: { withheld: Withheld; keys: string },
): Promise<void> {
  const name = identifier(withheld.keys)
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
    withheld,
  }: { open: readonly FileRef[]; refused: readonly string[]; withheld: Withheld | undefined },
): Promise<Refusal> {
  if (withheld === undefined) return { quarantine: [], open: [], faults: [], rows: 0 }
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
    settled: `(select _key from ${before} anti join ${identifier(withheld.keys)} using (_key))`,
  })
  return { quarantine, ...outcome, rows: sumRows(quarantine) }
}

/** A refused row's columns: the key in its types, everything else the text Postgres sent. */
function textColumns({ key, columns }: LakeTable): Column[] {
  return columns.map((column) =>
    key.includes(column.name) ? column : { ...column, type: 'VARCHAR' },
  )
}
