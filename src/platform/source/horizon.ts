import type { SnapshotIdentity } from './snapshot.ts'

/**
 * How a table is read. `first`: every row, nothing to compare with. `since`: the rows whose xmin
 * is at most `age` transactions old. `whole`: every row, compared with the last captured state.
 */
export type ReadPlan =
  | { readonly how: 'first' }
  | { readonly how: 'since'; readonly age: number }
  | { readonly how: 'whole'; readonly why: string }

/** Transaction ids are compared on a circle of 2³²; half of it is as far as one can look back. */
const MAX_AGE = 2 ** 31 - 1_000_000

/**
 * Whether nothing at all can have changed since the previous snapshot: nothing was in flight
 * then (`xmin = xmax`; the in-flight list itself is empty on a standby) and no transaction id was
 * given out since. Every insert, update, delete, truncate and DDL takes one.
 */
export function isQuiet(now: SnapshotIdentity, before: SnapshotIdentity): boolean {
  return (
    isSameHistory(now, before) &&
    before.xmin === before.xmax &&
    now.xmax === before.xmax &&
    now.xmin === now.xmax
  )
}

/** Whether two snapshots are of one history: no restore, no failover, no counter that went back. */
export function isSameHistory(now: SnapshotIdentity, before: SnapshotIdentity): boolean {
  return (
    now.systemId === before.systemId &&
    now.timeline === before.timeline &&
    BigInt(now.xmax) >= BigInt(before.xmax)
  )
}

/**
 * Plans how to read one table. The horizon is the previous snapshot's xmin: the oldest
 * transaction that was still open then, prepared ones included, so whatever committed since has an
 * xmin at or after it. A sub-transaction has an id of its own, later than its parent's, so rows
 * written under a savepoint are covered too. Rows seen already drop out in the comparison.
 */
export function planRead(
  now: SnapshotIdentity,
  shape: { readonly fingerprint: string; readonly hasXmin: boolean },
  previous:
    | { readonly snapshot: SnapshotIdentity; readonly fingerprint: string | undefined }
    | undefined,
): ReadPlan {
  if (previous?.fingerprint === undefined) return { how: 'first' }
  const before = previous.snapshot
  if (!isSameHistory(now, before)) {
    return { how: 'whole', why: 'the source was restored or failed over' }
  }
  if (previous.fingerprint !== shape.fingerprint) {
    return { how: 'whole', why: 'the table has another shape or identity' }
  }
  if (!shape.hasXmin) return { how: 'whole', why: 'the relation has no transaction ids' }
  const age = BigInt(now.xmax) - BigInt(before.xmin)
  if (age > BigInt(MAX_AGE)) {
    return { how: 'whole', why: 'the last batch is more than two billion transactions ago' }
  }
  return { how: 'since', age: Number(age) }
}
