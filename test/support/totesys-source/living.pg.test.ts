import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../database.ts'
import { planBetween } from './day-plan.ts'
import { fillTotesys } from './fill.ts'
import { createLiving, type LivingEvents } from './living.ts'

const seed = 11
const until = new Date('2024-08-21T14:30:00Z')
const tables = ['sales_order', 'purchase_order', 'transaction', 'payment', 'design'] as const

type Row = Record<string, unknown>
type Content = Record<(typeof tables)[number], Map<unknown, Row>>

async function filled(): Promise<TestDatabase> {
  const database = await createDatabase()
  await fillTotesys(await database.client(), { seed, salesOrders: 300, until })
  return database
}

async function contentOf(database: TestDatabase): Promise<Content> {
  const content: Partial<Content> = {}
  for (const table of tables) {
    const rows = await database.query<{ row: Row }>(`select to_jsonb(t) as row from ${table} as t`)
    content[table] = new Map(rows.map(({ row }) => [row[`${table}_id`], row]))
  }
  return content as Content
}

interface Difference {
  table: string
  kind: 'created' | 'changed' | 'deleted'
  columns: string[]
  before: Row | undefined
  after: Row | undefined
}

function differences(before: Content, after: Content): Difference[] {
  return tables.flatMap((table) => {
    const ids = new Set([...before[table].keys(), ...after[table].keys()])
    return [...ids].flatMap((id): Difference[] => {
      const [old, now] = [before[table].get(id), after[table].get(id)]
      const columns = Object.keys(now ?? {}).filter((name) => old?.[name] !== now?.[name])
      if (old === undefined) return [{ table, kind: 'created', columns, before: old, after: now }]
      if (now === undefined) return [{ table, kind: 'deleted', columns, before: old, after: now }]
      return columns.length === 0
        ? []
        : [{ table, kind: 'changed', columns, before: old, after: now }]
    })
  })
}

const from = new Date(until)
const later = new Date('2024-10-04T23:00:00Z')

describe('createLiving()', () => {
  let database: TestDatabase
  let before: Content
  let after: Content
  let found: Difference[]
  let total: LivingEvents
  beforeAll(async () => {
    database = await filled()
    before = await contentOf(database)
    total = await createLiving(await database.client(), { seed, start: from }).advanceTo(later)
    after = await contentOf(database)
    found = differences(before, after)
  })
  afterAll(() => database.drop())

  const count = async (condition: string): Promise<number> =>
    Number((await database.query<{ n: string }>(`select count(*) as n from ${condition}`))[0]!.n)

  it('makes about 21 sales, 9 purchases and one design a weekday', () => {
    const weekdays = 32 + 4.5 / 11
    const created = (table: string): number =>
      found.filter((one) => one.table === table && one.kind === 'created').length / weekdays
    expect(created('sales_order')).toBeGreaterThan(19)
    expect(created('sales_order')).toBeLessThan(23)
    expect(created('purchase_order')).toBeGreaterThan(8)
    expect(created('purchase_order')).toBeLessThan(10)
    expect(created('design')).toBeGreaterThan(0.6)
    expect(created('design')).toBeLessThan(1.4)
  })

  it('makes order, transaction and payment at one moment, in working hours', async () => {
    const sound = `payment as p join transaction as t using (transaction_id)
      left join sales_order as s using (sales_order_id)
      left join purchase_order as o using (purchase_order_id)
      where p.payment_amount = coalesce(s.units_sold * s.unit_price, o.item_quantity * o.item_unit_price)
        and p.created_at = coalesce(s.created_at, o.created_at) and p.created_at = t.created_at
        and t.last_updated = t.created_at
        and p.payment_type_id = case t.transaction_type when 'SALE' then 1 else 3 end
        and p.created_at::time >= '08:00' and p.created_at::time < '19:00'
        and extract(isodow from p.created_at) < 6`
    const orders = (await count('sales_order')) + (await count('purchase_order'))
    expect(await count(sound)).toBe(orders)
    expect(await count('payment')).toBe(orders)
    expect(await count('transaction')).toBe(orders)
    const range = `sales_order where units_sold not between 1001 and 99973
      or unit_price not between 2 and 4 or agreed_payment_date::date - created_at::date not between 0 and 7`
    expect(await count(range)).toBe(0)
    const purchases = `purchase_order where item_code !~ '^[A-Z0-9]{7}$'
      or item_unit_price not between 3.32 and 999.51 or item_quantity not between 1 and 999`
    expect(await count(purchases)).toBe(0)
    expect(await count('(select distinct item_code from purchase_order) as c')).toBe(
      await count('purchase_order'),
    )
  })

  it('moves last_updated with the payments of 07:55:11 and with nothing else', () => {
    const changed = found.filter(({ kind }) => kind === 'changed')
    const settled = changed.filter(({ table }) => table === 'payment')
    expect(settled.length).toBeGreaterThan(20)
    for (const { columns } of settled) expect(columns.toSorted()).toEqual(['last_updated', 'paid'])

    const paid = [...after.payment.values()].filter((row) => row['paid'])
    expect(paid.length).toBeGreaterThan(400)
    // Each day's batch has one moment, whether it was filled in or lived through.
    const batches = new Map<unknown, unknown>()
    for (const row of paid) {
      const due = String(row['payment_date'])
      expect(row['last_updated']).toMatch(new RegExp(`^${due}T07:55:11`))
      expect(new Date(due).getUTCDay() % 6).not.toBe(0)
      expect(String(row['created_at']) < due).toBe(true)
      expect(batches.get(due) ?? row['last_updated']).toBe(row['last_updated'])
      batches.set(due, row['last_updated'])
    }
    const unpaid = [...after.payment.values()].filter((row) => !row['paid'])
    for (const row of unpaid) expect(row['last_updated']).toBe(row['created_at'])

    const silent = changed.filter(({ table }) => table !== 'payment')
    expect(silent.some(({ table }) => table === 'sales_order')).toBe(true)
    expect(silent.some(({ table }) => table === 'purchase_order')).toBe(true)
    const columnsOf: Record<string, string[]> = {
      sales_order: ['agreed_delivery_date', 'agreed_delivery_location_id', 'design_id', 'staff_id'],
      purchase_order: [
        'agreed_delivery_date',
        'agreed_delivery_location_id',
        'item_code',
        'staff_id',
      ],
      design: ['file_location'],
    }
    for (const { table, columns } of silent) {
      for (const column of columns) expect(columnsOf[table]).toContain(column)
    }
  })

  it('leaves nothing unpaid that was due on a weekday and made before', async () => {
    const unpaid = `payment where not paid and payment_date <= '2024-10-04'
      and created_at::date < payment_date::date and extract(isodow from payment_date::date) < 6`
    expect(await count(unpaid)).toBe(0)
  })

  it('deletes an order with its transaction and payment, now and then', () => {
    const deleted = found.filter(({ kind }) => kind === 'deleted')
    const of = (table: string): number => deleted.filter((one) => one.table === table).length
    const orders = of('sales_order') + of('purchase_order')
    expect(orders).toBeGreaterThan(0)
    expect(orders).toBeLessThan(20)
    expect(of('transaction')).toBe(orders)
    expect(of('payment')).toBe(orders)
    expect(total.deleted % 3).toBe(0)
    expect(total.deleted).toBeGreaterThanOrEqual(deleted.length)
  })

  it('counts the rows it made', () => {
    const planned = planBetween(seed, from, later)
    const of = (kind: string): number => planned.filter((event) => event.kind === kind).length
    expect(total.created).toBe(3 * (of('sale') + of('purchase')) + of('design'))
  })

  it('gives the same for the same seed and start, in however many steps and processes', async () => {
    await using same = await filled()
    const middle = new Date('2024-09-10T12:00:00Z')
    const stop = new Date('2024-09-13T23:00:00Z')
    const sum = { created: 0, changed: 0, deleted: 0 }
    for (const times of [
      ['2024-08-22T07:00:00Z', '2024-08-30T10:00:00Z', middle],
      [stop, later],
    ]) {
      const living = createLiving(await same.client(), { seed, start: from })
      for (const time of times) {
        const events = await living.advanceTo(new Date(time))
        sum.created += events.created
        sum.changed += events.changed
        sum.deleted += events.deleted
      }
    }
    expect(differences(after, await contentOf(same))).toEqual([])
    expect(sum).toEqual(total)
  })

  it('does nothing at night and at the weekend, nor when told an earlier time', async () => {
    const living = createLiving(await database.client(), { seed, start: from })
    const nothing = { created: 0, changed: 0, deleted: 0 }
    expect(await living.advanceTo(new Date('2024-10-07T07:55:00Z'))).toEqual(nothing)
    expect(await living.advanceTo(from)).toEqual(nothing)
    expect(differences(after, await contentOf(database))).toEqual([])
  })

  it('begins at its start in a source without orders, where there is nothing to delete', async () => {
    await using young = await filled()
    await young.query('truncate sales_order, purchase_order, transaction, payment cascade')
    const living = createLiving(await young.client(), { seed, start: from })
    expect(await living.reached()).toEqual(from)
    expect((await living.advanceTo(new Date('2024-09-13T23:00:00Z'))).created).toBeGreaterThan(0)
  })

  it('passes on an error from the source, and leaves no half-done deletion', async () => {
    await using stubborn = await filled()
    await stubborn.query(`create function refuse() returns trigger language plpgsql
      as $$ begin raise exception 'not this one'; end $$`)
    await stubborn.query(`create trigger refuse before delete on transaction
      for each row execute function refuse()`)
    const living = createLiving(await stubborn.client(), { seed, start: from })
    await expect(living.advanceTo(later)).rejects.toThrow('not this one')
    const [row] = await stubborn.query(
      `select (select count(*) from payment) = (select count(*) from transaction) as whole`,
    )
    expect(row).toEqual({ whole: true })
  })
})
