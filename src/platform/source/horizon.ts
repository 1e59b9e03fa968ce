import type { SnapshotIdentity } from './identity.ts'

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
    findOtherHistory(now, before) === undefined &&
    before.xmin === before.xmax &&
    now.xmax === before.xmax &&
    now.xmin === now.xmax
  )
}

/**
 * Why two snapshots may belong to two histories of the source, so that transaction ids prove
 * nothing between them; `undefined` if nothing says so. A copy that was put back can have overtaken
 * every counter by now, but it had to be started: each start since is a sign, and so is a crash
 * that the server survived, since it may have lost transactions that were seen. Evidence that one
 * of the two lacks says nothing.
 */
export function findOtherHistory(
  now: SnapshotIdentity,
  before: SnapshotIdentity,
): string | undefined {
  const differs = (name: 'systemId' | 'timeline' | 'startedAt' | 'statisticsSince') =>
    Boolean(now[name]) && Boolean(before[name]) && now[name] !== before[name]
  const wentBack = (name: 'wal' | 'checkpoint') =>
    now.standby === before.standby && isEarlier(now[name], before[name])
  const signs: readonly (readonly [boolean, string])[] = [
    [differs('systemId'), 'the source is another cluster or database'],
    [differs('timeline'), 'the source is on another timeline: it was restored or failed over'],
    [now.standby !== before.standby, describeRole(now)],
    [BigInt(now.xmax) < BigInt(before.xmax), "the source's transaction counter went back"],
    [wentBack('wal'), "the source's position in the write-ahead log went back"],
    [wentBack('checkpoint'), "the source's last checkpoint went back"],
    [differs('startedAt'), 'the source was started again since'],
    [differs('statisticsSince'), 'the source has crashed since, or its statistics were reset'],
  ]
  return signs.find(([isSign]) => isSign)?.[1]
}

function describeRole({ standby }: SnapshotIdentity): string {
  return standby ? 'the source was a primary and is a standby now' : 'a standby became the source'
}

/**
 * Whether a standby has not yet replayed what an earlier snapshot saw. True only for the same
 * cluster and no newer timeline: a promoted standby has a history of its own. What is not known to
 * be another counts as the same.
 */
export function isBehind(now: SnapshotIdentity, before: SnapshotIdentity): boolean {
  const isOther = now.systemId !== before.systemId && now.systemId !== '' && before.systemId !== ''
  const isNewer = now.timeline > before.timeline && before.timeline !== 0
  return now.standby && !isOther && !isNewer && isEarlier(now.wal, before.wal)
}

function isEarlier(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && other !== undefined && positionOf(one) < positionOf(other)
}

const PAGE_BYTES = 8192n

/** Sizes of the log's page headers, in bytes: the first page of a file has the longer one. */
const HEADERS: ReadonlySet<bigint> = new Set([24n, 40n])

/**
 * A position in the log as a number. If a record ends at the end of a page, a primary reports the
 * position after the next page's header, and a standby the page's end. Both are the page's end
 * here.
 */
function positionOf(lsn: string): bigint {
  const [high = '0', low = '0'] = lsn.split('/')
  const position = (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`)
  const offset = position % PAGE_BYTES
  return HEADERS.has(offset) ? position - offset : position
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
  const other = findOtherHistory(now, before)
  if (other !== undefined) return { how: 'whole', why: other }
  if (previous.fingerprint !== shape.fingerprint) {
    return { how: 'whole', why: 'the table has another shape or identity' }
  }
  if (!shape.hasXmin) return { how: 'whole', why: 'transaction ids do not show every change in it' }
  const age = BigInt(now.xmax) - BigInt(before.xmin)
  if (age > BigInt(MAX_AGE)) {
    return { how: 'whole', why: 'the last batch is more than two billion transactions ago' }
  }
  return { how: 'since', age: Number(age) }
}
