import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { type Deps, openScratchDb, processedZone } from '../deps.ts'
import { codeOf, ConflictError } from '../errors.ts'
import type { DuckDb } from '../io/duckdb.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import type { Client } from '../io/postgres.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import { identifier } from '../io/sql.ts'
import { readExistingCommit } from '../lake/batch-log.ts'
import type { CommitRecord, FileRef } from '../lake/commit-record.ts'
import { withoutExtra } from '../lake/difference.ts'
import type { Column } from '../lake/lake-type.ts'
import { knownProject, publishedProject } from '../lake/mirrored-project.ts'
import { writeParquet } from '../lake/parquet.ts'
import { readFileColumns, readVersions } from '../lake/published-rows.ts'
import { openState } from '../lake/table-state.ts'
import { openFiles, type Zone } from '../lake/zone.ts'
import { historyColumns } from '../project/fact-names.ts'
import { generationOf } from '../project/generation.ts'
import type { Fact, Model } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import { presentModels } from '../warehouse/derive-tables.ts'
import { readLoaded } from '../warehouse/ledger.ts'
import { loadedTables } from '../warehouse/sums.ts'
import { inLockedTransaction, openWarehouse, type WarehouseClient } from '../warehouse/warehouse.ts'
import { correctTable, type TableCorrection } from './correct-table.ts'
import { type Correction, isCorrection } from './correction.ts'
import { correctEntries } from './enter-batch.ts'
import { setStand } from './load-sums.ts'
import { correctKept } from './repair-fact.ts'
import { namesOf, planCopy, storeRows } from './store-rows.ts'
import { checkCount } from './table-load.ts'

/** What to repair, as a verification has found it. */
export interface RepairInput {
  /** The processed record of the batch that the warehouse must hold, from a checked log. */
  readonly record: CommitRecord
  /** The newest batch in the ledger, as it was when the warehouse was verified. */
  readonly head: number
  /** The files of each star table by batch, up to that of `record`. */
  readonly files: ReadonlyMap<string, ReadonlyMap<number, readonly FileRef[]>>
  /** Star tables whose versions or rows are compared with the processed zone. */
  readonly published: ReadonlySet<string>
  /** Tables that loads keep up to date from a fact's versions: of current rows, sums or revisions. */
  readonly kept: ReadonlySet<string>
  /** The processed records whose rows in the ledger are missing or wrong. */
  readonly entries: readonly CommitRecord[]
}

/**
 * Makes the warehouse equal to the processed zone again, in one locked transaction: rows of dimensions,
 * versions of facts by record id, current rows, sums, revisions, and rows of the ledger. The log always
 * wins. This is the one place that changes or removes a version that was loaded (I7). Columns that people
 * added, views and grants stay as they are. May be repeated. Returns the tables that it corrected.
 *
 * Throws `ConflictError` (`REPAIR_OVERTAKEN`), and changes nothing, if the ledger no longer ends with
 * `head`; and what a load throws if a table does not take its rows.
 */
export async function repairWarehouse(deps: Deps, input: RepairInput): Promise<Correction[]> {
  const zone = processedZone(deps, generationOf(deps.project))
  const { record } = input
  const project = knownProject(await publishedProject(deps.project, zone, record), record)
  await using db = await openScratchDb(deps)
  // Download and convert first, so that the warehouse is not locked meanwhile.
  const prepared = new Map<string, PreparedRows>()
  for (const model of project.models) {
    if (!input.published.has(model.table)) continue
    prepared.set(model.table, await prepareRows(db, zone, { ...input, project, model }))
  }
  await using warehouse = await openWarehouse(deps.warehouse)
  const { client } = warehouse
  return await withPostgresErrors(deps.warehouse, () =>
    inLockedTransaction(warehouse, deps.limits.lockWaitMs, async () => {
      await checkHead(warehouse, input.head)
      const corrections: Correction[] = []
      const models = await presentModels(client, project)
      const repaired = { client, db, prepared, project: { ...project, models } }
      corrections.push(...(await correctStars(repaired, input)))
      const generation = generationOf(deps.project)
      const entries = { records: input.entries, generation, runId: deps.runId }
      const difference = await correctEntries(client, entries)
      corrections.push({ table: 'tidemark_ledger', difference, left: 0 })
      await setStand(client, record)
      return corrections.filter(isCorrection)
    }),
  )
}

async function checkHead(warehouse: WarehouseClient, head: number): Promise<void> {
  const { batch } = (await readLoaded(warehouse)) ?? { batch: 0 }
  if (batch === head) return
  throw new ConflictError(`The warehouse was verified at batch ${head}, and is at batch ${batch}`, {
    code: 'REPAIR_OVERTAKEN',
    hint: 'nothing was changed; another run loaded a batch meanwhile: tidemark verify --repair',
  })
}

/** The rows that a star table must hold, in a file. */
interface PreparedRows {
  /** Undefined if there are none. */
  readonly path: string | undefined
  readonly rows: number
}

async function prepareRows(
  db: DuckDb,
  zone: Zone,
  {
    project,
    model,
    record,
    files,
  }: RepairInput & { readonly project: Project; readonly model: Model },
): Promise<PreparedRows> {
  const path = join(db.scratchDir, `${randomUUID()}.parquet`)
  const write = async (select: string, columns: readonly Column[]) =>
    columns.length === 0
      ? { path: undefined, rows: 0 }
      : { path, rows: await writeParquet(db, select, path, columns) }
  const entry = record.tables[model.table]
  if (model.kind === 'fact') {
    const own = [...(files.get(model.table)?.values() ?? [])].flat()
    const isMirror = project.mirror !== undefined
    const versions = await readVersions(db, zone, { model, isMirror, entry, files: own })
    if (own.length === 0) return { path: undefined, rows: 0 }
    return await write(`select * from ${await versions.select(own)}`, versions.columns)
  }
  const state = entry?.state ?? []
  await openFiles(zone, state)
  const columns = await readFileColumns(db, zone, state)
  if (columns.length === 0) return { path: undefined, rows: 0 }
  await using published = await openState(db, zone, {
    table: { name: model.table, key: model.key, columns },
    state,
  })
  return await write(`select * from ${published.name}`, columns)
}

/** The open transaction, and what it makes the warehouse equal to. */
interface Repaired {
  readonly client: Client
  readonly db: DuckDb
  /** By table. */
  readonly prepared: ReadonlyMap<string, PreparedRows>
  /** With the models that have a table. */
  readonly project: Project
}

/**
 * Corrects dimensions before the facts that refer to them, and removes extra rows of dimensions last,
 * when no wrong version refers to them any more.
 */
async function correctStars(repaired: Repaired, { kept }: RepairInput): Promise<Correction[]> {
  const { client, project, prepared } = repaired
  const corrections: Correction[] = []
  const dimensions = project.models.filter((model) => model.kind !== 'fact')
  const begun: { readonly model: Model; readonly correction: TableCorrection }[] = []
  for (const model of dimensions) {
    if (!prepared.has(model.table)) continue
    begun.push({ model, correction: await correctRows(repaired, model) })
  }
  for (const model of project.models) {
    if (model.kind !== 'fact') continue
    if (prepared.has(model.table)) {
      const { difference, removeExtra, end } = await correctRows(repaired, model)
      checkCount(model.table, { expected: difference.extra, rows: await removeExtra() })
      await end()
      corrections.push({ table: model.table, difference, left: 0 })
    }
    const isKept = loadedTables(model).some((table) => kept.has(table))
    if (isKept || prepared.has(model.table)) corrections.push(...(await correctKept(client, model)))
  }
  for (const { model, correction } of begun) {
    // A calendar may hold more days than the facts name.
    const isCalendar = model.kind === 'calendar'
    const removed = isCalendar ? 0 : await removeRows(repaired, model, correction)
    await correction.end()
    const difference = isCalendar ? withoutExtra(correction.difference) : correction.difference
    corrections.push({ table: model.table, difference, left: difference.extra - removed })
  }
  return corrections
}

/** Stores the prepared rows beside the table, and corrects the table by them. */
async function correctRows(
  { client, db, prepared }: Repaired,
  model: Model,
): Promise<TableCorrection> {
  const key = model.kind === 'fact' ? [model.recordId] : model.key
  const { path, rows } = prepared.get(model.table) ?? { path: undefined, rows: 0 }
  const corrected = { table: model.table, key, told: model.key }
  if (path === undefined) {
    const expected = `(select * from ${identifier(model.table)} where false)`
    return await correctTable(client, { ...corrected, values: [], expected })
  }
  const plan = await planCopy({ client, db }, model.table, [path])
  const name = `expected ${model.table}`
  const expected = identifier(name)
  await client.query(`
    create unlogged table ${expected} as
    select ${namesOf(plan)} from ${identifier(model.table)} with no data`)
  checkCount(model.table, { expected: rows, rows: await storeRows({ client, db }, plan, name) })
  await client.query(`analyze ${expected}`)
  const values = plan.columns.filter((column) => !key.includes(column))
  const correction = await correctTable(client, { ...corrected, values, expected })
  await client.query(`drop table ${expected}`)
  return correction
}

/** Removes the extra rows of a dimension to which nothing refers. Returns their number. */
async function removeRows(
  { client, project }: Repaired,
  { table, key }: Model,
  { removeExtra }: TableCorrection,
): Promise<number> {
  const referring = project.models.flatMap((model) =>
    model.kind === 'fact'
      ? (model.references ?? []).flatMap(({ dimension, columns }) =>
          dimension === table ? [isReferred(model, { key, columns })] : [],
        )
      : [],
  )
  const unless = referring.map((each) => `not ${each}`).join(' and ') || 'true'
  await client.query('savepoint removal')
  try {
    const removed = await removeExtra(unless)
    await client.query('release savepoint removal')
    return removed
  } catch (error) {
    if (codeOf(error) !== SQL_STATE.foreignKeyViolation) throw error
    // A table that people made refers to one of them.
    await client.query('rollback to savepoint removal')
    return 0
  }
}

function isReferred(
  { table }: Fact,
  { key, columns }: { key: readonly string[]; columns: readonly string[] },
): string {
  const same = key.map(
    (name, index) => `f.${identifier(columns[index] ?? name)} = t.${identifier(name)}`,
  )
  return `exists (select 1 from ${identifier(table)} as f where ${same.join(' and ')})`
}

/** The newest batch that the warehouse holds, and the newest in its ledger. */
export interface LastLoaded {
  readonly batch: number
  readonly head: number
}

/**
 * Finds the newest batch that the warehouse holds, by its ledger and by the newest versions of its facts,
 * because rows of the ledger may be gone. `last` is the newest record of the processed zone. Undefined
 * unless the newest row in the ledger proves that the warehouse was loaded from this zone: at least one
 * of the two checksums and the snapshot's time, which has microseconds, is that of the record. Read-only.
 */
export async function findLastLoaded(
  warehouse: WarehouseClient,
  {
    zone,
    project,
    last,
  }: { readonly zone: Zone; readonly project: Project; readonly last: CommitRecord },
): Promise<LastLoaded | undefined> {
  const { client } = warehouse
  const head = await readLoaded(warehouse)
  if (head === undefined || head.batch > last.batch) return undefined
  if (head.generation !== generationOf(project)) return undefined
  const { checksum, madeFrom, snapshot } = await readExistingCommit(zone, head.batch)
  const isFromHere =
    head.loadedFrom === checksum ||
    (madeFrom !== undefined && head.capturedAs === madeFrom) ||
    head.snapshotAt === snapshot.takenAt
  if (!isFromHere) return undefined
  let batch = head.batch
  for (const model of await presentModels(client, project)) {
    if (model.kind !== 'fact') continue
    const column = identifier(historyColumns(model).batch)
    const { rows } = await client.query<{ batch: string }>(`
      select ${column}::text as batch from ${identifier(model.table)}
      order by ${identifier(model.recordId)} desc limit 1`)
    const newest = Number(rows[0]?.batch ?? 0)
    if (newest <= last.batch) batch = Math.max(batch, newest)
  }
  return { batch, head: head.batch }
}
