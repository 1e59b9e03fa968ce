import { readFileSync } from 'node:fs'
import type pg from 'pg'
import { isLandmark, planBetween, type PlannedEvent } from './day-plan.ts'
import { dayMs, timestamp } from './working-time.ts'

/** Rows created, changed and deleted in all tables. */
export interface LivingEvents {
  created: number
  changed: number
  deleted: number
}

/** What decides how a source lives. */
export interface LivingOptions {
  seed: number
  /** Where time begins in a source without orders. In any other it never begins before this. */
  start: Date
}

/** A source with a daily life. */
export interface Living {
  /** The moment up to which everything has happened. */
  reached(): Promise<Date>
  /** Makes everything happen that is planned up to a moment. Calls must not overlap. */
  advanceTo(simulatedTime: Date): Promise<LivingEvents>
}

/**
 * The source's daily life: events in order of time, each in a transaction of its own. The same seed,
 * start and content give the same life. The newest order tells how far it has come, so another
 * process may go on where this one ended. What is planned between two orders happens just before the
 * later one, and so only once. `last_updated` moves only with the payments at 07:55:11.
 */
export function createLiving(client: pg.Client, options: LivingOptions): Living {
  let position: Date | undefined
  const reached = async (): Promise<Date> =>
    (position ??= latest(options.start, await newestOrder(client)))

  const advanceTo = async (simulatedTime: Date): Promise<LivingEvents> => {
    const planned = planBetween(options.seed, await reached(), simulatedTime)
    const due = planned.slice(0, planned.findLastIndex(isLandmark) + 1)
    const total = { created: 0, changed: 0, deleted: 0 }
    for (const event of due) {
      const done = await performances[event.kind](client, event)
      total.created += done.created ?? 0
      total.changed += done.changed ?? 0
      total.deleted += done.deleted ?? 0
      if (isLandmark(event)) position = event.at
    }
    return total
  }
  return { reached, advanceTo }
}

const latest = (start: Date, found: Date | undefined): Date =>
  found !== undefined && found > start ? found : start

/** When the newest order was made. Keys rise with time, so the last row of each table tells. */
export async function newestOrder(client: pg.Client): Promise<Date | undefined> {
  const { rows } = await client.query<{ ms: number | null }>(newestOrderSql)
  const ms = rows[0]?.ms ?? undefined
  return ms === undefined ? undefined : new Date(ms)
}

const read = (name: string): string =>
  readFileSync(new URL(`./${name}.sql`, import.meta.url), 'utf8')

const newestOrderSql = read('newest-order')
const saleSql = read('sale')
const purchaseSql = read('purchase')
const designSql = read('design')
const paymentsSql = read('payments')
const changeSql = {
  sales_order: read('change-sales-order'),
  purchase_order: read('change-purchase-order'),
  design: read('change-design'),
}
const victimSql = {
  sales_order: read('sales-order-to-delete'),
  purchase_order: read('purchase-order-to-delete'),
}

type Performance = (client: pg.Client, event: PlannedEvent) => Promise<Partial<LivingEvents>>

const performances: Record<PlannedEvent['kind'], Performance> = {
  payments: async (client, { at }) => ({
    changed: (await client.query(paymentsSql, [timestamp(at)])).rowCount!,
  }),
  sale: async (client, { at, draws }) => {
    await client.query(saleSql, [timestamp(at), draws])
    return { created: 3 }
  },
  purchase: async (client, { at, draws }) => {
    await client.query(purchaseSql, [timestamp(at), draws, letters(draws, 7)])
    return { created: 3 }
  },
  design: async (client, { at, draws }) => {
    await client.query(designSql, [timestamp(at), draws, letters(draws, 4).toLowerCase()])
    return { created: 1 }
  },
  change: async (client, event) => ({ changed: await changeSilently(client, event) }),
  deletion: async (client, event) => ({ deleted: await deleteOrder(client, event) }),
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'

/** Letters and digits from the last draws, which these events use for nothing else. */
const letters = (draws: readonly number[], count: number): string =>
  draws
    .slice(-count)
    .map((draw) => alphabet[Math.floor(draw * alphabet.length)])
    .join('')

async function changeSilently(client: pg.Client, event: PlannedEvent): Promise<number> {
  const { table, column } = event.change!
  const parameters = {
    sales_order: [column, event.draws],
    purchase_order: [column, event.draws, letters(event.draws, 7)],
    design: [event.draws],
  }[table]
  return (await client.query(changeSql[table], parameters)).rowCount!
}

/** Deletes an order that is at least a day old, with its transaction and payment, at once. */
async function deleteOrder(client: pg.Client, event: PlannedEvent): Promise<number> {
  const table = event.order!
  const dayBefore = timestamp(new Date(event.at.getTime() - dayMs))
  const parameters = [event.draws[0], dayBefore]
  const { rows } = await client.query<Victim>(victimSql[table], parameters)
  const [victim] = rows
  if (victim === undefined) return 0
  await client.query('begin')
  try {
    const { transaction_id, order_id } = victim
    await client.query('delete from payment where transaction_id = $1', [transaction_id])
    await client.query('delete from transaction where transaction_id = $1', [transaction_id])
    await client.query(`delete from ${table} where ${table}_id = $1`, [order_id])
    await client.query('commit')
    return 3
  } catch (error) {
    await client.query('rollback')
    throw error
  }
}

interface Victim {
  order_id: number
  transaction_id: number
}
