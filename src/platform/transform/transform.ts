import { checkEnds, readHeads, retryConflicts } from '../continuity.ts'
import {
  checkInterrupted,
  type Deps,
  inForce,
  ingestionZone,
  isPastDeadline,
  openScratchDb,
  processedZone,
} from '../deps.ts'
import { ConflictError } from '../errors.ts'
import { checkFollows, commitBatch, readExistingCommit } from '../lake/batch-log.ts'
import { beginBatch } from '../lake/batch.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import { type HeldTable, listHeld } from '../lake/held.ts'
import { capturedProject, continuedProject } from '../lake/mirrored-project.ts'
import { prepareDescription } from '../lake/generation-description.ts'
import { logRefused } from '../lake/quarantine/quarantine.ts'
import { sumRows } from '../lake/table-entry.ts'
import type { Zone } from '../lake/zone.ts'
import { checkProject } from '../project/check-project.ts'
import { generationOf, partsOf } from '../project/generation.ts'
import { namedRecord } from '../project/named-record.ts'
import type { TransformInput } from './inputs.ts'
import { type PreparedStar, prepareStar } from './star.ts'

/** The number of rows of a table that were published although they break a check. */
export interface Warning {
  readonly table: string
  readonly check: string
  readonly rows: number
}

/** The result of one call of `transform`. */
export interface TransformOutcome {
  readonly generation: string
  /** The batches that this call transformed, in order. */
  readonly batches: readonly number[]
  /** Rows that this call sent to quarantine, without the rows of held tables. */
  readonly quarantined: number
  /** Rows that this call published although they break a check, by table and check. */
  readonly warnings: readonly Warning[]
  /** Star tables that are held after the last transformed batch. */
  readonly held: readonly HeldTable[]
  /** Rows in quarantine after the last transformed batch, by star table. */
  readonly open: Readonly<Record<string, number>>
  /** Whether the deadline came first, so that batches are left for the next call. */
  readonly isCutShort: boolean
}

/**
 * Transforms every ingestion batch that the models' generation lacks, in order. Commits each batch
 * before it begins the next. Needs neither the source nor the warehouse. May be repeated, and run
 * twice at once: the loser of a race takes the winner's batch, which holds the same rows. Each
 * batch names the ingestion record from which it was made, and is made only if that record
 * continues the one before (I14).
 */
export async function transform(deps: Deps): Promise<TransformOutcome> {
  // Another process may transform the same batches, and commit one while the end is looked for.
  return await retryConflicts(deps, 'transform_again', async () =>
    transformOnce(await inForce(deps)),
  )
}

async function transformOnce(deps: Deps): Promise<TransformOutcome> {
  if (deps.project.mirror === undefined) checkProject(deps.project)
  const generation = generationOf(deps.project)
  const zone = processedZone(deps, generation)
  const ingestion = ingestionZone(deps)
  const heads = await readHeads(deps)
  const last = heads.captured
  let previous = heads.transformed
  const batches: number[] = []
  let quarantined = 0
  let warnings: readonly Warning[] = []
  if (last === undefined) {
    return { generation, batches, quarantined, warnings, held: [], open: {}, isCutShort: false }
  }
  const first = (previous?.batch ?? 0) + 1
  if (first <= last.batch) await checkEnds(deps, heads)
  if (previous === undefined) await prepareGeneration(deps, zone)
  let before = heads.origin

  for (let number = first; number <= last.batch; number++) {
    checkInterrupted(deps)
    if (batches.length > 0 && isPastDeadline(deps)) break
    const captured = await readExistingCommit(ingestion, number)
    if (before !== undefined) checkFollows(ingestion, before, captured)
    const record: CommitRecord = await transformBatch(deps, zone, {
      record: captured,
      latest: last,
      before,
      previous,
    })
    before = captured
    for (const { held, counts } of Object.values(record.tables)) {
      if (held === undefined) quarantined += counts.quarantined
    }
    warnings = addWarnings([...warnings, ...listWarnings(record)])
    batches.push(number)
    previous = record
    deps.log({ event: 'batch_transformed', batch: number, generation })
  }
  return {
    generation,
    batches,
    quarantined,
    warnings,
    held: listHeld(previous?.tables ?? {}),
    open: countOpen(previous?.tables ?? {}),
    isCutShort: (previous?.batch ?? 0) < last.batch,
  }
}

function countOpen(tables: CommitRecord['tables']): Record<string, number> {
  const counts = Object.entries(tables).map(([table, { open }]) => [table, sumRows(open)] as const)
  return namedRecord(counts.filter(([, rows]) => rows > 0))
}

async function transformBatch(
  deps: Deps,
  zone: Zone,
  {
    record,
    latest,
    before,
    previous,
  }: Pick<TransformInput, 'record' | 'latest' | 'before' | 'previous'>,
): Promise<CommitRecord> {
  await using db = await openScratchDb(deps)
  const { batch: number, snapshot } = record
  const ingestion = ingestionZone(deps)
  const captured = await capturedProject(deps.project, ingestion, record)
  const project = await continuedProject(captured, zone, previous)
  const star = await prepareStar(beginBatch(db, { zone, number, takenAt: snapshot.takenAt }), {
    project,
    ingestion,
    record,
    latest,
    before,
    previous,
    limits: deps.limits,
  })
  reportStar(deps, { number, star, previous })
  const content = {
    snapshot,
    tables: star.tables,
    tests: star.tests,
    writer: { version: deps.version, runId: deps.runId },
  }
  try {
    return await commitBatch(zone, content, { previous, madeFrom: record })
  } catch (error) {
    if (error instanceof ConflictError) return readExistingCommit(zone, number)
    throw error
  }
}

/** Logs the problems of a batch. For a table that becomes held, the hold is the only alert. */
function reportStar(
  deps: Deps,
  {
    number: batch,
    star: { tables, reasons, tests },
    previous,
  }: { number: number; star: PreparedStar; previous: CommitRecord | undefined },
): void {
  for (const [table, { held }] of Object.entries(tables)) {
    const before = previous?.tables[table]?.held
    if (held !== undefined && before === undefined) {
      const { reason, detail } = held
      deps.log({ event: 'table_held', level: 'alert', batch, table, reason, detail })
    }
    if (held === undefined && before !== undefined) {
      deps.log({ event: 'table_released', batch, table, since: before.sinceAt })
    }
    const found = (reasons.get(table) ?? []).map((reason) =>
      held === undefined ? reason : { ...reason, isNew: false },
    )
    logRefused(deps.log, { batch, table, reasons: found })
  }
  for (const warning of listWarnings({ tables })) {
    deps.log({ event: 'check_failed', level: 'warn', batch, ...warning })
  }
  for (const [test, rows] of Object.entries(tests)) {
    if (rows > 0) deps.log({ event: 'test_failed', level: 'warn', batch, test, rows })
  }
}

/** The rows that a batch published although they break a check, by table and check. */
function listWarnings({ tables }: Pick<CommitRecord, 'tables'>): Warning[] {
  return Object.entries(tables).flatMap(([table, { warnings = {} }]) =>
    Object.entries(warnings).map(([check, rows]) => ({ table, check, rows })),
  )
}

/** Adds up warnings, so that there is one for each table and check. */
function addWarnings(all: readonly Warning[]): Warning[] {
  const sums = new Map<string, Warning>()
  for (const { table, check, rows } of all) {
    const name = `${table} ${check}`
    sums.set(name, { table, check, rows: rows + (sums.get(name)?.rows ?? 0) })
  }
  return [...sums.values()]
}

/** Describes the generation, for people who look into the zone and for the plan of the next one. */
async function prepareGeneration(deps: Deps, zone: Zone): Promise<void> {
  const { name, models } = deps.project
  const made = models.map(({ kind, table, key }) => ({ kind, table, key }))
  await prepareDescription(zone, { project: name, models: made, parts: partsOf(deps.project) })
}
