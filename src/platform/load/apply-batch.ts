import { readFileSync } from 'node:fs'
import { ContractError } from '../errors.ts'
import { copyFromFile } from '../io/postgres-copy.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { type Client, onlyRow } from '../io/postgres.ts'
import { identifier, identifiers, qualified } from '../io/sql.ts'
import type { CommitRecord, RowCounts } from '../lake/commit-record.ts'
import { changedRows } from '../lake/table-entry.ts'
import type { CopyText } from '../lake/copy-text.ts'
import type { Calendar, Dimension, Fact, Model } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import { readLoaded } from '../warehouse/ledger.ts'
import { inLockedTransaction, type WarehouseClient } from '../warehouse/warehouse.ts'

const TABLE_COLUMNS = readFileSync(new URL('./table-columns.sql', import.meta.url), 'utf8')

/** The batch to load, and how to read its rows. */
export interface LoadInput {
  readonly project: Project
  readonly generation: string
  readonly runId: string
  /** Milliseconds to wait for another run's load. */
  readonly waitMs: number
  /** The processed batch's record. */
  readonly record: CommitRecord
  /** The record of the newest batch in the ledger; undefined if the ledger is empty. */
  readonly previous: CommitRecord | undefined
  /**
   * A record's rows of a table as files in COPY text. Each file is made when it is asked for and
   * removed after use.
   */
  readonly texts: (record: CommitRecord, table: string) => AsyncIterable<CopyText>
}

/** If an empty fact takes more rows than this, its foreign keys are checked once, at the end. */
const BULK_ROWS = 10_000

/**
 * Loads one batch in one transaction: dimensions, facts, current rows, ledger (I5). May be
 * repeated: a batch that the ledger already has is skipped (I4). Throws `ContractError`, and
 * changes nothing, if the batch does not follow the last loaded batch (`BATCH_GAP`) or is from
 * another generation (`GENERATION_MIXED`), if the warehouse was changed (`WAREHOUSE_CHANGED`), or
 * if a row was not stored (`LOAD_INCOMPLETE`).
 */
export async function loadBatch(
  warehouse: WarehouseClient,
  input: LoadInput,
): Promise<'loaded' | 'skipped'> {
  const { client } = warehouse
  return withPostgresErrors(warehouse.warehouse, () =>
    inLockedTransaction(warehouse, input.waitMs, async () => {
      const loaded = await readLoaded(warehouse)
      if (loaded !== undefined && loaded.batch >= input.record.batch) return 'skipped'
      if (loaded !== undefined && loaded.generation !== input.generation) {
        throw new ContractError('The warehouse holds another generation of the models', {
          code: 'GENERATION_MIXED',
          hint: 'nothing was changed; run again: the next run switches to the new generation at once',
        })
      }
      await checkFactEnds(client, input)
      await applyBatch(warehouse, input)
      if (loaded === undefined) await analyzeStars(client, input.project)
      return 'loaded'
    }),
  )
}

/**
 * Replaces the content of the warehouse with another generation, batch 1 to the last, in one
 * transaction. Readers see the old tables until the new ones are complete (I5), and never wait.
 * Rows are deleted and not truncated, because a truncated table looks empty to snapshots taken
 * before (manual, "Concurrency Control: Caveats"). Old dimension rows stay until nothing refers to
 * them. Skips if another run has already switched, or has gone on loading the old generation.
 */
export async function switchGeneration(
  warehouse: WarehouseClient,
  input: Omit<LoadInput, 'record' | 'previous'> & {
    readonly lastBatch: number
    readonly records: () => AsyncIterable<CommitRecord>
  },
): Promise<'switched' | 'skipped'> {
  const { client } = warehouse
  const { project, generation, lastBatch } = input
  return withPostgresErrors(warehouse.warehouse, () =>
    inLockedTransaction(warehouse, input.waitMs, async () => {
      const loaded = await readLoaded(warehouse)
      if (loaded?.generation === generation || (loaded?.batch ?? 0) > lastBatch) return 'skipped'
      for (const model of project.models) {
        if (model.kind === 'fact') {
          await client.query(`delete from ${identifier(model.table)}`)
          await client.query(`delete from ${identifier(`${model.table}_current`)}`)
        } else {
          await client.query(`
            create unlogged table ${stale(model)} as
            select ${identifiers(model.key)} from ${identifier(model.table)}`)
        }
      }
      await client.query('delete from tidemark_ledger; delete from tidemark_confirmation')
      for await (const record of input.records()) {
        await applyBatch(warehouse, { ...input, record, previous: undefined, isSwitch: true })
      }
      for (const model of project.models) {
        if (model.kind === 'fact') continue
        await client.query(`
          delete from ${identifier(model.table)} as d using ${stale(model)} as s
          where ${sameKey(model, 'd', 's')};
          drop table ${stale(model)}`)
      }
      await analyzeStars(client, project)
      return 'switched'
    }),
  )
}

/**
 * Gathers the statistics of tables that were just filled. Postgres would do so itself a minute
 * later, but until then a question may take ten times as long.
 */
async function analyzeStars(client: Client, { models }: Project): Promise<void> {
  const tables = models.flatMap(({ kind, table }) =>
    kind === 'fact' ? [table, `${table}_current`] : [table],
  )
  if (tables.length > 0) await client.query(`analyze ${identifiers(tables)}`)
}

/**
 * Name of the table with the keys of the dimension rows that only the old generation has, so far.
 */
function stale(model: Model): string {
  return identifier(`stale ${model.table}`)
}

/** SQL condition that two rows, given by their aliases, have the same key. */
function sameKey({ key }: Model, a: string, b: string): string {
  return key.map((name) => `${a}.${identifier(name)} = ${b}.${identifier(name)}`).join(' and ')
}

/**
 * Throws `ContractError` (`WAREHOUSE_CHANGED`) unless each fact ends with the version with which
 * the newest batch in the ledger ended. Otherwise a row of the ledger is missing, or versions are
 * (I14). Read-only.
 */
export async function checkFactEnds(
  client: Client,
  { project, previous }: Pick<LoadInput, 'project' | 'previous'>,
): Promise<void> {
  const facts = project.models.filter((model) => model.kind === 'fact')
  const arms = facts.map(
    ({ table, recordId }, index) => `
      select ${index} as i, coalesce(max(${identifier(recordId)}), 0)::text as last
      from ${identifier(table)}`,
  )
  if (arms.length === 0) return
  const { rows } = await client.query<{ i: number; last: string }>(arms.join(' union all '))
  for (const { i, last } of rows) {
    const table = facts[i]?.table ?? ''
    const expected = previous?.tables[table]?.records ?? 0
    // Record ids begin at 1.
    if (Math.max(0, Number(last)) === expected) continue
    throw new ContractError(
      `${table} ends with version ${last}, but batch ${previous?.batch ?? 0}, the newest in the ` +
        `ledger, ended with version ${expected}`,
      {
        code: 'WAREHOUSE_CHANGED',
        hint: RESTORE,
      },
    )
  }
}

/** A batch to apply, alone or as part of a switch to another generation. */
type Applied = LoadInput & { readonly isSwitch?: boolean }

/**
 * Applies a batch in the open transaction: dimensions before the facts that refer to them, then the
 * ledger. Throws `ContractError` (`BATCH_GAP`) unless the batch follows the newest in the ledger.
 */
async function applyBatch(warehouse: WarehouseClient, input: Applied): Promise<void> {
  const { client } = warehouse
  const { project, record, generation, runId } = input
  const last = (await readLoaded(warehouse))?.batch ?? 0
  if (record.batch !== last + 1) {
    throw new ContractError(`Batch ${record.batch} does not follow the last loaded batch ${last}`, {
      code: 'BATCH_GAP',
      hint: 'nothing was changed; the warehouse was loaded from another lake: check TIDEMARK_PROCESSED',
    })
  }
  for (const model of project.models) {
    if (model.kind !== 'fact') await loadDimension(client, model, input)
  }
  for (const model of project.models) {
    if (model.kind === 'fact') await loadFact(client, model, input)
  }
  const counts = Object.entries(record.tables).flatMap(([name, entry]) =>
    isNothing(entry.counts) ? [] : [[name, entry.counts]],
  )
  await client.query(
    `insert into tidemark_ledger
         (batch_id, generation, snapshot_at, run_id, row_counts, lake, loaded_from, captured_as)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      record.batch,
      generation,
      record.snapshot.takenAt,
      runId,
      JSON.stringify(Object.fromEntries(counts)),
      record.lake,
      record.checksum,
      record.madeFrom,
    ],
  )
}

function isNothing(counts: RowCounts): boolean {
  return Object.values(counts).every((count) => count === 0)
}

/**
 * Copies a batch's rows of a dimension into a table of their own, then upserts them. During a
 * switch, also notes that the new generation has these keys.
 */
async function loadDimension(
  client: Client,
  model: Dimension | Calendar,
  { record, texts, isSwitch = false }: Applied,
): Promise<void> {
  const entry = record.tables[model.table]
  if (entry === undefined || entry.changes.length === 0) return
  const table = identifier(model.table)
  const incoming = identifier(`incoming ${model.table}`)
  // Not a temporary table, because the loader may lack the right to create one.
  await client.query(`create unlogged table ${incoming} (like ${table})`)
  let columns: readonly string[] = []
  let rows = 0
  for await (const text of texts(record, model.table)) {
    if (rows === 0) await checkColumns(client, model.table, text.columns)
    columns = text.columns
    rows += await copyFromFile(client, `${incoming} (${identifiers(columns)})`, text.path)
  }
  checkCount(model.table, { expected: changedRows(entry.counts), rows })
  await client.query(`
    insert into ${table} as d (${identifiers(columns)})
    select ${identifiers(columns)} from ${incoming}
    ${onConflict(model.key, columns, 'd')}`)
  if (isSwitch) {
    await client.query(
      `delete from ${stale(model)} as s using ${incoming} as i where ${sameKey(model, 's', 'i')}`,
    )
  }
  await client.query(`drop table ${incoming}`)
}

/**
 * SQL clause that turns an insert into an upsert. With the target's `alias`, it updates only rows
 * that differ. They are compared as text, because json, xml and points cannot be compared for
 * equality. A table with only key columns has nothing to update.
 */
function onConflict(key: readonly string[], columns: readonly string[], alias?: string): string {
  const values = columns.filter((column) => !key.includes(column)).map(identifier)
  if (values.length === 0) return `on conflict (${identifiers(key)}) do nothing`
  const set = values.map((column) => `${column} = excluded.${column}`).join(', ')
  if (alias === undefined) return `on conflict (${identifiers(key)}) do update set ${set}`
  const before = values.map((column) => `${alias}.${column}`).join(', ')
  const after = values.map((column) => `excluded.${column}`).join(', ')
  const where = `where (${before})::text is distinct from (${after})::text`
  return `on conflict (${identifiers(key)}) do update set ${set} ${where}`
}

/** Appends the batch's versions to a fact and updates its current rows. */
async function loadFact(
  client: Client,
  model: Fact,
  { record, texts, isSwitch = false }: Applied,
): Promise<void> {
  const entry = record.tables[model.table]
  if (entry === undefined || entry.changes.length === 0) return
  const table = identifier(model.table)
  const expected = changedRows(entry.counts)
  // A switch keeps the keys: the table looks empty only to its own transaction, and readers must
  // not wait.
  const bulk = !isSwitch && expected > BULK_ROWS && (await isEmpty(client, table))
  const foreignKeys = bulk ? await dropForeignKeys(client, table) : []

  let columns: readonly string[] = []
  let rows = 0
  for await (const text of texts(record, model.table)) {
    if (rows === 0) await checkColumns(client, model.table, text.columns)
    columns = text.columns
    rows += await copyFromFile(client, `${table} (${identifiers(columns)})`, text.path)
  }
  checkCount(model.table, { expected, rows })
  for (const { name, definition } of foreignKeys) {
    await client.query(`alter table ${table} add constraint ${identifier(name)} ${definition}`)
  }

  const current = identifier(`${model.table}_current`)
  const recordId = identifier(model.recordId)
  const last = entry.records ?? 0
  const ids = `${recordId} > ${last - rows} and ${recordId} <= ${last}`
  const conflict = bulk ? '' : onConflict(model.key, columns)
  const key = identifiers(model.key)
  const newest =
    entry.changesSince === undefined
      ? `(select * from ${table} where ${ids})`
      : `(select distinct on (${key}) * from ${table} where ${ids} order by ${key}, ${recordId} desc)`
  await client.query(`
    insert into ${current} as c (${identifiers(columns)})
    select ${identifiers(columns)} from ${newest} as f where record_operation <> 'delete'
    ${conflict}`)
  if (entry.counts.deleted > 0) {
    await client.query(`
      delete from ${current} as c using ${newest} as f
      where f.record_operation = 'delete' and ${sameKey(model, 'c', 'f')}`)
  }
}

/**
 * Throws `ContractError` (`WAREHOUSE_CHANGED`) if a table cannot take rows with these columns: it
 * has lost one of them, or has a new column that requires a value.
 */
async function checkColumns(
  client: Client,
  table: string,
  columns: readonly string[],
): Promise<void> {
  const { rows } = await client.query<{ name: string; wants: boolean; schema: string }>(
    TABLE_COLUMNS,
    [identifier(table)],
  )
  const present = new Set(rows.map(({ name }) => name))
  const lost = columns.filter((name) => !present.has(name))
  if (lost.length > 0) {
    throw new ContractError(`The warehouse table ${table} has lost its column ${lost.join(', ')}`, {
      code: 'WAREHOUSE_CHANGED',
      hint: RESTORE,
    })
  }
  const added = rows.find(({ name, wants }) => wants && !columns.includes(name))
  if (added === undefined) return
  throw new ContractError(
    `The warehouse table ${table} has a new column ${added.name} that must not be null`,
    {
      code: 'WAREHOUSE_CHANGED',
      hint: `nothing was changed; alter table ${qualified(added.schema, table)} alter column ${identifier(added.name)} drop not null;`,
    },
  )
}

const RESTORE =
  'restore the warehouse from a backup, or load into an empty TIDEMARK_WAREHOUSE_SCHEMA; nothing was changed'

/** Whether a table has no rows. Stops at the first row. */
async function isEmpty(client: Client, table: string): Promise<boolean> {
  const found = await client.query<{ empty: boolean }>(
    `select not exists (select 1 from ${table}) as empty`,
  )
  return onlyRow(found).empty
}

/**
 * Drops a fact's foreign keys inside the transaction and returns them. When they are added back
 * after a first load, one join checks each of them, instead of ten lookups per row. No reader
 * waits, because the table is still empty.
 */
async function dropForeignKeys(
  client: Client,
  table: string,
): Promise<{ name: string; definition: string }[]> {
  const { rows } = await client.query<{ name: string; definition: string }>(
    `select conname as name, pg_get_constraintdef(oid) as definition
     from pg_constraint where conrelid = to_regclass($1) and contype = 'f' order by conname`,
    [table],
  )
  for (const { name } of rows) {
    await client.query(`alter table ${table} drop constraint ${identifier(name)}`)
  }
  return rows
}

/**
 * Throws `ContractError` (`LOAD_INCOMPLETE`) unless as many rows were stored as the record counts.
 */
function checkCount(table: string, { expected, rows }: { expected: number; rows: number }): void {
  if (rows === expected) return
  throw new ContractError(
    `Table ${table}: ${expected} rows were to be loaded, but ${rows} were stored`,
    {
      code: 'LOAD_INCOMPLETE',
      hint: 'nothing was published; check whether a trigger or rule on the table drops rows (\\d in psql), or else report this',
    },
  )
}
