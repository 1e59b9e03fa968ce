import { type Deps, processedZone } from '../deps.ts'
import { ContractError } from '../errors.ts'
import { type LogFault, verifyLog } from '../inspect/verify-log.ts'
import { readLastCommit } from '../lake/batch-log.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import { generationOf } from '../project/generation.ts'

/**
 * Reads every commit record, and throws `ContractError` (`LAKE_BROKEN`) if the chain of the ingestion
 * zone is broken, or that of a processed zone from which a warehouse is to be made (I14). Returns the
 * faults of a processed zone that is to be made again. Read-only. `deps` have an edition.
 */
export async function checkLogs(
  deps: Deps,
  { from, captured }: { from: 'processed' | 'ingestion'; captured: CommitRecord },
): Promise<readonly LogFault[]> {
  const { faults } = await verifyLog(deps, undefined, captured.batch)
  const broken = faults.find(({ place }) => place === 'ingestion')
  if (broken !== undefined) {
    throw brokenLog(broken, 'nothing was changed; restore the ingestion zone from a backup')
  }
  const processed = faults.filter(({ place }) => place === 'processed')
  if (from === 'ingestion') return processed
  // Batches behind the last one are still to be made.
  const last = await readLastCommit(processedZone(deps, generationOf(deps.project)))
  const wrong = processed.find(({ batch }) => batch <= (last?.batch ?? 0))
  if (wrong === undefined) return []
  throw brokenLog(
    wrong,
    'nothing was changed; make the processed zone again: tidemark rebuild --from ingestion',
  )
}

function brokenLog({ place, batch, detail }: LogFault, hint: string): ContractError {
  return new ContractError(`The log of the ${place} zone is broken at batch ${batch}: ${detail}`, {
    code: 'LAKE_BROKEN',
    hint,
  })
}
