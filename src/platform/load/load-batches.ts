import { checkInterrupted, type Deps, isPastDeadline } from '../deps.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import type { DuckDb } from '../io/duckdb.ts'
import { NO_TIME_LIMITS } from '../io/session.ts'
import { checkFollows, readExistingCommit } from '../lake/batch-log.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import { knownProject, publishedProject } from '../lake/mirrored-project.ts'
import { type PublishedSchema, readPublishedSchema } from '../lake/published-schema.ts'
import { openFiles, type Zone } from '../lake/zone.ts'
import type { Project } from '../project/project.ts'
import { deriveTables, findUnderived, TABLES_AT_ONCE } from '../warehouse/derive-tables.ts'
import { inLockedTransaction, inSnapshot, type WarehouseClient } from '../warehouse/warehouse.ts'
import { loadBatch } from './apply-batch.ts'

/** The batches to load, and how. */
export interface LoadedBatches {
  readonly zone: Zone
  readonly generation: string
  readonly db: DuckDb
  /** The record of the newest batch in the ledger; undefined if the ledger is empty. */
  readonly before: CommitRecord | undefined
  readonly lastBatch: number
  readonly onLoaded: (batch: number, outcome: 'loaded' | 'skipped') => void
}

/**
 * Loads the batches after `before` up to the last, in order, each in one transaction (I4, I5), with the
 * tables that it needs. Returns the newest batch that is loaded now: an earlier one if the deadline came
 * first, but not before one batch was loaded. Throws what `loadBatch` throws, and `ContractError` for a
 * record that does not continue the one before it (I14).
 */
export async function loadBatches(
  deps: Deps,
  warehouse: WarehouseClient,
  { zone, generation, db, before: first, lastBatch, onLoaded }: LoadedBatches,
): Promise<number> {
  let before = first
  for (const number of range((first?.batch ?? 0) + 1, lastBatch)) {
    checkInterrupted(deps)
    if (before !== first && isPastDeadline(deps)) break
    const record = await readExistingCommit(zone, number)
    if (before !== undefined) checkFollows(zone, before, record)
    const project = knownProject(await publishedProject(deps.project, zone, record), record)
    await derive(deps, warehouse, { zone, project, record, before })
    const outcome = await loadBatch(warehouse, {
      ...loadInput(deps, { zone, generation, db, project }),
      record,
      previous: before,
    })
    before = record
    onLoaded(number, outcome)
  }
  return before?.batch ?? 0
}

/** What the load of every batch of a zone needs. */
export function loadInput(
  deps: Deps,
  {
    zone,
    generation,
    db,
    project,
  }: { zone: Zone; generation: string; db: DuckDb; project: Project },
) {
  return {
    project,
    generation,
    db,
    runId: deps.runId,
    waitMs: deps.limits.lockWaitMs,
    files: (record: CommitRecord, table: string) =>
      openFiles(zone, record.tables[table]?.changes ?? []),
  }
}

/**
 * Derives the tables whose schemas a batch brings, some at a time, before the batch is loaded. Readers
 * may see them empty for a moment.
 */
export async function derive(
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
export async function readSchemas(
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

/** The whole numbers from one to another, both included. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index)
}

/** Every record of a generation in order, each checked to continue the one before (I14). */
export async function* readCheckedRecords(
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
