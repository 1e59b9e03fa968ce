import * as z from 'zod'

/** A clock in a form that another process can read and go by. */
export const clockSetting = z.object({
  /** The moment at which the clock started. */
  start: z.iso.datetime(),
  /** The real time when it started. */
  since: z.iso.datetime(),
  /** Its seconds in each real second. */
  speed: z.number().positive(),
})

/** Where a clock started, and how fast it runs. */
export type ClockSetting = z.infer<typeof clockSetting>

/** The clock by which the demo lives. */
export interface DemoClock {
  readonly now: () => Date
  /** The clock's present moment, if it differs from the real time; otherwise undefined. */
  readonly simulated: () => Date | undefined
  /** Undefined if it shows the real time. */
  readonly setting: ClockSetting | undefined
  /** Stands at a moment while `work` is done. */
  readonly standAt: <T>(moment: Date, work: () => Promise<T>) => Promise<T>
}

/** Creates a clock from a setting. Without a setting, it shows the real time. */
export function createClock(
  setting: ClockSetting | undefined,
  real: () => Date = () => new Date(),
): DemoClock {
  let standing: Date | undefined
  const running =
    setting === undefined
      ? real
      : () =>
          new Date(
            Date.parse(setting.start) +
              (real().getTime() - Date.parse(setting.since)) * setting.speed,
          )
  return {
    setting,
    now: () => standing ?? running(),
    simulated: () => standing ?? (setting === undefined ? undefined : running()),
    async standAt(moment, work) {
      standing = moment
      try {
        return await work()
      } finally {
        standing = undefined
      }
    },
  }
}
