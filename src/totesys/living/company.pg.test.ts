import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { fillTotesys } from '../../../test/support/totesys-source/fill.ts'
import { type Life, livePast } from '../../apps/local/simulated-source.ts'
import { foundCompany, openCompany } from './company.ts'
import { momentsLeft } from './past.ts'

const DAY_MS = 86_400_000
const begun = new Date('2026-11-27T16:20:00Z')
const later = (days: number): Date => new Date(begun.getTime() + days * DAY_MS)
const TABLES = [
  'sales_order',
  'purchase_order',
  'transaction',
  'payment',
  'design',
  'counterparty',
  'staff',
]

async function found(options: { salesOrders?: number; seed?: number } = {}): Promise<{
  database: TestDatabase
  client: pg.Client
  company: Life
}> {
  const { salesOrders = 3000, seed = 42 } = options
  const database = await createDatabase()
  const client = await database.client()
  await foundCompany(client, { seed, salesOrders, begun })
  return { database, client, company: (await openCompany(client))! }
}

/** What the tables hold, without the numbers that the database gave to transactions and payments. */
async function contentOf(database: TestDatabase): Promise<Record<string, string>> {
  const content: Record<string, string> = {}
  for (const table of TABLES) {
    const [row] = await database.query<{ hash: string; n: string }>(
      `with content as (
        select (to_jsonb(t) - 'payment_id' - 'transaction_id')::text as t from ${table} as t
      )
      select md5(string_agg(t, E'\\n' order by t)) as hash, count(*)::text as n from content`,
    )
    content[table] = `${row!.n} ${row!.hash}`
  }
  return content
}

describe('a company', () => {
  let database: TestDatabase
  let client: pg.Client
  let company: Life
  let captured: Date[]
  beforeAll(async () => {
    ;({ database, client, company } = await found({ salesOrders: 6000 }))
    captured = []
    await livePast(company, { standAt: (_, work) => work() }, async (moment) => {
      captured.push(moment)
      return true
    })
  })
  afterAll(() => database.drop())

  const one = async <T>(sql: string): Promise<T> =>
    Object.values((await database.query<Record<string, T>>(sql))[0]!)[0]!

  it('has half a year of trade behind it, about as large as asked for', async () => {
    const sales = await one<number>('select count(*)::int from sales_order')
    expect(sales).toBeGreaterThan(5700)
    expect(sales).toBeLessThan(6300)
    const share = await one<number>(
      'select count(sales_order_id)::float / count(*) from transaction',
    )
    expect(share).toBeGreaterThan(0.69)
    expect(share).toBeLessThan(0.73)
    expect(await one('select min(created_at)::date::text from sales_order')).toBe('2026-05-29')
    expect(await one(`select max(created_at) <= '2026-11-27 16:20' from transaction`)).toBe(true)
  })

  it('is captured thirteen times in its past, the last time at its beginning', () => {
    expect(captured).toHaveLength(13)
    expect(captured[0]).toEqual(later(-84))
    expect(captured.at(-1)).toEqual(begun)
    expect(momentsLeft(company)).toEqual([begun])
  })

  it('keeps every reference whole, and each order with its transaction and payment', async () => {
    for (const [table, key, other] of [
      ['sales_order', 'design_id', 'design'],
      ['sales_order', 'staff_id', 'staff'],
      ['sales_order', 'counterparty_id', 'counterparty'],
      ['purchase_order', 'counterparty_id', 'counterparty'],
      ['payment', 'transaction_id', 'transaction'],
    ] as const) {
      const sql = `select count(*)::int from ${table} where ${key} not in (select ${key} from ${other})`
      expect([table, key, await one(sql)]).toEqual([table, key, 0])
    }
    const alone = `select count(*)::int from transaction as t
      full join payment as p using (transaction_id)
      full join sales_order as s using (sales_order_id)
      full join purchase_order as o using (purchase_order_id)
      where t.transaction_id is null or p.payment_id is null
        or (s.sales_order_id is null) = (o.purchase_order_id is null)`
    expect(await one(alone)).toBe(0)
    expect(
      await one(`select count(*)::int from design as d join sales_order as s using (design_id)
        where d.created_at > s.created_at and d.design_id > 24`),
    ).toBe(0)
  })

  it('keeps to the ranges of the real source', async () => {
    expect(
      await one(`select count(*)::int from sales_order
        where units_sold not between 1001 and 99973 or unit_price not between 2 and 4`),
    ).toBe(0)
    expect(
      await one(`select count(*)::int from purchase_order where item_quantity not between 1 and 999
        or item_unit_price not between 3.32 and 999.51 or item_code !~ '^[A-Z0-9]{7}$'`),
    ).toBe(0)
  })

  it('has payments and deliveries ahead, and debts of every age', async () => {
    const today = `'2026-11-27'`
    const ahead = `select count(*)::int from payment where payment_date > ${today} and not paid`
    expect(await one(ahead)).toBeGreaterThan(5)
    expect(
      await one(`select count(*)::int from purchase_order
        where agreed_delivery_date::date between ${today} and ${today}::date + 13`),
    ).toBeGreaterThan(10)
    const ages = await database.query(`
      select case when age <= 7 then 1 when age <= 30 then 2 when age <= 60 then 3 else 4 end as bucket
      from (select ${today}::date - payment_date::date as age from payment where not paid) as p
      where age > 0 group by 1 order by 1`)
    expect(ages.map(({ bucket }) => bucket)).toEqual([1, 2, 3, 4])
  })

  it('traded on every day of the last week, weekends and nights included', async () => {
    const days = await database.query(`
      select created_at::date from transaction where created_at >= '2026-11-20 16:20' group by 1`)
    expect(days).toHaveLength(8)
    expect(
      await one(`select count(distinct extract(hour from created_at))::int from transaction`),
    ).toBe(24)
  })

  it('tells a story: a design rises, another falls, a customer leaves', async () => {
    const units = (design: number, weeks: string): Promise<number> =>
      one(`select coalesce(sum(units_sold), 0)::float from sales_order where design_id = ${design}
        and created_at ${weeks}`)
    const recent = `>= '2026-10-30'`
    const before = `between '2026-10-02' and '2026-10-30'`
    expect(await units(54, recent)).toBeGreaterThan(1.5 * (await units(54, before)))
    const early = await units(3, `between '2026-07-03' and '2026-07-31'`)
    expect(await units(3, recent)).toBeLessThan(0.6 * early)
    const last = await one(
      'select max(created_at)::date::text from sales_order where counterparty_id = 3',
    )
    expect(last).toMatch(/^2026-10-0/)
  })

  it('tells a story: a supplier becomes dearer, customers pay late, staff differ', async () => {
    const dearer = await one<number>(`
      select avg(late / early) from (
        select item_code,
          avg(item_unit_price::float) filter (where created_at > '2026-11-01') as late,
          avg(item_unit_price::float) filter (where created_at < '2026-07-20') as early
        from purchase_order where counterparty_id = 9 group by item_code) as i
      where item_code is not null`)
    expect(dearer).toBeGreaterThan(1.12)
    const lateness = (counterparty: number): Promise<number> =>
      one(`select avg(last_updated::date - payment_date::date)::float from payment
        where paid and payment_type_id = 1 and counterparty_id = ${counterparty}`)
    expect(await lateness(10)).toBeGreaterThan((await lateness(1)) + 10)
    const ratio = await one<number>(`
      select max(n)::float / min(n) from (
        select count(*) as n from sales_order group by staff_id) as s`)
    expect(ratio).toBeGreaterThan(5)
  })

  it('amends orders without moving last_updated, and leaves a few payments behind', async () => {
    expect(
      await one('select count(*)::int from sales_order where last_updated <> created_at'),
    ).toBe(0)
    const sql = `select count(*)::int from sales_order
      join transaction using (sales_order_id) join payment using (transaction_id)
      where payment_amount <> units_sold * unit_price`
    const wrong = await one<number>(sql)
    expect(wrong).toBeGreaterThan(2)
    expect(wrong).toBeLessThan(100)
  })

  it('goes on at any hour: in two minutes of any night or weekend something happens', async () => {
    await company.passTime(new Date('2026-11-29T02:00:00Z'))
    for (let minute = 2; minute <= 120; minute += 2) {
      const events = await company.passTime(
        new Date(new Date('2026-11-29T02:00:00Z').getTime() + minute * 60_000),
      )
      expect(events.created + events.changed + events.deleted).toBeGreaterThan(0)
    }
  })

  it('breaks no foreign key', async () => {
    const keys = await database.query<{ relation: string; name: string; rule: string }>(`
      select conrelid::regclass::text as relation, conname as name, pg_get_constraintdef(oid) as rule
      from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace`)
    expect(keys.length).toBeGreaterThan(10)
    for (const { relation, name, rule } of keys) {
      await database.query(`alter table ${relation} drop constraint "${name}"`)
      await database.query(`alter table ${relation} add constraint "${name}" ${rule}`)
    }
  })

  it('writes nothing if nothing happens, so that a run has nothing to count', async () => {
    const xid = () => one<string>('select pg_snapshot_xmax(pg_current_snapshot())::text')
    const at = company.reached
    const before = await xid()
    expect(await company.passTime(at)).toEqual({ created: 0, changed: 0, deleted: 0 })
    expect(await company.passTime(new Date(at.getTime() - DAY_MS))).toMatchObject({ created: 0 })
    expect(await company.passTime(new Date(at.getTime() + 1))).toMatchObject({ created: 0 })
    expect(await xid()).toBe(before)
  })

  it('goes on in another process from the moment that it has reached', async () => {
    const again = (await openCompany(client))!
    expect(again.begun).toEqual(begun)
    expect(again.reached.getTime()).toBeLessThanOrEqual(company.reached.getTime())
  })
})

describe('the life of a company', () => {
  it('is the same in one step as in many, and another for another seed', async () => {
    const contents: Record<string, string>[] = []
    for (const steps of [1, 7, 1]) {
      const seed = contents.length === 2 ? 43 : 42
      const { database, company } = await found({ salesOrders: 600, seed })
      const from = company.reached.getTime()
      for (let step = 1; step <= steps; step++) {
        await company.passTime(new Date(from + (step / steps) * (later(1).getTime() - from)))
      }
      contents.push(await contentOf(database))
      await database.drop()
    }
    expect(contents[1]).toEqual(contents[0])
    expect(contents[2]!['sales_order']).not.toEqual(contents[0]!['sales_order'])
  })

  it('continues in a Totesys that an older version filled', async () => {
    await using database = await createDatabase()
    const client = await database.client()
    await fillTotesys(client, { seed: 1, salesOrders: 200, until: later(-30) })
    await foundCompany(client, { seed: 1, salesOrders: 200, begun })
    const company = (await openCompany(client))!
    expect(momentsLeft(company)).toEqual([begun])
    const { created } = await company.passTime(later(7))
    expect(created).toBeGreaterThan(10)
  })

  it('is unknown where none was founded', async () => {
    await using database = await createDatabase()
    expect(await openCompany(await database.client())).toBeUndefined()
  })
})
