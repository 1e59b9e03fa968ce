import { randomUUID } from 'node:crypto'
import type { DuckDb } from '../io/duckdb.ts'
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
  /** The ingestion batch to transform. */
  readonly record: CommitRecord
  /** The newest ingestion batch: says what a table will look like that this one did not have yet. */
  readonly latest: CommitRecord
}

/** `undefined` for a table without a contract that was never captured: nobody knows its columns. */
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

/**
 * Makes the view `<table>` of a source table as it stands after this batch. A row that holds a
 * value which the view's type cannot hold exactly is left out, not shown with a null. Returns
 * whether there can be any: the view `unfit <table>` then has them, with nulls.
 */
export async function openTable(
  db: DuckDb,
  view: SourceView,
  { ingestion, record }: Pick<SourceInput, 'ingestion' | 'record'>,
): Promise<boolean> {
  const { name, key, columns } = view
  const state = record.tables[name]?.state ?? []
  const files = await readFiles(db, view, await openFiles(ingestion, state))
  const relation = files.isExact ? name : `all of ${name}`
  const fault: Column[] = files.isExact ? [] : [{ name: '_fault', type: 'VARCHAR' }]
  await openState(db, ingestion, {
    relation,
    table: { name, key, columns: [...columns, ...fault] },
    state,
    select: (_db, paths, wanted, extra) => {
      const names = identifiers([...wanted.map((column) => column.name), ...(extra ?? [])])
      return Promise.resolve(`select ${names} from ${files.rows(paths)}`)
    },
  })
  if (!files.isExact) await divideRows(db, view, identifier(relation))
  return !files.isExact
}

/** The same of local files that hold every row once. */
export async function openRows(
  db: DuckDb,
  view: SourceView,
  paths: readonly string[],
): Promise<boolean> {
  const files = await readFiles(db, view, paths)
  await divideRows(db, view, files.rows(paths))
  return !files.isExact
}

async function divideRows(db: DuckDb, { name, columns }: SourceView, rows: string): Promise<void> {
  const select = `select ${identifiers(columns.map((column) => column.name))} from ${rows}`
  await db.run(`
    create or replace temp view ${identifier(name)} as ${select} where _fault is null`)
  await db.run(`
    create or replace temp view ${identifier(`unfit ${name}`)} as ${select} where _fault is not null`)
}

/** One batch's changes of a source table, or some of its files. */
export interface SourceChanges {
  /** Relation of the changes the models see, in the view's columns and the four change columns. */
  readonly seen: string
  /**
   * Relation of all of them with the same columns and `_fault` (the first column whose value does
   * not fit, else null), `_key` and `_content` as quarantine has them.
   */
  readonly all: string
  /** Nothing had to be converted. */
  readonly isExact: boolean
}

/**
 * A batch's changes in the view's types. A change that holds a value its type cannot hold exactly
 * is left out; but a deletion of that kind carries the last values that did fit, found in earlier
 * batches, lest the key outlive it (I6).
 */
export async function selectChanges(
  db: DuckDb,
  view: SourceView,
  { ingestion, number, paths }: { ingestion: Zone; number: number; paths: readonly string[] },
): Promise<SourceChanges> {
  const files = await readFiles(db, view, paths)
  const all = files.rows(paths)
  if (files.isExact) return { seen: all, all, isExact: true }
  const restored = await restoreUnfit(db, view, { ingestion, number, all })
  const columns = identifiers([...view.columns.map(({ name }) => name), ...CHANGE_COLUMNS])
  const seen = `(
    select ${columns} from ${all} where _fault is null
    union all
    select ${columns} from ${restored})`
  return { seen, all, isExact: false }
}

/** Makes the view `change_<table>` of the rows of `seen`. */
export async function openChanges(
  db: DuckDb,
  { name, columns }: SourceView,
  seen: string,
): Promise<void> {
  const names = identifiers([...columns.map((column) => column.name), ...CHANGE_COLUMNS])
  await db.run(`
    create or replace temp view ${identifier(`change_${name}`)} as
    select ${names} from ${seen}`)
}

/**
 * Makes a temporary table of the deletions that do not fit, each with the last values that did, if
 * there were any and they were not deleted as well.
 */
async function restoreUnfit(
  db: DuckDb,
  view: SourceView,
  { ingestion, number, all }: { ingestion: Zone; number: number; all: string },
): Promise<string> {
  const columns = identifiers(view.columns.map(({ name }) => name))
  const using = `using (${identifiers(view.key)})`
  const named = view.key.map((name) => `${identifier(name)} is not null`).join(' and ')
  await db.run(`
    create or replace temp table "unfit deletes" as
    select ${identifiers([...view.key, ...CHANGE_COLUMNS])} from ${all}
    where _fault is not null and _operation = 'delete' and ${named}`)
  await db.run(`
    create or replace temp table "last fit" as
    select ${columns}, _operation as last_operation from ${all} where false`)
  for (let earlier = number - 1; earlier > 0; earlier--) {
    const [missing] = await db.rows<{ keys: bigint }>(
      `select count(*) as keys from "unfit deletes" anti join "last fit" ${using}`,
    )
    if (missing?.keys === 0n) break
    const record = await readExistingCommit(ingestion, earlier)
    const paths = await openFiles(ingestion, record.tables[view.name]?.changes ?? [])
    if (paths.length === 0) continue
    const files = await readFiles(db, view, paths)
    await db.run(`
      insert into "last fit"
      select ${columns}, _operation from (select * from ${files.rows(paths)} where _fault is null)
      semi join "unfit deletes" ${using} anti join "last fit" ${using}`)
  }
  const restored = identifier(`restored ${randomUUID()}`)
  await db.run(`
    create temp table ${restored} as
    select ${columns}, _operation, _batch, _captured_at, _ordinal
    from "unfit deletes" inner join "last fit" ${using}
    where last_operation <> 'delete'`)
  return restored
}
