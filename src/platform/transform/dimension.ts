import { ContractError } from '../errors.ts'
import type { DuckDb, Relation } from '../io/duckdb.ts'
import { openTogether } from '../io/open-together.ts'
import { identifier, identifiers } from '../io/sql.ts'
import type { PendingBatch } from '../lake/batch.ts'
import type { FileRef, Hold, ProcessedEntry, RowCounts } from '../lake/commit-record.ts'
import { describeSelect } from '../lake/describe-select.ts'
import { canBeTooMany, type QuarantineLimits } from '../lake/quarantine/limits.ts'
import type { RefusalReason } from '../lake/quarantine/quarantine.ts'
import { countRows, NO_ROWS, sumRows } from '../lake/table-entry.ts'
import { type LakeTable, openState } from '../lake/table-state.ts'
import { openFiles } from '../lake/zone.ts'
import { readModel } from '../project/generation.ts'
import type { Calendar, Dimension } from '../project/model.ts'
import { type AffectedRows, type ChangedTable, openAffectedRows } from './lineage/affected-rows.ts'
import {
  compareMade,
  countWarnings,
  entryForPart,
  type MadeRows,
  type Reach,
  refuseRows,
} from './made-rows.ts'
import { type Broken, isNullable } from './rules.ts'
import { type NamedDimension, selectNamed } from './named-dimension.ts'
import type { SourceView } from './source-files.ts'

/** A batch's changes to a dimension. Dispose of them once the dimension's entry is made. */
export interface DimensionChanges extends AsyncDisposable {
  readonly table: LakeTable
  readonly model: Dimension | Calendar
  /** Relation of the rows to publish, with `_operation`. */
  readonly changes: string
  /** Relation of the dimension as the batch before published it. */
  readonly published: string
  readonly counts: RowCounts
  readonly quarantine: FileRef[]
  readonly open: FileRef[]
  readonly reasons: readonly RefusalReason[]
  readonly held: Hold | undefined
  /** Rows that are published although they break a check, by the check's name. */
  readonly warnings: Broken
}

/** The input from which a batch makes a dimension's rows. */
export interface DimensionInput {
  readonly model: Dimension | Calendar
  readonly before: ProcessedEntry | undefined
  readonly reach: Reach
  /** If `reach` is `some`: the changed source tables that the dimension reads. */
  readonly changed: readonly ChangedTable[]
  /** Every source table. */
  readonly views: readonly SourceView[]
  readonly limits: QuarantineLimits
}

/**
 * Runs a dimension's model over the tables as of this batch and keeps the rows that differ from the
 * published ones, so a change in any input reaches the dimension. A row that is gone from the
 * source stays published, because earlier facts still join it (I11). A row that breaks a rule goes
 * to quarantine. If too many rows do, the dimension is held, and no changed row is published.
 *
 * If the batch can change only some rows, and the model allows it, only those are made. The result
 * is the same either way. Throws `ContractError` (`KEY_NOT_UNIQUE`) if the model gives a key twice.
 */
export async function changeDimension(
  batch: PendingBatch,
  input: DimensionInput,
): Promise<DimensionChanges> {
  const { db, zone } = batch
  const { model, before } = input
  const columns = await describeSelect(db, readModel(model))
  const table: LakeTable = { name: model.table, key: model.key, columns }
  return await openTogether(async (keep) => {
    const published = keep(await openState(db, zone, { table, state: before?.state ?? [] }))
    return keep(
      input.reach === 'none'
        ? await keepUnchanged(db, table, { input, published })
        : await changePublished(batch, table, { input, published }),
    )
  })
}

/** A dimension whose rows the batch cannot change. Rows can still be inferred. */
async function keepUnchanged(
  db: DuckDb,
  table: LakeTable,
  { input: { model, before }, published }: Comparing,
): Promise<DimensionChanges> {
  const none = `select *, 'insert' as _operation from ${published.name} where false`
  return await openTogether(async (keep) => ({
    table,
    model,
    published: published.name,
    changes: keep(await db.table(none)).name,
    quarantine: [],
    open: before?.open ?? [],
    reasons: [],
    counts: NO_ROWS,
    held: before?.held,
    warnings: {},
  }))
}

/** A dimension as last published, and the input of this batch. */
interface Comparing {
  readonly input: DimensionInput
  readonly published: Relation
}

async function changePublished(
  batch: PendingBatch,
  table: LakeTable,
  { input, published }: Comparing,
): Promise<DimensionChanges> {
  const { db } = batch
  const { model, before, limits } = input
  return await openTogether(async (keep) => {
    const made = keep(await makeRows(batch, table, { input, published }))
    const { found, refused } = made
    const { changes } = found
    const rows = found.read + refused.rows
    const refusal = await refuseRows(batch, table, { made, rows, published, before, limits })
    const { inserted, updated } = refusal.held === undefined ? found : { inserted: 0, updated: 0 }
    const quarantined = sumRows(refusal.quarantine)
    const isChanged = inserted + updated > 0
    return {
      table,
      model,
      published: published.name,
      changes,
      ...refusal,
      counts: countRows({ read: rows, inserted, updated, quarantined }),
      warnings: isChanged ? await countWarnings(db, { model, changes }) : {},
    }
  })
}

/** Runs the model for the rows that can have changed, or for all rows, and compares the result. */
async function makeRows(
  batch: PendingBatch,
  table: LakeTable,
  { input, published }: Comparing,
): Promise<MadeRows> {
  const { db } = batch
  const { model, limits } = input
  await using affected = await openAffected(batch, table, input)
  if (affected !== undefined) {
    const { sql } = affected
    const made = await makeAndCompare(db, table, { model, sql, published, isPart: true })
    // No other row is refused, but whether these are too many depends on the number of all rows.
    if (!canBeTooMany(made.refused.rows, limits)) return made
    await made[Symbol.asyncDispose]()
  }
  return await makeAndCompare(db, table, { model, sql: readModel(model), published })
}

/** A select of the rows that can have changed; undefined if all rows must be made. */
async function openAffected(
  { db, zone }: PendingBatch,
  { key, columns }: LakeTable,
  { model, before, reach, changed, views, limits }: DimensionInput,
): Promise<AffectedRows | undefined> {
  const entry = entryForPart({ reach, before, limits })
  if (entry === undefined) return undefined
  const refused = await openFiles(zone, entry.open)
  return await openAffectedRows(
    { db, memory: zone.memory },
    {
      sql: readModel(model),
      key,
      columns,
      views,
      changed,
      refused,
    },
  )
}

/**
 * Makes rows by a select and compares the rows that break no rule with the published rows. With
 * `isPart`, the select makes only some of the rows.
 */
async function makeAndCompare(
  db: DuckDb,
  table: LakeTable,
  {
    model,
    sql,
    published,
    isPart = false,
  }: { model: Dimension | Calendar; sql: string; published: Relation; isPart?: boolean },
): Promise<MadeRows> {
  await using made = await db.table(sql)
  // Compares a part only with the published rows of the same keys.
  await using part = isPart
    ? await db.table(`
        select p.* from ${published.name} as p
        semi join ${made.name} using (${identifiers(table.key)})`)
    : undefined
  return await compareMade(db, table, { model, made, state: (part ?? published).name })
}

/**
 * Adds an inferred row for every key that a fact names and the dimension lacks: the key, and
 * `Unknown` or null in every other column. The real row replaces it when it arrives, because it
 * differs from the published row. Returns the number of added rows. May be repeated.
 */
export async function inferRows(
  db: DuckDb,
  { table, model, changes, published }: DimensionChanges,
  reference: NamedDimension,
): Promise<number> {
  const using = `using (${identifiers(table.key)})`
  const values = table.columns.map(({ name, type }) => {
    if (table.key.includes(name)) return identifier(name)
    return isNullable(model, name) ? `null::${type}` : `'Unknown'`
  })
  await using named = await db.table(
    `select distinct * from (${selectNamed(reference, table.key)})`,
  )
  const lacking = `${named.name} anti join ${published} ${using} anti join ${changes} ${using}`
  const inferred = await db.count(lacking)
  if (inferred > 0) {
    await db.run(
      `insert into ${changes} by position select ${values.join(', ')}, 'insert' from ${lacking}`,
    )
  }
  return inferred
}

/** A dimension's counts with inferred rows added. */
export function addInferred(
  { read, inserted, updated, quarantined }: RowCounts,
  rows: number,
): RowCounts {
  return countRows({ read: read + rows, inserted: inserted + rows, updated, quarantined })
}

/**
 * Throws `ContractError` (`MODEL_NOT_INFERABLE`) if no inferred row can be made: a required column
 * is not text, so it cannot hold `Unknown`.
 */
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
