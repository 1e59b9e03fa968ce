import { checkEnds, type Heads, readHeads } from '../continuity.ts'
import { type Deps, hasWarehouse, inForce, ingestionZone, processedZone } from '../deps.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { readExistingCommit } from '../lake/batch-log.ts'
import { capturedProject, continuedProject, publishedProject } from '../lake/mirrored-project.ts'
import { explainGeneration, type NewGeneration } from '../load/explain-generation.ts'
import { checkContinued } from '../load/load.ts'
import { checkProject } from '../project/check-project.ts'
import { generationOf } from '../project/generation.ts'
import { planSchemas, type SourceStage } from '../transform/plan-schemas.ts'
import { findLoaded } from '../warehouse/ledger.ts'
import { type Obstacle, readUnlocked } from '../warehouse/replica.ts'
import { openWarehouse } from '../warehouse/warehouse.ts'
import { readAppearances } from './catalog.ts'
import {
  listPlanned,
  type OtherRelation,
  type PlannedTable,
  planUnrehearsed,
} from './planned-tables.ts'
import { readPlannedSource } from './planned-source.ts'
import { rehearseTables } from './rehearse-tables.ts'

/** What the next run would do to the schema of the warehouse. */
export interface Plan {
  /** Whether there is a lake and no warehouse. Then nothing is planned. */
  readonly isLakeOnly: boolean
  /** Numbered migrations that wait, in order. */
  readonly migrations: readonly string[]
  /** The tables of models that are made or changed. */
  readonly tables: readonly PlannedTable[]
  /** Other tables and views that are made, changed or dropped: Tidemark's own, and those of migrations. */
  readonly others: readonly OtherRelation[]
  /** Tables that a migration made, so that they are not derived from their models. */
  readonly byHand: readonly string[]
  /** Tables that no model makes any more. They stay, with their rows, until somebody drops them. */
  readonly retired: readonly string[]
  /** Tables of models that read a source table which nobody could read yet. */
  readonly unknown: readonly string[]
  /** The generation that replaces the content of the warehouse; undefined if it stays. */
  readonly generation: NewGeneration | undefined
  /** Every statement, in order. Empty without a rehearsal. */
  readonly statements: readonly string[]
  /** Why nothing was rehearsed. What is planned is then found by comparing definitions. */
  readonly notRehearsed: Obstacle | undefined
  /** Why the source was not read, so that its tables are planned as they were captured last. */
  readonly notRead: string | undefined
}

const NOTHING: Plan = {
  isLakeOnly: false,
  migrations: [],
  tables: [],
  others: [],
  byHand: [],
  retired: [],
  unknown: [],
  generation: undefined,
  statements: [],
  notRehearsed: undefined,
  notRead: undefined,
}

/** Whether a run changes nothing in the schema of the warehouse, and keeps its content. Pure. */
export function isEmptyPlan({ migrations, tables, others, generation, statements }: Plan): boolean {
  const changes = [migrations, tables, others, statements]
  return generation === undefined && changes.every((each) => each.length === 0)
}

/**
 * Plans what the next run does to the schema of the warehouse. Creates and changes nothing: it reads
 * the lake and the source's catalogue, runs each model over empty tables, and rehearses the rest on
 * an empty copy of the warehouse (`inReplica`). Works before the first run. Throws what a run would
 * throw.
 */
export async function planNextRun(given: Deps): Promise<Plan> {
  const { project: declared } = given
  if (declared.mirror === undefined) checkProject(declared)
  if (!hasWarehouse(given)) return { ...NOTHING, isLakeOnly: true }
  const deps = await inForce(given)
  const { project } = deps
  const heads = await readHeads(deps)
  await checkEnds(deps, heads)
  const { captured, transformed } = heads
  const generation = generationOf(project)
  const zone = processedZone(deps, generation)
  const source = await readPlannedSource(deps, captured)
  const planned = await continuedProject(source.project, zone, transformed)
  const pending = await listPending(deps, { captured, transformed })
  const { schemas, unknown } = await planSchemas(deps, transformed, [
    ...pending,
    { project: planned, latest: captured ?? { tables: {} }, batch: (captured?.batch ?? 0) + 1 },
  ])
  await using warehouse = await openWarehouse({ ...deps.warehouse, attempts: 1 })
  const checked = await readUnlocked(warehouse, () => checkContinued(deps, warehouse))
  const known = await publishedProject(project, zone, transformed)
  const input = { project: planned, known, schemas, generation }
  const found =
    'refused' in checked
      ? checked
      : await withPostgresErrors(deps.warehouse, () => rehearseTables(warehouse, input))
  if ('refused' in found) {
    const loaded = await findLoaded(warehouse)
    return {
      ...NOTHING,
      ...(await withPostgresErrors(deps.warehouse, () => planUnrehearsed(warehouse, input))),
      unknown,
      generation: loaded && (await explainGeneration(deps, loaded)),
      notRehearsed: found.refused,
      notRead: source.notRead,
    }
  }
  return {
    ...NOTHING,
    migrations: found.migrations,
    ...listPlanned(planned, found),
    unknown,
    generation: found.loaded && (await explainGeneration(deps, found.loaded)),
    statements: found.statements,
    notRead: source.notRead,
  }
}

/**
 * Runs each model over empty tables, as they are in the source now or were captured last. Returns the
 * tables of models that read a source table which nobody could read yet. Throws `ContractError`
 * (`MODEL_INVALID`) that names the first model that does not fit, as a run would.
 */
export async function tryModels(deps: Deps): Promise<readonly string[]> {
  const { captured } = await readHeads(deps)
  const { project } = await readPlannedSource(deps, captured)
  const { unknown } = await planSchemas(deps, undefined, [
    { project, latest: captured ?? { tables: {} }, batch: (captured?.batch ?? 0) + 1 },
  ])
  return unknown
}

/**
 * The captured batches that are still to be transformed and in which a source table without a contract
 * got another schema, oldest first. For another generation, all batches are.
 */
async function listPending(
  deps: Deps,
  { captured, transformed }: Pick<Heads, 'captured' | 'transformed'>,
): Promise<SourceStage[]> {
  const done = transformed?.batch ?? 0
  if (captured === undefined || captured.batch === done) return []
  const { project } = deps
  const open = project.source.tables.filter(({ columns }) => columns === undefined)
  const names =
    project.mirror === undefined ? open.map(({ name }) => name) : Object.keys(captured.tables)
  const zone = ingestionZone(deps)
  const appearances = await readAppearances(zone, captured, names)
  const batches = new Set([...appearances.values()].flat().map(({ firstBatch }) => firstBatch))
  const stages: SourceStage[] = []
  for (const batch of [...batches].filter((each) => each > done).toSorted((a, b) => a - b)) {
    const latest = batch === captured.batch ? captured : await readExistingCommit(zone, batch)
    const then = await capturedProject(project, zone, latest)
    const processed = processedZone(deps, generationOf(project))
    stages.push({
      project: await continuedProject(then, processed, transformed),
      latest,
      batch,
    })
  }
  return stages
}
