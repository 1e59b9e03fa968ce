import type { DemoClock } from './clock.ts'
import type { Company } from './company.ts'

/**
 * How many days before the demo begins each capture of its past takes place. A capture sees only the
 * last state of an order, so an order with several versions needs several captures.
 */
const CAPTURED_DAYS_BEFORE = [84, 70, 56, 49, 42, 35, 28, 21, 14, 7, 3, 1, 0]
const DAY_MS = 86_400_000

/**
 * The moments at which the past still has to be captured, oldest first; none if the past is over. The
 * first may be the moment that the company has reached, because it may not have been captured yet.
 */
export function momentsLeft({ begun, reached }: Pick<Company, 'begun' | 'reached'>): Date[] {
  return CAPTURED_DAYS_BEFORE.map((days) => new Date(begun.getTime() - days * DAY_MS)).filter(
    (moment) => moment >= reached,
  )
}

/**
 * Lives through the company's past, from where it stands to the beginning of the demo, and captures
 * it several times. During a capture the clock stays at the end of that part of the past, so
 * that the batch is dated by it and marked. Ends early if `capture` returns false; the next call goes
 * on from there. Returns whether the past is over.
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
