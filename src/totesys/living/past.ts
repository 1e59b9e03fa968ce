import type { Life } from '../../apps/local/simulated-source.ts'

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
export function momentsLeft({ begun, reached }: Pick<Life, 'begun' | 'reached'>): Date[] {
  return CAPTURED_DAYS_BEFORE.map((days) => new Date(begun.getTime() - days * DAY_MS)).filter(
    (moment) => moment >= reached,
  )
}
