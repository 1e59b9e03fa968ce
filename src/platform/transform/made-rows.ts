import type { DuckDb, Relation } from '../io/duckdb.ts'
import { openTogether } from '../io/open-together.ts'
import { duckLiteral, identifiers } from '../io/sql.ts'
import type { PendingBatch } from '../lake/batch.ts'
import type { FileRef, Hold, ProcessedEntry } from '../lake/commit-record.ts'
import { checkKeys, compareRows, type Comparison } from '../lake/compare.ts'
import { canBeTooMany, type QuarantineLimits } from '../lake/quarantine/limits.ts'
import {
  prepareOpen,
  prepareQuarantine,
  readRefused,
  type RefusalReason,
  rowText,
  selectRefused,
} from '../lake/quarantine/quarantine.ts'
import { sumRows } from '../lake/table-entry.ts'
import { keyColumns, type LakeTable } from '../lake/table-state.ts'
import { openFiles } from '../lake/zone.ts'
import type { Model } from '../project/model.ts'
import { holdFor } from './hold.ts'
import {
  type Broken,
  brokenBy,
  countBroken,
  nameBroken,
  reasonOf,
  type Rule,
  rulesOf,
  warningsOf,
} from './rules.ts'

/** Which rows of a table a batch can change. With `none`, rows can still be inferred. */
export type Reach = 'none' | 'some' | 'all'

/**
 * The entry in the batch before, if making some rows is enough. Undefined if all rows must be made:
 * there is no such entry, the table is held, or so many of its rows are in quarantine that the limit
 * depends on all rows.
 */
export function entryForPart({
  reach,
  before,
  limits,
}: {
  reach: Reach
  before: ProcessedEntry | undefined
  limits: QuarantineLimits
}): ProcessedEntry | undefined {
  const isEnough = reach === 'some' && before !== undefined && before.held === undefined
  return isEnough && !canBeTooMany(sumRows(before.open), limits) ? before : undefined
}

/** The rows that a model makes, compared with the published rows. */
export interface MadeRows extends AsyncDisposable {
  readonly found: Comparison
  readonly refused: RefusedRows
}

/** The rows that break a rule, each with the first rule that it breaks. */
export interface RefusedRows extends Relation {
  readonly rows: number
}

/**
 * Compares the rows that a model made with the published rows in `state`. Moves the rows that break
 * a rule out of `made` first. Throws `ContractError` (`KEY_NOT_UNIQUE`) if a key occurs twice.
 */
export async function compareMade(
  db: DuckDb,
  table: LakeTable,
  {
    model,
    made,
    state,
    days = [],
  }: { model: Model; made: Relation; state: string; days?: readonly string[] },
): Promise<MadeRows> {
  const rules = rulesOf(model, { columns: table.columns, days })
  return await openTogether(async (keep) => {
    const refused = keep(await moveRefused(db, made, rules))
    await checkKeys(db, table, made.name)
    const found = keep(await compareRows(db, table, { incoming: made.name, state }))
    return { found, refused }
  })
}

/** Moves the rows that break a rule out of `made` into a relation of refused rows. */
async function moveRefused(
  db: DuckDb,
  made: Relation,
  rules: readonly Rule[],
): Promise<RefusedRows> {
  const broken = brokenBy(rules)
  const select = `select *, ${reasonOf(rules)} from ${made.name} where ${broken}`
  return await openTogether(async (keep) => {
    const { name } = keep(await db.table(select))
    const rows = await db.count(name)
    if (rows > 0) await db.run(`delete from ${made.name} where ${broken}`)
    return { name, rows }
  })
}

/** Counts the published rows that break a check with the severity `warn`. */
export async function countWarnings(
  db: DuckDb,
  { model, changes }: { model: Model; changes: string },
): Promise<Broken> {
  const rules = warningsOf(model)
  if (rules.length === 0) return {}
  const { warned } = await db.row<{ warned: bigint[] }>(
    `select ${countBroken(rules)} as warned from ${changes}
    where _operation in ('insert', 'update')`,
  )
  return nameBroken(rules, warned)
}

/** Moves all changes of a held table to the refused rows, with the reason `table_held`. */
async function refuseAllChanges(
  db: DuckDb,
  table: LakeTable,
  { changes, refused }: { changes: string; refused: RefusedRows },
): Promise<void> {
  const columns = identifiers(table.columns.map(({ name }) => name))
  await db.run(`
    insert into ${refused.name} by name
    select ${columns}, 'table_held' as _reason from ${changes}`)
  await db.run(`delete from ${changes}`)
}

/** What a batch sends to quarantine, and what is there after it. */
interface RefusedOutcome {
  readonly quarantine: FileRef[]
  readonly open: FileRef[]
  readonly reasons: readonly RefusalReason[]
}

/**
 * Sends the refused rows to quarantine. If they are too many among `rows`, the table is held: then
 * every change is refused as well, and none is left to publish.
 */
export async function refuseRows(
  batch: PendingBatch,
  table: LakeTable,
  {
    made: { found, refused },
    rows,
    published,
    before,
    limits,
  }: {
    made: MadeRows
    rows: number
    published: Relation
    before: ProcessedEntry | undefined
    limits: QuarantineLimits
  },
): Promise<RefusedOutcome & { readonly held: Hold | undefined }> {
  const held = holdFor(batch, { limits, rows, refused: refused.rows, before: before?.held })
  if (held !== undefined) {
    await refuseAllChanges(batch.db, table, { changes: found.changes, refused })
  }
  const isClean = refused.rows === 0 && held === undefined
  return { ...(await quarantineRows(batch, table, { refused, published, isClean, before })), held }
}

/**
 * Writes the refused rows to quarantine. Every other key leaves quarantine, because its row was
 * made without breaking a rule, or is gone.
 */
async function quarantineRows(
  batch: PendingBatch,
  table: LakeTable,
  {
    refused,
    published,
    isClean,
    before,
  }: {
    refused: RefusedRows
    published: Relation
    /** Whether no row was refused and the table is not held. */
    isClean: boolean
    before: ProcessedEntry | undefined
  },
): Promise<RefusedOutcome> {
  const key = identifiers(table.key)
  const rows = `(
    select
        r.*,
        case when p.present then 'update' else 'insert' end as _operation,
        ${batch.number} as _batch,
        ${duckLiteral(batch.takenAt)} as _captured_at,
        row_number() over () as _ordinal
    from ${refused.name} as r
    left join (select ${key}, true as present from ${published.name}) as p using (${key}))`
  const select = selectRefused(rows, { key: rowText(keyColumns(table)), columns: table.columns })
  const quarantine = isClean ? [] : await prepareQuarantine(batch, table, { refused: select })
  const open = before?.open ?? []
  const earlier = readRefused(await openFiles(batch.zone, open))
  const later = readRefused(await openFiles(batch.zone, quarantine))
  const leaving = `(select e._key from ${earlier} as e anti join ${later} as l using (_key))`
  return {
    quarantine,
    ...(await prepareOpen(batch, table, { before: open, refused: quarantine, released: leaving })),
  }
}
