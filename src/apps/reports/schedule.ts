/** A weekday in English, Monday first. */
export const WEEKDAYS = [
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
  'sunday',
] as const

/** When a report is sent: at a local time in a time zone. */
export type Schedule = {
  /** `hh:mm`. */
  readonly at: string
  /** IANA name, such as `Europe/London`. */
  readonly zone: string
} & (
  | { readonly every: 'day' }
  | { readonly every: 'week'; readonly on: (typeof WEEKDAYS)[number] }
  /** A month without this day is served on its last day. */
  | { readonly every: 'month'; readonly on: number }
)

/** The slots of a schedule next to a moment. */
export interface Slots {
  /** The newest that is not after the moment. */
  readonly last: Date
  /** The first after the moment. */
  readonly next: Date
}

const DAY_MS = 86_400_000
/** No schedule has a longer gap than from the end of one month to the end of the next. */
const REACH = { day: 2, week: 9, month: 63 } as const

/**
 * The slots next to a moment. If the change to summer time skips a local time, its slot comes later by
 * as much as the clocks go forward. If a local time occurs twice, its slot is the first. Throws
 * `RangeError` for an unknown zone.
 */
export function slotsAround(schedule: Schedule, now: Date): Slots {
  const clock = clockOf(schedule.zone)
  const today = Math.floor(clock(now.getTime()) / DAY_MS)
  const reach = REACH[schedule.every]
  const slots: number[] = []
  for (let day = today - reach; day <= today + reach; day++) {
    if (isServed(schedule, day)) slots.push(instantOf(day * DAY_MS + timeMs(schedule.at), clock))
  }
  const last = slots.findLast((slot) => slot <= now.getTime())
  const next = slots.find((slot) => slot > now.getTime())
  if (last === undefined || next === undefined) throw new Error('a schedule has no slot in reach')
  return { last: new Date(last), next: new Date(next) }
}

/** Whether `Intl` knows a time zone. */
export function isZone(zone: string): boolean {
  try {
    clockOf(zone)
    return true
  } catch {
    return false
  }
}

/** A schedule in words: `every Monday at 08:00, Europe/London`. */
export function describeSchedule(schedule: Schedule): string {
  const { at, zone } = schedule
  const days =
    schedule.every === 'day'
      ? 'every day'
      : schedule.every === 'week'
        ? `every ${schedule.on.charAt(0).toUpperCase()}${schedule.on.slice(1)}`
        : `on day ${schedule.on} of every month`
  return `${days} at ${at}, ${zone}`
}

/** Whether a schedule has a slot on a day, given as the number of days since 1970. */
function isServed(schedule: Schedule, day: number): boolean {
  if (schedule.every === 'day') return true
  const date = new Date(day * DAY_MS)
  if (schedule.every === 'week') return WEEKDAYS[(date.getUTCDay() + 6) % 7] === schedule.on
  const lastDay = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
  return date.getUTCDate() === Math.min(schedule.on, lastDay)
}

function timeMs(at: string): number {
  const [hours = 0, minutes = 0] = at.split(':').map(Number)
  return (hours * 60 + minutes) * 60_000
}

/** The local time of a zone at an instant, read as if it were UTC, in milliseconds. */
type Clock = (instant: number) => number

const clocks = new Map<string, Clock>()

function clockOf(zone: string): Clock {
  const known = clocks.get(zone)
  if (known !== undefined) return known
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  const clock: Clock = (instant) => {
    const parts = new Map(format.formatToParts(instant).map(({ type, value }) => [type, value]))
    const part = (type: Intl.DateTimeFormatPartTypes) => Number(parts.get(type))
    return Date.UTC(
      part('year'),
      part('month') - 1,
      part('day'),
      part('hour'),
      part('minute'),
      part('second'),
    )
  }
  clocks.set(zone, clock)
  return clock
}

/** The instant at which the clocks show a local time. */
function instantOf(local: number, clock: Clock): number {
  // If the clocks change near that time, the offsets a day before and a day after differ.
  const before = local - (clock(local - DAY_MS) - (local - DAY_MS))
  const after = local - (clock(local + DAY_MS) - (local + DAY_MS))
  return [before, after].find((instant) => clock(instant) === local) ?? before
}
