import { createHash } from 'node:crypto'
import type { ObjectStore } from '../../platform/lake/store/object-store.ts'

/** What deliveries need of a store. */
export type DeliveryStore = Pick<ObjectStore, 'get' | 'putIfAbsent' | 'list'>

/** What became of a mail to one recipient, for good. */
export type MailOutcome = 'sent' | 'refused'

/** Why a delivery cannot be taken now. */
export type NotNow = 'done' | 'at work' | 'later'

/** A delivery that this process has taken. Nobody else takes it until the lease is over. */
export interface TakenDelivery {
  /** 1 for the first attempt. */
  readonly number: number
  /** When the first attempt at this delivery began. */
  readonly firstAt: Date
  /** The recipients that have no outcome yet. */
  readonly left: readonly string[]
  /** Records what became of the mail to a recipient. May be repeated. */
  record(recipient: string, outcome: MailOutcome): Promise<void>
  /** Ends the delivery for good. */
  finish(): Promise<void>
  /** Gives the delivery back, for another attempt after a pause. */
  fail(): Promise<void>
}

/** Who takes a delivery, and when. */
export interface TakeOptions {
  readonly recipients: readonly string[]
  /** Identifies this process. */
  readonly by: string
  readonly now: Date
  readonly times?: DeliveryTimes
}

/** How long others wait for a delivery, in milliseconds. */
export interface DeliveryTimes {
  /** After this time the process of an attempt that has not ended counts as killed. */
  readonly leaseMs: number
  /** How long to wait after the first attempt that failed. Each further wait is twice as long. */
  readonly firstPauseMs: number
  readonly maxPauseMs: number
}

/** The times of reports, whose attempt may take minutes. */
export const REPORT_TIMES: DeliveryTimes = {
  leaseMs: 10 * 60_000,
  firstPauseMs: 60_000,
  maxPauseMs: 60 * 60_000,
}

/**
 * Takes a delivery: the mails of one report for one slot, of one crossing, or of one alert. The state is a few
 * objects below `place` that are created once and never changed. So only one of several processes
 * gets the delivery, and a killed process loses it after `leaseMs`. If that process handed over a
 * mail but did not record it, the mail is sent again: at least once.
 */
export async function takeDelivery(
  store: DeliveryStore,
  place: string,
  { recipients, by, now, times = REPORT_TIMES }: TakeOptions,
): Promise<TakenDelivery | NotNow> {
  const made = await namesBelow(store, place)
  if (made.has('done')) return 'done'
  const number = countClaims(made) + 1
  if (number > 1) {
    const wait = await waitAfter(store, place, { number: number - 1, made, now, times })
    if (wait !== undefined) return wait
  }
  const claim = Buffer.from(JSON.stringify({ at: now.toISOString(), by }))
  if ((await store.putIfAbsent(`${place}/claim-${number}`, claim)) === 'exists') return 'at work'
  const firstAt = number === 1 ? now : ((await momentOf(store, `${place}/claim-1`)) ?? now)
  const put = async (name: string, content: object = {}) => {
    await store.putIfAbsent(`${place}/${name}`, Buffer.from(JSON.stringify(content)))
  }
  return {
    number,
    firstAt,
    left: recipients.filter((recipient) => !made.has(nameOf(recipient))),
    record: (recipient, outcome) => put(nameOf(recipient), { outcome }),
    finish: () => put('done', { by }),
    fail: () => put(`failed-${number}`, { by }),
  }
}

/** Why the previous attempt still keeps others away. Undefined if it does not. */
async function waitAfter(
  store: DeliveryStore,
  place: string,
  {
    number,
    made,
    now,
    times: { leaseMs, firstPauseMs, maxPauseMs },
  }: { number: number; made: ReadonlySet<string>; now: Date; times: DeliveryTimes },
): Promise<NotNow | undefined> {
  const at = await momentOf(store, `${place}/claim-${number}`)
  // A claim that names no moment cannot be waited for.
  if (at === undefined) return undefined
  const passedMs = now.getTime() - at.getTime()
  if (!made.has(`failed-${number}`)) return passedMs < leaseMs ? 'at work' : undefined
  const pauseMs = Math.min(firstPauseMs * 2 ** (number - 1), maxPauseMs)
  return passedMs < pauseMs ? 'later' : undefined
}

/** The moment in an object. Undefined if there is none. */
export async function momentOf(store: DeliveryStore, key: string): Promise<Date | undefined> {
  const body = await store.get(key)
  const text = body === undefined ? undefined : /"at":"([^"]+)"/.exec(body.toString())?.[1]
  const at = new Date(text ?? '')
  return Number.isNaN(at.getTime()) ? undefined : at
}

/** A short, stable name for a value. It does not reveal the value. */
export function digest(value: string): string {
  return createHash('sha256').update(value).digest('hex').slice(0, 16)
}

function nameOf(recipient: string): string {
  return `to-${digest(recipient.toLowerCase())}`
}

function countClaims(names: ReadonlySet<string>): number {
  return [...names].filter((name) => /^claim-\d+$/.test(name)).length
}

/** The names of the objects below a place, without it. */
export async function namesBelow(
  store: DeliveryStore,
  place: string,
): Promise<ReadonlySet<string>> {
  const names = new Set<string>()
  for await (const { key } of store.list(`${place}/`)) names.add(key.slice(place.length + 1))
  return names
}
