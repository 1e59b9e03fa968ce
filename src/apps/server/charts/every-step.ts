import type { TimeStep } from '../../../platform/project/chart.ts'

const MONTHS = { month: 1, quarter: 3, year: 12 } as const

/**
 * The first day (`YYYY-MM-DD`) of every step of time from the first to the last of those given, which
 * are in order. Each of these is among them.
 */
export function everyStep(starts: readonly string[], step: TimeStep): readonly string[] {
  const days = new Set(starts)
  const [first, last = ''] = [starts[0], starts.at(-1)]
  if (first === undefined) return []
  let day = first
  while (day < last) {
    day = nextStart(day, step)
    if (day < last) days.add(day)
  }
  return [...days].toSorted()
}

function nextStart(day: string, step: TimeStep): string {
  const next = new Date(`${day}T00:00:00Z`)
  if (step === 'day' || step === 'week') {
    next.setUTCDate(next.getUTCDate() + (step === 'day' ? 1 : 7))
  } else next.setUTCMonth(next.getUTCMonth() + MONTHS[step])
  return next.toISOString().slice(0, 10)
}
