import { retryConflicts } from '../continuity.ts'
import {
  asCaptured,
  type Deps,
  hasWarehouse,
  inForce,
  ingestionZone,
  openScratchDb,
  processedZone,
} from '../deps.ts'
import { discoverTables } from '../extract/discover-tables.ts'
import { extractSnapshot } from '../extract/extract.ts'
import { createTurns } from '../io/in-turn.ts'
import { readCommit, readExistingCommit } from '../lake/batch-log.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import { capturedProject, continuedProject, knownProject } from '../lake/mirrored-project.ts'
import { openFiles } from '../lake/zone.ts'
import { load } from '../load/load.ts'
import { generationOf } from '../project/generation.ts'
import type { Model } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import { openSource, type PostgresSource } from '../source/source-snapshot.ts'
import { transform } from '../transform/transform.ts'
import { openWarehouse } from '../warehouse/warehouse.ts'
import { isDifferent, type VerifiedTable } from './verified-table.ts'
import { verifyLake } from './verify-lake.ts'
import { type LogFault, verifyLog } from './verify-log.ts'
import { type ModelsCheck, verifyModels } from './verify-models.ts'
import { checkScope, planScope, type Scope, type VerifyOptions } from './verify-scope.ts'
import {
  beginVerifying,
  type VerifiedHistories,
  verifyHistories,
  type WarehouseCheck,
} from './verify-warehouse.ts'

/** The result of a verification. */
export interface VerifyReport {
  readonly batch: number
  /** Time of the snapshot at which source, lake and warehouse were compared (source clock). */
  readonly snapshotAt: string
  readonly tables: readonly VerifiedTable[]
  /** Breaks in the chain of commit records, or between the chain and the ledger. */
  readonly faults: readonly LogFault[]
  readonly isEqual: boolean
}

/**
 * Compares source, lake and warehouse at one snapshot, value by value (I6): the source tables with
 * the lake; the current rows with the rows that the models make from the source; the kept sums with
 * the current rows; every version and every dimension row in the warehouse with the processed zone
 * (I7); and the chain of records with the ledger (I14). Checksums are compared first, and rows only
 * if the checksums differ.
 *
 * First brings lake and warehouse up to that snapshot, like a run, and keeps the snapshot open
 * meanwhile, so the proof holds while the source changes. A table that is held is not compared with
 * the source; models read its state in the lake. Without a warehouse, only the source, the lake and the
 * chain are compared. Differences are returned, not thrown. May be
 * repeated. Throws what a run throws if a stage cannot work. Throws `ConfigError`
 * (`UNKNOWN_TABLE`) for an unknown table before it reads or writes anything.
 */
export async function verify(deps: Deps, options: VerifyOptions = {}): Promise<VerifyReport> {
  checkScope((await asCaptured(deps)).project, options)
  // If another run moves lake or warehouse past the snapshot, a newer snapshot is needed.
  return await retryConflicts(deps, 'verify_again', () => verifyOnce(deps, options))
}

async function verifyOnce(asked: Deps, options: VerifyOptions): Promise<VerifyReport> {
  const given = await inForce(asked)
  await using snapshot = await openSource(given.source)
  const { record } = await extractSnapshot(given, snapshot)
  if (record === undefined) throw new TypeError('an extract into an empty lake commits a batch')
  const deps = { ...given, project: await comparedProject(given, { snapshot, record }) }
  const { held } = await transform(deps)
  if (!hasWarehouse(deps)) return await verifyLakeOnly(deps, { snapshot, record, options })
  await load(deps)

  await using db = await openScratchDb(deps)
  const planned = await planScope(deps, { db, memory: deps.memory }, options)
  const processed = processedZone(deps, generationOf(deps.project))
  const scope = knownScope(planned, deps.project, await readExistingCommit(processed, record.batch))
  // Download first, so that the warehouse's transaction is not open meanwhile.
  await fetchStates(deps, record, scope)
  await using warehouse = await openWarehouse(deps.warehouse)
  if (scope.histories.length > 0) await beginVerifying(warehouse, record)
  await using turns = createTurns()
  const check = { db, warehouse: { ...warehouse, inTurn: turns.inTurn }, record, held, scope }
  const { verified, faults } = await verifyPlaces(deps, { ...check, snapshot })
  const isEqual = !verified.some(isDifferent)
  return {
    batch: record.batch,
    snapshotAt: snapshot.identity.takenAt,
    tables: verified,
    faults,
    isEqual: isEqual && faults.length === 0,
  }
}

/** The scope without the models that have no table in the warehouse yet. */
function knownScope(scope: Scope, project: Project, transformed: CommitRecord): Scope {
  const known = new Set<Model>(knownProject(project, transformed).models)
  return {
    ...scope,
    models: scope.models.filter((model) => known.has(model)),
    histories: scope.histories.filter((model) => known.has(model)),
  }
}

/** The project with the tables of a mirror: those that are captured now, without excluded columns. */
async function comparedProject(
  deps: Deps,
  { snapshot, record }: { snapshot: PostgresSource; record: CommitRecord },
): Promise<Project> {
  const { mirror } = deps.project
  if (mirror === undefined) return deps.project
  const captured = await capturedProject(deps.project, ingestionZone(deps), record)
  const { project } = await discoverTables(deps, snapshot, { settings: mirror, last: record })
  const processed = processedZone(deps, generationOf(deps.project))
  const transformed = await readCommit(processed, record.batch)
  const continued = await continuedProject(captured, processed, transformed)
  return { ...continued, source: project.source }
}

/** Compares the source with the lake, and checks both logs. */
async function verifyLakeOnly(
  deps: Deps,
  {
    snapshot,
    record,
    options,
  }: {
    readonly snapshot: PostgresSource
    readonly record: CommitRecord
    readonly options: VerifyOptions
  },
): Promise<VerifyReport> {
  await using db = await openScratchDb(deps)
  const scope = await planScope(deps, { db, memory: deps.memory }, options)
  await fetchStates(deps, record, scope)
  await using lake = await verifyLake(deps, { db, snapshot, record, scope })
  const { faults } = await verifyLog(deps, undefined, record.batch)
  const tables = lake.verified
  return {
    batch: record.batch,
    snapshotAt: snapshot.identity.takenAt,
    tables,
    faults,
    isEqual: !tables.some(isDifferent) && faults.length === 0,
  }
}

/** Downloads the state of every source table and feed, and checks each file. */
async function fetchStates(
  deps: Deps,
  { tables }: CommitRecord,
  { sources }: Scope,
): Promise<void> {
  const feeds = (deps.project.source.feeds ?? []).map(({ name }) => name)
  for (const name of [...sources, ...feeds]) {
    await openFiles(ingestionZone(deps), tables[name]?.state ?? [])
  }
}

/**
 * Compares the source with the lake and the models with the warehouse, and at the same time the
 * processed zone with the warehouse. So both servers and DuckDB have work. Each of the two has a
 * session of DuckDB, with DuckDB's own two threads; one thread for each took the same time.
 */
async function verifyPlaces(
  deps: Deps,
  check: WarehouseCheck & { readonly snapshot: PostgresSource },
): Promise<Pick<VerifiedHistories, 'verified' | 'faults'>> {
  await using session = await check.db.session()
  const histories = verifyHistories(deps, { ...check, db: session })
  const source = verifySource(deps, { ...check, histories })
  // Wait for both, because neither may go on in a closed session.
  await Promise.allSettled([source, histories])
  const { verified, faults } = await histories
  return { verified: [...(await source), ...verified], faults }
}

async function verifySource(
  deps: Deps,
  check: Omit<ModelsCheck, 'refused'> & { readonly snapshot: PostgresSource },
): Promise<readonly VerifiedTable[]> {
  await using lake = await verifyLake(deps, check)
  const models = await verifyModels(deps, { ...check, refused: lake.refused })
  return [...lake.verified, ...models]
}
