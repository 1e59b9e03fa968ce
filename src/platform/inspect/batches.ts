import { type Deps, inForce, ingestionZone, processedZone } from '../deps.ts'
import { readCommit, readLastCommit } from '../lake/batch-log.ts'
import type { CommitRecord } from '../lake/commit-record.ts'
import { generationOf } from '../project/generation.ts'

/** A batch in the lake. */
export interface Batch {
  readonly captured: CommitRecord
  /** Its record in `generation`; undefined until it is transformed. */
  readonly transformed: CommitRecord | undefined
  readonly generation: string
}

/**
 * A batch by its number; undefined if it does not exist. Reads only the lake. `generation` defaults
 * to the generation of the present models. Throws what `readCommit` throws.
 */
export async function readBatch(
  deps: Deps,
  number: number,
  options: { readonly generation?: string } = {},
): Promise<Batch | undefined> {
  const captured = await readCommit(ingestionZone(deps), number)
  if (captured === undefined) return undefined
  const generation = options.generation ?? generationOf((await inForce(deps)).project)
  const transformed = await readCommit(processedZone(deps, generation), number)
  return { captured, transformed, generation }
}

/** The newest batches, newest first, at most `count`. Reads only the lake. */
export async function readRecentBatches(given: Deps, count: number): Promise<Batch[]> {
  const deps = await inForce(given)
  const last = await readLastCommit(ingestionZone(deps))
  const newest = last?.batch ?? 0
  const numbers = Array.from({ length: Math.min(count, newest) }, (_, index) => newest - index)
  const batches = await Promise.all(numbers.map((number) => readBatch(deps, number)))
  return batches.flatMap((batch) => batch ?? [])
}
