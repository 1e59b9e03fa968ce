import { type Deps, ingestionZone, processedZone } from './deps.ts'
import type { CommitRecord } from './lake/commit-record.ts'
import { readCommit, readExistingCommit, readLastCommit } from './lake/zone.ts'
import { generationOf } from './models/generation.ts'

/** What the lake knows of one batch. */
export interface Batch {
  readonly captured: CommitRecord
  /** Of that generation; undefined until it is transformed. */
  readonly transformed: CommitRecord | undefined
  readonly generation: string
}

/**
 * A batch by its number; undefined when there is none. Reads the lake only. The generation is the
 * one the models make now unless another is asked for.
 */
export async function readBatch(
  deps: Deps,
  number: number,
  { generation = generationOf(deps.project) }: { readonly generation?: string } = {},
): Promise<Batch | undefined> {
  const captured = await readCommit(ingestionZone(deps), number)
  if (captured === undefined) return undefined
  const transformed = await readCommit(processedZone(deps, generation), number)
  return { captured, transformed, generation }
}

/** The newest batches of the ingestion zone, newest first, at most `count`. Reads the lake only. */
export async function readRecentBatches(deps: Deps, count: number): Promise<CommitRecord[]> {
  const zone = ingestionZone(deps)
  const last = await readLastCommit(zone)
  if (last === undefined) return []
  const numbers = Array.from(
    { length: Math.min(count, last.batch) - 1 },
    (_, i) => last.batch - 1 - i,
  )
  return [last, ...(await Promise.all(numbers.map((number) => readExistingCommit(zone, number))))]
}
