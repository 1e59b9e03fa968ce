import { ContractError } from '../errors.ts'
import type { DuckDb } from '../io/duckdb.ts'
import { duckLiteral, identifier, identifiers } from '../io/sql.ts'
import type { PendingBatch } from '../lake/batch.ts'
import {
  type FileRef,
  type Hold,
  NO_ROWS,
  type RowCounts,
  sumRows,
  type TableEntry,
} from '../lake/commit-record.ts'
import { checkKeys, compareRows, type Comparison } from '../lake/compare.ts'
import type { Column } from '../lake/lake-type.ts'
import {
  type Fault,
  prepareOpen,
  prepareQuarantine,
  readRefused,
  rowText,
  selectRefused,
} from '../lake/quarantine/quarantine.ts'
import { type LakeTable, openState } from '../lake/table-state.ts'
import { openFiles } from '../lake/zone.ts'
import { readModel } from '../project/generation.ts'
import type { Calendar, Dimension } from '../project/model.ts'
import { areFew, holdFor, type QuarantineLimits } from './hold.ts'
import { type ChangedTable, selectAffected } from './lineage/affected-rows.ts'
import {
  type Broken,
  brokenBy,
  countBroken,
  faultOf,
  isNullable,
  nameBroken,
  type Rule,
  rulesOf,
  warningsOf,
} from './rules.ts'
import type { SourceView } from './source-files.ts'

/** What a batch adds to a dimension: rows in the temporary table `changes`. */
export interface DimensionChanges {
  readonly table: LakeTable
  readonly model: Dimension | Calendar
  /** Temporary table of the rows that go out. */
  readonly changes: string
  /** View of the dimension as last published. */
  readonly published: string
  counts: RowCounts
  readonly quarantine: FileRef[]
  readonly open: FileRef[]
  readonly faults: readonly Fault[]
  readonly held: Hold | undefined
  /** Rows that go out although they break a check, by the check's name. */
  readonly warnings: Broken
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

export interface DimensionInput {
  readonly model: Dimension | Calendar
  readonly before: TableEntry | undefined
  readonly reach: Reach
  /** Where some of its rows can have changed: the source tables it reads and the batch changes. */
  readonly changed: readonly ChangedTable[]
  /** Every source table. */
  readonly views: readonly SourceView[]
  readonly limits: QuarantineLimits
}

/** The rows of a dimension that a batch can change. With `none`, it can still add inferred rows. */
export type Reach = 'none' | 'some' | 'all'

/**
 * Runs a dimension's model over the tables as they now stand and keeps the rows that differ from
 * the published ones. So a change in any of its inputs reaches it. A row that is gone from the source
 * stays published: facts of the past still join it (I11). Rows that break a rule go to quarantine.
 * If too many do, the dimension is held, and no row that differs is published.
 *
 * If the batch can change only some rows, only those are made, where the model allows it. The result
 * is the same either way.
 */
export async function changeDimension(
  batch: PendingBatch,
  input: DimensionInput,
): Promise<DimensionChanges> {
  const { db, zone } = batch
  const { model, before, reach, limits } = input
  const columns = await describe(db, readModel(model))
  const table: LakeTable = { name: model.table, key: model.key, columns }
  const names = {
    changes: `changes of ${model.table}`,
    published: `published ${model.table}`,
  }
  await openState(db, zone, { relation: names.published, table, state: before?.state ?? [] })
  if (reach === 'none') {
    await db.run(`
      create or replace temp table ${identifier(names.changes)} as
      select *, 'insert' as _operation from ${identifier(names.published)} where false`)
    const { open = [], held } = before ?? {}
    const nothing = { quarantine: [], open, faults: [], counts: NO_ROWS, held, warnings: {} }
    return { table, model, ...names, ...nothing }
  }
  const { found, unfit, rejected } = await compareMade(batch, table, { input, ...names })
  const rows = found.read + unfit
  const held = holdFor(batch, { limits, rows, unfit, before: before?.held })
  if (held !== undefined) await withholdChanges(db, { ...names, rejected, table })
  const isFit = unfit === 0 && held === undefined
  const refusal = await refuseRows(batch, table, { ...names, rejected, isFit, before })
  const published = held === undefined ? found : { ...found, inserted: 0, updated: 0 }
  const counts = {
    ...published,
    read: rows,
    accepted: published.inserted + published.updated,
    deleted: 0,
    quarantined: sumRows(refusal.quarantine),
  }
  const warnings = counts.accepted === 0 ? {} : await countWarnings(db, { model, ...names })
  return { table, model, ...names, ...refusal, counts, held, warnings }
}

/** How a model's rows differ from the published ones: the temporary tables `changes` and `rejected` hold them. */
interface Made {
  readonly found: Comparison
  /** Rows that break a rule. */
  readonly unfit: number
  readonly rejected: string
}

interface Comparing {
  readonly input: DimensionInput
  /** Temporary table of what goes out. */
  readonly changes: string
  /** View of the dimension as last published. */
  readonly published: string
}

async function compareMade(
  batch: PendingBatch,
  table: LakeTable,
  options: Comparing,
): Promise<Made> {
  const { db } = batch
  const affected = await makeAffected(batch, table, options.input)
  const sql = affected ?? readModel(options.input.model)
  const { made, rejected, unfit } = await makeRows(db, table, { ...options.input, sql })
  // These are all unfit rows there are, but whether they are too many is a matter of all rows.
  if (affected !== undefined && !areFew(unfit, options.input.limits)) {
    return await compareMade(batch, table, {
      ...options,
      input: { ...options.input, reach: 'all' },
    })
  }
  const { changes } = options
  let state = options.published
  if (affected !== undefined) {
    state = `published before ${table.name}`
    await db.run(`
      create or replace temp table ${identifier(state)} as
      select p.* from ${identifier(options.published)} as p
      semi join ${made} using (${identifiers(table.key)})`)
  }
  await checkKeys(db, table, made)
  const found = await compareRows(db, table, { incoming: made, state, changes })
  await db.run(`drop table ${made}`)
  return { found, unfit, rejected }
}

/** The select of the rows that can have changed; undefined where all must be made. */
async function makeAffected(
  { db, zone }: PendingBatch,
  { key, columns }: LakeTable,
  { model, before, reach, changed, views, limits }: DimensionInput,
): Promise<string | undefined> {
  if (reach !== 'some' || before === undefined || before.held !== undefined) return undefined
  if (!areFew(sumRows(before.open), limits)) return undefined
  const refused = await openFiles(zone, before.open)
  return await selectAffected(db, { sql: readModel(model), key, columns, views, changed, refused })
}

/** Makes a temporary table of a model's rows without those that break a rule. */
async function makeRows(
  db: DuckDb,
  { columns }: LakeTable,
  { model, sql }: { model: Dimension | Calendar; sql: string },
): Promise<{ made: string; rejected: string; unfit: number }> {
  const [made, rejected] = [identifier(`made ${model.table}`), `rejected ${model.table}`]
  const rules = rulesOf(model, { columns })
  await db.run(`create or replace temp table ${made} as ${sql}`)
  return { made, rejected, unfit: await moveRejected(db, { from: made, rejected, rules }) }
}

/** The rows that go out and break a check that warns. */
async function countWarnings(
  db: DuckDb,
  { model, changes }: { model: Dimension | Calendar; changes: string },
): Promise<Broken> {
  const rules = warningsOf(model)
  if (rules.length === 0) return {}
  const [found] = await db.rows<{ warned: bigint[] }>(
    `select ${countBroken(rules)} as warned from ${identifier(changes)}`,
  )
  return nameBroken(rules, found?.warned ?? [])
}

/**
 * Moves the rows of the temporary table `from` that break a rule into the temporary table
 * `rejected`, each with the first rule it breaks. Returns their number.
 */
async function moveRejected(
  db: DuckDb,
  { from, rejected, rules }: { from: string; rejected: string; rules: readonly Rule[] },
): Promise<number> {
  const broken = brokenBy(rules)
  await db.run(`
    create or replace temp table ${identifier(rejected)} as
    select *, ${faultOf(rules)} from ${from} where ${broken}`)
  const [found] = await db.rows<{ rows: bigint }>(
    `select count(*) as rows from ${identifier(rejected)}`,
  )
  const rows = Number(found?.rows)
  if (rows > 0) await db.run(`delete from ${from} where ${broken}`)
  return rows
}

/** Moves what would go out to the rejected rows. */
async function withholdChanges(
  db: DuckDb,
  { changes, rejected, table }: { changes: string; rejected: string; table: LakeTable },
): Promise<void> {
  const columns = identifiers(table.columns.map(({ name }) => name))
  await db.run(`
    insert into ${identifier(rejected)} by name
    select ${columns}, 'table_held' as _reason from ${identifier(changes)}`)
  await db.run(`delete from ${identifier(changes)}`)
}

/** Writes the rejected rows to quarantine. What is not among them now is settled: made, or gone. */
async function refuseRows(
  batch: PendingBatch,
  table: LakeTable,
  {
    rejected,
    published,
    isFit,
    before,
  }: {
    rejected: string
    published: string
    /** No row was rejected. */
    isFit: boolean
    before: TableEntry | undefined
  },
): Promise<Pick<DimensionChanges, 'quarantine' | 'open' | 'faults'>> {
  const key = identifiers(table.key)
  const rows = `(
    select
        r.*,
        case when p.present then 'update' else 'insert' end as _operation,
        ${batch.number} as _batch,
        ${duckLiteral(batch.takenAt)} as _captured_at,
        row_number() over () as _ordinal
    from ${identifier(rejected)} as r
    left join (select ${key}, true as present from ${identifier(published)}) as p using (${key}))`
  const keys = table.key.flatMap((name) => table.columns.filter((column) => column.name === name))
  const refused = selectRefused(rows, { key: rowText(keys), columns: table.columns })
  const quarantine = isFit ? [] : await prepareQuarantine(batch, table, { refused })
  const open = before?.open ?? []
  const [earlier, later] = [
    readRefused(await openFiles(batch.zone, open)),
    readRefused(await openFiles(batch.zone, quarantine)),
  ]
  const settled = `(select e._key from ${earlier} as e anti join ${later} as l using (_key))`
  return {
    quarantine,
    ...(await prepareOpen(batch, table, { before: open, refused: quarantine, settled })),
  }
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
