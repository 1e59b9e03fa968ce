import type { SnapshotIdentity } from './identity.ts'

/**
 * How a table is read. `first`: every row, with nothing to compare. `since`: the rows whose xmin is
 * at most `age` transactions old. `whole`: every row, compared with the last captured state, for
 * the reason `why`.
 */
export type ReadPlan =
  | { readonly how: 'first' }
  | { readonly how: 'since'; readonly age: number }
  | { readonly how: 'whole'; readonly why: string }

/**
 * Transaction ids are compared on a circle of 2³², so a distance is certain only up to half of it.
 */
const MAX_AGE = 2 ** 31 - 1_000_000

/**
 * Whether nothing can have changed since the previous snapshot: nothing was in flight then (`xmin =
 * xmax`; on a standby the in-flight list itself is empty) and no transaction id was assigned since.
 * Every insert, update, delete, truncate and DDL statement takes an id. Pure.
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
 * nothing between them; undefined if there is no sign of that. A restored copy may have overtaken
 * every counter by now, but it had to be started, so each start since then is a sign. A crash that
 * the server survived is a sign too, because it may have lost transactions that were seen. Evidence
 * that one of the two snapshots lacks is not a sign. Pure.
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
    [differs('startedAt'), 'the source was restarted since the last batch'],
    [
      differs('statisticsSince'),
      'the source has crashed since the last batch, or its statistics were reset',
    ],
  ]
  return signs.find(([isSign]) => isSign)?.[1]
}

function describeRole({ standby }: SnapshotIdentity): string {
  return standby ? 'the source was a primary and is a standby now' : 'a standby became the source'
}

/**
 * Whether a standby has not yet replayed everything that an earlier snapshot saw. True only for the
 * same cluster and no newer timeline, because a promoted standby has a history of its own. Clusters
 * and timelines that are unknown count as the same. Pure.
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

/** Sizes of the page headers in the log, in bytes. The first page of a file has the longer one. */
const HEADERS: ReadonlySet<bigint> = new Set([24n, 40n])

/**
 * A position in the log as a number. If a record ends at the end of a page, a primary reports the
 * position after the next page's header, and a standby reports the page's end. Both count as the
 * page's end here.
 */
function positionOf(lsn: string): bigint {
  const [high = '0', low = '0'] = lsn.split('/')
  const position = (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`)
  const offset = position % PAGE_BYTES
  return HEADERS.has(offset) ? position - offset : position
}

/**
 * Plans how to read one table. The horizon is the previous snapshot's xmin: the oldest transaction
 * that was still open then, prepared ones included. Everything committed since has an xmin at or
 * after it. A subtransaction has an id of its own, later than its parent's, so rows written under a
 * savepoint are covered too. Rows that were seen before drop out in the comparison. Pure.
 */
export function planRead(
  now: SnapshotIdentity,
  shape: {
    readonly fingerprint: string
    readonly hasXmin: boolean
    readonly isByContent?: boolean
  },
  previous:
    | { readonly snapshot: SnapshotIdentity; readonly fingerprint: string | undefined }
    | undefined,
): ReadPlan {
  if (previous?.fingerprint === undefined) return { how: 'first' }
  const before = previous.snapshot
  const other = findOtherHistory(now, before)
  if (other !== undefined) return { how: 'whole', why: other }
  if (previous.fingerprint !== shape.fingerprint) {
    return { how: 'whole', why: 'the table has another schema or identity' }
  }
  if (shape.isByContent === true) return { how: 'whole', why: 'it has no key' }
  if (!shape.hasXmin) return { how: 'whole', why: 'transaction ids do not show every change in it' }
  const age = BigInt(now.xmax) - BigInt(before.xmin)
  if (age > BigInt(MAX_AGE)) {
    return { how: 'whole', why: 'the last batch is more than two billion transactions ago' }
  }
  return { how: 'since', age: Number(age) }
}
