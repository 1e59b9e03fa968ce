import { checkEdition, checkLoaded, checkNotMixed } from '../continuity.ts'
import { type Deps, inForce, ingestionZone, openScratchDb, processedZone } from '../deps.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { NO_TIME_LIMITS } from '../io/session.ts'
import { checkEnd, readCommit, readLastCommit } from '../lake/batch-log.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import { publishedProject } from '../lake/mirrored-project.ts'
import type { Zone } from '../lake/zone.ts'
import type { Project } from '../project/project.ts'
import { generationOf } from '../project/generation.ts'
import { presentModels } from '../warehouse/derive-tables.ts'
import { type Loaded, readLoaded } from '../warehouse/ledger.ts'
import { migrate } from '../warehouse/migrate.ts'
import { inSnapshot, openWarehouse, type WarehouseClient } from '../warehouse/warehouse.ts'
import { checkFactEnds } from './apply-batch.ts'
import { explainGeneration } from './explain-generation.ts'
import { loadBatches, range } from './load-batches.ts'
import { removeUnwanted, replaceContent } from './replace-content.ts'

/** The result of one call of `load`. */
export interface LoadOutcome {
  /** The batches that this call loaded, in order. */
  readonly batches: readonly number[]
  /** The newest batch that the warehouse holds now; 0 if it is empty. */
  readonly lastBatch: number
  /** Whether the deadline came first, so that batches are left for the next call. */
  readonly isCutShort: boolean
}

export interface LoadOptions {
  /** The last batch to load. Default: the newest one. */
  readonly to?: number | undefined
}

/**
 * Migrates the warehouse if needed, then loads every processed batch that it lacks, in order, each
 * in one transaction (I4, I5). May be repeated. If the warehouse holds another generation, it
 * switches to the models' generation (`replaceContent`), once that generation has caught up. Throws
 * `ContractError`, before it writes rows, if the warehouse was not loaded from this lake (I14), and
 * `ConflictError` (`EDITION_NEWER`) if another process has loaded a newer edition meanwhile.
 */
export async function load(deps: Deps): Promise<LoadOutcome> {
  await using warehouse = await openWarehouse(deps.warehouse)
  return await loadInto(deps, warehouse)
}

/** Like `load`, over a connection that the caller has opened and closes. */
export async function loadInto(
  given: Deps,
  warehouse: WarehouseClient,
  { to }: LoadOptions = {},
): Promise<LoadOutcome> {
  const deps = await inForce(given)
  const generation = generationOf(deps.project)
  const zone = processedZone(deps, generation)
  const known = deps.project.mirror === undefined ? undefined : await readLastCommit(zone)
  const project = await publishedProject(deps.project, zone, known)
  await migrateReported(deps, warehouse, project)
  const head = await readOwnHead(deps, warehouse)
  const isSwitch = head !== undefined && head.generation !== generation
  const last = known ?? (await readLastCommit(zone, isSwitch ? 0 : head?.batch))
  checkNotMixed(deps, last)
  const lastBatch = Math.min(last?.batch ?? 0, to ?? Infinity)
  // The record before the next batch to load; at first the record of the newest loaded batch.
  let before: CommitRecord | undefined
  if (head !== undefined) {
    if (isSwitch && lastBatch < head.batch) {
      // A new generation replaces the old one only after it has caught up.
      const ingestion = ingestionZone(deps)
      checkLoaded(head, { zone: ingestion, record: await readCommit(ingestion, head.batch) })
      return { batches: [], lastBatch: head.batch, isCutShort: false }
    }
    before = last?.batch === head.batch ? last : await readCommit(zone, head.batch)
    checkLoaded(head, { zone, record: before })
    if (!isSwitch && lastBatch === head.batch) return { batches: [], lastBatch, isCutShort: false }
  }
  if (lastBatch === 0) return { batches: [], lastBatch, isCutShort: false }
  await checkEnd(zone, last)

  if (isSwitch) return await switchGeneration(deps, warehouse, { zone, head, lastBatch })
  await removeUnwanted(deps, warehouse)
  await using db = await openScratchDb(deps)
  const batches: number[] = []
  const loaded = await loadBatches(deps, warehouse, {
    zone,
    generation,
    db,
    before,
    lastBatch,
    onLoaded: (batch, outcome) => {
      if (outcome === 'loaded') batches.push(batch)
      deps.log({ event: `batch_${outcome}`, batch, generation })
    },
  })
  return { batches, lastBatch: loaded, isCutShort: loaded < lastBatch }
}

/** Switches the warehouse, which holds another generation, to the models' own. */
async function switchGeneration(
  deps: Deps,
  warehouse: WarehouseClient,
  { zone, head, lastBatch }: { zone: Zone; head: Loaded; lastBatch: number },
): Promise<LoadOutcome> {
  const generation = generationOf(deps.project)
  const { from = '', why = [] } = (await explainGeneration(deps, head)) ?? {}
  deps.log({ event: 'generation_announced', generation, from, batch: lastBatch, why })
  const replacement = { zone, generation, lastBatch, head }
  const outcome = await replaceContent(deps, warehouse, replacement)
  if (outcome === 'unfinished') return { batches: [], lastBatch: head.batch, isCutShort: true }
  const isSwitched = outcome === 'replaced'
  const event = isSwitched ? 'generation_switched' : 'generation_skipped'
  deps.log({ event, generation, batch: lastBatch })
  if (!isSwitched) await readOwnHead(deps, warehouse)
  return { batches: isSwitched ? range(1, lastBatch) : [], lastBatch, isCutShort: false }
}

/** Migrates the warehouse if needed, see `migrate`, and reports what was made again. */
export async function migrateReported(
  deps: Deps,
  warehouse: WarehouseClient,
  project: Project,
): Promise<void> {
  const restored = await migrate(warehouse, project, { waitMs: deps.limits.lockWaitMs })
  if (restored.length === 0) return
  deps.log({ event: 'warehouse_restored', level: 'alert', relations: restored })
}

/** The newest row of the ledger, which may not be of a newer edition. Throws what `checkEdition` throws. */
export async function readOwnHead(
  deps: Deps,
  warehouse: WarehouseClient,
): Promise<Loaded | undefined> {
  const head = await withPostgresErrors(deps.warehouse, () => readLoaded(warehouse))
  if (head !== undefined) await checkEdition(deps, head.generation)
  return head
}

/**
 * Throws `ContractError` unless the warehouse was loaded from this lake and its facts end where its
 * ledger says (I14). Read-only. Skips a warehouse that the next run will migrate first.
 */
export async function checkContinued(given: Deps, warehouse: WarehouseClient): Promise<void> {
  const deps = await inForce(given)
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
