import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../database.ts'
import { fillTotesys, type FillResult } from './fill.ts'

const tables = [
  'address',
  'counterparty',
  'currency',
  'department',
  'design',
  'payment',
  'payment_type',
  'purchase_order',
  'sales_order',
  'staff',
  'transaction',
]
const until = new Date('2024-08-21T14:30:00Z')
const options = { seed: 7, salesOrders: 2000, until }

async function contentOf(database: TestDatabase): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const table of tables) {
    const sql = `select md5(string_agg(t::text, E'\\n' order by t::text)) as md5 from ${table} as t`
    found[table] = (await database.query<{ md5: string }>(sql))[0]!.md5
  }
  return found
}

async function schemaOf(database: TestDatabase): Promise<unknown> {
  const sql = `select conrelid::regclass::text as table, conname, pg_get_constraintdef(oid) as def,
    convalidated from pg_constraint where connamespace = 'public'::regnamespace order by 1, 2`
  return database.query(sql)
}

describe('fillTotesys()', () => {
  let database: TestDatabase
  let schemaBefore: unknown
  let result: FillResult
  beforeAll(async () => {
    database = await createDatabase()
    schemaBefore = await schemaOf(database)
    result = await fillTotesys(await database.client(), options)
  })
  afterAll(() => database.drop())

  const counted = async (condition: string): Promise<number> =>
    Number((await database.query<{ n: string }>(`select count(*) as n from ${condition}`))[0]!.n)
  const one = async (sql: string): Promise<unknown> => (await database.query(sql))[0]

  it('fills all eleven tables at the sizes of the real source', async () => {
    const sizes: Record<string, number> = {}
    for (const table of tables) sizes[table] = await counted(table)
    expect(sizes).toMatchObject({
      address: 30,
      counterparty: 20,
      currency: 3,
      department: 8,
      payment: 2817,
      payment_type: 4,
      purchase_order: 817,
      sales_order: 2000,
      staff: 20,
      transaction: 2817,
    })
    // 94 weekdays, each with a design, and the twelve there were before.
    expect(sizes['design']).toBeGreaterThanOrEqual(12 + 94)
    expect(sizes['design']).toBeLessThanOrEqual(12 + 95)
    const rows = Object.values(sizes).reduce((sum, size) => sum + size)
    expect(result).toEqual({ tables: 11, rows })
  })

  it('leaves the schema as it was', async () => {
    expect(await schemaOf(database)).toEqual(schemaBefore)
  })

  it('pays for every order once, quantity times price, all made at one moment', async () => {
    const sql = `(
      select from payment as p
      join transaction as t using (transaction_id)
      left join sales_order as s using (sales_order_id)
      left join purchase_order as o using (purchase_order_id)
      where p.payment_amount = coalesce(s.units_sold * s.unit_price, o.item_quantity * o.item_unit_price)
        and p.created_at = t.created_at and t.created_at = coalesce(s.created_at, o.created_at)
        and p.currency_id = coalesce(s.currency_id, o.currency_id)
        and p.counterparty_id = coalesce(s.counterparty_id, o.counterparty_id)
        and p.payment_date = coalesce(s.agreed_payment_date, o.agreed_payment_date)
        and p.payment_type_id = case t.transaction_type when 'SALE' then 1 else 3 end
        and (t.transaction_type = 'SALE') = (s.sales_order_id is not null)
        and (s.sales_order_id is null) <> (o.purchase_order_id is null)
    ) as sound`
    expect(await counted(sql)).toBe(2817)
    expect(await counted('(select distinct transaction_id from payment) as t')).toBe(2817)
  })

  it('makes rows in working hours only, none later than its end, keys rising with time', async () => {
    const outside = `created_at::time < '08:00' or created_at::time >= '19:00'
      or extract(isodow from created_at) > 5 or created_at > '${until.toISOString().slice(0, -1)}'`
    expect(await counted(`transaction where ${outside}`)).toBe(0)
    expect(await counted(`design where design_id > 12 and (${outside})`)).toBe(0)
    expect(
      await one(`select to_char(max(created_at), 'yyyy-mm-dd') as last from sales_order`),
    ).toEqual({ last: '2024-08-21' })
    const sql = `(select created_at < lag(created_at) over (order by transaction_id) as is_earlier
      from transaction) as t where is_earlier`
    expect(await counted(sql)).toBe(0)
  })

  it('keeps to the ranges of the real source', async () => {
    expect(
      await counted(`sales_order where units_sold not between 1001 and 99973
        or unit_price not between 2 and 4
        or agreed_payment_date::date - created_at::date not between 0 and 7
        or agreed_delivery_date::date - created_at::date not between 0 and 7`),
    ).toBe(0)
    expect(
      await counted(`purchase_order where item_quantity not between 1 and 999
        or item_unit_price not between 3.32 and 999.51 or item_code !~ '^[A-Z0-9]{7}$'`),
    ).toBe(0)
    expect(await counted('(select distinct item_code from purchase_order) as c')).toBe(817)
    expect(
      await counted(
        `design where file_name !~ ('^' || lower(design_name) || '-\\d{8}-[a-z0-9]{4}\\.json$')`,
      ),
    ).toBe(0)
    expect(await counted('(select distinct design_name from design) as d')).toBe(12)
    expect(await counted('(select distinct currency_id from sales_order) as c')).toBe(3)
    expect(await counted('payment where company_ac_number not between 10000000 and 99999999')).toBe(
      0,
    )
  })

  it('uses no design before it was made', async () => {
    const sql = `sales_order as s join design as d using (design_id) where d.created_at > s.created_at`
    expect(await counted(sql)).toBe(0)
  })

  it('pays in one batch each weekday, at 07:55:11, everything due that was not made that day', async () => {
    const due = `payment_date::date + time '07:55:12' <= '${until.toISOString().slice(0, -1)}'
      and extract(isodow from payment_date::date) < 6 and payment_date::date > created_at::date`
    expect(await counted(`payment where paid <> (${due})`)).toBe(0)
    expect(await counted('payment where paid')).toBeGreaterThan(1000)
    expect(await counted('payment where not paid and last_updated <> created_at')).toBe(0)
    expect(
      await counted(`payment where paid and
        date_trunc('second', last_updated) <> payment_date::date + time '07:55:11'`),
    ).toBe(0)
    expect(
      await counted(`(select from payment where paid group by payment_date
        having count(distinct last_updated) > 1) as days`),
    ).toBe(0)
  })

  it('holds the text that breaks naive code', async () => {
    expect(
      await one(`select
        (select count(*)::int from address where country = 'Svalbard & Jan Mayen Islands') as islands,
        (select count(*)::int from address where postal_code = '08841') as zero,
        (select count(*)::int from staff where last_name = 'O''Keefe') as quote,
        (select email_address from staff where last_name = 'O''Keefe') as email,
        (select count(*)::int from counterparty where counterparty_legal_name like '%,%') > 1 as commas,
        (select count(*)::int from department where location is null) as nowhere`),
    ).toEqual({
      islands: 1,
      zero: 1,
      quote: 1,
      email: 'bree.okeefe@totes.example',
      commas: true,
      nowhere: 1,
    })
  })

  it('leaves the sequences where the next keys are free', async () => {
    expect(
      await one(`select nextval('sales_order_sales_order_id_seq')::int as s,
        nextval('purchase_order_purchase_order_id_seq')::int as p,
        nextval('transaction_transaction_id_seq')::int as t,
        nextval('payment_payment_id_seq')::int as pay,
        nextval('design_design_id_seq')::int > (select max(design_id) from design) as d`),
    ).toEqual({ s: 2001, p: 818, t: 2818, pay: 2818, d: true })
  })

  it('breaks no foreign key, although it skips their checks', async () => {
    const keys = await database.query<{ name: string; relation: string; def: string }>(
      `select conname as name, conrelid::regclass::text as relation, pg_get_constraintdef(oid) as def
       from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace`,
    )
    expect(keys.length).toBe(17)
    for (const { name, relation, def } of keys) {
      await database.query(`alter table ${relation} drop constraint ${name}`)
      await database.query(`alter table ${relation} add constraint ${name} ${def}`)
    }
  })

  it('gives the same content for the same seed, and other content for another', async () => {
    await using same = await createDatabase()
    await using other = await createDatabase()
    await fillTotesys(await same.client(), options)
    await fillTotesys(await other.client(), { ...options, seed: 8 })
    const [first, second] = [await contentOf(database), await contentOf(same)]
    expect(second).toEqual(first)
    expect((await contentOf(other))['sales_order']).not.toBe(first['sales_order'])
  })

  it('refuses a source that holds rows, and numbers that are not whole', async () => {
    const client = await database.client()
    await expect(fillTotesys(client, options)).rejects.toMatchObject({ code: 'TOTESYS_NOT_EMPTY' })
    await using empty = await createDatabase()
    const half = { ...options, seed: 0.5 }
    await expect(fillTotesys(await empty.client(), half)).rejects.toMatchObject({
      code: 'FILL_OPTION',
    })
    expect(await empty.query('select from currency')).toEqual([])
  })

  it('fills a weekend’s source up to the Friday, and without superuser rights', async () => {
    await using small = await createDatabase()
    const client = await small.client()
    await client.query(`create role filler; grant all on all tables in schema public to filler;
      grant all on all sequences in schema public to filler;
      grant temporary on database ${small.name} to filler; set role filler`)
    const sunday = new Date('2024-08-25T10:00:00Z')
    await fillTotesys(client, { seed: 1, salesOrders: 3, until: sunday })
    await client.query('reset role; drop owned by filler; drop role filler')
    const [range] = await small.query(
      `select min(created_at)::date::text as first, max(created_at)::date::text as last
       from transaction`,
    )
    expect(range).toEqual({ first: '2024-08-23', last: '2024-08-23' })
  })
})
