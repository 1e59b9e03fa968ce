import { checkLoadedFrom, checkNotMixed } from '../continuity.ts'
import { type Deps, inForce, ingestionZone, processedZone } from '../deps.ts'
import { readExistingCommit, readLastCommit } from '../lake/batch-log.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import { publishedProject } from '../lake/mirrored-project.ts'
import type { Zone } from '../lake/zone.ts'
import { generationOf } from '../project/generation.ts'
import type { Project } from '../project/project.ts'
import { openWarehouse } from '../warehouse/warehouse.ts'
import { loadInto, migrateReported, readOwnHead } from './load.ts'
import { type ReplaceOutcome, replaceContent } from './replace-content.ts'

/** What `reload` did. */
export interface Reloaded {
  readonly outcome: 'loaded' | ReplaceOutcome
  /** The last batch that it loaded. */
  readonly lastBatch: number
}

/**
 * Loads the warehouse again from batch 1, up to batch `to` or the newest one, whatever it holds now.
 * An empty warehouse is loaded as by a first run. Readers of any other see its rows until the new
 * ones are complete (I5). Skips if the warehouse holds more batches than the processed zone, and no
 * `to` asks for fewer: transform, and call it again. May be repeated.
 *
 * Throws `ContractError` if the warehouse was not loaded from this lake (I14), and `ConflictError`
 * (`EDITION_NEWER`) if another process has loaded a newer edition; nothing was changed then.
 */
export async function reload(
  given: Deps,
  { to }: { to?: number | undefined } = {},
): Promise<Reloaded> {
  const deps = await inForce(given)
  const zone = processedZone(deps, generationOf(deps.project))
  const last = await readLastCommit(zone)
  const lastBatch = to ?? last?.batch ?? 0
  const record = lastBatch === last?.batch ? last : await readExistingCommit(zone, lastBatch)
  checkNotMixed(deps, record)
  await using warehouse = await openWarehouse(deps.warehouse)
  const project = await publishedProject(deps.project, zone, record)
  await migrateReported(deps, warehouse, project)
  const head = await readOwnHead(deps, warehouse)
  if (head === undefined) {
    const loaded = await loadInto(reporting(deps, lastBatch), warehouse, { to: lastBatch })
    return { outcome: 'loaded', lastBatch: loaded.lastBatch }
  }
  await checkLoadedFrom(deps, await readLastCommit(ingestionZone(deps)), head)
  if (to === undefined && head.batch > lastBatch) return { outcome: 'skipped', lastBatch }
  const outcome = await replaceContent(deps, warehouse, {
    zone,
    generation: generationOf(deps.project),
    lastBatch,
    head,
    later: await laterTables(deps, zone, { project, last }),
    onBatch: (batch, of) => deps.log({ event: 'rebuild_progress', zone: 'warehouse', batch, of }),
  })
  // Another run may have loaded a newer edition meanwhile.
  if (outcome === 'skipped') await readOwnHead(deps, warehouse)
  return { outcome, lastBatch }
}

/** The tables of a mirror that the newest batch has and the project, as of an earlier one, lacks. */
async function laterTables(
  deps: Deps,
  zone: Zone,
  { project, last }: { project: Project; last: CommitRecord | undefined },
): Promise<ReadonlySet<string>> {
  const newest = await publishedProject(deps.project, zone, last)
  const names = new Set(newest.models.map(({ table }) => table))
  for (const { table } of project.models) names.delete(table)
  return names
}

/** The same deps, with a log that says how far a load is. */
function reporting(deps: Deps, of: number): Deps {
  return {
    ...deps,
    log(entry) {
      deps.log(entry)
      if (entry.event !== 'batch_loaded') return
      deps.log({ event: 'rebuild_progress', zone: 'warehouse', batch: entry.batch, of })
    },
  }
}
