import type { DuckDb } from '../duckdb.ts'
import { ContractError } from '../errors.ts'
import { checkKeys, compareRows } from '../lake/capture.ts'
import type { RowCounts, TableEntry } from '../lake/commit-record.ts'
import type { Column } from '../lake/lake-type.ts'
import { type LakeTable, openState } from '../lake/table-state.ts'
import type { Zone } from '../lake/zone.ts'
import type { Calendar, Dimension } from '../project.ts'
import { identifier, identifiers } from '../sql.ts'
import { readModel } from './generation.ts'
import { isNullable, moveRejected, rulesOf } from './quarantine.ts'

/** What a batch adds to a dimension: rows in the temporary table `changes`. */
export interface DimensionChanges {
  readonly table: LakeTable
  readonly model: Dimension | Calendar
  /** Temporary tables: rows that go out, and rows that may not. */
  readonly changes: string
  readonly rejected: string
  /** View of the dimension as last published. */
  readonly published: string
  counts: RowCounts
}

/** The columns of a select, in order, in the lake's types. */
export async function describe(db: DuckDb, select: string): Promise<Column[]> {
  const found = await db.rows<{ column_name: string; column_type: string }>(
    `select column_name, column_type from (describe ${select})`,
  )
  return found.map((row) => ({
    name: row.column_name,
    type: row.column_type === 'TIMESTAMP WITH TIME ZONE' ? 'TIMESTAMPTZ' : row.column_type,
  }))
}

/**
 * Runs a dimension's model over the tables as they now stand and keeps the rows that differ from
 * what was last published. So it follows any of its inputs. A row that is gone from the source
 * stays published: facts of the past still join it (I11).
 */
export async function changeDimension(
  db: DuckDb,
  zone: Zone,
  { model, previous, recompute }: DimensionInput,
): Promise<DimensionChanges> {
  const sql = readModel(model)
  const columns = await describe(db, sql)
  const table: LakeTable = { name: model.table, key: model.key, columns }
  const names = {
    made: `made ${model.table}`,
    changes: `changes of ${model.table}`,
    rejected: `rejected ${model.table}`,
    published: `published ${model.table}`,
  }
  await openState(db, zone, { relation: names.published, table, state: previous?.state ?? [] })
  const source = recompute ? sql : `select * from (${sql}) where false`
  await db.run(`create or replace temp table ${identifier(names.made)} as ${source}`)
  const quarantined = await moveRejected(db, {
    from: names.made,
    rejected: names.rejected,
    rules: rulesOf(model, { columns: columns.map(({ name }) => name) }),
  })
  await checkKeys(db, table, identifier(names.made))
  const found = await compareRows(db, table, {
    incoming: identifier(names.made),
    state: names.published,
    changes: names.changes,
  })
  await db.run(`drop table ${identifier(names.made)}`)
  const counts = {
    ...found,
    read: found.read + quarantined,
    accepted: found.inserted + found.updated,
    deleted: 0,
    quarantined,
  }
  return { table, model, ...names, counts }
}

interface DimensionInput {
  readonly model: Dimension | Calendar
  readonly previous: TableEntry | undefined
  /** False when none of its inputs changed: then only inferred rows can be added. */
  readonly recompute: boolean
}

/**
 * Adds a row for every key a fact names that the dimension does not hold: the key and `Unknown`.
 * The real row replaces it when it arrives, since it then differs from what was published.
 * `facts` is a relation with the referring columns.
 */
export async function inferRows(
  db: DuckDb,
  dimension: DimensionChanges,
  { facts, columns }: { facts: string; columns: readonly string[] },
): Promise<number> {
  const { table, model, changes, published, counts } = dimension
  const keys = table.key
    .map((key, index) => `${identifier(columns[index] ?? '')} as ${identifier(key)}`)
    .join(', ')
  const present = columns.map((column) => `${identifier(column)} is not null`).join(' and ')
  const using = `using (${identifiers(table.key)})`
  const values = table.columns.map(({ name, type }) => {
    if (table.key.includes(name)) return identifier(name)
    return isNullable(model, name) ? `null::${type}` : `'Unknown'`
  })
  await db.run(`
    create or replace temp table "inferred" as
    select distinct ${keys} from ${facts} where ${present}`)
  const [found] = await db.rows<{ rows: bigint }>(`
    select count(*) as rows from "inferred"
    anti join ${identifier(published)} ${using} anti join ${identifier(changes)} ${using}`)
  const inferred = Number(found?.rows)
  if (inferred === 0) {
    await db.run('drop table "inferred"')
    return 0
  }
  await db.run(`
    insert into ${identifier(changes)} by position
    select ${values.join(', ')}, 'insert' from "inferred"
    anti join ${identifier(published)} ${using} anti join ${identifier(changes)} ${using}`)
  await db.run('drop table "inferred"')
  dimension.counts = {
    ...counts,
    read: counts.read + inferred,
    accepted: counts.accepted + inferred,
    inserted: counts.inserted + inferred,
  }
  return inferred
}

/** Throws `ContractError` where an inferred row could not be made: a required column without a text for Unknown. */
export function checkInferable(model: Dimension, table: LakeTable): void {
  const column = table.columns.find(
    ({ name, type }) => type !== 'VARCHAR' && !model.key.includes(name) && !isNullable(model, name),
  )
  if (column === undefined) return
  throw new ContractError(
    `Model ${model.table}: column ${column.name} (${column.type}) must be nullable or text, so that a row can be inferred`,
    { code: 'MODEL_NOT_INFERABLE', hint: `list it in the model's nullable columns` },
  )
}
