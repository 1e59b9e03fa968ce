import { nextPlanned } from './day-plan.ts'
import { startOfDay } from './working-time.ts'

export interface SimulatedClock {
  /** Goes on by the real time passed since the last call, and returns where it stands. */
  advance(): Date
}

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
 * Runs from `start` at `speed` until it has caught up with the real time, and with it from then on;
 * never beyond, never back. When nothing more is planned for its day it jumps to ten seconds before
 * the next thing that is. A real gap (a suspended machine) counts as five seconds at most.
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
