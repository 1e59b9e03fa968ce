/** Condition that a row of `on_day` is in the period that is compared with. */
const isEarlier = (length: string): string => `coalesce(case getvariable('against')
    when 'before' then on_day < from_day and on_day >= from_day - ${length}
    when 'year' then on_day >= (from_day - interval 1 year)::date
        and on_day <= (coalesce(last_day, getvariable('today')) - interval 1 year)::date
    end, false)`

/** Condition that the data begin before the period that is compared with, or on its first day. */
const isEarlierCovered = (length: string): string => `coalesce(case getvariable('against')
    when 'before' then from_day - ${length} >= c.first_day
    when 'year' then (from_day - interval 1 year)::date >= c.first_day
    end, false)`

/**
 * The sums of a period, and those of the one before that `before` names. The rows of `from` count by
 * `day`; `last` is the last day of the period and of its length. The period before is unknown if it
 * begins before the first day of `cover`. `ratio` adds the change of the amount.
 */
export function COMPARED({
  from,
  cover,
  day,
  last,
  now,
  before,
  ratio = false,
}: {
  from: string
  cover: string
  day: string
  last: string
  now: Record<string, string>
  before: readonly string[]
  ratio?: boolean
}): string {
  const change = `
      if(amount_before = 0, null, round(amount / amount_before - 1, 4))::decimal(18, 4)`
  return `
    with placed as (
        select o.*, ${day} as on_day, getvariable('from_day') as from_day, ${last} as last_day,
            (coalesce(last_day, getvariable('today')) - from_day + 1)::integer as length,
            coalesce(on_day >= from_day, true) and coalesce(on_day <= last_day, true) as is_now,
            ${isEarlier('length')} as is_before, ${isEarlierCovered('length')} as is_covered,
            c.first_day
        from ${from} as o cross join ${cover} as c),
    code as (
        select distinct currency_code, is_covered, first_day from placed where is_now or is_before)
    select * exclude (data_since)${ratio ? `, ${change} as change_ratio` : ''}, data_since
    from (select currency_code, ${Object.entries(now)
      .map(
        ([name, sum]) => `(select ${sum} from placed as p
        where is_now and p.currency_code = code.currency_code) as ${name}`,
      )
      .join(', ')}, ${before
      .map(
        (name) => `if(is_covered, (select ${now[name]} from placed as p
        where is_before and p.currency_code = code.currency_code), null) as ${name}_before`,
      )
      .join(', ')},
        first_day as data_since from code)
    order by 1`
}

/**
 * The converted amounts of a period and the one before. The rows of `from` count by `day`; `last` is
 * the last day of the period and of its length. `own`, `now` and `before` name the amounts and their
 * columns. The sum of no rows is 0; if no row has a rate, it is unknown. So is the period before if
 * it begins before the first day of `cover`.
 */
export const CONVERTED = ({
  from,
  cover,
  day,
  last,
  things,
  own,
  now,
  before,
}: {
  from: string
  cover: string
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
  const then = (sql: string): string => `if(is_covered, ${sql}, null)`
  const newest = (of: string): string =>
    `arg_max(${of}, on_day) filter (is_now and found is not null)`
  return `
    with placed as (
        select *, ${day} as on_day, getvariable('from_day') as from_day, ${last} as last_day,
            coalesce(last_day, getvariable('today')) - from_day + 1 as length,
            coalesce(on_day >= from_day, true) and coalesce(on_day <= last_day, true) as is_now,
            ${isEarlier('length::integer')} as is_before,
            ${isEarlierCovered('length::integer')} as is_covered, c.first_day as data_since
        from ${from} cross join ${cover} as c),
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
        ${then('count(*) filter (is_before)')} as ${things}_before,
        ${then('count(*) filter (is_before and found is null)')} as ${things}_unconverted_before,
        ${Object.entries(before)
          .map(([name, of]) => `${then(sum('is_before', of))} as ${name}`)
          .join(', ')},
        round(${newest('found')}, 10)::decimal(28, 10) as rate,
        ${newest('found_date')} as rate_date,
        ${newest('found_date < on_day')} as is_filled,
        ${newest('on_day - found_date')} as days_old,
        ${newest('said')} as source, data_since
    from rated group by currency_code, is_covered, data_since order by currency_code`
}

/** Orders, units and amount by currency and more columns. */
export const OF_CURRENCY_AND = (more: string): string => `
  select currency_code, ${more} count(*) as orders, sum(units_sold) as units, sum(amount) as amount
  from sale group by all`

/** The rows of a view, each with the rate found for it, in the one currency that is asked for, if any. */
export const RATED = (from: string): string => `
  select o.* exclude (currency_code), if(getvariable('in_code') = '', 1, r.rate) as found,
      if(getvariable('in_code') = '', o.currency_code, getvariable('in_code')) as currency_code
  from ${from} as o
  left join rate_found as r on r.currency_code = o.currency_code and r.day = o.day`

/** Orders by currency and more columns, with their amount, exact and as it is shown. */
export const RANKED = (from: string, more: string): string => `
  select currency_code, ${more}, count(*) as orders, ${inOne('amount')} as amount,
      sum(amount::double * found) as exact, count(*) filter (found is null) as orders_unconverted
  from (${RATED(from)}) group by all`

/** The day after a step that begins on a day. The step's own words make the interval. */
export const nextStep = (first: string): string => `(${first} + getvariable('step'))::date`

/** The step that a day is in, by its first day. */
export const stepOf = (day: string): string => `date_trunc(getvariable('unit'), ${day})::date`

/**
 * Columns by currency and step, with a row of zeros for a step without any. A step is complete only
 * if the days of `cover` begin with its first day or before, and end after its last.
 */
export const WEEKLY = ({
  from,
  cover,
  columns,
  zeros,
}: {
  from: string
  cover: string
  columns: string
  zeros: string
}): string => `
  with placed as (${RATED(from)}),
  weekly as (select currency_code, ${stepOf('day')} as week_start, ${columns}
      from placed group by all),
  edge as (select min(week_start) as first_start, max(week_start) as last_start from weekly),
  week as (select distinct ${stepOf('unnest(generate_series(first_start, last_start, interval 1 day))')}
      as week_start from edge)
  select c.currency_code, week_start,
      ${isWhole(cover, 'week_start')} as is_complete,
      ${zeros}
  from week cross join (select distinct currency_code from weekly) as c
  left join weekly using (currency_code, week_start)
  order by 1, 2`

/**
 * The sum of an amount in a step, exact in its own currency, otherwise at the rate of each row; null
 * if no row has one. `which` chooses rows.
 */
export const inOne = (amount: string, which = 'true'): string => `case getvariable('in_code')
    when '' then (sum(${amount}) filter (${which}))::decimal(20, 2)
    else round(sum(${amount}::double * found) filter (${which}), 2)::decimal(20, 2) end`

/** Condition that a step is over, that no filter cuts it, and that a cover holds all of it. */
export function isWhole(cover: string, first: string): string {
  const last = `${nextStep(first)} - 1`
  return `${last} < getvariable('today')
      and (getvariable('from_day') is null or getvariable('from_day') <= ${first})
      and (getvariable('to_day') is null or getvariable('to_day') >= ${last})
      and ${isCovered(cover, { first, last })}`
}

/** Condition that a cover begins with the first day or before, and ends after the last. */
export function isCovered(cover: string, days: { first: string; last: string }): string {
  return `(select c.first_day <= ${days.first} and ${days.last} < c.newest_day from ${cover} as c)`
}

/** The payments, with the columns that a list of payments shows. */
export const SCHEDULED = `
  select payment_id, due as payment_date, payment_amount as amount, currency_code,
      kind as payment_type, paid, counterparty_id, counterparty_legal_name as counterparty
  from asked`

/** Each order after a batch of the period (n) and the batch before (b); either may be null. */
export const STEPS = `
  steps as (
      select k.sales_order_id, t._batch, t.captured_at, n, b
      from (select distinct sales_order_id from at_sales_order) as k
      cross join captured as t
      left join sale_fit as n on n.sales_order_id = k.sales_order_id and n._batch = t._batch
      left join sale_fit as b on b.sales_order_id = k.sales_order_id and b._batch = t._batch - 1)`

/** The columns of a sales order in the warehouse, and what each is in the source. */
export const FIELDS = {
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

/** The ages of what is overdue, in days. */
export const AGES: Readonly<Record<string, readonly [number, number]>> = {
  '1-7': [1, 7],
  '8-30': [8, 30],
  '31-90': [31, 90],
  'over 90': [91, 99_999],
}
