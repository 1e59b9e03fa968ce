import type { ObjectStore } from '../../platform/lake/store/object-store.ts'
import { momentOf, namesBelow } from '../mail/deliveries.ts'

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
