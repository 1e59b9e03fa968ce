import { createHash } from 'node:crypto'
import type { ObjectStore } from '../../platform/lake/store/object-store.ts'

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
}

/** After this time the process of an attempt that has not ended counts as killed. */
export const LEASE_MS = 10 * 60_000
const FIRST_PAUSE_MS = 60_000
const MAX_PAUSE_MS = 60 * 60_000

/**
 * Takes a delivery: the mails of one report for one slot, or of one crossing. The state is a few
 * objects below `place` that are created once and never changed. So only one of several processes
 * gets the delivery, and a killed process loses it after `LEASE_MS`. If that process handed over a
 * mail but did not record it, the mail is sent again: at least once.
 */
export async function takeDelivery(
  store: ObjectStore,
  place: string,
  { recipients, by, now }: TakeOptions,
): Promise<TakenDelivery | NotNow> {
  const made = await namesBelow(store, place)
  if (made.has('done')) return 'done'
  const number = countClaims(made) + 1
  if (number > 1) {
    const wait = await waitAfter(store, place, { number: number - 1, made, now })
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
  store: ObjectStore,
  place: string,
  { number, made, now }: { number: number; made: ReadonlySet<string>; now: Date },
): Promise<NotNow | undefined> {
  const at = await momentOf(store, `${place}/claim-${number}`)
  // A claim that names no moment cannot be waited for.
  if (at === undefined) return undefined
  const passedMs = now.getTime() - at.getTime()
  if (!made.has(`failed-${number}`)) return passedMs < LEASE_MS ? 'at work' : undefined
  const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (number - 1), MAX_PAUSE_MS)
  return passedMs < pauseMs ? 'later' : undefined
}

/** The moment in an object. Undefined if there is none. */
async function momentOf(store: ObjectStore, key: string): Promise<Date | undefined> {
  const body = await store.get(key)
  const text = body === undefined ? undefined : /"at":"([^"]+)"/.exec(body.toString())?.[1]
  const at = new Date(text ?? '')
  return Number.isNaN(at.getTime()) ? undefined : at
}

/**
 * When a schedule was first seen, by any process: slots before that moment are not served. Creates
 * the mark if there is none.
 */
export async function firstSeen(store: ObjectStore, place: string, now: Date): Promise<Date> {
  const key = `${place}/since`
  const known = await momentOf(store, key)
  if (known !== undefined) return known
  const mark = Buffer.from(JSON.stringify({ at: now.toISOString() }))
  const outcome = await store.putIfAbsent(key, mark)
  return outcome === 'created' ? now : ((await momentOf(store, key)) ?? now)
}

/** A change of a watched figure from one side of its threshold to the other. */
export interface Crossing {
  /** 1 for the first one. Odd: the threshold is crossed. Even: the figure is back. */
  readonly number: number
  readonly at: Date
  /** The figure at that moment, as a decimal number. */
  readonly figure: string
}

const CROSSING = /^(\d{8})\/crossing$/

/** The newest crossing. Undefined if the threshold has never been crossed. */
export async function lastCrossing(
  store: ObjectStore,
  place: string,
): Promise<Crossing | undefined> {
  let number = 0
  for (const name of await namesBelow(store, place)) {
    number = Math.max(number, Number(CROSSING.exec(name)?.[1] ?? 0))
  }
  const body =
    number === 0 ? undefined : await store.get(`${crossingPlace(place, number)}/crossing`)
  if (body === undefined) return undefined
  const { at, figure } = JSON.parse(body.toString()) as { at: string; figure: string }
  return { number, at: new Date(at), figure }
}

/** Records a crossing. Returns whether this call did it, and not another process. */
export async function recordCrossing(
  store: ObjectStore,
  place: string,
  { number, at, figure }: Crossing,
): Promise<boolean> {
  const body = Buffer.from(JSON.stringify({ at: at.toISOString(), figure }))
  return (await store.putIfAbsent(`${crossingPlace(place, number)}/crossing`, body)) === 'created'
}

/** Where the objects of a crossing lie. */
export function crossingPlace(place: string, number: number): string {
  return `${place}/${String(number).padStart(8, '0')}`
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
async function namesBelow(store: ObjectStore, place: string): Promise<ReadonlySet<string>> {
  const names = new Set<string>()
  for await (const { key } of store.list(`${place}/`)) names.add(key.slice(place.length + 1))
  return names
}
