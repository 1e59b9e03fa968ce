import type { Cause, Judge, Seen } from './causes.ts'

/** A cause that is there, and since when. */
export interface Episode extends Cause {
  /** When it was first seen (ISO 8601). */
  readonly since: string
  /** How often it has come back soon after it was over. */
  readonly returns: number
  /** When it was last seen. Kept up to date only for a cause that has come back. */
  readonly seenAt: string
}

/** A cause that is over. */
export interface Ended {
  readonly key: string
  readonly subject: string
  readonly since: string
  readonly endedAt: string
  readonly returns: number
}

/** Everything that is known to be wrong at a moment: one entry of the journal. */
export interface Entry {
  /** When it was written (ISO 8601). */
  readonly at: string
  readonly active: readonly Episode[]
  /** What was over lately. */
  readonly ended: readonly Ended[]
  /** When people last had a reason to get a message about what is active. */
  readonly toldAt: string
}

/** Before anything was ever wrong. */
export const NOTHING_YET: Entry = {
  at: new Date(0).toISOString(),
  active: [],
  ended: [],
  toldAt: new Date(0).toISOString(),
}

/** A cause that comes back within this time keeps coming back. Then it is over only after this time. */
export const CALM_MS = 30 * 60_000
/** What lasts is told again after this time. */
export const REMIND_MS = 24 * 60 * 60_000
/** How often it is recorded that a cause that keeps coming back is there. */
const REFRESH_MS = 10 * 60_000
/** For this long it is known what was over. */
const KEPT_MS = 7 * 24 * 60 * 60_000
const KEPT = 200

/**
 * The entry that follows `before`, after one look. Undefined if there is nothing to record: that is
 * so for every look that finds what is known already. A cause that no judge looked at stays as it is.
 * Changes nothing.
 */
export function nextEntry(before: Entry, seen: Seen, now: Date): Entry | undefined {
  const at = now.toISOString()
  const ageOf = (moment: string): number => now.getTime() - Date.parse(moment)
  const found = new Map(seen.causes.map((cause) => [cause.key, cause]))
  const known = new Set(before.active.map(({ key }) => key))

  const isOver = ({ key, judges, returns, seenAt }: Episode): boolean =>
    !found.has(key) &&
    judges.every((judge: Judge) => seen.judged.has(judge)) &&
    (returns === 0 || ageOf(seenAt) >= CALM_MS)
  const over = before.active.filter(isOver)
  const kept = before.active
    .filter((episode) => !isOver(episode))
    .map((episode): Episode => {
      const cause = found.get(episode.key)
      return cause === undefined ? episode : { ...episode, ...cause, seenAt: at }
    })
  const begun = [...found.values()]
    .filter(({ key }) => !known.has(key))
    .map((cause): Episode => {
      const last = before.ended.findLast(({ key }) => key === cause.key)
      const isBack = last !== undefined && ageOf(last.endedAt) < CALM_MS
      return { ...cause, since: at, seenAt: at, returns: isBack ? last.returns + 1 : 0 }
    })

  const active = [...kept, ...begun]
  const isNews = over.length + begun.length > 0
  const isDue = active.length > 0 && ageOf(before.toldAt) >= REMIND_MS
  const isRefreshed = before.active.some(
    ({ key, returns, seenAt }) => returns > 0 && found.has(key) && ageOf(seenAt) >= REFRESH_MS,
  )
  if (!isNews && !isDue && !isRefreshed) return undefined
  const ended = over.map(({ key, subject, since, returns }) => ({
    key,
    subject,
    since,
    returns,
    endedAt: at,
  }))
  return {
    at,
    active,
    ended: [...before.ended.filter(({ endedAt }) => ageOf(endedAt) < KEPT_MS), ...ended].slice(
      -KEPT,
    ),
    toldAt: isNews || isDue ? at : before.toldAt,
  }
}

/** What somebody who knows one entry is to be told about a later one. */
export interface Notice {
  readonly begun: readonly Episode[]
  readonly over: readonly Ended[]
  /** What they know already and what lasts. */
  readonly lasting: readonly Episode[]
}

/** Undefined if there is nothing to tell: nothing has changed, and no reminder is due. Pure. */
export function noticeBetween(known: Entry, entry: Entry): Notice | undefined {
  const before = new Map(known.active.map((episode) => [episode.key, episode]))
  const now = new Set(entry.active.map(({ key }) => key))
  const begun = entry.active.filter(({ key }) => !before.has(key))
  const lasting = entry.active.filter(({ key }) => before.has(key))
  const over = known.active
    .filter(({ key }) => !now.has(key))
    .map(
      ({ key, subject, since, returns }): Ended =>
        entry.ended.findLast((ended) => ended.key === key) ?? {
          key,
          subject,
          since,
          returns,
          endedAt: entry.at,
        },
    )
  const isReminder = lasting.length > 0 && entry.toldAt !== known.toldAt
  if (begun.length + over.length === 0 && !isReminder) return undefined
  return { begun, over, lasting }
}
