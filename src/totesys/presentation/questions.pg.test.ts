import { readdirSync, readFileSync } from 'node:fs'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase } from '../../../test/support/database.ts'
import { loadRates, type TestRate } from '../../../test/support/rates.ts'
import { insertOrders, seedTotesys } from '../../../test/support/small-totesys.ts'
import { createSystem, type TestSystem } from '../../../test/support/system.ts'
import { fillTotesys } from '../../apps/local/living-totesys/fill.ts'
import { ingestionZone } from '../../platform/deps.ts'
import { type DuckDb, openDuckDb } from '../../platform/duckdb.ts'
import { readSchema } from '../../platform/lake/schema.ts'
import { lastOfEachKey, openState, readParquet } from '../../platform/lake/table-state.ts'
import { openFiles } from '../../platform/lake/zone.ts'
import { readQuestions } from '../../platform/presentation/question.ts'
import { findForbidden } from '../../platform/presentation/statement-guard.ts'
import { migrate } from '../../platform/warehouse/migrate.ts'
import { openWarehouse } from '../../platform/warehouse/warehouse.ts'
import { totesys } from '../totesys.ts'

const questions = [...readQuestions(new URL('./', import.meta.url)).values()]

type Row = Record<string, string | null>
type Filters = Record<string, string>

const TODAY = '2026-10-30'
/** Of those that a question lists, each must change its answer. `as_of` and `then`: after batch 2. */
const VALUES: Filters = {
  from: '2026-10-22',
  to: '2026-10-28',
  currency: 'USD',
  department: 'Production',
  counterparty: '3',
  design: '2',
  today: '2026-10-23',
  in: 'EUR',
}
/** Those that say nothing without `in`. */
const IN_ONE = /^r01_|_in_one_currency$/

/**
 * On weekdays, with a gap of a week: dollars in pounds, directly and later than others; pounds in
 * euro; and in francs what euro and dollars cost, which crosses the two.
 */
const RATES: readonly TestRate[] = Array.from({ length: 65 }, (_, n) => {
  const day = new Date(Date.UTC(2026, 7, 31 + n))
  return { day: day.toISOString().slice(0, 10), weekday: day.getUTCDay(), n }
}).flatMap(({ day, weekday, n }): TestRate[] => {
  const isGap = day >= '2026-10-19' && day <= '2026-10-26'
  if (weekday % 6 === 0 || isGap) return []
  const rate = (base: string, quote: string, tenThousandths: number, source: string): TestRate => {
    return { base, quote, day, rate: `${(tenThousandths / 10_000).toFixed(4)}13`, source }
  }
  return [
    ...(day < '2026-10-15' ? [] : [rate('USD', 'GBP', 7901 + n, 'a bank')]),
    rate('GBP', 'EUR', 11_502 + 3 * n, 'another bank'),
    rate('CHF', 'EUR', 10_411 + n, 'a third'),
    rate('CHF', 'USD', 11_207 + 2 * n, 'a third'),
  ]
})

interface Header {
  readonly name: string
  readonly question: string
  readonly grain: string
  readonly unit: string
  readonly filters: readonly string[]
}

function textOf(name: string): string {
  return readFileSync(new URL(`./${name}.sql`, import.meta.url), 'utf8')
}

function headerOf(name: string): Header {
  const [first = '', ...rest] = textOf(name).split('\n')
  const value = (key: string): string =>
    rest.find((line) => line.startsWith(`-- ${key}: `))?.slice(key.length + 5) ?? ''
  const [, title = '', question = ''] = /^-- (\w+): (.+\?)$/.exec(first) ?? []
  const filters = value('Filters').split(', ')
  return { name: title, question, grain: value('Grain'), unit: value('Unit'), filters }
}

/** Rows of a question in the warehouse, every value as Postgres prints it. */
async function ask(client: pg.Client, name: string, filters: Filters = {}): Promise<Row[]> {
  const values: (string | null)[] = []
  const text = asOf(textOf(name), filters).replaceAll(/:'(\w+)'/g, (_, filter: string) => {
    values.push(filters[filter] ?? null)
    return `$${values.length}`
  })
  return await readRows(client, { text, values })
}

/** The same as psql does it: every filter a literal, and empty when it is not given. */
async function askByHand(client: pg.Client, name: string, filters: Filters): Promise<Row[]> {
  const text = textOf(name).replaceAll(/:'(\w+)'/g, (_, filter: string) =>
    pg.escapeLiteral(filters[filter] ?? ''),
  )
  return await readRows(client, { text })
}

function asOf(text: string, filters: Filters): string {
  if ((filters['as_of'] ?? '') === '') return text
  return text.replaceAll(/\bfact_(\w+?)_current\b/g, `fact_$1_as_of(:'as_of'::timestamptz)`)
}

/** What `pg_type` calls 16. */
const BOOLEAN = 16

async function readRows(client: pg.Client, query: pg.QueryConfig): Promise<Row[]> {
  const isBoolean = (oid: number): boolean => oid === BOOLEAN
  const getTypeParser = (oid: number) => (value: string) =>
    isBoolean(oid) ? String(value === 't') : value
  const types: pg.CustomTypesConfig = { getTypeParser }
  return (await client.query<Row>({ ...query, types })).rows
}

/** Filters a question is asked with when none is meant: without them it has little to say. */
function baseOf(name: string): Filters {
  if (name === 's12_order_versions') return { order_id: '11' }
  if (name === 's15_books_as_of') return asOfThen(after2)
  const own: Filters = {
    ...(/^s(01|16)_/.test(name) ? { from: VALUES['from']! } : {}),
    ...(name.startsWith('p06_') ? { from: '2026-10-24' } : {}),
    ...(IN_ONE.test(name) ? { in: 'GBP' } : {}),
  }
  return headerOf(name).filters.includes('today') ? { ...own, today: TODAY } : own
}

/** No literal: a `then` among an object's keys looks like a promise. */
function asOfThen(moment: string): Filters {
  return Object.fromEntries(['then'].map((filter) => [filter, moment]))
}

/** Another value for a filter, one that changes this question's answer. */
function valueOf(name: string, filter: string): string {
  if (filter === 'order_id') return '5'
  if (filter === 'then' || filter === 'as_of') return after2
  // The month of a change is that of this run; the items' months end with October.
  if (name === 's10_order_changes' && filter === 'today') return '2199-01-01'
  if (name === 'p03_item_prices' && filter === 'today') return '2026-11-01'
  return VALUES[filter]!
}

// What the lake says, in DuckDB over the source's own tables: no star, no history of ours.

/**
 * The ingestion zone: `at_<table>` is each table after each batch, `known_<table>` the last known
 * values of everything that ever was in it, `batch` when each batch was captured.
 */
async function openLake({ deps, folder, records }: TestSystem): Promise<DuckDb> {
  const db = await openDuckDb({ scratchDir: folder })
  const zone = ingestionZone(deps)
  await db.run('create table batch (_batch bigint, captured_at timestamptz)')
  const made = new Set<string>()
  const changes = new Map<string, string[]>()
  for (const { batch, snapshot, tables } of await records()) {
    await db.run(`insert into batch values (${batch}, '${snapshot.takenAt}')`)
    for (const [name, entry] of Object.entries(tables)) {
      const table = await readSchema(zone, name, entry.fingerprint ?? '')
      await openState(db, zone, { relation: 'found', table, state: entry.state })
      const rows = `select ${batch}::bigint as _batch, * from found`
      await db.run(
        made.has(name)
          ? `insert into at_${name} by name ${rows}`
          : `create table at_${name} as ${rows}`,
      )
      made.add(name)
      const files = await openFiles(zone, entry.changes)
      changes.set(name, [...(changes.get(name) ?? []), ...files])
    }
  }
  for (const { name, key } of totesys.source.tables) {
    await db.run(`create table change_${name} as from ${readParquet(changes.get(name) ?? [])}`)
    await db.run(`create table known_${name} as from change_${name} ${lastOfEachKey({ key })}`)
  }
  await db.run(STATES)
  // No collector brings them here: they were put into the warehouse too.
  const rates = RATES.map(
    ({ base, quote, day, rate, source }) =>
      `('${base}', '${quote}', date '${day}', ${rate}::decimal(20, 10), '${source}')`,
  )
  await db.run(`create table known_rate as
    from (values ${rates.join(', ')}) as r (base, quote, rate_date, rate, source)`)
  return db
}

const STATES = `
  create view person as
  select staff_id, department_name, first_name || ' ' || last_name as staff_name
  from known_staff join known_department using (department_id);

  create view sale_state as
  select o.*, c.currency_code, p.department_name, p.staff_name, k.counterparty_legal_name,
      d.design_name, d.file_name, a.city, a.country, o.created_at::date as day,
      (o.units_sold * o.unit_price)::decimal(20, 2) as amount
  from at_sales_order as o
  join known_currency as c using (currency_id)
  join person as p using (staff_id)
  join known_counterparty as k using (counterparty_id)
  join known_design as d using (design_id)
  join known_address as a on a.address_id = o.agreed_delivery_location_id;

  create view purchase_state as
  select o.*, c.currency_code, p.department_name, k.counterparty_legal_name, a.address_id,
      a.address_line_1, a.city, a.country, o.created_at::date as day,
      (o.item_quantity * o.item_unit_price)::decimal(20, 2) as amount
  from at_purchase_order as o
  join known_currency as c using (currency_id)
  join person as p using (staff_id)
  join known_counterparty as k using (counterparty_id)
  join known_address as a on a.address_id = o.agreed_delivery_location_id;

  create view payment_state as
  select o.*, c.currency_code, k.counterparty_legal_name, t.payment_type_name::varchar as kind,
      o.payment_date::date as due, o.created_at::date as day,
      t.payment_type_name::varchar in ('SALES_RECEIPT', 'PURCHASE_REFUND') as is_ours
  from at_payment as o
  join known_currency as c using (currency_id)
  join known_counterparty as k using (counterparty_id)
  join known_payment_type as t using (payment_type_id);`

/** What an independent query gives under these filters, every value as DuckDB prints it. */
async function askLake(db: DuckDb, name: string, filters: Filters): Promise<Row[]> {
  const { from, to, currency, department, counterparty, design, today = TODAY } = filters
  const moment = filters['as_of'] ?? '9999-12-31'
  const all = (...conditions: (string | undefined | false)[]): string =>
    conditions.filter((condition) => typeof condition === 'string').join(' and ') || 'true'
  const days = (column: string): string =>
    all(from && `${column} >= date '${from}'`, to && `${column} <= date '${to}'`)
  const party = all(
    currency && `currency_code = '${currency}'`,
    counterparty && `counterparty_id = ${counterparty}`,
  )
  const buyer = all(party, department && `department_name = '${department}'`)
  const seller = all(buyer, design && `design_id = ${design}`)
  const latest = `_batch = (select max(_batch) from batch where captured_at <= '${moment}')`
  await db.run(`
    set variable today = date '${today}';
    set variable from_day = ${from === undefined ? 'null::date' : `date '${from}'`};
    set variable to_day = ${to === undefined ? 'null::date' : `date '${to}'`};
    set variable order_id = ${filters['order_id'] ?? 'null'};
    set variable currency = ${currency === undefined ? 'null' : `'${currency}'`};
    set variable in_code = '${filters['in'] ?? ''}';
    create or replace view rate_found as ${RATE_FOUND};
    set variable moment = '${filters['then'] ?? '0001-01-01'}'::timestamptz;
    create or replace view sale_ever as from sale_state where ${latest} and ${seller};
    create or replace view sale as from sale_ever where ${days('day')};
    create or replace view sale_fit as
    select *, ${seller} and ${days('day')} as fits from sale_state;
    create or replace view purchase_ever as from purchase_state where ${latest} and ${buyer};
    create or replace view purchase as from purchase_ever where ${days('day')};
    create or replace view due_ever as
    from payment_state where ${latest} and ${party} and due <= getvariable('today');
    create or replace view payment as from payment_state where ${latest};
    create or replace view asked as
    from payment where ${party} and ${days(name.startsWith('y03') ? 'due' : 'day')};`)
  return await db.rows<Row>(`select columns(*)::varchar from (${EXPECTED[name]})`)
}

/** What each currency costs in the currency asked for, in floating numbers; francs alone cross. */
const RATE_FOUND = `
  with day as (
      select unnest(generate_series(date '2026-01-01', date '2027-01-10', interval 1 day))::date as day),
  quoted as (
      select day, base, quote, max(rate_date) as rate_date,
          arg_max(rate, rate_date)::double as rate, arg_max(source, rate_date) as source
      from day join known_rate on rate_date <= day group by all)
  select c.currency_code, day.day,
      case when c.currency_code = getvariable('in_code') then 1
          else coalesce(d.rate, 1 / i.rate, t.rate / f.rate) end as rate,
      case when c.currency_code = getvariable('in_code') then day.day
          else coalesce(d.rate_date, i.rate_date, least(f.rate_date, t.rate_date)) end as rate_date,
      case when c.currency_code <> getvariable('in_code') then
          coalesce(d.source, i.source || ', inverse', f.source || ', over CHF') end as source
  from day
  cross join (select distinct currency_code from known_currency) as c
  left join quoted as d
      on d.day = day.day and d.base = c.currency_code and d.quote = getvariable('in_code')
  left join quoted as i
      on i.day = day.day and i.base = getvariable('in_code') and i.quote = c.currency_code
  left join (quoted as f join quoted as t on t.day = f.day and t.base = f.base)
      on f.day = day.day and f.base = 'CHF' and f.quote = c.currency_code
      and t.quote = getvariable('in_code')`

/**
 * Amounts (name → column of the rows) of a period and the one before, converted: rows of `from` by
 * `day`, with `last` the last day of both the period and its length. A sum of nothing is 0, of
 * nothing but what has no rate unknown.
 */
const CONVERTED = ({
  from,
  day,
  last,
  things,
  own,
  now,
  before,
}: {
  from: string
  day: string
  last: string
  things: string
  own: Record<string, string>
  now: Record<string, string>
  before: Record<string, string>
}): string => {
  const sum = (which: string, of: string): string => `
      if(count(*) filter (${which}) = 0, 0,
          round(sum((${of})::double * found) filter (${which}), 2))::decimal(20, 2)`
  const isThen = 'first_day is not null and is_before'
  const then = (sql: string): string => `if(first_day is null, null, ${sql})`
  const newest = (of: string): string =>
    `arg_max(${of}, on_day) filter (is_now and found is not null)`
  return `
    with placed as (
        select *, ${day} as on_day, getvariable('from_day') as first_day, ${last} as last_day,
            coalesce(last_day, getvariable('today')) - first_day + 1 as length,
            coalesce(on_day >= first_day, true) and coalesce(on_day <= last_day, true) as is_now,
            coalesce(on_day < first_day and on_day >= first_day - length::integer, false)
                as is_before
        from ${from}),
    rated as (
        select p.*, r.rate as found, r.rate_date as found_date, r.source as said
        from placed as p left join rate_found as r
            on r.currency_code = p.currency_code and r.day = p.on_day
        where is_now or is_before)
    select getvariable('in_code') as in_currency, currency_code, count(*) filter (is_now) as ${things},
        count(*) filter (is_now and found is null) as ${things}_unconverted,
        ${Object.entries(own)
          .map(([name, of]) => `coalesce(sum(${of}) filter (is_now), 0)::decimal(20, 2) as ${name}`)
          .join(', ')},
        ${Object.entries(now)
          .map(([name, of]) => `${sum('is_now', of)} as ${name}`)
          .join(', ')},
        ${then(`count(*) filter (${isThen})`)} as ${things}_before,
        ${then(`count(*) filter (${isThen} and found is null)`)} as ${things}_unconverted_before,
        ${Object.entries(before)
          .map(([name, of]) => `${then(sum(isThen, of))} as ${name}`)
          .join(', ')},
        round(${newest('found')}, 10)::decimal(28, 10) as rate,
        ${newest('found_date')} as rate_date,
        ${newest('found_date < on_day')} as is_filled,
        ${newest('on_day - found_date')} as days_old,
        ${newest('said')} as source
    from rated group by currency_code, first_day order by currency_code`
}

const OF_CURRENCY_AND = (more: string): string => `
  select currency_code, ${more} count(*) as orders, sum(units_sold) as units, sum(amount) as amount
  from sale group by all`

const WEEKLY = (table: string, columns: string, zeros: string): string => `
  with weekly as (select currency_code, date_trunc('week', day)::date as week_start, ${columns}
      from ${table} group by all),
  week as (select unnest(generate_series(min(week_start), max(week_start), interval 7 days))::date
      as week_start from weekly)
  select c.currency_code, week_start,
      week_start + 6 < getvariable('today')
      and (getvariable('from_day') is null or getvariable('from_day') <= week_start)
      and (getvariable('to_day') is null or getvariable('to_day') - week_start >= 6) as is_complete,
      ${zeros}
  from week cross join (select distinct currency_code from weekly) as c
  left join weekly using (currency_code, week_start)
  order by 1, 2`

const SCHEDULED = `
  select payment_id, due as payment_date, payment_amount as amount, currency_code,
      kind as payment_type, paid, counterparty_id, counterparty_legal_name as counterparty
  from asked`

/** Each order as it was after a batch (n) and after the one before it (b), either of them null. */
const STEPS = `
  steps as (
      select k.sales_order_id, t._batch, t.captured_at, n, b
      from (select distinct sales_order_id from at_sales_order) as k
      cross join batch as t
      left join sale_fit as n on n.sales_order_id = k.sales_order_id and n._batch = t._batch
      left join sale_fit as b on b.sales_order_id = k.sales_order_id and b._batch = t._batch - 1)`

const FIELDS = {
  created_date: 'created_at::date',
  created_time: 'created_at::time',
  sales_staff_id: 'staff_id',
  counterparty_id: 'counterparty_id',
  units_sold: 'units_sold',
  unit_price: 'unit_price',
  currency_id: 'currency_id',
  design_id: 'design_id',
  agreed_payment_date: 'agreed_payment_date',
  agreed_delivery_date: 'agreed_delivery_date',
  agreed_delivery_location_id: 'agreed_delivery_location_id',
}

const AGES = { '0-7': [0, 7], '8-30': [8, 30], '31-90': [31, 90], 'over 90': [91, 99_999] }

const EXPECTED: Record<string, string> = {
  s01_sales_by_currency: `
    with placed as (
        select *, getvariable('from_day') as first_day, getvariable('to_day') as last_day,
            coalesce(last_day, getvariable('today')) - first_day + 1 as length,
            coalesce(day >= first_day, true) and coalesce(day <= last_day, true) as is_now,
            coalesce(day < first_day and day >= first_day - length::integer, false) as is_before
        from sale_ever),
    counted as (
        select currency_code, first_day is not null as has_before,
            count(*) filter (is_now) as orders,
            coalesce(sum(units_sold) filter (is_now), 0) as units,
            coalesce(sum(amount) filter (is_now), 0)::decimal(20, 2) as amount,
            count(*) filter (is_before) as old_orders,
            coalesce(sum(units_sold) filter (is_before), 0) as old_units,
            coalesce(sum(amount) filter (is_before), 0)::decimal(20, 2) as old_amount
        from placed where is_now or is_before group by all)
    select currency_code, orders, units, amount,
        if(has_before, old_orders, null) as orders_before,
        if(has_before, old_units, null) as units_before,
        if(has_before, old_amount, null) as amount_before,
        if(old_amount = 0, null, round(amount / old_amount - 1, 4))::decimal(18, 4) as change_ratio
    from counted order by 1`,
  s02_sales_by_week: WEEKLY(
    'sale',
    'count(*) as orders, sum(units_sold) as units, sum(amount) as amount',
    `ifnull(orders, 0) as orders, ifnull(units, 0) as units,
     ifnull(amount, 0)::decimal(20, 2) as amount`,
  ),
  s03_best_designs: `
    select design_id, design_name, file_name, count(*) as orders, sum(units_sold) as units,
        round(units / (select sum(units_sold) from sale), 6)::decimal(18, 6) as share
    from sale group by all order by units desc, design_id`,
  s04_rising_designs: `
    with days as (select *, getvariable('today') - day as age from sale)
    select design_id, design_name,
        count(*) filter (age > 28) as orders_before, count(*) filter (age <= 28) as orders_last,
        coalesce(sum(units_sold) filter (age > 28), 0) as units_before,
        coalesce(sum(units_sold) filter (age <= 28), 0) as units_last,
        units_last - units_before as units_change,
        if(units_before = 0, null, round(units_last / units_before - 1, 4))::decimal(18, 4)
            as change_ratio
    from days where age between 1 and 56 group by all order by units_change desc, design_id`,
  s05_sales_by_staff: `
    with staff as (${OF_CURRENCY_AND('department_name, staff_id, staff_name,')}),
    department as (
        select currency_code, department_name, sum(amount) as department_amount
        from sale group by all)
    select currency_code, department_name as department, staff_id, staff_name, orders, units, amount,
        department_amount
    from staff join department using (currency_code, department_name)
    order by currency_code, department_amount desc, department, amount desc, staff_id`,
  s06_biggest_customers: `
    with customer as (${OF_CURRENCY_AND('counterparty_id, counterparty_legal_name,')}),
    compared as (
        select c.*, count(*) as position, sum(o.amount) as so_far,
            (select sum(amount) from sale as s where s.currency_code = c.currency_code) as whole
        from customer as c
        join customer as o on o.currency_code = c.currency_code
            and (o.amount > c.amount
                or o.amount = c.amount and o.counterparty_id <= c.counterparty_id)
        group by all)
    select currency_code, position, counterparty_id, counterparty_legal_name as counterparty, orders,
        units, amount, round(amount / whole, 6)::decimal(18, 6) as share,
        round(so_far / whole, 6)::decimal(18, 6) as cumulative_share
    from compared order by currency_code, position`,
  s07_sales_by_country: `
    from (${OF_CURRENCY_AND('country, count(distinct city) as cities,')})
    order by currency_code, amount desc, country`,
  s08_sales_by_hour: `
    select isodow(created_at) as day_of_week, dayname(created_at) as day_name,
        hour(created_at) as hour, count(*) as orders, sum(units_sold) as units
    from sale group by all order by 1, 3`,
  s09_prices_by_design: `
    with ranked as (
        select *, row_number() over (
                partition by currency_code, design_id order by unit_price) as rank,
            count(*) over (partition by currency_code, design_id) as orders
        from sale)
    select currency_code, design_id, design_name, orders, min(unit_price) as lowest_price,
        min(unit_price) filter (rank * 4 >= orders) as lower_quartile,
        min(unit_price) filter (rank * 2 >= orders) as median_price,
        min(unit_price) filter (rank * 4 >= orders * 3) as upper_quartile,
        max(unit_price) as highest_price
    from ranked group by all order by currency_code, orders desc, design_id`,
  s10_order_changes: `
    with ${STEPS},
    changes as (${Object.entries(FIELDS)
      .map(
        ([field, column]) => `
        select sales_order_id, captured_at, '${field}' as field from steps
        where b.sales_order_id is not null and n.fits and n.${column} <> b.${column}`,
      )
      .join(' union all ')})
    select date_trunc('month', captured_at)::date as month,
        month + interval 1 month <= getvariable('today') as is_complete,
        field, count(*) as changes, count(distinct sales_order_id) as orders
    from changes group by all order by month, field`,
  s11_delivery_promise: `
    select agreed_delivery_date::date - day as days, count(*) as orders, sum(units_sold) as units,
        round(orders / (select count(*) from sale), 6)::decimal(18, 6) as share
    from sale group by all order by days`,
  s12_order_versions: `
    select row_number() over seen as version, o._operation as operation,
        o._captured_at as valid_from, lead(o._captured_at) over seen as valid_to,
        o._operation <> 'delete' and lead(o._batch) over seen is null as is_current,
        o._batch as batch_id,
        (select count(*) from change_sales_order as e
            where (e._batch, e._ordinal) <= (o._batch, o._ordinal)) as sales_record_id,
        sales_order_id, o.created_at, o.last_updated, design_id, design_name, staff_id, staff_name,
        department_name as department, counterparty_id, counterparty_legal_name as counterparty,
        units_sold as units, unit_price, currency_code,
        (units_sold * unit_price)::decimal(20, 2) as amount, agreed_payment_date,
        agreed_delivery_date, agreed_delivery_location_id as delivery_location_id,
        city as delivery_city, country as delivery_country
    from change_sales_order as o
    join known_design using (design_id)
    join person using (staff_id)
    join known_counterparty using (counterparty_id)
    join known_currency using (currency_id)
    join known_address on address_id = agreed_delivery_location_id
    where sales_order_id = getvariable('order_id')
    window seen as (order by o._batch, o._ordinal) order by version`,
  s13_deleted_orders: `
    with ${STEPS}
    select sales_order_id, captured_at as deleted_at, _batch as batch_id, b.day as created_date,
        b.currency_code, b.units_sold as units, b.unit_price, b.amount, b.counterparty_id,
        b.counterparty_legal_name as counterparty, b.design_id, b.design_name,
        b.department_name as department, b.staff_name,
        exists (select 1 from at_sales_order as l
            where l.sales_order_id = steps.sales_order_id and l._batch > steps._batch)
            as has_returned
    from steps where n.sales_order_id is null and b.fits order by _batch desc, sales_order_id desc`,
  s14_value_changes: `
    with ${STEPS},
    moves as (
        select c.currency_code, b.sales_order_id is null as is_new,
            n.sales_order_id is null as is_gone,
            if(n.fits and n.currency_code = c.currency_code, n.amount, 0)
            - if(b.fits and b.currency_code = c.currency_code, b.amount, 0) as change
        from steps cross join known_currency as c
        where n.fits and n.currency_code = c.currency_code
            or b.fits and b.currency_code = c.currency_code)
    select currency_code,
        coalesce(sum(change) filter (is_new), 0)::decimal(20, 2) as created_amount,
        coalesce(sum(change) filter (not is_new and not is_gone and change > 0), 0)::decimal(20, 2)
            as raised_amount,
        coalesce(sum(change) filter (not is_new and not is_gone and change < 0), 0)::decimal(20, 2)
            as lowered_amount,
        coalesce(sum(change) filter (is_gone), 0)::decimal(20, 2) as deleted_amount,
        coalesce((select sum(amount) from sale as s where s.currency_code = moves.currency_code), 0)
            ::decimal(20, 2) as now_amount
    from moves group by currency_code order by 1`,
  s15_books_as_of: `
    with book as (
        select currency_code, count(*) as orders, sum(units_sold) as units, sum(amount) as amount
        from sale_fit where fits and _batch = (
            select max(_batch) from batch where captured_at <= getvariable('moment'))
        group by all),
    today as (${OF_CURRENCY_AND('')})
    select currency_code, ifnull(b.orders, 0) as orders_then, ifnull(b.units, 0) as units_then,
        ifnull(b.amount, 0)::decimal(20, 2) as amount_then, ifnull(t.orders, 0) as orders_now,
        ifnull(t.units, 0) as units_now, ifnull(t.amount, 0)::decimal(20, 2) as amount_now,
        (amount_now - amount_then)::decimal(20, 2) as amount_change
    from book as b full join today as t using (currency_code) order by 1`,
  p01_spend_by_week: WEEKLY(
    'purchase',
    'count(*) as orders, sum(item_quantity) as quantity, sum(amount) as amount',
    `ifnull(orders, 0) as orders, ifnull(quantity, 0) as quantity,
     ifnull(amount, 0)::decimal(20, 2) as amount`,
  ),
  p02_biggest_suppliers: `
    select currency_code, counterparty_id, counterparty_legal_name as counterparty,
        count(*) as orders, sum(item_quantity) as quantity, sum(amount) as amount,
        round(sum(amount) / any_value(whole), 6)::decimal(18, 6) as share
    from purchase
    join (select currency_code, sum(amount) as whole from purchase group by all) using (currency_code)
    group by all order by currency_code, amount desc, counterparty_id`,
  p03_item_prices: `
    with monthly as (
        select item_code, currency_code, date_trunc('month', day)::date as month,
            count(*) as orders, sum(item_quantity) as quantity, sum(amount) / quantity as price
        from purchase group by all),
    item as (
        select item_code, currency_code, arg_min(price, month) as low, arg_max(price, month) as high
        from monthly group by all having count(*) > 1)
    select item_code, currency_code, month,
        last_day(month) < getvariable('today')
        and coalesce(month >= getvariable('from_day'), true)
        and coalesce(last_day(month) <= getvariable('to_day'), true) as is_complete,
        orders, quantity, round(price, 4)::decimal(18, 4) as average_price,
        round(low, 4)::decimal(18, 4) as first_price, round(high, 4)::decimal(18, 4) as last_price,
        round(high / low - 1, 4)::decimal(18, 4) as change_ratio
    from monthly join item using (item_code, currency_code)
    order by high / low desc, item_code, currency_code, month`,
  p04_arrivals: `
    select agreed_delivery_date::date as delivery_date,
        delivery_date - getvariable('today') as days_ahead, address_id as location_id,
        address_line_1, city, country, purchase_order_id, item_code, item_quantity as quantity,
        currency_code, amount, counterparty_id, counterparty_legal_name as counterparty
    from purchase where days_ahead >= 0 and days_ahead < 14 order by 1, purchase_order_id`,
  p05_both_ways: `
    with sold as (
        select currency_code, counterparty_id, count(*) as orders, sum(amount) as amount
        from sale group by all),
    bought as (
        select currency_code, counterparty_id, count(*) as orders, sum(amount) as amount
        from purchase group by all)
    select currency_code, counterparty_id, counterparty_legal_name as counterparty,
        ifnull(s.orders, 0) as orders_sold, ifnull(s.amount, 0)::decimal(20, 2) as amount_sold,
        ifnull(b.orders, 0) as orders_bought, ifnull(b.amount, 0)::decimal(20, 2) as amount_bought
    from sold as s full join bought as b using (currency_code, counterparty_id)
    join known_counterparty using (counterparty_id)
    where counterparty_id in (select counterparty_id from sold)
        and counterparty_id in (select counterparty_id from bought)
    order by 1, amount_sold + amount_bought desc, 2`,
  y01_last_payments: `
    ${SCHEDULED} where due <= getvariable('today') order by due desc, payment_id desc limit 5`,
  y02_next_payments: `
    ${SCHEDULED} where due > getvariable('today') order by due, payment_id limit 5`,
  y03_due_by_week: `
    select * exclude (orders), amount_in - amount_out as amount_net from (${WEEKLY(
      '(select * replace (due as day) from asked)',
      `count(*) as orders, count(*) filter (is_ours) as payments_in,
       sum(payment_amount) filter (is_ours) as money_in,
       count(*) filter (not is_ours) as payments_out,
       sum(payment_amount) filter (not is_ours) as money_out`,
      `ifnull(orders, 0) as orders,
       ifnull(payments_in, 0) as payments_in, ifnull(money_in, 0)::decimal(20, 2) as amount_in,
       ifnull(payments_out, 0) as payments_out, ifnull(money_out, 0)::decimal(20, 2) as amount_out`,
    )}) order by 1, 2`,
  y04_overdue_by_age: `
    with owed as (
        select *, getvariable('today') - due as age, if(is_ours, 'in', 'out') as direction
        from asked where not paid)
    ${Object.entries(AGES)
      .map(
        ([label, [first, last]], index) => `
        select direction, currency_code, ${index + 1} as age_position, '${label}' as age_days,
            count(*) filter (age between ${first} and ${last}) as payments,
            coalesce(sum(payment_amount) filter (age between ${first} and ${last}), 0)
                ::decimal(20, 2) as amount,
            min(due) filter (age between ${first} and ${last}) as oldest_due
        from owed where age >= 0 group by all`,
      )
      .join(' union all ')}
    order by 1, 2, 3`,
  y05_days_late: `
    with first_paid as (
        select payment_id, arg_min(last_updated::date - due, _batch) as days
        from payment_state where paid group by all)
    select days as days_late, count(*) as payments
    from asked left join first_paid using (payment_id)
    where is_ours and (days is not null or due < getvariable('today'))
    group by all order by days nulls last`,
  y06_biggest_debtors: `
    select currency_code, counterparty_id, counterparty_legal_name as counterparty,
        count(*) as payments, sum(payment_amount)::decimal(20, 2) as amount,
        sum(if(due > getvariable('today'), 0, payment_amount))::decimal(20, 2) as amount_due,
        min(due) as first_due
    from asked where is_ours and not paid group by all
    order by currency_code, amount desc, counterparty_id`,
  y07_payment_mismatches: `
    with placed as (
        select 'sale' as order_kind, sales_order_id as order_id, day, counterparty_id,
            counterparty_legal_name, currency_code, amount, sales_order_id as sale_id,
            null as purchase_id
        from sale
        union all
        select 'purchase', purchase_order_id, day, counterparty_id, counterparty_legal_name,
            currency_code, amount, null, purchase_order_id
        from purchase),
    met as (
        select o.*, p.payment_id, p.currency_code as payment_code, p.payment_amount
        from placed as o
        left join known_transaction as t
            on t.sales_order_id = o.sale_id or t.purchase_order_id = o.purchase_id
        left join payment as p on p.transaction_id = t.transaction_id
            and p.kind = if(o.order_kind = 'sale', 'SALES_RECEIPT', 'PURCHASE_PAYMENT')),
    summed as (
        select order_kind, order_id, day, counterparty_id, counterparty_legal_name, currency_code,
            amount, count(payment_id) as payments, sum(payment_amount)::decimal(20, 2) as total,
            list_distinct(list(payment_code)) as codes
        from met group by all)
    select case when payments = 0 then 'no payment'
            when codes <> [currency_code] then 'different currency'
            else 'different amount' end as problem,
        order_kind, order_id, day as created_date, counterparty_id,
        counterparty_legal_name as counterparty, currency_code, amount as order_amount, payments,
        if(len(codes) = 1, codes[1], null) as payment_currency_code,
        if(len(codes) = 1, total, null) as payment_amount,
        if(problem = 'different amount', total - amount, null)::decimal(20, 2) as difference
    from summed where payments = 0 or codes <> [currency_code] or total <> amount
    order by day desc, order_kind, order_id`,
  s16_sales_in_one_currency: CONVERTED({
    from: 'sale_ever',
    day: 'day',
    last: `getvariable('to_day')`,
    things: 'orders',
    own: { own_amount: 'amount' },
    now: { amount: 'amount' },
    before: { amount_before: 'amount' },
  }),
  p06_purchases_in_one_currency: CONVERTED({
    from: 'purchase_ever',
    day: 'day',
    last: `getvariable('to_day')`,
    things: 'orders',
    own: { own_amount: 'amount' },
    now: { amount: 'amount' },
    before: { amount_before: 'amount' },
  }),
  y08_payments_in_one_currency: CONVERTED({
    from: 'due_ever',
    day: 'due',
    last: `least(getvariable('to_day'), getvariable('today'))`,
    things: 'payments',
    own: {
      own_amount_in: 'if(is_ours, payment_amount, 0)',
      own_amount_out: 'if(is_ours, 0, payment_amount)',
    },
    now: {
      amount_in: 'if(is_ours, payment_amount, 0)',
      amount_out: 'if(is_ours, 0, payment_amount)',
      amount_unpaid: 'if(paid, 0, payment_amount)',
    },
    before: {
      amount_in_before: 'if(is_ours, payment_amount, 0)',
      amount_out_before: 'if(is_ours, 0, payment_amount)',
    },
  }),
  r01_rates: `
    with first as (
        select greatest(min(rate_date), getvariable('from_day')) as day,
            least(getvariable('to_day'), getvariable('today')) as last_day from known_rate),
    week as (
        select unnest(generate_series(date_trunc('week', day), last_day, interval 7 days))::date
            as week_start, last_day from first)
    select getvariable('in_code') as in_currency, currency_code, week_start,
        round(rate, 10)::decimal(28, 10) as rate, rate_date, rate_date < week_start as is_filled,
        source,
        week_start + 6 < getvariable('today')
        and (getvariable('from_day') is null or getvariable('from_day') <= week_start)
        and (getvariable('to_day') is null or getvariable('to_day') - week_start >= 6)
            as is_complete
    from week join rate_found on day = least(week_start + 6, last_day)
    where currency_code <> getvariable('in_code') and rate is not null
        and coalesce(currency_code = getvariable('currency'), true)
    order by currency_code, week_start`,
}

// The fixed warehouse: a small Totesys, orders by hand where an edge needs one, and five runs.

interface Sale {
  readonly at: string
  readonly design?: number
  readonly staff?: number
  readonly party?: number
  readonly units: number
  readonly price: number
  readonly currency?: number
  readonly due?: string
  readonly kind?: number
}

/** SQL that inserts a sale with its transaction and payment, all three of the same id. */
function sale(id: number, order: Sale): string {
  const { at, design = 2, staff = 4, party = 3, units, price, currency = 2, kind = 1 } = order
  const day = at.slice(0, 10)
  const due = order.due ?? day
  return `
    insert into sales_order values (${id}, '${at}', '${at}', ${design}, ${staff}, ${party},
        ${units}, ${price}, ${currency}, '${due}', '${due}', ${(id % 30) + 1});
    insert into transaction values (${id}, 'SALE', ${id}, null, '${at}', '${at}');
    insert into payment values (${id}, '${at}', '${at}', ${id}, ${party}, ${units * price},
        ${currency}, ${kind}, false, '${due}', 10000000, 20000000);`
}

interface Purchase {
  readonly at: string
  readonly code: string
  readonly quantity: number
  readonly price: number
  readonly delivery?: string
  readonly staff?: number
  readonly party?: number
  readonly currency?: number
  readonly kind?: number
}

function purchase(id: number, order: Purchase): string {
  const { at, code, quantity, price, staff = 4, party = 3, currency = 2, kind = 3 } = order
  const day = at.slice(0, 10)
  return `
    insert into purchase_order values (${id}, '${at}', '${at}', ${staff}, ${party}, '${code}', ${quantity},
        ${price}, ${currency}, '${order.delivery ?? day}', '${day}', ${(id % 30) + 1});
    insert into transaction values (${id}, 'PURCHASE', null, ${id}, '${at}', '${at}');
    insert into payment values (${id}, '${at}', '${at}', ${id}, ${party}, ${quantity * price},
        ${currency}, ${kind}, false, '${day}', 10000000, 20000000);`
}

const removeOrder = (table: string, id: number): string => `
  delete from payment where transaction_id
      = (select transaction_id from transaction where ${table}_id = ${id});
  delete from transaction where ${table}_id = ${id};
  delete from ${table} where ${table}_id = ${id};`

const RUNS = [
  // The edges of the windows of 28 days and of the week before; weeks without an order between.
  sale(1001, { at: '2026-09-03 08:00', units: 1100, price: 2.5, due: '2026-10-12' }) +
    sale(1002, { at: '2026-09-04 09:10', units: 1200, price: 3.5, due: '2026-09-07' }) +
    sale(1003, { at: '2026-10-01 18:59:59.999', units: 1300, price: 2.25, design: 3 }) +
    sale(1004, { at: '2026-10-02 10:00', units: 1400, price: 2.75, due: '2026-09-29' }) +
    sale(1005, { at: '2026-10-29 11:00', units: 1500, price: 3.99, due: '2026-11-13' }) +
    sale(1006, { at: '2026-10-30 09:00', units: 1600, price: 3.01, due: '2026-10-31' }) +
    sale(1007, { at: '2026-10-14 09:00', units: 1700, price: 3.02, due: '2026-07-31' }) +
    sale(1008, { at: '2026-10-15 09:00', units: 1800, price: 3.03, due: '2026-08-01', kind: 2 }) +
    sale(1009, { at: '2026-10-15 09:00', units: 1800, price: 3.03, due: '2026-10-23' }) +
    sale(1010, { at: '2026-10-16 09:00', units: 1900, price: 3.04, due: '2026-10-22' }) +
    // Equal in everything but their keys.
    sale(1031, { at: '2026-09-02 09:00', units: 1000, price: 3, design: 5, staff: 4, party: 5 }) +
    sale(1032, { at: '2026-09-02 09:00', units: 1000, price: 3, design: 4, staff: 7, party: 4 }) +
    purchase(2031, { at: '2026-09-02 09:00', code: 'EQUAL01', quantity: 9, price: 3, party: 5 }) +
    purchase(2032, { at: '2026-09-02 09:00', code: 'EQUAL02', quantity: 9, price: 3, party: 4 }) +
    purchase(2001, { at: '2026-08-10 09:00', code: 'BAG0001', quantity: 3, price: 10 }) +
    purchase(2002, { at: '2026-08-31 09:00', code: 'BAG0001', quantity: 1, price: 20 }) +
    purchase(2003, { at: '2026-09-01 09:00', code: 'BAG0001', quantity: 7, price: 15.55 }) +
    purchase(2004, { at: '2026-10-27 09:00', code: 'BAG0001', quantity: 7, price: 17.01 }) +
    purchase(2005, { at: '2026-09-01 09:00', code: 'BAG0002', quantity: 6, price: 9.99 }) +
    purchase(2006, { at: '2026-10-01 09:00', code: 'BAG0002', quantity: 6, price: 3.33 }) +
    purchase(2007, {
      at: '2026-10-01 09:00',
      code: 'BAG0002',
      quantity: 6,
      price: 5,
      currency: 1,
    }) +
    purchase(2008, { at: '2026-10-02 09:00', code: 'P1', quantity: 1, price: 5, kind: 4 }) +
    ['10-29', '10-30', '11-12', '11-13']
      .map((day, index) => {
        const order = { code: `DUE000${index}`, quantity: 2, price: 5.5, delivery: `2026-${day}` }
        return purchase(2010 + index, { at: '2026-10-23 09:00', ...order })
      })
      .join('') +
    ['06-11', '07-11', '07-12', '10-29']
      .map((day, index) => {
        const order = { code: 'BAG0003', quantity: 4, price: 50 - 7 * index, currency: 1 }
        return purchase(2020 + index, { at: `2026-${day} 09:00`, staff: 5, party: 6, ...order })
      })
      .join(''),
  `update sales_order set units_sold = units_sold + 1000 where sales_order_id in (5, 11, 1001);
   update sales_order set unit_price = unit_price - 0.50 where sales_order_id in (6, 1002, 1005);
   update sales_order set currency_id = currency_id % 3 + 1 where sales_order_id in (7, 1003);
   update sales_order set staff_id = staff_id % 20 + 1 where sales_order_id in (8, 1004);
   update sales_order set counterparty_id = 3, design_id = 2 where sales_order_id in (9, 10);
   update sales_order set agreed_delivery_date = '2026-11-05', agreed_payment_date = '2026-11-06',
       agreed_delivery_location_id = agreed_delivery_location_id % 30 + 1,
       created_at = created_at - interval '1 day 1 hour' where sales_order_id = 10;
   update payment set payment_amount = payment_amount + 1 where payment_id in (1002, 2002);
   update purchase_order set item_unit_price = 21 where purchase_order_id = 2003;`,
  removeOrder('sales_order', 11) +
    removeOrder('purchase_order', 3) +
    `delete from sales_order where sales_order_id = 12;
     delete from payment where payment_id in (1003, 2005);
     delete from sales_order where sales_order_id = 1004;
     update purchase_order set item_unit_price = 22 where purchase_order_id = 2002;
     update purchase_order set agreed_delivery_date = '2026-11-11' where purchase_order_id = 2012;
     update payment set payment_amount = payment_amount + 1
     where payment_id = (select min(payment_id) from payment where payment_date = '2026-10-31');
     update payment set paid = true, last_updated = '2026-10-26 07:55:11'
     where payment_id in (1001, 1005, 2001);` +
    sale(1020, { at: '2026-10-30 13:00', units: 2000, price: 2.2 }),
  sale(11, { at: '2026-10-30 14:00', units: 2100, price: 2.2 }).replace(
    /insert into transaction[^]*$/,
    '',
  ) +
    `update payment set paid = false where payment_id = 1005;
     update payment set last_updated = '2026-10-29 12:00' where payment_id = 1001;
     update sales_order set units_sold = units_sold - 1500 where sales_order_id in (5, 14);
     update sales_order set last_updated = '2026-10-30 14:00' where sales_order_id = 15;
     update payment set paid = true, last_updated = '2026-10-26 07:55:11' where payment_id = 1009;
     update payment set paid = true, last_updated = '2026-10-26 07:55:11' where payment_id = 1010;
     delete from payment where payment_id = 1010;
     delete from payment where payment_id = 1007; delete from transaction where transaction_id = 1007;
     insert into transaction values (3007, 'SALE', 1007, null, '2026-10-30', '2026-10-30');
     insert into payment values (3007, '2026-10-30', '2026-10-30', 3007, 3, 5134, 2, 1, false,
         '2026-07-31', 10000000, 20000000);`,
  `delete from sales_order where sales_order_id = 11;` + removeOrder('sales_order', 1006),
]

let system: TestSystem
let lake: DuckDb
let warehouse: pg.Client
/** When the second batch was captured. */
let after2 = ''

beforeAll(async () => {
  system = await createSystem()
  const until = new Date('2026-10-30T12:00:00Z')
  await fillTotesys(system.sql, { seed: 5, salesOrders: 150, until })
  for (const changes of RUNS) {
    await system.sql.query(changes)
    await system.run()
  }
  const records = await system.records()
  after2 = records[1]!.snapshot.takenAt
  lake = await openLake(system)
  warehouse = await system.warehouse.client()
  await warehouse.query(`set timezone = 'UTC'`)
  await loadRates(warehouse, RATES)
})
afterAll(async () => {
  await lake[Symbol.asyncDispose]()
  await system[Symbol.asyncDispose]()
})

describe('each question', () => {
  it('is a file with a whole header, and the numbers have no gap', () => {
    const files = readdirSync(new URL('.', import.meta.url))
      .filter((file) => file.endsWith('.sql') && !file.startsWith('headline_'))
      .map((file) => file.slice(0, -4))
    const names = questions.map(({ name }) => name)
    expect(names.toSorted()).toEqual(files.toSorted())
    expect(names.map((name) => name.slice(0, 3))).toEqual(
      Object.entries({ o: 1, p: 6, r: 1, s: 16, y: 8 }).flatMap(([letter, count]) =>
        Array.from({ length: count }, (_, index) => letter + String(index + 1).padStart(2, '0')),
      ),
    )
    for (const { name } of questions) {
      const header = headerOf(name)
      expect(header).toMatchObject({
        name,
        question: expect.stringMatching(/\?$/),
        grain: expect.stringMatching(/^one row per .+\.$/),
        unit: expect.stringMatching(/\.$/),
      })
      const used = new Set(Array.from(textOf(name).matchAll(/:'(\w+)'/g), ([, filter]) => filter))
      const canGoBack = /fact_\w+_current/.test(textOf(name))
      if (canGoBack && header.filters.includes('as_of')) used.add('as_of')
      expect(new Set(header.filters), name).toEqual(used)
    }
  })

  it('names the currency of every amount and price it gives', async () => {
    const nameless: string[] = []
    for (const { name } of questions) {
      const { fields } = await warehouse.query({
        text: asOf(textOf(name), {}).replaceAll(/:'\w+'/g, `''`),
        rowMode: 'array',
      })
      const columns = fields.map((field) => field.name)
      const isMoney = columns.some((column) => /amount|price/.test(column))
      if (isMoney && !columns.includes('currency_code')) nameless.push(name)
      expect(new Set(columns).size, name).toBe(columns.length)
    }
    expect(nameless).toEqual([])
  })

  it('is answered to the role that may only read', async () => {
    const readerRole = `${system.warehouse.name}_asks`
    await warehouse.query(`create role ${readerRole}`)
    await using opened = await openWarehouse({ ...system.deps.warehouse, readerRole })
    await migrate(opened, totesys, { waitMs: 1000 })
    await warehouse.query(`set role ${readerRole}`)
    try {
      for (const { name } of questions) {
        expect(await ask(warehouse, name, baseOf(name)), name).not.toEqual([])
        if (!headerOf(name).filters.includes('as_of')) continue
        await ask(warehouse, name, { ...baseOf(name), as_of: after2 })
      }
    } finally {
      await warehouse.query(`reset role; drop owned by ${readerRole}; drop role ${readerRole}`)
    }
  })

  it('names nothing that Ask with SQL would refuse', async () => {
    for (const { name } of questions) {
      expect(await findForbidden(warehouse, textOf(name)), name).toBeUndefined()
    }
  })

  it('has no rows to give of an empty warehouse, and does not fail', async () => {
    await using empty = await createDatabase({ template: 'empty' })
    await using opened = await openWarehouse({ ...system.deps.warehouse, url: empty.url })
    await migrate(opened, totesys, { waitMs: 1000 })
    for (const { name } of questions) {
      expect(await ask(opened.client, name), name).toEqual([])
      expect(await ask(opened.client, name, baseOf(name)), name).toEqual([])
    }
  })
})

const compared = questions.map(({ name }) => name).filter((name) => name !== 'o01_freshness')

describe.each(compared)('%s', (name) => {
  const { filters } = headerOf(name)

  it('says what the source says', async () => {
    const rows = await ask(warehouse, name, baseOf(name))
    expect(rows).toEqual(await askLake(lake, name, baseOf(name)))
    expect(rows).not.toEqual([])
  })

  it('is the same by hand, where a filter that is not given is empty', async () => {
    const given = baseOf(name)
    expect(await askByHand(warehouse, name, given)).toEqual(await ask(warehouse, name, given))
    const none = Object.fromEntries(filters.map((filter) => [filter, '']))
    expect(await ask(warehouse, name, none)).toEqual(await ask(warehouse, name))
  })

  it.each(filters)('filters by %s', async (filter) => {
    const base = baseOf(name)
    const given = { ...base, [filter]: valueOf(name, filter) }
    const { [filter]: _, ...without } = base
    const other = base[filter] === given[filter] ? without : base
    const rows = await ask(warehouse, name, given)
    expect(rows).toEqual(await askLake(lake, name, given))
    expect(rows).not.toEqual(await ask(warehouse, name, other))
  })

  it('takes several filters together', async () => {
    const given = { ...baseOf(name) }
    for (const filter of ['from', 'to', 'currency', 'counterparty'].slice(
      filters.length > 6 ? 0 : 2,
    )) {
      if (filters.includes(filter)) given[filter] = valueOf(name, filter)
    }
    expect(await ask(warehouse, name, given)).toEqual(await askLake(lake, name, given))
  })

  it('has no rows where nothing meets the filters', async () => {
    const nothing = filters.includes('currency') ? { currency: 'XXX' } : { order_id: '999999' }
    expect(await ask(warehouse, name, { ...baseOf(name), ...nothing })).toEqual([])
    if (!filters.includes('from')) return
    const never = { ...baseOf(name), from: '2026-10-29', to: '2026-10-22' }
    expect(await ask(warehouse, name, never)).toEqual([])
  })

  it.runIf(filters.includes('as_of'))('knew nothing before the first batch', async () => {
    const given = { ...baseOf(name), as_of: '2020-01-01T00:00:00Z' }
    expect(await ask(warehouse, name, given)).toEqual([])
  })
})

describe('s01_sales_by_currency', () => {
  it('has no period before without from, and one up to today without to', async () => {
    const [all] = await ask(warehouse, 's01_sales_by_currency', { currency: 'USD' })
    expect(all).toMatchObject({ orders_before: null, units_before: null, amount_before: null })
    const open = { currency: 'USD', from: '2026-10-29', today: '2026-10-30' }
    const closed = { ...open, to: '2026-10-30', today: '2000-01-01' }
    expect(await ask(warehouse, 's01_sales_by_currency', open)).toEqual(
      await ask(warehouse, 's01_sales_by_currency', closed),
    )
  })
})

describe.each(['s02_sales_by_week', 'p01_spend_by_week', 'y03_due_by_week'])('%s', (name) => {
  it.each([
    ['that ended yesterday', { today: '2026-10-26' }, true],
    ['that ends today', { today: '2026-10-25' }, false],
    ['that the filters just hold', { from: '2026-10-19', to: '2026-10-25' }, true],
    ['that `from` cuts', { from: '2026-10-20' }, false],
    ['that `to` cuts', { to: '2026-10-24' }, false],
  ])('knows whether a week is complete %s', async (_, filters: Filters, isComplete) => {
    const given = { today: TODAY, ...filters }
    const rows = await ask(warehouse, name, given)
    expect(rows).toEqual(await askLake(lake, name, given))
    const week = rows.find((row) => row['week_start'] === '2026-10-19')
    expect(week).toMatchObject({ is_complete: String(isComplete) })
  })
})

describe('equal rows', () => {
  it.each([
    's03_best_designs',
    's05_sales_by_staff',
    's06_biggest_customers',
    's07_sales_by_country',
    's09_prices_by_design',
    'p02_biggest_suppliers',
    'p05_both_ways',
    'y07_payment_mismatches',
  ])('of %s come in the order of their keys', async (name) => {
    const day = { from: '2026-09-02', to: '2026-09-02', today: '2026-09-04' }
    const rows = await ask(warehouse, name, day)
    expect(rows).toEqual(await askLake(lake, name, day))
  })
})

describe('without today', () => {
  it.each(['y01_last_payments', 'y02_next_payments', 'y04_overdue_by_age', 's04_rising_designs'])(
    '%s takes the day it is in UTC',
    async (name) => {
      // An hour at which it is another day to the west.
      await warehouse.query(`set timezone = 'Etc/GMT+12'`)
      const [now] = await readRows(warehouse, {
        text: `select (now() at time zone 'utc')::date::text as today`,
      })
      const rows = await ask(warehouse, name)
      await warehouse.query(`set timezone = 'UTC'`)
      expect(rows).toEqual(await ask(warehouse, name, { today: now!['today']! }))
    },
  )
})

describe('s14_value_changes', () => {
  it('adds up to what there is now, to the cent, under any filter', async () => {
    for (const filter of [
      'none',
      'from',
      'to',
      'currency',
      'department',
      'counterparty',
      'design',
    ]) {
      const rows = await ask(warehouse, 's14_value_changes', { [filter]: VALUES[filter] ?? '' })
      const cents = (amount: string | null | undefined): number =>
        Number(String(amount).replace('.', ''))
      for (const row of rows) {
        const { created_amount, raised_amount, lowered_amount, deleted_amount, now_amount } = row
        const steps = [created_amount, raised_amount, lowered_amount, deleted_amount]
        const sum = steps.map(cents).reduce((total, amount) => total + amount)
        expect(sum, filter).toBe(cents(now_amount))
      }
      expect(rows.length).toBeGreaterThan(0)
    }
  })
})

describe('worked out by hand', () => {
  let small: TestSystem
  let client: pg.Client
  let after1 = ''
  beforeAll(async () => {
    small = await createSystem()
    await seedTotesys(small.sql)
    await small.run()
    for (const changes of [
      `update sales_order set units_sold = 40 where sales_order_id = 1;
       update sales_order set units_sold = 5 where sales_order_id = 2`,
      `delete from sales_order where sales_order_id = 3;
       update payment set paid = true, last_updated = '2024-02-06 07:55:11'`,
      insertOrders([[3, 31]]),
      `delete from sales_order where sales_order_id = 3;
       insert into currency values (2, 'USD', '2024-01-01', '2024-01-01');
       update sales_order set currency_id = 2 where sales_order_id = 2`,
    ]) {
      await small.sql.query(changes)
      await small.run()
    }
    after1 = (await small.records())[0]!.snapshot.takenAt
    client = await small.warehouse.client()
  })
  afterAll(() => small[Symbol.asyncDispose]())

  const picked = async (name: string, columns: string[], filters?: Filters): Promise<string[]> =>
    (await ask(client, name, filters)).map((row) =>
      columns.map((column) => row[column] ?? '-').join(' '),
    )

  it('s10_order_changes counts the fields of updates alone', async () => {
    expect(await picked('s10_order_changes', ['field', 'changes', 'orders'])).toEqual([
      'currency_id 1 1',
      'units_sold 2 2',
    ])
  })

  it('s12_order_versions tells of deletion and return', async () => {
    const columns = ['version', 'operation', 'units', 'amount', 'currency_code', 'is_current']
    expect(await picked('s12_order_versions', columns, { order_id: '3' })).toEqual([
      '1 insert 30 75.00 GBP false',
      '2 delete 30 75.00 GBP false',
      '3 insert 31 77.50 GBP false',
      '4 delete 31 77.50 GBP false',
    ])
  })

  it('s13_deleted_orders has each deletion', async () => {
    const columns = ['sales_order_id', 'units', 'amount', 'currency_code', 'has_returned']
    expect(await picked('s13_deleted_orders', columns)).toEqual([
      '3 31 77.50 GBP false',
      '3 30 75.00 GBP true',
    ])
  })

  it('s14_value_changes books a change of currency as lowered here and raised there', async () => {
    const columns = ['currency_code', 'created', 'raised', 'lowered', 'deleted', 'now']
    const named = columns.map((column) =>
      column === 'currency_code' ? column : `${column}_amount`,
    )
    expect(await picked('s14_value_changes', named)).toEqual([
      'GBP 227.50 75.00 -50.00 -152.50 100.00',
      'USD 0.00 12.50 0.00 0.00 12.50',
    ])
  })

  it('s15_books_as_of sets then against now', async () => {
    const columns = ['currency_code', 'orders_then', 'units_then', 'amount_then']
    const now = ['orders_now', 'units_now', 'amount_now', 'amount_change']
    expect(await picked('s15_books_as_of', [...columns, ...now], asOfThen(after1))).toEqual([
      'GBP 3 60 150.00 1 40 100.00 -50.00',
      'USD 0 0 0.00 1 5 12.50 12.50',
    ])
  })

  it('y05_days_late measures from the day due to the day it was marked', async () => {
    const columns = ['days_late', 'payments']
    expect(await picked('y05_days_late', columns)).toEqual(['3 1'])
  })

  it('y07_payment_mismatches finds orders without payment and with another amount', async () => {
    const columns = [
      'problem',
      'order_kind',
      'order_id',
      'order_amount',
      'payment_amount',
      'difference',
    ]
    expect(await picked('y07_payment_mismatches', columns)).toEqual([
      'no payment purchase 1 49.95 - -',
      'different amount sale 1 100.00 99.50 -0.50',
      'no payment sale 2 12.50 - -',
    ])
  })
})

describe('in one currency', () => {
  let small: TestSystem
  let client: pg.Client
  beforeAll(async () => {
    small = await createSystem()
    await seedTotesys(small.sql)
    // Orders of 25.00, 50.00 and 75.00, each on a day and in a currency of its own.
    await small.sql.query(`
      insert into currency values (2, 'USD', '2024-01-01', '2024-01-01'),
          (3, 'EUR', '2024-01-01', '2024-01-01');
      update sales_order set created_at = '2024-01-08 10:00', currency_id = 2
      where sales_order_id = 2;
      update sales_order set created_at = '2024-01-09 10:00', currency_id = 3
      where sales_order_id = 3`)
    await small.run()
    client = await small.warehouse.client()
    await loadRates(client, [
      { base: 'USD', quote: 'GBP', day: '2024-01-05', rate: '0.80' },
      { base: 'USD', quote: 'GBP', day: '2024-01-09', rate: '0.90' },
    ])
  })
  afterAll(() => small[Symbol.asyncDispose]())

  const sales = async (filters: Filters, columns: string): Promise<string[]> =>
    (
      await ask(client, 's16_sales_in_one_currency', {
        in: 'GBP',
        from: '2024-01-08',
        to: '2024-01-14',
        ...filters,
      })
    ).map((row) =>
      columns
        .split(' ')
        .map((column) => row[column] ?? '-')
        .join(' '),
    )

  it('says at which rate, and what has none', async () => {
    expect(
      await sales({}, 'currency_code orders orders_unconverted own_amount amount amount_before'),
    ).toEqual([
      'EUR 1 1 75.00 - 0.00',
      'GBP 0 0 0.00 0.00 25.00',
      // 50.00 at Friday's 0.80, since Monday has none and Tuesday's is later.
      'USD 1 0 50.00 40.00 0.00',
    ])
    expect(await sales({}, 'currency_code rate rate_date is_filled days_old source')).toEqual([
      'EUR - - - - -',
      'GBP - - - - -',
      'USD 0.8000000000 2024-01-05 true 3 a bank',
    ])
    const before = { from: '2024-01-15', to: '2024-01-21' }
    expect(await sales(before, 'currency_code orders_before orders_unconverted_before')).toEqual([
      'EUR 1 1',
      'USD 1 0',
    ])
    expect(await sales(before, 'currency_code amount amount_before')).toEqual([
      'EUR 0.00 -',
      'USD 0.00 40.00',
    ])
  })

  it('is in rates as they are known now, whatever the moment asked for', async () => {
    const earlier = { as_of: (await small.records())[0]!.snapshot.takenAt, currency: 'USD' }
    expect(await sales(earlier, 'own_amount amount')).toEqual(['50.00 40.00'])
    const rate = { base: 'USD', quote: 'GBP', day: '2024-01-08' }
    await loadRates(client, [{ ...rate, rate: '0.85' }])
    expect(await sales(earlier, 'own_amount amount is_filled')).toEqual(['50.00 42.50 false'])
    await loadRates(client, [{ ...rate, rate: '0.86' }])
    expect(await sales(earlier, 'own_amount amount')).toEqual(['50.00 43.00'])
    await loadRates(client, [{ ...rate, rate: undefined }])
    expect(await sales(earlier, 'own_amount amount is_filled')).toEqual(['50.00 40.00 true'])
  })

  it('rounds the sum, not each order', async () => {
    await small.sql.query(
      `update sales_order set created_at = '2024-01-08 11:00', currency_id = 2, units_sold = 1,
       unit_price = 0.03 where sales_order_id in (1, 3)`,
    )
    await small.run()
    // 2 × 0.03 × 0.80 = 0.048; rounded one by one it would be 0.04.
    expect(await sales({ currency: 'USD' }, 'orders amount')).toEqual(['3 40.05'])
  })
})

describe('o01_freshness', () => {
  it('shows the lag of each batch, and whether it kept the promise to the second', async () => {
    await using empty = await createDatabase({ template: 'empty' })
    await using opened = await openWarehouse({ ...system.deps.warehouse, url: empty.url })
    const { client } = opened
    await migrate(opened, totesys, { waitMs: 1000 })
    await client.query(`
      insert into tidemark_ledger (batch_id, generation, snapshot_at, loaded_at, run_id, row_counts)
      values (1, 'g', '2026-10-01 10:00+00', '2026-10-01 10:00:05.5+00', 'r', '{}'),
          (2, 'g', '2026-10-01 23:59+00', '2026-10-02 00:29+00', 'r', '{}'),
          (3, 'g', '2026-10-02 00:01+00', '2026-10-02 00:31:00.001+00', 'r', '{}')`)
    const asked = async (filters?: Filters): Promise<string[]> =>
      (await ask(client, 'o01_freshness', filters)).map((row) =>
        ['batch_id', 'lag_seconds', 'seconds_since_previous', 'is_within_promise']
          .map((column) => row[column] ?? '-')
          .join(' '),
      )
    const rows = ['1 5.500 - true', '2 1800.000 50340.000 true', '3 1800.001 120.000 false']
    expect(await asked()).toEqual(rows)
    expect(await asked({ from: '2026-10-02' })).toEqual(rows.slice(2))
    expect(await asked({ to: '2026-10-01' })).toEqual(rows.slice(0, 2))
    expect(await asked({ from: '2026-10-03' })).toEqual([])

    await client.query(`
      insert into tidemark_ledger (batch_id, generation, snapshot_at, loaded_at, run_id, row_counts)
      select n, 'g', moment, moment, 'r', '{}'
      from generate_series(4, 210) as n
      cross join lateral (select timestamptz '2026-10-03 00:00+00' + n * interval '1 minute')
          as m (moment)`)
    const newest = await asked()
    expect(newest).toHaveLength(200)
    expect(newest[0]).toMatch(/^11 /)
  })

  it('has a row for every batch of a real warehouse', async () => {
    const rows = await ask(warehouse, 'o01_freshness')
    const records = await system.records()
    expect(records).toHaveLength(RUNS.length)
    expect(rows.map(({ batch_id }) => Number(batch_id))).toEqual(records.map(({ batch }) => batch))
    for (const row of rows) expect(Number(row['lag_seconds'])).toBeLessThan(120)
  })
})
