import { ContractError } from '../errors.ts'
import { boundedMap, inMemory } from '../io/memory.ts'
import { openTogether } from '../io/open-together.ts'
import { identifiers } from '../io/sql.ts'
import type { PendingBatch } from '../lake/batch.ts'
import type { Column } from '../lake/lake-type.ts'
import { readParquet } from '../lake/parquet.ts'
import { rowText } from '../lake/quarantine/quarantine.ts'
import { lastOfEachKey } from '../lake/table-state.ts'
import type { Zone } from '../lake/zone.ts'
import { readModel } from '../project/generation.ts'
import type { Fact } from '../project/model.ts'
import { describeSelect } from '../lake/describe-select.ts'
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
import type { SourceView } from './source-files.ts'
import { openSourceChanges, type SourceChanges, viewChanges } from './source-view.ts'

/** Columns that a fact's model passes through unchanged for the platform. */
export const PASSED: ReadonlySet<string> = new Set(['_operation', '_captured_at', '_ordinal'])

/** The changes to a fact's source table that a batch maps. */
export interface ChangeSpan {
  readonly ingestion: Zone
  /**
   * The batch's own changes. While the fact is held, they follow the changes of every batch since.
   */
  readonly span: readonly ChangeBatch[]
  /** Columns that name a day of the calendar, and so must be finite. */
  readonly days: readonly string[]
}

/** One batch's changes to the fact's source table. */
export interface ChangeBatch {
  readonly number: number
  readonly view: SourceView
  /** Local change files, in order. */
  readonly paths: readonly string[]
}

/** A fact's model over the view `change_<from>`, with its rules. */
export interface Mapping {
  readonly name: string
  readonly model: Fact
  readonly sql: string
  /**
   * The warehouse's columns, in the types that the model gives them. `_operation`, `_captured_at`
   * and `_ordinal` are left out.
   */
  readonly columns: readonly Column[]
  readonly rules: readonly Rule[]
  /** SQL condition of a row that breaks at least one rule. */
  readonly broken: string
  /** Checks that a published row may break. */
  readonly warnings: readonly Rule[]
  /** SQL of the quarantine's `_key`. */
  readonly keyText: string
}

/** A change file with the counts of the rows that the model makes from it. */
export interface MappedFile {
  readonly number: number
  readonly view: SourceView
  readonly path: string
  readonly counts: FileCounts
}

interface FileCounts {
  readonly rows: number
  /** Rows that break a rule, without deletions, which `refusedDeletes` counts. */
  readonly refused: number
  readonly refusedDeletes: number
  /**
   * Rows that break a check with the severity `warn` and no rule, by the check's name. Deletions
   * are not checked.
   */
  readonly warnings: Broken
  /** First and last ordinal. */
  readonly first: number
  readonly last: number
}

/**
 * Reads a fact's model with its columns and rules. Throws DuckDB's error if the model does not fit
 * the changes.
 */
export async function readMapping(
  batch: PendingBatch,
  model: Fact,
  input: ChangeSpan,
): Promise<Mapping> {
  const sql = readModel(model)
  const described = await describeModel(batch, model, input)
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

const describedIn = inMemory(() => boundedMap<string, readonly Column[]>(1000))

/**
 * The columns that a model makes from the changes. They depend only on the model's SQL and the view,
 * so a process asks DuckDB once for each pair; always, for a fact that follows other tables.
 */
async function describeModel(
  batch: PendingBatch,
  model: Fact,
  input: ChangeSpan,
): Promise<readonly Column[]> {
  const sql = readModel(model)
  const described = describedIn(batch.zone.memory)
  const mark = JSON.stringify([sql, input.span.at(-1)?.view])
  const known = model.follows === undefined ? described.get(mark) : undefined
  if (known !== undefined) return known
  await using _last = await openLast(batch, input)
  const columns = await describeSelect(batch.db, sql)
  described.set(mark, columns)
  return columns
}

/** Opens the last change of each key in the span as `change_<from>`, until it is disposed of. */
export async function openLast(
  { db }: PendingBatch,
  { ingestion, span }: ChangeSpan,
): Promise<AsyncDisposable> {
  const view = span.at(-1)?.view
  if (view === undefined) throw new TypeError('a fact is mapped from changes')
  return await openTogether(async (keep) => {
    const changes: SourceChanges[] = []
    for (const { number, view: own, paths } of span) {
      changes.push(keep(await openSourceChanges(db, own, { ingestion, number, paths })))
    }
    const selects = changes.map(({ seen }) => `select * from ${seen}`)
    const all = `(${selects.join(' union all by name ')})`
    // Within one batch, a key changes only once.
    const last = changes.length > 1 ? `(select * from ${all} ${lastOfEachKey(view)})` : all
    return keep(await viewChanges(db, view, last))
  })
}

/**
 * Opens the changes in one file, also under the name `change_<from>`, until they are disposed of.
 */
export async function openFile(
  { db }: PendingBatch,
  { ingestion }: ChangeSpan,
  { number, view, path }: Pick<MappedFile, 'number' | 'view' | 'path'>,
): Promise<SourceChanges> {
  return await openTogether(async (keep) => {
    const changes = keep(await openSourceChanges(db, view, { ingestion, number, paths: [path] }))
    keep(await viewChanges(db, view, changes.seen))
    return changes
  })
}

/**
 * Counts the rows that the model makes from a file's changes, which `openFile` has opened. Throws
 * `ContractError` (`MODEL_ROWS`) unless the model makes exactly one row for each change.
 */
export async function countFile(
  { db }: PendingBatch,
  { model, sql, broken, warnings }: Mapping,
  { seen }: SourceChanges,
): Promise<FileCounts> {
  // Equal sums of the ordinals' hashes show that the ordinals are equal, in constant memory.
  const found = await db.row<
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
            count(*) filter (where ${broken} and _operation <> 'delete') as "refused",
            count(*) filter (where ${broken} and _operation = 'delete') as "refusedDeletes",
            ${countBroken(warnings, `not ${broken} and _operation <> 'delete'`)} as "warned",
            coalesce(min(_ordinal), 1) as "first",
            coalesce(max(_ordinal), 0) as "last",
            sum(hash(_ordinal::bigint)) as ordinals
        from (${sql})
    ) as m,
    (select count(*) as changes, sum(hash(_ordinal::bigint)) as ordinals from ${seen}) as c`)
  if (!found.same) {
    const remedy =
      found.rows < found.changes
        ? `declare follows: [] if ${model.table} leaves rows out on purpose, or correct its joins`
        : undefined
    throw modelRows(model, `gives ${found.rows} rows for ${found.changes} changes`, remedy)
  }
  return {
    rows: Number(found.rows),
    refused: Number(found.refused),
    refusedDeletes: Number(found.refusedDeletes),
    warnings: nameBroken(warnings, found.warned),
    first: Number(found.first),
    last: Number(found.last),
  }
}

function modelRows(
  { table }: Fact,
  what: string,
  remedy = `correct the joins and conditions of ${table}.sql`,
): ContractError {
  return new ContractError(`Model ${table} must give one row for each change; it ${what}`, {
    code: 'MODEL_ROWS',
    hint: `${remedy}; nothing was published`,
  })
}

/**
 * Counts the rows that the model makes from the last change of each key, and how many of them are
 * refused. A deletion is never counted as refused.
 */
export async function countLast(
  batch: PendingBatch,
  { sql, broken }: Mapping,
  input: ChangeSpan,
): Promise<{ rows: number; refused: number }> {
  await using _last = await openLast(batch, input)
  const { rows, refused } = await batch.db.row<{ rows: bigint; refused: bigint }>(`
    select
        count(*) as rows,
        count(*) filter (where ${broken} and _operation <> 'delete') as refused
    from (${sql})`)
  return { rows: Number(rows), refused: Number(refused) }
}

/**
 * SQL of the source rows behind the refused rows, as quarantine holds them. Each has the first rule
 * that it breaks. `where` selects rows of the model's `sql`.
 */
export function selectRefusedChanges(
  { rules, keyText }: Mapping,
  { changes, sql, where }: { changes: SourceChanges; sql: string; where: string },
): string {
  return `
    select
        c._batch, c._captured_at, c._ordinal, c._operation,
        m._key, m._column, m._reason, c._content
    from ${changes.all} as c
    inner join (
        select _ordinal, ${keyText} as _key, ${reasonOf(rules)} from (${sql}) where ${where}
    ) as m on m._ordinal = c._ordinal`
}

/** A local file with versions of a fact. */
export interface WrittenFile {
  readonly path: string
  readonly rows: number
  /** The ingestion batch from which its changes come. */
  readonly number: number
}

/**
 * Throws `ContractError` (`MODEL_ROWS`) if a batch gives one key two versions: a thing cannot be in
 * two states at once.
 */
export async function checkKeysOnce(
  { db }: PendingBatch,
  { model }: Mapping,
  written: readonly WrittenFile[],
): Promise<void> {
  for (const number of new Set(written.map((file) => file.number))) {
    const paths = written.filter((file) => file.number === number).map(({ path }) => path)
    const keys = await db.count(`(
      select 1 from ${readParquet(paths)}
      group by ${identifiers(model.key)} having count(*) > 1)`)
    if (keys > 0) {
      throw modelRows(model, `gives ${keys} keys (${model.key.join(', ')}) more than one row`)
    }
  }
}
