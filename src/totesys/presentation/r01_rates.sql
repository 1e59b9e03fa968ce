-- r01_rates: What did each currency cost in one currency?
-- Grain: one row per other currency of the company and ISO week, or other step, in which a rate was known.
-- Unit: rate is what 1 of currency_code costs in in_currency, on the step's last day.
-- Note: `by` is the step: day, week (the standard), month, quarter or year. week_start is its first
-- day, whatever its length. The rate is the one that exchange_rate_on finds on the step's last day,
-- on `to` or today, whichever comes first. is_filled says that the step has no rate and an older one
-- stands in. Without `from` the rows begin with the first rate. There are no rows without `in`. A
-- step is complete if it does not begin before the first day with a rate, its last day is before
-- today and before the newest day with a rate, and neither `from` nor `to` cuts it.
-- Filters: from, to, by, currency, in, today
with clock as (
    select coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date) as today
),

period as (
    select
        nullif(:'in', '') as in_currency,
        nullif(:'from', '')::date as first_day,
        nullif(:'to', '')::date as last_day,
        c.today
    from clock as c
),

cover as (
    -- The same expression as in the index, so that the index is used.
    select
        date '1970-01-01' + min(c.rate_date - date '1970-01-01') as first_day,
        date '1970-01-01' + max(c.rate_date - date '1970-01-01') as newest_day
    from usable_exchange_rate as c
),

step as (
    select
        case coalesce(nullif(:'by', ''), 'week')
            when 'day' then interval '1 day'
            when 'week' then interval '1 week'
            when 'month' then interval '1 month'
            when 'quarter' then interval '3 months'
            when 'year' then interval '1 year'
        end as length
),

week as (
    select
        w.first_day::date as week_start,
        (w.first_day + s.length)::date as next_start,
        least((w.first_day + s.length)::date - 1, p.last_day, p.today) as day
    from period as p
    cross join cover as v
    cross join step as s
    cross join lateral generate_series(
        date_trunc(
            coalesce(nullif(:'by', ''), 'week'), greatest(p.first_day, v.first_day)::timestamp
        ),
        least(p.last_day, p.today)::timestamp,
        s.length
    ) as w (first_day)
    where p.in_currency is not null and p.first_day <= p.last_day is not false
),

own as (
    select distinct d.currency_code
    from dim_currency as d
    where (d.currency_code = nullif(:'currency', '')) is not false
)

select
    p.in_currency::text as in_currency,
    o.currency_code::text as currency_code,
    w.week_start::date as week_start,
    round(r.rate, 10)::numeric as rate,
    r.rate_date::date as rate_date,
    (r.rate_date < w.week_start)::boolean as is_filled,
    r.source::text as source,
    (
        w.next_start <= least(p.today, v.newest_day)
        and w.week_start >= greatest(v.first_day, p.first_day)
        and (p.last_day >= w.next_start - 1) is not false
    )::boolean as is_complete
from period as p
cross join cover as v
inner join own as o on o.currency_code <> p.in_currency
cross join week as w
cross join lateral exchange_rate_on(o.currency_code::text, p.in_currency, w.day) as r
where r.rate is not null
order by o.currency_code, w.week_start
