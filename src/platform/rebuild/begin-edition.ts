import { type Deps, processedZone } from '../deps.ts'
import { ContractError } from '../errors.ts'
import type { LogFault } from '../inspect/verify-log.ts'
import { checkEnd, readLastCommit } from '../lake/batch-log.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import { prepareEdition, readBeginning } from '../lake/edition.ts'
import { generationOf, parseGeneration, withEdition } from '../project/generation.ts'

/**
 * Begins another edition of the processed zone, and returns the deps with it. From then on it is the
 * one in force: runs transform into it, and the warehouse switches to it once it has caught up.
 *
 * Goes on with the edition of `deps` if that is empty, or if a rebuild began it and did not make it as
 * far as it meant to, unless its log has `faults`. So a rebuild that was killed goes on, and two at
 * once make one edition. Nothing of the editions before changes.
 */
export async function beginEdition(
  deps: Deps,
  { captured, faults }: { captured: CommitRecord; faults: readonly LogFault[] },
): Promise<Deps> {
  const { processed: store } = deps
  const beginning = { upTo: captured.batch }
  if (await isToBeContinued(deps, faults)) {
    await prepareEdition({ store, project: deps.project }, beginning)
    return deps
  }
  const { edition } = parseGeneration(generationOf(deps.project))
  const project = withEdition(deps.project, edition + 1)
  await prepareEdition({ store, project }, beginning)
  deps.log({ event: 'edition_begun', generation: generationOf(project), batches: captured.batch })
  return { ...deps, project }
}

/** Whether the edition of `deps` was begun by a rebuild that did not end, or not begun at all. */
async function isToBeContinued(deps: Deps, faults: readonly LogFault[]): Promise<boolean> {
  const { processed: store, project } = deps
  const zone = processedZone(deps, generationOf(project))
  try {
    const last = await readLastCommit(zone)
    await checkEnd(zone, last)
    if (last === undefined) return true
    if (faults.some(({ batch }) => batch <= last.batch)) return false
    return last.batch < ((await readBeginning({ store, project }))?.upTo ?? 0)
  } catch (error) {
    if (error instanceof ContractError) return false
    throw error
  }
}
