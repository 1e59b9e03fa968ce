import { ContractError } from '../errors.ts'
import { identifiers } from '../io/sql.ts'
import type { PendingBatch } from '../lake/batch.ts'
import type { Column } from '../lake/lake-type.ts'
import { readParquet } from '../lake/parquet.ts'
import { rowText } from '../lake/quarantine/quarantine.ts'
import { lastOfEachKey } from '../lake/table-state.ts'
import type { Zone } from '../lake/zone.ts'
import { readModel } from '../project/generation.ts'
import type { Fact } from '../project/model.ts'
import { describe } from './dimension.ts'
import {
  type Broken,
  brokenBy,
  countBroken,
  faultOf,
  nameBroken,
  type Rule,
  rulesOf,
  warningsOf,
} from './rules.ts'
import type { SourceView } from './source-files.ts'
import { openChanges, selectChanges, type SourceChanges } from './source-view.ts'

/** Columns a fact model passes through for the platform. */
const PASSED = new Set(['_operation', '_captured_at', '_ordinal'])

/** The changes of a fact's source table that a batch maps. */
export interface ChangeSpan {
  readonly ingestion: Zone
  /** The batch's own changes; while the fact is held, before them those of every batch since. */
  readonly span: readonly ChangeBatch[]
  /** Columns that name a day of the calendar, and so may not be infinite. */
  readonly days: readonly string[]
}

/** One batch's changes of the fact's source table. */
export interface ChangeBatch {
  readonly number: number
  readonly view: SourceView
  /** Local change files in order. */
  readonly paths: readonly string[]
}

/** What a fact's model makes of the view `change_<from>`. */
export interface Mapping {
  readonly name: string
  readonly model: Fact
  readonly sql: string
  /** The warehouse's columns, in the types that the model gives them. */
  readonly columns: readonly Column[]
  readonly rules: readonly Rule[]
  /** SQL condition of a row that breaks one. */
  readonly broken: string
  /** Checks that a row may break and still be published. */
  readonly warnings: readonly Rule[]
  /** SQL of `_key`. */
  readonly keyText: string
}

export interface MappedFile {
  readonly number: number
  readonly view: SourceView
  readonly path: string
  readonly counts: FileCounts
}

interface FileCounts {
  readonly rows: number
  /** Rows that break a rule; then those that are no deletions, and those that are. */
  readonly rejected: number
  readonly unfit: number
  readonly lostDeletes: number
  /** Checks that warn, broken by rows that break no rule. Deletions are not checked. */
  readonly warnings: Broken
  /** Ordinals. */
  readonly first: number
  readonly last: number
}

/** What the model makes of changes seen as those of the span are; leaves its last changes open. */
export async function readMapping(
  batch: PendingBatch,
  model: Fact,
  input: ChangeSpan,
): Promise<Mapping> {
  const { db } = batch
  const sql = readModel(model)
  await openLast(batch, input)
  const described = await describe(db, sql)
  const columns = described.filter(({ name }) => !PASSED.has(name))
  const rules = rulesOf(model, { columns, days: input.days })
  const keys = model.key.flatMap((name): Column[] => {
    return described.filter((column) => column.name === name)
  })
  const keyText = rowText(keys)
  return {
    name: model.table,
    model,
    sql,
    columns,
    rules,
    broken: brokenBy(rules),
    warnings: warningsOf(model),
    keyText,
  }
}

/** Makes `change_<from>` the last change of each key in the span. May be repeated. */
export async function openLast(
  { db }: PendingBatch,
  { ingestion, span }: ChangeSpan,
): Promise<void> {
  const batches: string[] = []
  for (const { number, view, paths } of span) {
    const { seen } = await selectChanges(db, view, { ingestion, number, paths })
    batches.push(`select * from ${seen}`)
  }
  const view = span.at(-1)?.view
  if (view === undefined) throw new TypeError('a fact is mapped of changes')
  const all = `(${batches.join(' union all by name ')})`
  // Within a batch a key changes once.
  const last = batches.length > 1 ? `(select * from ${all} ${lastOfEachKey(view)})` : all
  await openChanges(db, view, last)
}

/** Makes `change_<from>` the changes of one file. May be repeated. */
export async function openFile(
  { db }: PendingBatch,
  { ingestion }: ChangeSpan,
  { number, view, path }: Pick<MappedFile, 'number' | 'view' | 'path'>,
): Promise<SourceChanges> {
  const changes = await selectChanges(db, view, { ingestion, number, paths: [path] })
  await openChanges(db, view, changes.seen)
  return changes
}

/**
 * Counts what the model makes of a file's changes, which must be open. Throws `ContractError` unless
 * that is one row for each.
 */
export async function countFile(
  { db }: PendingBatch,
  { model, sql, broken, warnings }: Mapping,
  { seen }: SourceChanges,
): Promise<FileCounts> {
  // That as many rows bear the same ordinals is told by their sum, which needs no memory.
  const [found] = await db.rows<
    Record<Exclude<keyof FileCounts, 'warnings'> | 'changes', bigint> & {
      warned: bigint[]
      same: boolean
    }
  >(`
    select
        m.* exclude (ordinals),
        c.changes,
        m.rows = c.changes and m.ordinals is not distinct from c.ordinals as same
    from (
        select
            count(*) as "rows",
            count(*) filter (where ${broken}) as "rejected",
            count(*) filter (where ${broken} and _operation <> 'delete') as "unfit",
            count(*) filter (where ${broken} and _operation = 'delete') as "lostDeletes",
            ${countBroken(warnings, `not ${broken} and _operation <> 'delete'`)} as "warned",
            coalesce(min(_ordinal), 1) as "first",
            coalesce(max(_ordinal), 0) as "last",
            sum(hash(_ordinal::bigint)) as ordinals
        from (${sql})
    ) as m,
    (select count(*) as changes, sum(hash(_ordinal::bigint)) as ordinals from ${seen}) as c`)
  if (found?.same !== true) {
    throw modelRows(model, `gives ${found?.rows} rows for ${found?.changes} changes`)
  }
  return {
    rows: Number(found.rows),
    rejected: Number(found.rejected),
    unfit: Number(found.unfit),
    lostDeletes: Number(found.lostDeletes),
    warnings: nameBroken(warnings, found.warned),
    first: Number(found.first),
    last: Number(found.last),
  }
}

function modelRows({ table }: Fact, what: string): ContractError {
  return new ContractError(`Model ${table} must give one row for each change; it ${what}`, {
    code: 'MODEL_ROWS',
    hint: `correct the joins and conditions of ${table}.sql; nothing was published`,
  })
}

/** The rows of the last change of each key, and those of them that are unfit: a key that is gone is fine. */
export async function countLast(
  batch: PendingBatch,
  { sql, broken }: Mapping,
  input: ChangeSpan,
): Promise<{ rows: number; unfit: number }> {
  await openLast(batch, input)
  const [found] = await batch.db.rows<{ rows: bigint; unfit: bigint }>(`
    select
        count(*) as rows,
        count(*) filter (where ${broken} and _operation <> 'delete') as unfit
    from (${sql})`)
  return { rows: Number(found?.rows), unfit: Number(found?.unfit) }
}

/** The source's rows behind the rejected ones as quarantine has them, each with the first rule it breaks. */
export function selectRejected(
  { rules, keyText }: Mapping,
  { changes, sql, where }: { changes: SourceChanges; sql: string; where: string },
): string {
  return `
    select
        c._batch, c._captured_at, c._ordinal, c._operation,
        m._key, m._column, m._reason, c._content
    from ${changes.all} as c
    inner join (
        select _ordinal, ${keyText} as _key, ${faultOf(rules)} from (${sql}) where ${where}
    ) as m on m._ordinal = c._ordinal`
}

export interface WrittenFile {
  readonly path: string
  readonly rows: number
  /** The ingestion batch that its changes are of. */
  readonly number: number
}

/**
 * Throws `ContractError` when two changes of one batch became versions of one key: two states of one
 * thing at one moment.
 */
export async function checkKeysOnce(
  { db }: PendingBatch,
  { model }: Mapping,
  written: readonly WrittenFile[],
): Promise<void> {
  for (const number of new Set(written.map((file) => file.number))) {
    const paths = written.filter((file) => file.number === number).map(({ path }) => path)
    const [found] = await db.rows<{ keys: bigint }>(`
      select count(*) as keys from (
          select 1 from ${readParquet(paths)}
          group by ${identifiers(model.key)} having count(*) > 1
      )`)
    if (found?.keys !== 0n) {
      throw modelRows(model, `gives ${found?.keys} keys (${model.key.join(', ')}) more than one`)
    }
  }
}
