/** The company works 08:00 to 19:00 UTC, Monday to Friday. */
export const dayMs = 86_400_000
export const openingMs = 8 * 3_600_000
export const workingDayMs = 11 * 3_600_000

const firstMonday = Date.UTC(1970, 0, 5)

/** Midnight UTC of the day a moment lies in. */
export function startOfDay(at: Date): Date {
  return new Date(Math.floor(at.getTime() / dayMs) * dayMs)
}

/** Whether a moment lies on a Monday to Friday. */
export function isWorkday(at: Date): boolean {
  return ![0, 6].includes(at.getUTCDay())
}

/**
 * Milliseconds of working time since Monday 1970-01-05: the hours of work laid end to end, so that
 * every moment of a night or weekend is the same point. `fill.sql` holds the inverse.
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

/** How the source writes a moment: UTC, without zone. */
export function timestamp(at: Date): string {
  return at.toISOString().slice(0, -1)
}
