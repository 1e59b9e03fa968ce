import { ContractError } from '../errors.ts'
import type { DuckDb, Relation } from '../io/duckdb.ts'
import { openTogether } from '../io/open-together.ts'
import { duckLiteral, identifier, identifiers } from '../io/sql.ts'
import type { PendingBatch } from '../lake/batch.ts'
import { writeInFiles } from '../lake/change-file.ts'
import type { ProcessedEntry } from '../lake/commit-record.ts'
import { describeSelect } from '../lake/describe-select.ts'
import { fileValues } from '../lake/lake-type.ts'
import { canBeTooMany, type QuarantineLimits } from '../lake/quarantine/limits.ts'
import { countRows, sumRows } from '../lake/table-entry.ts'
import { type LakeTable, openState } from '../lake/table-state.ts'
import { openFiles } from '../lake/zone.ts'
import { historyColumns } from '../project/fact-names.ts'
import { readModel } from '../project/generation.ts'
import type { Fact } from '../project/model.ts'
import { PASSED } from './fact-mapping.ts'
import type { FactVersions } from './fact.ts'
import type { ChangedTable } from './lineage/affected-rows.ts'
import { openFollowedKeys, renamed } from './lineage/followed-rows.ts'
import {
  compareMade,
  countWarnings,
  entryForPart,
  type MadeRows,
  type Reach,
  refuseRows,
} from './made-rows.ts'
import { readFiles, type SourceView } from './source-files.ts'
import { viewChanges } from './source-view.ts'

/** The input from which a batch makes the versions of a fact that follows tables. */
export interface FollowInput {
  readonly from: SourceView
  /** Every source table. Those that the model reads, and `from`, must be open as of the batch. */
  readonly views: readonly SourceView[]
  /** The tables that the fact is made from and the batch changes. */
  readonly changed: readonly ChangedTable[]
  readonly reach: Reach
  /** Relation of the rows of `from` that models do not see, because a value does not fit. */
  readonly hidden: string | undefined
  /** Whether a row of another table is hidden, so that the model may leave out a row for now. */
  readonly isWaiting: boolean
  readonly before: ProcessedEntry | undefined
  /** Columns that name a day of the calendar. */
  readonly days: readonly string[]
  readonly limits: QuarantineLimits
}

/**
 * Makes the versions that a batch adds to a fact that follows other tables. Runs the model over the
 * rows of `from` that the batch can change, as all tables stand after the batch, and compares the
 * result with the newest versions. A row that is new or differs becomes a version. A row that is
 * gone becomes a deletion if `from` lost it, and leaves otherwise; both carry its last values. The
 * result is the same whether some or all rows are made.
 *
 * Versions of rows that changed in `from` come first, in the order of their changes, and then the
 * others, by key. So the same history always gives the same record ids (I8).
 *
 * A row that breaks a rule goes to quarantine, and its last version stays current. If too many rows
 * do, the fact is held: nothing is published, and the next batch that reaches the fact compares all
 * of it. Throws `ContractError` (`MODEL_ROWS`) if the model makes more than one row for a row of
 * `from`, or one with another key.
 */
export async function followFact(
  batch: PendingBatch,
  model: Fact,
  input: FollowInput,
): Promise<FactVersions> {
  const { db, zone } = batch
  const { from, before, limits } = input
  await using own = await openOwnChanges(db, input)
  const table = await describeFact(batch, model, { from, own })
  await using published = await openState(db, zone, { table, state: before?.state ?? [] })
  await using made = await makeVersions(batch, model, { input, own, table, published })
  const { found, refused, gone } = made
  const rows = found.read + refused.rows + gone
  const refusal = await refuseRows(batch, table, { made, rows, published, before, limits })
  const isHeld = refusal.held !== undefined
  const [inserted, updated, deleted] = isHeld ? [0, 0, 0] : [found.inserted, found.updated, gone]
  const given = before?.records ?? 0
  const added = inserted + updated + deleted
  const { changes } = found
  return {
    ...refusal,
    table,
    columns: table.columns,
    paths: await writeVersions(batch, model, { table, changes, own, from, given, rows: added }),
    records: given + added,
    counts: countRows({
      read: rows,
      inserted,
      updated,
      deleted,
      quarantined: sumRows(refusal.quarantine),
      areDeletesRead: true,
    }),
    warnings: added > 0 ? await countWarnings(db, { model, changes }) : {},
    changesSince: undefined,
  }
}

/** The batch's own changes to `from`: its key, `_operation` and `_ordinal`. */
async function openOwnChanges(db: DuckDb, { from, changed }: FollowInput): Promise<Relation> {
  const paths = changed.find(({ view }) => view.name === from.name)?.paths ?? []
  const files = await readFiles(db, from, paths)
  return await db.table(
    `select ${identifiers(from.key)}, _operation, _ordinal from ${files.rows(paths)}`,
  )
}

/**
 * A select of the rows of `from` as if this batch had changed each of them: all rows, or those whose
 * key is in `keys`, which has the columns of the fact's key.
 */
function offerRows(
  { number, takenAt }: PendingBatch,
  { key }: Fact,
  { from, own, keys }: { from: SourceView; own: Relation; keys: Relation | undefined },
): string {
  const some =
    keys === undefined ? '' : `semi join ${keys.name} as k on ${pairs(from.key, 'f', key, 'k')}`
  return `
    select
        f.*,
        coalesce(c._operation, 'update') as _operation,
        ${number}::bigint as _batch,
        ${duckLiteral(takenAt)}::timestamptz as _captured_at,
        coalesce(
            c._ordinal,
            row_number() over () + (select coalesce(max(_ordinal), 0) from ${own.name})
        ) as _ordinal
    from ${identifier(from.name)} as f
    ${some}
    left join ${own.name} as c on ${pairs(from.key, 'f', from.key, 'c')}`
}

/** SQL condition that columns of two relations are equal, in their order. */
function pairs(a: readonly string[], one: string, b: readonly string[], other: string): string {
  return a
    .map((name, index) => `${one}.${identifier(name)} = ${other}.${identifier(b[index] ?? '')}`)
    .join(' and ')
}

/** The fact as a table of the lake, in the columns that its model makes. */
async function describeFact(
  batch: PendingBatch,
  model: Fact,
  { from, own }: { from: SourceView; own: Relation },
): Promise<LakeTable> {
  const { db } = batch
  await using _seen = await viewChanges(
    db,
    from,
    `(${offerRows(batch, model, { from, own, keys: undefined })})`,
  )
  const described = await describeSelect(db, readModel(model))
  const { operation, recordedAt, batch: batchId } = historyColumns(model)
  return {
    name: model.table,
    key: model.key,
    columns: described.filter(({ name }) => !PASSED.has(name)),
    changeNames: {
      _operation: operation,
      _captured_at: recordedAt,
      _batch: batchId,
      _ordinal: model.recordId,
    },
  }
}

/** A fact with its newest versions, and the input of this batch. */
interface Following {
  readonly input: FollowInput
  readonly own: Relation
  readonly table: LakeTable
  readonly published: Relation
}

/** The rows that a batch makes, compared with the newest versions. */
interface MadeVersions extends MadeRows {
  /** The number of deletions and of rows that leave. They are among the changes. */
  readonly gone: number
}

/** Runs the model for the rows that can have changed, or for all rows, and compares the result. */
async function makeVersions(
  batch: PendingBatch,
  model: Fact,
  following: Following,
): Promise<MadeVersions> {
  const { limits } = following.input
  await using keys = await openKeys(batch, model, following)
  if (keys !== undefined) {
    const made = await makeAndCompare(batch, model, following, keys)
    // No other row is refused, but whether these are too many depends on the number of all rows.
    if (!canBeTooMany(made.refused.rows, limits)) return made
    await made[Symbol.asyncDispose]()
  }
  return await makeAndCompare(batch, model, following, undefined)
}

/** The keys of the rows that can have changed; undefined if all rows must be made. */
async function openKeys(
  { db, zone }: PendingBatch,
  model: Fact,
  { input: { from, views, changed, reach, before, limits }, table }: Following,
): Promise<Relation | undefined> {
  const entry = entryForPart({ reach, before, limits })
  if (entry === undefined) return undefined
  return await openFollowedKeys(
    { db, memory: zone.memory },
    {
      sql: readModel(model),
      key: table.key,
      columns: table.columns,
      from,
      views,
      changed,
      refused: await openFiles(zone, entry.open),
    },
  )
}

async function makeAndCompare(
  batch: PendingBatch,
  model: Fact,
  { input, own, table, published }: Following,
  keys: Relation | undefined,
): Promise<MadeVersions> {
  const { db } = batch
  const { from, days } = input
  await using offered = await db.table(offerRows(batch, model, { from, own, keys }))
  await using made = await runModel(db, model, { from, offered })
  await using part =
    keys === undefined
      ? undefined
      : await db.table(`
          select p.* from ${published.name} as p
          semi join ${keys.name} using (${identifiers(table.key)})`)
  const state = (part ?? published).name
  return await openTogether(async (keep) => {
    const { found, refused } = keep(await compareMade(db, table, { model, made, state, days }))
    const gone = await addGone(db, table, {
      input,
      state,
      present: [made.name, refused.name],
      changes: found.changes,
    })
    return { found, refused, gone }
  })
}

/**
 * Runs the model over the offered rows. Throws `ContractError` (`MODEL_ROWS`) unless it makes at
 * most one row for each of them, with the same key.
 */
async function runModel(
  db: DuckDb,
  model: Fact,
  { from, offered }: { from: SourceView; offered: Relation },
): Promise<Relation> {
  await using _seen = await viewChanges(db, from, offered.name)
  const made = await db.table(readModel(model))
  const { twice, strange } = await db.row<{ twice: bigint; strange: bigint }>(`
    select
        count(*) - count(distinct m._ordinal) as twice,
        count(*) filter (where f._ordinal is null or not (${pairs(model.key, 'm', from.key, 'f')})) as strange
    from ${made.name} as m left join ${offered.name} as f on m._ordinal = f._ordinal`)
  if (twice > 0n || strange > 0n) {
    await made[Symbol.asyncDispose]()
    throw new ContractError(
      twice > 0n
        ? `Model ${model.table} makes ${twice} rows too many: it may make at most one row for each row of ${from.name}`
        : `Model ${model.table} makes ${strange} rows with another key than the row of ${from.name} they come from`,
      {
        code: 'MODEL_ROWS',
        hint:
          twice > 0n
            ? `correct the joins of ${model.table}.sql; nothing was published`
            : `make the key of ${model.table} the key of ${from.name} (${from.key.join(', ')}); nothing was published`,
      },
    )
  }
  for (const name of PASSED) await db.run(`alter table ${made.name} drop column ${name}`)
  return made
}

/**
 * Adds the rows of `state` that are gone to `changes`, with their last values. A row is not gone if
 * a relation in `present` has its key, or if models do not see it at present.
 */
async function addGone(
  db: DuckDb,
  { key, columns }: LakeTable,
  {
    input: { from, hidden, isWaiting },
    state,
    present,
    changes,
  }: { input: FollowInput; state: string; present: readonly string[]; changes: string },
): Promise<number> {
  const using = `using (${identifiers(key)})`
  const named = renamed(from.key, key)
  const kept = present.map((name) => `select ${identifiers(key)} from ${name}`)
  if (hidden !== undefined) kept.push(`select ${named} from ${hidden}`)
  await using gone = await db.table(`
    select
        ${columns.map(({ name }) => `p.${identifier(name)}`).join(', ')},
        case when f._stays then 'leave' else 'delete' end as _operation
    from (select * from ${state} anti join (${kept.join(' union all ')}) ${using}) as p
    left join (select ${named}, true as _stays from ${identifier(from.name)}) as f ${using}
    ${isWaiting ? 'where f._stays is null' : ''}`)
  await db.run(`insert into ${changes} by name from ${gone.name}`)
  return await db.count(gone.name)
}

/** Writes the changes as versions, with record ids that continue from `given`. */
async function writeVersions(
  batch: PendingBatch,
  { recordId }: Fact,
  {
    table: { key, columns, changeNames = {} },
    changes,
    own,
    from,
    given,
    rows,
  }: {
    table: LakeTable
    changes: string
    own: Relation
    from: SourceView
    given: number
    rows: number
  },
): Promise<FactVersions['paths']> {
  if (rows === 0) return []
  const { number, takenAt } = batch
  const named = (name: string): string => identifier(changeNames[name] ?? name)
  // Numbers the rows as they leave the sort, because a sort can spill to disk and a window function
  // cannot.
  const inOrder = `
    select
        (${given} + row_number() over ())::bigint as ${identifier(recordId)},
        ${fileValues(columns)},
        _operation as ${named('_operation')},
        ${duckLiteral(takenAt)}::timestamptz as ${named('_captured_at')},
        ${number}::bigint as ${named('_batch')}
    from (
        select v.*
        from ${changes} as v
        left join ${own.name} as c on ${pairs(key, 'v', from.key, 'c')}
        order by c._ordinal nulls last, ${key.map((name) => `v.${identifier(name)}`).join(', ')}
    )`
  return await writeInFiles(batch.db, inOrder, {
    rows,
    columns,
    ordinal: recordId,
    first: given + 1,
  })
}
