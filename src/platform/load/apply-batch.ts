import { editionNewer } from '../continuity.ts'
import { ContractError } from '../errors.ts'
import type { DuckDb } from '../io/duckdb.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import type { Client } from '../io/postgres.ts'
import { identifier, identifiers } from '../io/sql.ts'
import type { CommitRecord, TableEntry } from '../lake/commit-record.ts'
import { changedRows } from '../lake/table-entry.ts'
import { currentTable } from '../project/fact-names.ts'
import { isNewerEdition } from '../project/generation.ts'
import type { Model } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import { readLoaded } from '../warehouse/ledger.ts'
import { loadedTables } from '../warehouse/sums.ts'
import { inLockedTransaction, RESTORE, type WarehouseClient } from '../warehouse/warehouse.ts'
import { bareTables } from './bare-tables.ts'
import { enterBatch } from './enter-batch.ts'
import { loadDimension } from './load-dimension.ts'
import { loadFact } from './load-fact.ts'
import { fillAllRevisions, loadRevisions } from './load-revisions.ts'
import { computeAllSums, setStand, standAt } from './load-sums.ts'
import type { TableLoad } from './table-load.ts'

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
  /** Reads the change files. */
  readonly db: DuckDb
  /** A record's change files for a table, as local paths. */
  readonly files: (record: CommitRecord, table: string) => Promise<readonly string[]>
}

/** If an empty table takes more rows than this, its keys and indexes are built at the end. */
const BULK_ROWS = 10_000

/**
 * Loads one batch in one transaction: dimensions, facts, current rows, sums, ledger (I5). May be
 * repeated: a batch that the ledger already has is skipped (I4). Throws `ContractError`, and
 * changes nothing, if the batch does not follow the last loaded batch (`BATCH_GAP`) or is from
 * another generation (`GENERATION_MIXED`), if the warehouse was changed (`WAREHOUSE_CHANGED`), or
 * if a row was not stored (`LOAD_INCOMPLETE`). Throws `ConfigError` (`SUMS_INVALID`), and changes
 * nothing, if the sums of a fact cannot be computed for a row. Throws `ConflictError`
 * (`EDITION_NEWER`), and changes nothing, if the warehouse holds a newer edition.
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
        if (isNewerEdition(loaded.generation, input.generation)) {
          throw editionNewer(loaded.generation)
        }
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
 * Gathers the statistics of tables that were just filled. Postgres would do so itself a minute
 * later, but until then a question may take ten times as long. Inside the transaction it writes
 * nothing but the statistics. After the commit it is the first to see the rows as committed and
 * marks them so, which is logged page by page if the cluster has checksums (824 MB for 2.8 million
 * facts).
 */
export async function analyzeStars(client: Client, { models }: Project): Promise<void> {
  const tables = models.flatMap(loadedTables)
  if (tables.length > 0) await client.query(`analyze ${identifiers(tables)}`)
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
export type Applied = LoadInput & { readonly isSwitch?: boolean }

/**
 * Applies a batch in the open transaction: dimensions before the facts that refer to them, then the
 * ledger. Throws `ContractError` (`BATCH_GAP`) unless the batch follows the newest in the ledger.
 */
export async function applyBatch(warehouse: WarehouseClient, input: Applied): Promise<void> {
  const { client } = warehouse
  const { db, project, record, generation, runId, isSwitch = false } = input
  const loaded = await readLoaded(warehouse)
  const last = loaded?.batch ?? 0
  if (record.batch !== last + 1) {
    throw new ContractError(`Batch ${record.batch} does not follow the last loaded batch ${last}`, {
      code: 'BATCH_GAP',
      hint: 'nothing was changed; the warehouse was loaded from another lake: check TIDEMARK_PROCESSED',
    })
  }
  const changed = project.models.flatMap((model) => {
    const entry = record.tables[model.table]
    return entry === undefined || entry.changes.length === 0 ? [] : [{ model, entry }]
  })
  const areSumsRight = !isSwitch && (await standAt(client, loaded))
  const empty = isSwitch ? NONE : await findEmpty(client, { changed, isFirst: last === 0 })
  const bare = await bareTables(client, findBulk(changed, empty), {
    withForeignKeys: last === 0,
  })
  const inOrder = changed.toSorted((a, b) => Number(isFact(a.model)) - Number(isFact(b.model)))
  for (const { model, entry } of inOrder) {
    const table: TableLoad = {
      transfer: { client, db },
      files: await input.files(record, model.table),
      expected: changedRows(entry.counts),
      isEmpty: empty.has(model.table),
      isSwitch,
      areSumsRight,
    }
    if (model.kind === 'fact') await loadFact(model, table, entry)
    else await loadDimension(model, table)
  }
  if (!isSwitch && !areSumsRight) await computeAllSums(client, project)
  await bare.restore()
  if (!isSwitch && !areSumsRight) await fillAllRevisions(client, project)
  if (areSumsRight) {
    for (const { model, entry } of changed) {
      if (model.kind !== 'fact') continue
      await loadRevisions(client, { fact: model, entry, isEmpty: empty.has(model.table) })
    }
  }
  await setStand(client, record)
  await enterBatch(client, { record, generation, runId })
}

function isFact({ kind }: Model): boolean {
  return kind === 'fact'
}

const NONE: ReadonlySet<string> = new Set()

/** A table that the batch changes. */
interface ChangedTable {
  readonly model: Model
  readonly entry: TableEntry
}

/**
 * The tables that have no rows yet, of those that can be expected to have none: in the first batch
 * all of them, later those that take very many rows.
 */
async function findEmpty(
  client: Client,
  { changed, isFirst }: { changed: readonly ChangedTable[]; isFirst: boolean },
): Promise<ReadonlySet<string>> {
  const asked = changed.filter(({ entry }) => isFirst || isBulk(entry))
  if (asked.length === 0) return new Set()
  const arms = asked.map(({ model: { kind, table } }, index) => {
    const relations = kind === 'fact' ? [table, currentTable({ table })] : [table]
    const none = relations.map((each) => `not exists (select 1 from ${identifier(each)})`)
    return `select ${index} as i where ${none.join(' and ')}`
  })
  const { rows } = await client.query<{ i: number }>(arms.join(' union all '))
  return new Set(rows.map(({ i }) => asked[i]?.model.table ?? ''))
}

function isBulk({ counts }: TableEntry): boolean {
  return changedRows(counts) > BULK_ROWS
}

/** The empty tables that take very many rows, facts with their current tables and their sums. */
function findBulk(changed: readonly ChangedTable[], empty: ReadonlySet<string>): string[] {
  return changed
    .filter(({ model, entry }) => empty.has(model.table) && isBulk(entry))
    .flatMap(({ model }) => loadedTables(model))
}
