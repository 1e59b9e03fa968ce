import { type Deps, ingestionZone } from '../deps.ts'
import { TidemarkError } from '../errors.ts'
import { readCommit } from '../lake/batch-log.ts'
import type { CommitRecord, FileRef, SnapshotInfo } from '../lake/commit-record.ts'
import type { FactVersion } from '../presentation/history.ts'
import type { Fact } from '../project/model.ts'
import { type Batch, readBatch } from './batches.ts'

/** The origin of a fact's version, according to the lake's commit records. */
export interface Origin {
  /** The batch that brought the version into the warehouse. */
  readonly batch: number
  readonly generation: string
  /** Where it was captured. The batch is an earlier one if the fact was held in between. */
  readonly captured: CapturedIn
  /**
   * The fact's files in the batch. One of them holds the version. Undefined if their record is
   * gone.
   */
  readonly factFiles: readonly FileRef[] | undefined
}

/** The batch and the files that recorded a change to a source table. */
export interface CapturedIn {
  readonly batch: number
  readonly snapshot: SnapshotInfo
  /**
   * The oldest transaction from which the table's changes in the batch can be; the newest is before
   * `snapshot.xmax`. Undefined if the whole table was compared.
   */
  readonly since: string | undefined
  /** The source table's change files in the batch. One of them holds the change. */
  readonly files: readonly FileRef[]
}

/**
 * Why the lake cannot name the origin. `gone`: the batch has no commit record. Otherwise an error's
 * code.
 */
export interface NoOrigin {
  readonly batch: number
  readonly missing: 'gone' | (string & {})
}

/**
 * The origin of each of these versions, in their order. Reads only commit records, each of them
 * once. If a record cannot be read, only its own versions have no origin.
 */
export async function readOrigins(
  deps: Deps,
  fact: Fact,
  { versions, generation }: { versions: readonly FactVersion[]; generation: string },
): Promise<readonly (Origin | NoOrigin)[]> {
  const batches = new Map<number, Promise<Batch | undefined>>()
  const records = new Map<number, Promise<CommitRecord | undefined>>()
  const zone = ingestionZone(deps)
  const captured = (number: number): Promise<CommitRecord | undefined> =>
    once(records, number, () => readCommit(zone, number))
  const batchOf = (number: number): Promise<Batch | undefined> =>
    once(batches, number, () => readBatch(deps, number, { generation }))

  return await Promise.all(
    versions.map(async ({ batch: number, validFrom }): Promise<Origin | NoOrigin> => {
      try {
        const batch = await batchOf(number)
        if (batch === undefined) return { batch: number, missing: 'gone' }
        const entry = batch.transformed?.tables[fact.table]
        const record =
          entry?.changesSince === undefined
            ? batch.captured
            : await findCaptured(captured, {
                from: entry.changesSince,
                to: batch.captured,
                validFrom,
              })
        if (record === undefined) return { batch: number, missing: 'gone' }
        const before = record.previous === 0 ? undefined : await captured(record.previous)
        return {
          batch: number,
          generation,
          captured: capturedIn(record, { before, fact }),
          factFiles: entry?.changes,
        }
      } catch (error) {
        if (error instanceof TidemarkError) return { batch: number, missing: error.code }
        throw error
      }
    }),
  )
}

async function once<Value>(
  known: Map<number, Promise<Value>>,
  number: number,
  read: () => Promise<Value>,
): Promise<Value> {
  const found = known.get(number) ?? read()
  known.set(number, found)
  return await found
}

/**
 * The first batch of a span whose snapshot is not older than `validFrom`. Found by bisection,
 * because snapshot times never run backwards.
 */
async function findCaptured(
  captured: (number: number) => Promise<CommitRecord | undefined>,
  { from, to, validFrom }: { from: number; to: CommitRecord; validFrom: string },
): Promise<CommitRecord | undefined> {
  let found: CommitRecord | undefined = to
  let [low, high] = [from, to.batch]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const record = await captured(middle)
    if (record === undefined) return undefined
    if (record.snapshot.takenAt < validFrom) low = middle + 1
    else [high, found] = [middle, record]
  }
  return found
}

function capturedIn(
  record: CommitRecord,
  { before, fact }: { before: CommitRecord | undefined; fact: Fact },
): CapturedIn {
  const entry = record.tables[fact.from]
  const entryBefore = before?.tables[fact.from]
  const isWhole = entry?.unversioned === true || entryBefore === undefined
  return {
    batch: record.batch,
    snapshot: record.snapshot,
    since: isWhole ? undefined : (entryBefore.capturedTo ?? before?.snapshot)?.xmin,
    files: [fact.from, ...(fact.follows ?? [])].flatMap(
      (table) => record.tables[table]?.changes ?? [],
    ),
  }
}
