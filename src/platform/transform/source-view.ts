import type { DuckDb, Relation } from '../io/duckdb.ts'
import { openTogether } from '../io/open-together.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { readExistingCommit } from '../lake/batch-log.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import { type Column, lakeType } from '../lake/lake-type.ts'
import { readSchema } from '../lake/schema.ts'
import { openState } from '../lake/table-state.ts'
import { openFiles, type Zone } from '../lake/zone.ts'
import { CHANGE_COLUMNS, type SourceTable } from '../project/source-contract.ts'
import { readFiles, type SourceView } from './source-files.ts'

/** The ingestion zone as of the batch being transformed. */
export interface SourceInput {
  readonly ingestion: Zone
  /** The commit record of the ingestion batch to transform. */
  readonly record: Pick<CommitRecord, 'tables'>
  /**
   * The newest ingestion batch. It knows the columns of a table that `record` does not have yet.
   */
  readonly latest: Pick<CommitRecord, 'tables'>
}

/**
 * The view of a source table for models. Its columns come from the contract, or else from the
 * captured schema. `undefined` for a table without a contract that was never captured, because its
 * columns are unknown.
 */
export async function viewOf(
  source: SourceTable,
  { ingestion, record, latest }: SourceInput,
): Promise<SourceView | undefined> {
  const { name, key, columns } = source
  if (columns !== undefined) {
    const seen = Object.entries(columns).map(([column, wanted]) => {
      const { type, formerly = [] } = typeof wanted === 'string' ? { type: wanted } : wanted
      return { name: column, type: lakeType(type), formerly }
    })
    return { name, key, columns: seen, isContract: true }
  }
  const fingerprint = record.tables[name]?.fingerprint ?? latest.tables[name]?.fingerprint
  if (fingerprint === undefined) return undefined
  const captured = await readSchema(ingestion, name, fingerprint)
  const seen = captured.columns.map((column) => ({ ...column, formerly: [] }))
  return { name, key: captured.key, columns: seen, isContract: false }
}

/** A source table that models can read under its own name, until this is disposed of. */
export interface OpenTable extends AsyncDisposable {
  /**
   * Relation of the rows that models do not see, because a value does not fit its type exactly (it
   * is null here). Undefined if all files fit.
   */
  readonly refused: string | undefined
}

/** Opens a source table in its state after this batch. */
export async function openTable(
  db: DuckDb,
  view: SourceView,
  { ingestion, record }: Pick<SourceInput, 'ingestion' | 'record'>,
): Promise<OpenTable> {
  const { name, key, columns } = view
  const state = record.tables[name]?.state ?? []
  const files = await readFiles(db, view, await openFiles(ingestion, state))
  const marker: Column[] = files.isExact ? [] : [{ name: '_fault', type: 'VARCHAR' }]
  return await openTogether(async (keep) => {
    const current = keep(
      await openState(db, ingestion, {
        table: { name, key, columns: [...columns, ...marker] },
        state,
        select: (_db, paths, wanted, extra) => {
          const names = identifiers([...wanted.map((column) => column.name), ...(extra ?? [])])
          return Promise.resolve(`select ${names} from ${files.rows(paths)}`)
        },
        ...(files.isExact ? { as: name } : {}),
      }),
    )
    if (files.isExact) return { refused: undefined }
    return keep(await divideByFault(db, view, current.name))
  })
}

/** Like `openTable`, from local files in which every row occurs once. */
export async function openRows(
  db: DuckDb,
  view: SourceView,
  paths: readonly string[],
): Promise<OpenTable> {
  const files = await readFiles(db, view, paths)
  const divided = await divideByFault(db, view, files.rows(paths))
  return files.isExact ? { ...divided, refused: undefined } : divided
}

/**
 * Opens the rows of a relation whose `_fault` is null under the table's name, and the others
 * separately.
 */
async function divideByFault(
  db: DuckDb,
  { name, columns }: SourceView,
  rows: string,
): Promise<OpenTable & { refused: string }> {
  const select = `select ${identifiers(columns.map((column) => column.name))} from ${rows}`
  return await openTogether(async (keep) => {
    keep(await db.view(`${select} where _fault is null`, name))
    return { refused: keep(await db.view(`${select} where _fault is not null`)).name }
  })
}

/**
 * One batch's changes to a source table, or the changes in some of its files. Dispose of them after
 * use.
 */
export interface SourceChanges extends AsyncDisposable {
  /** Relation of the changes that models see, in the view's columns and the four change columns. */
  readonly seen: string
  /**
   * Relation of all changes, with the same columns and `_fault` (the first column whose value does
   * not fit, else null), `_key` and `_content` as in quarantine.
   */
  readonly all: string
  /** Whether no value had to be converted. */
  readonly isExact: boolean
}

/**
 * Opens a batch's changes in the view's types. A change with a value that its type cannot hold
 * exactly is left out. A deletion is not left out, because its key must not outlive it (I6): it
 * carries the last values that did fit, which are found in earlier batches.
 */
export async function openSourceChanges(
  db: DuckDb,
  view: SourceView,
  { ingestion, number, paths }: { ingestion: Zone; number: number; paths: readonly string[] },
): Promise<SourceChanges> {
  const files = await readFiles(db, view, paths)
  const all = files.rows(paths)
  return await openTogether(async (keep) => {
    if (files.isExact) return { seen: all, all, isExact: true }
    const restored = keep(await restoreDeletions(db, view, { ingestion, number, all }))
    const columns = identifiers([...view.columns.map(({ name }) => name), ...CHANGE_COLUMNS])
    const seen = `(
      select ${columns} from ${all} where _fault is null
      union all
      select ${columns} from ${restored.name})`
    return { seen, all, isExact: false }
  })
}

/**
 * Opens the rows of `seen` as `change_<table>`, which models read. Dispose of the view after use.
 */
export async function viewChanges(
  db: DuckDb,
  { name, columns }: SourceView,
  seen: string,
): Promise<Relation> {
  const names = identifiers([...columns.map((column) => column.name), ...CHANGE_COLUMNS])
  return await db.view(`select ${names} from ${seen}`, changesOf(name))
}

/** The name under which a model reads the changes of a source table. */
export function changesOf(table: string): string {
  return `change_${table}`
}

/**
 * The deletions that do not fit, each with the last values of its key that did. Leaves out a key
 * that never fitted, or whose last fitting change is a deletion.
 */
async function restoreDeletions(
  db: DuckDb,
  view: SourceView,
  { ingestion, number, all }: { ingestion: Zone; number: number; all: string },
): Promise<Relation> {
  const columns = identifiers(view.columns.map(({ name }) => name))
  const using = `using (${identifiers(view.key)})`
  const named = view.key.map((name) => `${identifier(name)} is not null`).join(' and ')
  await using deletes = await db.table(`
    select ${identifiers([...view.key, ...CHANGE_COLUMNS])} from ${all}
    where _fault is not null and _operation = 'delete' and ${named}`)
  await using lastFit = await db.table(`
    select ${columns}, _operation as last_operation from ${all} where false`)
  for (let earlier = number - 1; earlier > 0; earlier--) {
    const missing = await db.count(`${deletes.name} anti join ${lastFit.name} ${using}`)
    if (missing === 0) break
    const record = await readExistingCommit(ingestion, earlier)
    const paths = await openFiles(ingestion, record.tables[view.name]?.changes ?? [])
    if (paths.length === 0) continue
    const files = await readFiles(db, view, paths)
    await db.run(`
      insert into ${lastFit.name}
      select ${columns}, _operation from (select * from ${files.rows(paths)} where _fault is null)
      semi join ${deletes.name} ${using} anti join ${lastFit.name} ${using}`)
  }
  return await db.table(`
    select ${columns}, _operation, _batch, _captured_at, _ordinal
    from ${deletes.name} inner join ${lastFit.name} ${using}
    where last_operation <> 'delete'`)
}
