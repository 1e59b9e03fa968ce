import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { checkProject } from './check-project.ts'
import { checkInterrupted, type Deps, ingestionZone, processedZone } from './deps.ts'
import { openDuckDb } from './duckdb.ts'
import { ConflictError } from './errors.ts'
import { type CommitRecord, FORMAT } from './lake/commit-record.ts'
import { commitBatch, readExistingCommit, readLastCommit, type Zone } from './lake/zone.ts'
import { generationOf } from './models/generation.ts'
import { prepareStar, type TransformInput } from './models/transform.ts'

export interface TransformOutcome {
  readonly generation: string
  /** Batches this call transformed. */
  readonly batches: readonly number[]
  /** Rows this call sent to quarantine. */
  readonly quarantined: number
}

/**
 * Transforms every ingestion batch that the models' generation lacks, in order, each committed
 * before the next. Needs neither source nor warehouse. May be repeated and run twice at once: the
 * loser of a race takes the winner's batch as it is, for it holds the same rows.
 */
export async function transform(deps: Deps): Promise<TransformOutcome> {
  checkProject(deps.project)
  const generation = generationOf(deps.project)
  const zone = processedZone(deps, generation)
  const ingestion = ingestionZone(deps)
  let previous = await readLastCommit(zone)
  const last = await readLastCommit(ingestion, previous?.batch)
  const batches: number[] = []
  let quarantined = 0
  if (last === undefined) return { generation, batches, quarantined }
  if (previous === undefined) await prepareGeneration(deps, zone)

  for (let number = (previous?.batch ?? 0) + 1; number <= last.batch; number++) {
    checkInterrupted(deps)
    const record: CommitRecord = await transformBatch(deps, zone, {
      record: await readExistingCommit(ingestion, number),
      latest: last,
      previous,
    })
    const rows = Object.values(record.tables).map((table) => table.counts.quarantined)
    quarantined += rows.reduce((sum, count) => sum + count, 0)
    batches.push(number)
    previous = record
    deps.log({ event: 'batch_transformed', batch: number, generation })
  }
  return { generation, batches, quarantined }
}

async function transformBatch(
  deps: Deps,
  zone: Zone,
  { record, latest, previous }: Pick<TransformInput, 'record' | 'latest' | 'previous'>,
): Promise<CommitRecord> {
  await mkdir(deps.scratchDir, { recursive: true })
  await using db = await openDuckDb({ scratchDir: deps.scratchDir, ...deps.limits })
  const { batch: number, snapshot } = record
  const attempt = randomBytes(4).toString('hex')
  const tables = await prepareStar(
    { zone, db, number, attempt, takenAt: snapshot.takenAt },
    { project: deps.project, ingestion: ingestionZone(deps), record, latest, previous },
  )
  for (const [table, { counts }] of Object.entries(tables)) {
    if (counts.quarantined === 0) continue
    const rows = counts.quarantined
    deps.log({ event: 'rows_quarantined', level: 'alert', batch: number, table, rows })
  }
  const made: CommitRecord = {
    format: FORMAT,
    batch: number,
    previous: number - 1,
    snapshot,
    tables,
    writer: { version: deps.version, runId: deps.runId },
  }
  try {
    await commitBatch(zone, made)
    return made
  } catch (error) {
    if (error instanceof ConflictError) return readExistingCommit(zone, number)
    throw error
  }
}

/** Describes the generation for people who find it in the zone. */
async function prepareGeneration(deps: Deps, zone: Zone): Promise<void> {
  const models = deps.project.models.map(({ kind, table, key }) => ({ kind, table, key }))
  const body = JSON.stringify({ project: deps.project.name, models }, undefined, 1)
  await zone.store.putIfAbsent(`${zone.prefix}generation.json`, Buffer.from(`${body}\n`))
}
