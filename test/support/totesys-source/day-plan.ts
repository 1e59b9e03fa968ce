import { chanceOf, pick, type Chance } from '../../../src/totesys/living/chance.ts'
import { dayMs, isWorkday, openingMs, startOfDay, timestamp, workingDayMs } from './working-time.ts'

/** What happens in the source at one moment. `draws` decide everything that is left to chance. */
export interface PlannedEvent {
  at: Date
  kind: 'payments' | 'sale' | 'purchase' | 'design' | 'change' | 'deletion'
  draws: number[]
  /** What a silent update touches. */
  change?: SilentChange
  /** The kind of order that a deletion removes. */
  order?: 'sales_order' | 'purchase_order'
}

/** A column that is updated while `last_updated` stays unchanged. */
export interface SilentChange {
  table: 'sales_order' | 'purchase_order' | 'design'
  column: string
}

const paymentsMs = 7 * 3_600_000 + 55 * 60_000 + 11_000

const salesColumns = [
  'agreed_delivery_date',
  'staff_id',
  'agreed_delivery_location_id',
  'design_id',
] as const
const purchaseColumns = [
  'agreed_delivery_location_id',
  'staff_id',
  'agreed_delivery_date',
  'item_code',
] as const

/**
 * Everything that happens on the day of `at`, in order of time. Pure: the same seed and day give
 * the same plan. Nothing happens at weekends. On weekdays the due payments come at 07:55:11, then
 * from 08:00 to 19:00 16–26 sales and 6–12 purchases. Between two orders come 0–2 new designs,
 * sometimes a silent update to each order table and to a design, and about every fifth day a
 * deletion.
 */
export function planDay(seed: number, at: Date): PlannedEvent[] {
  const midnight = startOfDay(at)
  if (!isWorkday(midnight)) return []
  const chance = chanceOf(seed, timestamp(midnight))
  const draws = (): number[] => Array.from({ length: 16 }, chance)
  const moment = (ms: number): Date => new Date(midnight.getTime() + ms)
  const opening = paymentsMs + Math.floor(chance() * 1000)
  const batch: PlannedEvent = { at: moment(opening), kind: 'payments', draws: [] }

  const sales = 16 + Math.floor(chance() * 11)
  const purchases = 6 + Math.floor(chance() * 7)
  const times = distinctTimes(chance, sales + purchases).map(moment)
  const left = { sale: sales, purchase: purchases }
  const orders = times.map((time): PlannedEvent => {
    const kind = chance() * (left.sale + left.purchase) < left.sale ? 'sale' : 'purchase'
    left[kind]--
    return { at: time, kind, draws: draws() }
  })

  const asides = planAsides(chance).map((aside) => {
    const next = Math.floor(chance() * times.length)
    const from = times[next - 1] ?? moment(openingMs)
    const between = new Date(Math.ceil((from.getTime() + times[next]!.getTime()) / 2))
    return { at: between, draws: draws(), ...aside }
  })
  // The sort is stable: an aside stays before an order in the same millisecond.
  return [batch, ...asides, ...orders].toSorted((a, b) => a.at.getTime() - b.at.getTime())
}

function distinctTimes(chance: Chance, count: number): number[] {
  const times = new Set<number>()
  while (times.size < count) times.add(openingMs + Math.floor(chance() * workingDayMs))
  return [...times].toSorted((a, b) => a - b)
}

function planAsides(chance: Chance): Pick<PlannedEvent, 'kind' | 'change' | 'order'>[] {
  const asides: Pick<PlannedEvent, 'kind' | 'change' | 'order'>[] = []
  const change = (table: SilentChange['table'], column: string): void => {
    asides.push({ kind: 'change', change: { table, column } })
  }
  if (chance() < 0.5) asides.push({ kind: 'design' })
  if (chance() < 0.5) asides.push({ kind: 'design' })
  if (chance() < 0.4) change('sales_order', pick(chance, salesColumns))
  if (chance() < 0.4) change('purchase_order', pick(chance, purchaseColumns))
  if (chance() < 0.15) change('design', 'file_location')
  if (chance() < 0.2) {
    asides.push({ kind: 'deletion', order: chance() < 0.7 ? 'sales_order' : 'purchase_order' })
  }
  return asides
}

/** Whether the data shows that this event has happened, and so how far the source has come. */
export function isLandmark(event: PlannedEvent): boolean {
  return ['payments', 'sale', 'purchase'].includes(event.kind)
}

/** The events after one moment up to and including another, in order of time. */
export function planBetween(seed: number, after: Date, until: Date): PlannedEvent[] {
  const planned: PlannedEvent[] = []
  for (let day = startOfDay(after).getTime(); day <= until.getTime(); day += dayMs) {
    planned.push(...planDay(seed, new Date(day)))
  }
  return planned.filter(({ at }) => at > after && at <= until)
}

/** The moment of the first event after another moment. */
export function nextPlanned(seed: number, after: Date): Date {
  const [next] = planBetween(seed, after, new Date(after.getTime() + 4 * dayMs))
  return next!.at
}
