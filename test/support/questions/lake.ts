import { ingestionZone } from '../../../src/platform/deps.ts'
import { type DuckDb, openDuckDb } from '../../../src/platform/io/duckdb.ts'
import { readParquet } from '../../../src/platform/lake/parquet.ts'
import { readSchema } from '../../../src/platform/lake/schema.ts'
import { lastOfEachKey, openState } from '../../../src/platform/lake/table-state.ts'
import { openFiles } from '../../../src/platform/lake/zone.ts'
import { totesys } from '../../../src/totesys/totesys.ts'
import type { TestSystem } from '../system.ts'
import { EXPECTED_OTHERS } from './expected-others.ts'
import { EXPECTED_SALES } from './expected-sales.ts'
import { RATES } from './rates.ts'

/** A row by column names, every value as text. */
export type AnsweredRow = Record<string, string | null>

/** The day that questions take for today, unless another is given. */
export const TODAY = '2026-10-30'

const EXPECTED = { ...EXPECTED_SALES, ...EXPECTED_OTHERS }

/**
 * Opens the ingestion zone in DuckDB, as the source's own tables: no star table and no history of the
 * warehouse. `at_<table>` is each table after each batch, `known_<table>` the last known values of
 * every row that was ever in it, and `batch` says when each batch was captured.
 */
export async function openLake({ deps, folder, records }: TestSystem): Promise<DuckDb> {
  const db = await openDuckDb({ scratchDir: folder })
  const zone = ingestionZone(deps)
  await db.run('create table batch (_batch bigint, captured_at timestamptz)')
  const made = new Set<string>()
  const changes = new Map<string, string[]>()
  for (const { batch, snapshot, tables } of await records()) {
    await db.run(`insert into batch values (${batch}, '${snapshot.takenAt}')`)
    for (const [name, entry] of Object.entries(tables)) {
      const table = await readSchema(zone, name, entry.fingerprint ?? '')
      await using found = await openState(db, zone, { table, state: entry.state })
      const rows = `select ${batch}::bigint as _batch, * from ${found.name}`
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
  // The rates are put in by hand, as they are put into the warehouse.
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

/** How long each step is. */
const STEPS_IN_WORDS: Record<string, string> = {
  day: '1 day',
  week: '7 days',
  month: '1 month',
  quarter: '3 months',
  year: '12 months',
}

/** Answers a question by an independent query, every value as DuckDB prints it. */
export async function askLake(
  db: DuckDb,
  name: string,
  filters: Record<string, string>,
): Promise<AnsweredRow[]> {
  const { from, to, currency, department, counterparty, design, today = TODAY } = filters
  const by = filters['by'] ?? (/^(p03|s10)_/.test(name) ? 'month' : 'week')
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
    set variable against = '${filters['against'] || 'before'}';
    set variable unit = '${by}';
    set variable step = interval '${STEPS_IN_WORDS[by]}';
    set variable order_id = ${filters['order_id'] ?? 'null'};
    set variable currency = ${currency === undefined ? 'null' : `'${currency}'`};
    set variable in_code = '${filters['in'] ?? ''}';
    create table if not exists rate_into_${filters['in'] ?? ''} as ${RATE_FOUND};
    create or replace view rate_found as from rate_into_${filters['in'] ?? ''};
    set variable moment = '${filters['then'] ?? '0001-01-01'}'::timestamptz;
    create or replace view sale_ever as from sale_state where ${latest} and ${seller};
    create or replace view sale as from sale_ever where ${days('day')};
    create or replace view sale_fit as
    select *, ${seller} as fits from sale_state;
    create or replace view captured as from batch where ${days('captured_at::date')};
    set variable batch_before = (select max(_batch) from batch where ${
      from === undefined ? 'false' : `captured_at::date < date '${from}'`
    });
    set variable batch_now = (select max(_batch) from batch where ${
      to === undefined ? 'true' : `captured_at::date <= date '${to}'`
    });
    create or replace view purchase_ever as from purchase_state where ${latest} and ${buyer};
    create or replace view purchase as from purchase_ever where ${days('day')};
    create or replace view due_ever as
    from payment_state where ${latest} and ${party} and due <= getvariable('today');
    create or replace view payment as from payment_state where ${latest};
    create or replace view sale_cover as
    select min(day) as first_day, max(day) as newest_day from sale_state where ${latest};
    create or replace view purchase_cover as
    select min(day) as first_day, max(day) as newest_day from purchase_state where ${latest};
    create or replace view payment_cover as
    select min(due) as first_day, max(day) as newest_day from payment_state where ${latest};
    create or replace view rate_cover as
    select min(rate_date) as first_day, max(rate_date) as newest_day from known_rate;
    create or replace view batch_cover as
    select min(captured_at)::date as first_day, max(captured_at)::date as newest_day from batch;
    create or replace view asked as
    from payment where ${party} and ${days(/^y0[35]/.test(name) ? 'due' : 'day')};`)
  return await db.rows<AnsweredRow>(`select columns(*)::varchar from (${EXPECTED[name]})`)
}

/** The rate of each currency into the one asked for, as floating-point numbers. Only francs cross. */
const RATE_FOUND = `
  with day as (
      select unnest(generate_series(date '2020-12-01', date '2027-06-30', interval 1 day))::date as day),
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
