import { checkEnds, checkWarehouse, readHeads } from '../continuity.ts'
import { type Deps, hasWarehouse, inForce, ingestionZone, lookUpEdition } from '../deps.ts'
import { ConfigError, ConflictError, ContractError } from '../errors.ts'
import { retry } from '../io/retry.ts'
import { checkEnd, readLastCommit } from '../lake/batch-log.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import { reload } from '../load/reload.ts'
import { checkProject } from '../project/check-project.ts'
import { withEdition } from '../project/generation.ts'
import { transform } from '../transform/transform.ts'
import { beginEdition } from './begin-edition.ts'
import { checkLogs } from './check-logs.ts'
import { hashLake } from './hash-lake.ts'
import { hashWarehouse } from './hash-warehouse.ts'
import type { HashedContent } from './table-hash.ts'

/** What to make again. */
export interface RebuildOptions {
  /**
   * `processed`: the warehouse from the processed zone. `ingestion`: the processed zone from the
   * ingestion zone first, as another edition.
   */
  readonly from: 'processed' | 'ingestion'
  /** The last batch that the warehouse gets, as a person wrote it. Default: the newest one. */
  readonly to?: string | undefined
}

/** What was made again. */
export interface RebuildReport extends HashedContent {
  /** The newest batch of the lake. */
  readonly newest: number
}

/**
 * Makes the warehouse again from the lake, with the same content and the same record ids (I8), and
 * hashes each table of it. Batches that the models have not made yet are made first, so a changed model
 * goes the same way. From the ingestion zone, the processed zone is made again too, always to the end
 * of the log. Without a warehouse, that is all. Does not read the source. Nobody waits: readers find
 * the old rows until the new ones are complete (I5). May be repeated, also after a kill, and beside
 * runs: the next run goes on from the batch at which the warehouse ends.
 *
 * Throws before anything is written: `ConfigError` (`USAGE`) for a batch that does not exist, or if
 * there is nothing to make again, and `ContractError` (`LAKE_BROKEN`) if the chain of the log that it
 * is made from is broken.
 */
export async function rebuild(
  deps: Deps,
  { from, to: asked }: RebuildOptions,
): Promise<RebuildReport> {
  if (deps.project.mirror === undefined) checkProject(deps.project)
  const captured = await readEnd(deps, from)
  const to = parseBatch(asked, captured)
  if (!hasWarehouse(deps)) checkLakeOnly({ from, to })
  await checkWarehouse(deps, captured)
  const found = await inForce(deps)
  const processedFaults = await checkLogs(found, { from, captured })
  const begun =
    from === 'ingestion' ? await beginEdition(found, { captured, faults: processedFaults }) : found
  await transform(withProgress(begun, captured))
  const content = hasWarehouse(begun)
    ? await hashWarehouse(await reloadCaughtUp(begun, { captured, to }))
    : await hashLake(begun)
  return { ...content, newest: Math.max(captured.batch, content.batch) }
}

/**
 * The newest batch of the ingestion zone. Throws what `readHeads` and `checkEnds` throw, except for what
 * another edition of the processed zone repairs.
 */
async function readEnd(deps: Deps, from: RebuildOptions['from']): Promise<CommitRecord> {
  const zone = ingestionZone(deps)
  const last = await readLastCommit(zone)
  await checkEnd(zone, last)
  try {
    await checkEnds(deps, await readHeads(deps))
  } catch (error) {
    const isDamage = error instanceof ContractError && REPAIRED.has(error.code)
    if (!isDamage) throw error
    if (from === 'processed') throw repairable(error)
  }
  if (last !== undefined) return last
  throw usage('Nothing was captured yet, so there is nothing to rebuild', 'tidemark run')
}

/** The error for a processed zone that is damaged, with both ways out. */
function repairable({ code, message, cause }: ContractError): ContractError {
  return new ContractError(message, {
    code,
    hint: 'nothing was changed; restore the object from a backup of the zone, or make the processed zone again: tidemark rebuild --from ingestion',
    cause,
  })
}

/** What is wrong with a processed zone that can be made again from the ingestion zone beside it. */
const REPAIRED: ReadonlySet<string> = new Set(['LAKE_DAMAGED', 'LAKE_OBJECT_MISSING', 'LAKE_GAP'])

/** Throws unless a batch was asked for that exists; undefined if none was. */
function parseBatch(
  asked: string | undefined,
  { batch: newest }: CommitRecord,
): number | undefined {
  if (asked === undefined) return undefined
  const batch = /^\d{1,12}$/.test(asked) ? Number(asked) : 0
  if (batch >= 1 && batch <= newest) return batch
  throw usage(
    `--to needs a batch from 1 to ${newest}, the newest one; ${asked} is not one`,
    `tidemark rebuild --to ${newest}`,
  )
}

function checkLakeOnly({ from, to }: { from: string; to: number | undefined }): void {
  if (from === 'processed') {
    throw usage(
      'There is only a lake, and no warehouse to rebuild',
      'tidemark rebuild --from ingestion   makes the processed zone again; or set TIDEMARK_WAREHOUSE_URL',
    )
  }
  if (to === undefined) return
  throw usage(
    'There is only a lake, and --to says where a warehouse ends',
    'tidemark rebuild --from ingestion',
  )
}

function usage(message: string, hint: string): ConfigError {
  return new ConfigError(message, { code: 'USAGE', hint })
}

/** How many times other runs may come in between. */
const ATTEMPTS = 5

/** The moments at which a rebuild must look again at what other processes have done. */
const OVERTAKEN: ReadonlySet<string> = new Set([
  'EDITION_NEWER',
  'BATCH_TAKEN',
  'REBUILD_OVERTAKEN',
])

/**
 * Reloads the warehouse from a processed zone that holds all batches, those that other runs add
 * meanwhile included. Returns the deps with the edition that was loaded.
 */
async function reloadCaughtUp(
  deps: Deps,
  { captured, to }: { captured: CommitRecord; to: number | undefined },
): Promise<Deps> {
  let own = deps
  const isPassing = (error: unknown): error is ConflictError =>
    error instanceof ConflictError && OVERTAKEN.has(error.code)
  const attempt = async (): Promise<Deps> => {
    const { outcome } = await reload(own, { to })
    if (outcome !== 'skipped') return own
    throw new ConflictError('Other runs have added batches faster than they could be loaded', {
      code: 'REBUILD_OVERTAKEN',
      hint: 'nothing is lost; run tidemark rebuild again',
    })
  }
  return await retry(attempt, {
    attempts: ATTEMPTS,
    isPassing,
    onRetry: async (error, count) => {
      if (isPassing(error)) deps.log({ event: 'rebuild_again', attempt: count, code: error.code })
      own = { ...deps, project: withEdition(deps.project, await lookUpEdition(deps)) }
      await transform(withProgress(own, captured))
    },
  })
}

/** The same deps, with a log that says how far the processed zone is. */
function withProgress(deps: Deps, { batch: of }: CommitRecord): Deps {
  return {
    ...deps,
    log(entry) {
      deps.log(entry)
      if (entry.event !== 'batch_transformed') return
      const { batch } = entry
      deps.log({ event: 'rebuild_progress', zone: 'processed', batch, of: Math.max(of, batch) })
    },
  }
}
