import { retryConflicts } from './continuity.ts'
import { type Deps, hasWarehouse, inForce, processedZone } from './deps.ts'
import { TidemarkError } from './errors.ts'
import { isDifferent, type VerifiedTable } from './inspect/verified-table.ts'
import { verifyLog } from './inspect/verify-log.ts'
import type { VerifyOptions } from './inspect/verify-scope.ts'
import { verify, type VerifyReport } from './inspect/verify.ts'
import { NO_TIME_LIMITS } from './io/session.ts'
import { readExistingCommit, readLastCommit } from './lake/batch-log.ts'
import { knownProject, publishedProject } from './lake/mirrored-project.ts'
import type { Correction } from './load/correction.ts'
import { findLastLoaded, repairWarehouse } from './load/repair-warehouse.ts'
import { extractUncontested } from './pipeline.ts'
import { generationOf } from './project/generation.ts'
import { rebuild } from './rebuild/rebuild.ts'
import { inSnapshot, openWarehouse } from './warehouse/warehouse.ts'

/** What a repair found and did. */
export interface RepairReport {
  /** What the first verification found that could be made. */
  readonly found: VerifyReport
  /** The tables of the warehouse that were made equal to the lake, and how they differed. */
  readonly corrections: readonly Correction[]
  /** The source tables that differed from the lake and were captured again. */
  readonly recaptured: readonly string[]
  /** The batch with the new versions of these tables; missing if there are none. */
  readonly batch?: number
  /** The edition of the processed zone that was made, because the one before held wrong rows. */
  readonly edition?: string
  /** What still differs, and what to do about it. Empty if the last verification found nothing. */
  readonly left: readonly Leftover[]
}

/** Something that a repair cannot put right. */
export interface Leftover {
  /** One sentence for people. */
  readonly what: string
  /** The next command or step. */
  readonly next: string
}

/** Verifications in a repair: a repair may uncover what it hid, and the last one proves it. */
const ROUNDS = 5

/**
 * Verifies, and repairs what differs, until a verification finds nothing or nothing more can be
 * repaired. A table that differs between source and lake is captured again: the lake gets new versions
 * in a new batch. What differs between lake and warehouse is corrected in the warehouse, see
 * `repairWarehouse`. If the warehouse equals the processed zone and the models make other rows, the
 * processed zone is made again, see `rebuild`. Repairs nothing in the warehouse while a record of the lake is damaged or missing.
 *
 * If a load cannot go on because the warehouse was changed, that is repaired first, in all tables. It
 * must then be certain that the warehouse was loaded from this lake. May be repeated, and run beside
 * other runs. Throws what `verify` throws if that cannot be repaired.
 */
export async function repair(deps: Deps, options: VerifyOptions = {}): Promise<RepairReport> {
  const done: Done = {
    reports: [],
    corrections: [],
    kept: [],
    recaptured: new Set(),
    batch: undefined,
    edition: undefined,
  }
  for (let round = 1; round <= ROUNDS; round++) {
    const isLast = round === ROUNDS
    const goesOn = await retryConflicts(deps, 'verify_again', () =>
      repairOnce(deps, { options, done, isLast }),
    )
    if (!goesOn) break
  }
  const [found, last] = [done.reports.at(0), done.reports.at(-1)]
  if (found === undefined || last === undefined) throw new TypeError('nothing was verified')
  const { corrections, batch, edition } = done
  return {
    found,
    corrections,
    recaptured: [...done.recaptured],
    ...(batch !== undefined && { batch }),
    ...(edition !== undefined && { edition }),
    left: listLeft(last, done.kept),
  }
}

/** What a repair has found and done so far. */
interface Done {
  readonly reports: VerifyReport[]
  readonly corrections: Correction[]
  /** The tables in which the last correction had to keep extra rows. */
  kept: readonly string[]
  readonly recaptured: Set<string>
  batch: number | undefined
  edition: string | undefined
}

/** One verification and the repair of what it finds. Returns whether anything was repaired. */
async function repairOnce(
  given: Deps,
  { options, done, isLast }: { options: VerifyOptions; done: Done; isLast: boolean },
): Promise<boolean> {
  const deps = await inForce(given)
  let report: VerifyReport
  try {
    report = await verify(deps, options)
  } catch (error) {
    if (isLast || !isBlocked(error) || !hasWarehouse(deps)) throw error
    const corrections = await unblock(deps)
    if (corrections.length === 0) throw error
    done.corrections.push(...corrections)
    return true
  }
  done.reports.push(report)
  if (report.isEqual || isLast) return false
  const corrected = hasWarehouse(deps) ? await correct(deps, report) : []
  const corrections = corrected.filter(hasChanged)
  done.corrections.push(...corrections)
  done.kept = corrected.filter(({ left }) => left > 0).map(({ table }) => table)
  const isNew = ({ table, where }: VerifiedTable) => where === 'lake' && !done.recaptured.has(table)
  const recapture = new Set(
    report.tables.filter((each) => isDifferent(each) && isNew(each)).map(({ table }) => table),
  )
  if (recapture.size > 0) {
    const { committed, record } = await extractUncontested(deps, { recapture })
    for (const table of recapture) done.recaptured.add(table)
    if (committed) done.batch = record?.batch
  }
  if (corrections.length > 0 || recapture.size > 0) return true
  if (done.edition !== undefined || !isProcessedWrong(report)) return false
  await rebuild(deps, { from: 'ingestion' })
  done.edition = generationOf((await inForce(given)).project)
  return true
}

/** Whether all that differs is that the models make other rows than the processed zone holds. */
function isProcessedWrong({ tables, faults }: VerifyReport): boolean {
  const differing = tables.filter(isDifferent)
  return (
    faults.every(({ place }) => place === 'processed') &&
    differing.every(({ where }) => where === 'warehouse')
  )
}

/** Whether a correction changed anything. */
function hasChanged({ difference: { missing, extra, different }, left }: Correction): boolean {
  return missing + extra + different > left
}

/** Whether a run stopped because the warehouse is not as the last load left it. */
function isBlocked(error: unknown): boolean {
  // Postgres refuses a version whose dimension row is gone, or whose record id is taken.
  const codes = ['WAREHOUSE_CHANGED', 'LAKE_MIXED', 'BATCH_GAP', 'WAREHOUSE_ERROR']
  return error instanceof TidemarkError && codes.includes(error.code)
}

/** Corrects in the warehouse what a verification found. */
async function correct(deps: Deps, { batch, tables, faults }: VerifyReport): Promise<Correction[]> {
  if (faults.some(({ place }) => place !== 'ledger')) return []
  const differing = tables.filter((each) => isDifferent(each) && each.where !== 'lake')
  const published = differing.filter(({ where }) => where === 'history')
  const entries = faults.filter((fault) => fault.batch <= batch)
  if (differing.length === 0 && entries.length === 0) return []
  const log = await verifyLog(deps, undefined, batch)
  const zone = processedZone(deps, generationOf(deps.project))
  return await repairWarehouse(deps, {
    record: await readExistingCommit(zone, batch),
    head: batch,
    files: log.files,
    published: new Set(published.map(({ table }) => table)),
    kept: new Set(differing.map(({ table }) => table)),
    entries: await Promise.all(entries.map((fault) => readExistingCommit(zone, fault.batch))),
  })
}

/**
 * Repairs a warehouse that stops every load: makes all of it what the lake says about the newest batch
 * that it holds. Does nothing unless a row of the ledger proves that it was loaded from this lake.
 */
async function unblock(deps: Deps): Promise<Correction[]> {
  const zone = processedZone(deps, generationOf(deps.project))
  const last = await readLastCommit(zone)
  if (last === undefined) return []
  const project = knownProject(await publishedProject(deps.project, zone, last), last)
  const seen = await (async () => {
    await using warehouse = await openWarehouse(deps.warehouse)
    const read = async () => {
      const loaded = await findLastLoaded(warehouse, { zone, project, last })
      if (loaded === undefined) return undefined
      return { ...loaded, ...(await verifyLog(deps, warehouse, loaded.batch)) }
    }
    return await inSnapshot(warehouse, read, NO_TIME_LIMITS)
  })()
  if (seen === undefined || seen.faults.some(({ place }) => place !== 'ledger')) return []
  const { batch, head, files, faults } = seen
  return await repairWarehouse(deps, {
    record: await readExistingCommit(zone, batch),
    head,
    files,
    published: new Set(project.models.map(({ table }) => table)),
    kept: new Set(),
    entries: await Promise.all(faults.map((fault) => readExistingCommit(zone, fault.batch))),
  })
}

/** What the last verification still found, with the next step for each. */
function listLeft({ tables, faults }: VerifyReport, kept: readonly string[]): Leftover[] {
  const left: Leftover[] = faults.map(({ place, batch, detail }) => ({
    what: `batch ${batch} in the ${place === 'ledger' ? 'ledger' : `${place} zone`}: ${detail}`,
    next: AFTER_FAULT[place],
  }))
  const differing = tables.filter(isDifferent)
  const lake = differing.filter(({ where }) => where === 'lake')
  for (const each of lake) left.push(describeLake(each))
  // Models read the lake, so they differ if it does.
  const others = differing.filter(({ where }) => where !== 'lake' && where !== 'warehouse')
  for (const { table } of others) {
    left.push(
      kept.includes(table)
        ? {
            what: `${table}: extra rows stay, because other rows refer to them`,
            next: `remove the rows that refer to them, then: tidemark verify ${table} --repair`,
          }
        : { what: `${table} differs from the lake`, next: 'tidemark rebuild' },
    )
  }
  if (lake.length > 0 || others.length > 0 || faults.length > 0) return left
  return differing.map(({ table }) => ({
    what: `${table} equals the processed zone, but the models make other rows from the source`,
    next: AFTER_FAULT.processed,
  }))
}

const AFTER_FAULT = {
  ingestion: 'restore the object from a backup of the zone',
  processed: 'tidemark rebuild --from ingestion',
  ledger: 'tidemark rebuild',
} as const

/** A table that was captured again and still differs. */
function describeLake({ table, difference }: VerifiedTable): Leftover {
  const { missing, extra, different } = difference
  // Only the brake keeps rows that the source no longer holds.
  return extra > 0 && missing + different === 0
    ? {
        what: `${table}: a mass deletion is held`,
        next: `tidemark run --confirm-deletes ${table}, if it is right`,
      }
    : { what: `${table} differs from the source`, next: `tidemark verify ${table} --repair` }
}
