/** Milliseconds of a day. */
export const dayMs = 86_400_000
/** The company works from 08:00 UTC, Monday to Friday: milliseconds after midnight. */
export const openingMs = 8 * 3_600_000
/** It works until 19:00 UTC. */
export const workingDayMs = 11 * 3_600_000

const firstMonday = Date.UTC(1970, 0, 5)

/** Midnight UTC at the beginning of a moment's day. */
export function startOfDay(at: Date): Date {
  return new Date(Math.floor(at.getTime() / dayMs) * dayMs)
}

/** Whether a moment is on a day from Monday to Friday. */
export function isWorkday(at: Date): boolean {
  return ![0, 6].includes(at.getUTCDay())
}

/**
 * Milliseconds of working time since Monday 1970-01-05, with the hours of work laid end to end. All
 * moments of one night or weekend give the same number. `fill.sql` holds the inverse.
 */
export function workingTime(at: Date): number {
  const sinceMonday = at.getTime() - firstMonday
  const days = Math.floor(sinceMonday / dayMs)
  const weekday = ((days % 7) + 7) % 7
  const workdays = Math.floor(days / 7) * 5 + Math.min(weekday, 5)
  if (weekday > 4) return workdays * workingDayMs
  const sinceOpening = sinceMonday - days * dayMs - openingMs
  return workdays * workingDayMs + Math.min(Math.max(sinceOpening, 0), workingDayMs)
}

/** A moment as the source writes it: UTC, without a zone. */
export function timestamp(at: Date): string {
  return at.toISOString().slice(0, -1)
}
