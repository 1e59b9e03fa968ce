import { nextPlanned } from './day-plan.ts'
import { startOfDay } from './working-time.ts'

/** A clock that runs faster than real time until it has caught up. */
export interface SimulatedClock {
  /** Moves on by the real time since the last call, times the speed. Returns its time. */
  advance(): Date
}

/** Where a clock starts and how fast it runs. */
export interface ClockOptions {
  seed: number
  start: Date
  /** Simulated seconds per real second. */
  speed: number
  now: () => Date
}

const longestStepMs = 5_000
const leadMs = 10_000

/**
 * Creates a clock that runs from `start` at `speed` until it reaches the real time, and goes with
 * it from then on. It never passes the real time and never goes back. When nothing more is planned
 * for its day, it jumps to ten seconds before the next event. A real gap (a suspended machine)
 * counts as five seconds at most.
 */
export function createClock({ seed, start, speed, now }: ClockOptions): SimulatedClock {
  let position = start
  let last = now()
  return {
    advance() {
      const real = now()
      const elapsedMs = Math.min(Math.max(real.getTime() - last.getTime(), 0), longestStepMs)
      last = real
      let to = position.getTime() + elapsedMs * speed
      const next = nextPlanned(seed, position).getTime()
      const isIdle = startOfDay(position).getTime() !== startOfDay(new Date(next)).getTime()
      if (isIdle) to = Math.max(to, next - leadMs)
      position = new Date(Math.max(Math.min(to, real.getTime()), position.getTime()))
      return position
    },
  }
}
