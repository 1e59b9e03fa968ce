import type { DemoClock } from './clock.ts'
import type { Company } from './company.ts'

/**
 * How many days before the demo begins its past is captured. A capture sees only what has become of an
 * order since the one before, so several are needed for orders with several versions.
 */
const CAPTURED_DAYS_BEFORE = [84, 70, 56, 49, 42, 35, 28, 21, 14, 7, 3, 1, 0]
const DAY_MS = 86_400_000

/**
 * The moments at which the past is still to be captured, oldest first; none if it is over. The first
 * may be the moment that the company has reached, because nobody knows whether it was captured.
 */
export function momentsLeft({ begun, reached }: Pick<Company, 'begun' | 'reached'>): Date[] {
  return CAPTURED_DAYS_BEFORE.map((days) => new Date(begun.getTime() - days * DAY_MS)).filter(
    (moment) => moment >= reached,
  )
}

/**
 * Lives through the company's past, from where it stands to the beginning of the demo, and captures
 * it several times. While a part of it is captured, the clock stands at the end of that part, so
 * that everything the capture writes is dated and marked accordingly. Ends early if `capture`
 * returns false; the next call goes on from there. Returns whether the past is over.
 */
export async function livePast(
  company: Company,
  clock: Pick<DemoClock, 'standAt'>,
  capture: (moment: Date) => Promise<boolean>,
): Promise<boolean> {
  for (const moment of momentsLeft(company)) {
    await company.passTime(moment)
    if (!(await clock.standAt(moment, () => capture(moment)))) return false
  }
  return true
}
