import {
  type DeliveryStore,
  type DeliveryTimes,
  momentOf,
  namesBelow,
  takeDelivery,
  type TakenDelivery,
} from '../mail/deliveries.ts'
import { type Entry, NOTHING_YET } from './episodes.ts'

/** An entry and its number. 0: nothing was ever wrong. */
export interface Numbered {
  readonly number: number
  readonly entry: Entry
}

/** What the message about an entry has come to, for one recipient. */
export type Due =
  /** It is known already, another process is at work on it, or it must wait. */
  | { readonly kind: 'nothing' }
  /** The last entry that the recipient knows. */
  | { readonly kind: 'tell'; readonly known: Entry }

/**
 * What was wrong and who was told, as small objects that are created once and never changed. Any
 * number of processes may share it: one of them writes an entry, and one of them tells a recipient.
 */
export interface Journal {
  /** The newest entry. One request if nobody has written since the last call. */
  last(): Promise<Numbered>
  /** Writes an entry. Returns whether this call did it, and not another process. */
  write(next: Numbered): Promise<boolean>
  /** What a recipient, by a short name, is to be told about an entry. */
  due(recipient: string, entry: Numbered): Promise<Due>
  /** Takes the delivery of an entry to a recipient. Undefined: not now, or another process did. */
  take(recipient: string, entry: Numbered, now: Date): Promise<TakenDelivery | undefined>
  /** Records that a recipient knows an entry, or that it has nothing to tell. */
  finish(recipient: string, entry: Numbered, taken?: TakenDelivery): Promise<void>
}

/** An attempt takes seconds, so a process that does not end it within a minute was killed. */
const TIMES: DeliveryTimes = { leaseMs: 60_000, firstPauseMs: 1000, maxPauseMs: 10 * 60_000 }
/** How far back to look for what a recipient was told last. */
const MAX_BEHIND = 200

/**
 * Opens the journal in a store. `by` identifies this process, `now` is the real time. `start` is an
 * entry that is known from elsewhere, and that everybody was told.
 */
export function openJournal(
  store: DeliveryStore,
  {
    by,
    now,
    start = { number: 0, entry: NOTHING_YET },
  }: { readonly by: string; readonly now: () => Date; readonly start?: Numbered },
): Journal {
  let newest = start
  const knows = new Map<string, Numbered>()

  const read = async (number: number): Promise<Entry | undefined> => {
    const body = await store.get(`${folderOf(number)}/entry`)
    return body === undefined ? undefined : (JSON.parse(body.toString()) as Entry)
  }
  const entryOf = async (number: number): Promise<Entry> =>
    number === newest.number ? newest.entry : ((await read(number)) ?? NOTHING_YET)

  /** The last entry before `before` that a recipient knows. Undefined: one is being told now. */
  const lastKnown = async (recipient: string, before: number): Promise<number | undefined> => {
    const lowest = Math.max(start.number + 1, before - MAX_BEHIND)
    for (let number = before; number >= lowest; number--) {
      const place = `${folderOf(number)}/${recipient}`
      const names = await namesBelow(store, place)
      if (names.has('done')) return number
      if (names.size > 0 && (await isAtWork(store, { place, names, now: now() }))) return undefined
    }
    return 0
  }

  return {
    async last() {
      // Numbers have no gaps, so the end is found without reading every entry.
      for (let leap = 1; ;) {
        const entry = await read(newest.number + leap)
        if (entry !== undefined) {
          newest = { number: newest.number + leap, entry }
          leap *= 2
        } else if (leap > 1) leap = 1
        else return newest
      }
    },
    async write({ number, entry }) {
      const body = Buffer.from(JSON.stringify(entry))
      if ((await store.putIfAbsent(`${folderOf(number)}/entry`, body)) === 'exists') return false
      newest = { number, entry }
      return true
    },
    async due(recipient, { number }) {
      if (number === start.number) return { kind: 'nothing' }
      let known = knows.get(recipient)
      if (known === undefined || known.number < number) {
        const found = await lastKnown(recipient, number)
        if (found === undefined) return { kind: 'nothing' }
        known = { number: found, entry: found === 0 ? start.entry : await entryOf(found) }
        knows.set(recipient, known)
      }
      return known.number >= number ? { kind: 'nothing' } : { kind: 'tell', known: known.entry }
    },
    async take(recipient, { number }, at) {
      const place = `${folderOf(number)}/${recipient}`
      const taken = await takeDelivery(store, place, {
        recipients: [recipient],
        by,
        now: at,
        times: TIMES,
      })
      return typeof taken === 'string' ? undefined : taken
    },
    async finish(recipient, told, taken) {
      if (taken !== undefined) await taken.finish()
      else {
        const body = Buffer.from(JSON.stringify({ by }))
        await store.putIfAbsent(`${folderOf(told.number)}/${recipient}/done`, body)
      }
      knows.set(recipient, told)
    },
  }
}

/** Whether a process has taken a delivery and may still be at work on it. */
async function isAtWork(
  store: DeliveryStore,
  { place, names, now }: { place: string; names: ReadonlySet<string>; now: Date },
): Promise<boolean> {
  let claims = 0
  while (names.has(`claim-${claims + 1}`)) claims++
  if (claims === 0 || names.has(`failed-${claims}`)) return false
  const at = await momentOf(store, `${place}/claim-${claims}`)
  return at !== undefined && now.getTime() - at.getTime() < TIMES.leaseMs
}

function folderOf(number: number): string {
  return String(number).padStart(8, '0')
}
