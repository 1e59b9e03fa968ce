import { checkLoaded, checkNotMixed } from '../continuity.ts'
import {
  checkInterrupted,
  type Deps,
  ingestionZone,
  isPastDeadline,
  openScratchDb,
  processedZone,
} from '../deps.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { NO_TIME_LIMITS } from '../io/session.ts'
import {
  checkEnd,
  checkFollows,
  readCommit,
  readExistingCommit,
  readLastCommit,
} from '../lake/batch-log.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import { openFiles, type Zone } from '../lake/zone.ts'
import { knownProject, publishedProject } from '../lake/mirrored-project.ts'
import { type PublishedSchema, readPublishedSchema } from '../lake/published-schema.ts'
import { generationOf } from '../project/generation.ts'
import type { Project } from '../project/project.ts'
import {
  deriveTables,
  findUnderived,
  presentModels,
  TABLES_AT_ONCE,
} from '../warehouse/derive-tables.ts'
import { readLoaded } from '../warehouse/ledger.ts'
import { migrate } from '../warehouse/migrate.ts'
import {
  inLockedTransaction,
  inSnapshot,
  openWarehouse,
  type WarehouseClient,
} from '../warehouse/warehouse.ts'
import { checkFactEnds, loadBatch, type LoadInput } from './apply-batch.ts'
import { explainGeneration } from './explain-generation.ts'
import { switchGeneration } from './switch-generation.ts'

/** The result of one call of `load`. */
export interface LoadOutcome {
  /** The batches that this call loaded, in order. */
  readonly batches: readonly number[]
  /** The newest batch that the warehouse holds now; 0 if it is empty. */
  readonly lastBatch: number
  /** Whether the deadline came first, so that batches are left for the next call. */
  readonly isCutShort: boolean
}

/**
 * Migrates the warehouse if needed, then loads every processed batch that it lacks, in order, each
 * in one transaction (I4, I5). May be repeated. If the warehouse holds another generation, it
 * switches to the models' generation in one transaction, once that generation has caught up. Throws
 * `ContractError`, before it writes rows, if the warehouse was not loaded from this lake (I14).
 */
export async function load(deps: Deps): Promise<LoadOutcome> {
  await using warehouse = await openWarehouse(deps.warehouse)
  return await loadInto(deps, warehouse)
}

/** Like `load`, over a connection that the caller has opened and closes. */
export async function loadInto(deps: Deps, warehouse: WarehouseClient): Promise<LoadOutcome> {
  const waitMs = deps.limits.lockWaitMs
  const zone = processedZone(deps, generationOf(deps.project))
  const known = deps.project.mirror === undefined ? undefined : await readLastCommit(zone)
  const project = await publishedProject(deps.project, zone, known)
  const restored = await migrate(warehouse, project, { waitMs })
  if (restored.length > 0) {
    deps.log({ event: 'warehouse_restored', level: 'alert', relations: restored })
  }
  const generation = generationOf(deps.project)
  const head = await withPostgresErrors(deps.warehouse, () => readLoaded(warehouse))
  const isSwitch = head !== undefined && head.generation !== generation
  const last = known ?? (await readLastCommit(zone, isSwitch ? 0 : head?.batch))
  checkNotMixed(deps, last)
  const lastBatch = last?.batch ?? 0
  // The record before the next batch to load; at first the record of the newest loaded batch.
  let before: CommitRecord | undefined
  if (head !== undefined) {
    if (isSwitch && lastBatch < head.batch) {
      // A new generation replaces the old one only after it has caught up.
      const ingestion = ingestionZone(deps)
      checkLoaded(head, { zone: ingestion, record: await readCommit(ingestion, head.batch) })
      return { batches: [], lastBatch: head.batch, isCutShort: false }
    }
    before = lastBatch === head.batch ? last : await readCommit(zone, head.batch)
    checkLoaded(head, { zone, record: before })
    if (!isSwitch && lastBatch === head.batch) return { batches: [], lastBatch, isCutShort: false }
  }
  if (lastBatch === 0) return { batches: [], lastBatch, isCutShort: false }
  await checkEnd(zone, last)

  await using db = await openScratchDb(deps)
  const input: Omit<LoadInput, 'record' | 'previous'> = {
    project,
    generation,
    runId: deps.runId,
    waitMs,
    db,
    files: (record, table) => openFiles(zone, record.tables[table]?.changes ?? []),
  }
  if (isSwitch) {
    const { from = '', why = [] } = (await explainGeneration(deps, head)) ?? {}
    deps.log({ event: 'generation_announced', generation, from, batch: lastBatch, why })
    const outcome = await switchGeneration(warehouse, {
      ...input,
      lastBatch,
      schemas: last === undefined ? [] : await readSchemas(zone, last),
      records: () => readCheckedRecords(deps, zone, lastBatch),
    })
    deps.log({ event: `generation_${outcome}`, generation, batch: lastBatch })
    return {
      batches: outcome === 'switched' ? range(1, lastBatch) : [],
      lastBatch,
      isCutShort: false,
    }
  }
  const batches: number[] = []
  let loaded = head?.batch ?? 0
  for (const number of range(loaded + 1, lastBatch)) {
    checkInterrupted(deps)
    if (loaded > (head?.batch ?? 0) && isPastDeadline(deps)) break
    const record = await readExistingCommit(zone, number)
    if (before !== undefined) checkFollows(zone, before, record)
    const own = knownProject(await publishedProject(deps.project, zone, record), record)
    await derive(deps, warehouse, { zone, project: own, record, before })
    const outcome = await loadBatch(warehouse, {
      ...input,
      project: own,
      record,
      previous: before,
    })
    before = record
    if (outcome === 'loaded') batches.push(number)
    loaded = number
    deps.log({ event: `batch_${outcome}`, batch: number, generation })
  }
  return { batches, lastBatch: loaded, isCutShort: loaded < lastBatch }
}

/**
 * Derives the tables whose schemas a batch brings, some at a time, before the batch is loaded. Readers
 * may see them empty for a moment.
 */
async function derive(
  deps: Deps,
  warehouse: WarehouseClient,
  {
    zone,
    project,
    record,
    before,
  }: { zone: Zone; project: Project; record: CommitRecord; before: CommitRecord | undefined },
): Promise<void> {
  const schemas = await readSchemas(zone, record, before)
  if (schemas.length === 0) return
  const underived = await withPostgresErrors(deps.warehouse, () =>
    inSnapshot(warehouse, () => findUnderived(warehouse, project, schemas), NO_TIME_LIMITS),
  )
  for (let from = 0; from < underived.length; from += TABLES_AT_ONCE) {
    const some = underived.slice(from, from + TABLES_AT_ONCE)
    await withPostgresErrors(deps.warehouse, () =>
      inLockedTransaction(warehouse, deps.limits.lockWaitMs, async () => {
        const wanted = some.map(({ schema }) => schema)
        // Another run may have derived them since.
        const still = await findUnderived(warehouse, project, wanted)
        await deriveTables(warehouse, project, still)
      }),
    )
  }
}

/** The schemas of a batch's tables, without those that they had in the batch before. */
async function readSchemas(
  zone: Zone,
  { tables }: CommitRecord,
  before?: CommitRecord,
): Promise<PublishedSchema[]> {
  const schemas: PublishedSchema[] = []
  for (const [table, { fingerprint }] of Object.entries(tables)) {
    if (fingerprint === undefined || fingerprint === before?.tables[table]?.fingerprint) continue
    schemas.push(await readPublishedSchema(zone, table, fingerprint))
  }
  return schemas
}

/**
 * Throws `ContractError` unless the warehouse was loaded from this lake and its facts end where its
 * ledger says (I14). Read-only. Skips a warehouse that the next run will migrate first.
 */
export async function checkContinued(deps: Deps, warehouse: WarehouseClient): Promise<void> {
  const generation = generationOf(deps.project)
  const work = async (): Promise<void> => {
    const { client } = warehouse
    const { rowCount } = await client.query(
      `select 1 where to_regclass('tidemark_relation') is not null`,
    )
    if (rowCount !== 1) return
    const head = await readLoaded(warehouse)
    const isSame = head?.generation === generation
    const processed = processedZone(deps, generation)
    const zone = isSame ? processed : ingestionZone(deps)
    const record = head && (await readCommit(zone, head.batch))
    const published = await publishedProject(deps.project, processed, isSame ? record : undefined)
    const project = { ...published, models: await presentModels(client, published) }
    if (head === undefined) {
      await checkFactEnds(client, { project, previous: undefined })
      return
    }
    checkLoaded(head, { zone, record })
    if (isSame) await checkFactEnds(client, { project, previous: record })
  }
  // The lake is read inside this transaction, which may exceed the role's time limit.
  await withPostgresErrors(deps.warehouse, () => inSnapshot(warehouse, work, NO_TIME_LIMITS))
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index)
}

/** Every record of a generation in order, each checked to continue the one before (I14). */
async function* readCheckedRecords(
  deps: Deps,
  zone: Zone,
  lastBatch: number,
): AsyncGenerator<CommitRecord> {
  let before: CommitRecord | undefined
  for (const number of range(1, lastBatch)) {
    checkInterrupted(deps)
    const record = await readExistingCommit(zone, number)
    if (before !== undefined) checkFollows(zone, before, record)
    before = record
    yield record
  }
}
