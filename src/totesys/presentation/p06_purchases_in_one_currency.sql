-- p06_purchases_in_one_currency: How much did we buy, all in one currency, compared with an earlier period?
-- Grain: one row per currency with purchases in the period or in the earlier one.
-- Unit: own_amount in the row's own currency, amount in in_currency; rate is what 1 of currency_code costs in in_currency.
-- Note: `against` is the earlier period: `before` (the standard), `year` (the same dates a year
-- earlier) or `none`, as in s01. Its columns are null without `from`, and if it begins before
-- data_since, the first day of all purchases. Each order is converted at the rate of the day it was
-- placed, as exchange_rate_on finds it. Rates are those known now, even with `as_of`. An order
-- without a rate is left out of the amounts and counted in orders_unconverted. rate is the newest
-- rate used in the period, from rate_date. is_filled says that it was the last known one, days_old
-- days before the order. There are no rows without `in`.
-- Filters: from, to, against, currency, in, department, counterparty, today, as_of
with clock as (
    select coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date) as today
),

period as (
    select
        a.in_currency,
        coalesce(a.first_day, '-infinity') as first_day,
        a.last_day,
        case coalesce(nullif(:'against', ''), 'before')
            when 'before' then a.first_day - greatest(a.end_day - a.first_day + 1, 0)
            when 'year' then (a.first_day - interval '1 year')::date
            when 'none' then null
        end as first_day_before,
        coalesce(
            case coalesce(nullif(:'against', ''), 'before')
                when 'before' then a.first_day - 1
                when 'year' then (a.end_day - interval '1 year')::date
                when 'none' then null
            end,
            '-infinity'
        ) as last_day_before
    from (
        select
            nullif(:'in', '') as in_currency,
            nullif(:'from', '')::date as first_day,
            coalesce(nullif(:'to', '')::date, 'infinity') as last_day,
            coalesce(nullif(:'to', '')::date, c.today) as end_day
        from clock as c
    ) as a
),

cover as (
    select min(f.created_date) as first_day
    from fact_purchase_orders_sums_current as f
    where f.grain = 'day'
),

daily as (
    select
        u.currency_code,
        f.created_date as day,
        sum(f.row_count) as orders,
        sum(f.amount) as amount
    from fact_purchase_orders_sums_current as f
    inner join dim_currency as u on u.currency_id = f.currency_id
    cross join period as p
    where f.grain = case
            when coalesce(:'counterparty', '') = '' then 'staff'
            when coalesce(:'department', '') = '' then 'counterparty'
            else 'row'
        end
        and p.in_currency is not null
        and f.created_date >= least(p.first_day, p.first_day_before)
        and f.created_date <= p.last_day
        and (f.created_date >= p.first_day or f.created_date <= p.last_day_before)
        and (u.currency_code = nullif(:'currency', '')) is not false
        and (
            nullif(:'department', '') is null
            or f.staff_id in (
                select s.staff_id
                from dim_staff as s
                where s.department_name = :'department'
            )
        )
        and (
            nullif(:'counterparty', '') is null
            or f.counterparty_id = nullif(:'counterparty', '')::integer
        )
    group by u.currency_code, f.created_date
),

rated as (
    select
        d.currency_code,
        d.day,
        d.orders,
        d.amount,
        d.amount * r.rate as converted_amount,
        d.day >= p.first_day as is_in_period,
        d.day <= p.last_day_before as is_before,
        r.rate,
        r.rate_date,
        r.is_filled,
        r.source
    from daily as d
    cross join period as p
    cross join lateral exchange_rate_on(d.currency_code::text, p.in_currency, d.day) as r
),

newest as (
    select distinct on (r.currency_code)
        r.currency_code,
        r.day,
        r.rate,
        r.rate_date,
        r.is_filled,
        r.source
    from rated as r
    where r.is_in_period and r.rate is not null
    order by r.currency_code, r.day desc
),

total as (
    select
        currency_code,
        coalesce(sum(orders) filter (where is_in_period), 0) as orders,
        coalesce(sum(orders) filter (where is_in_period and rate is null), 0)
            as orders_unconverted,
        coalesce(sum(amount) filter (where is_in_period), 0) as own_amount,
        sum(converted_amount) filter (where is_in_period) as amount,
        coalesce(sum(orders) filter (where is_before), 0) as orders_before,
        coalesce(sum(orders) filter (where is_before and rate is null), 0)
            as orders_unconverted_before,
        sum(converted_amount) filter (where is_before) as amount_before
    from rated
    group by currency_code
)

select
    p.in_currency::text as in_currency,
    t.currency_code::text as currency_code,
    t.orders::integer as orders,
    t.orders_unconverted::integer as orders_unconverted,
    t.own_amount::numeric(20, 2) as own_amount,
    case when t.orders = 0 then 0 else t.amount end::numeric(20, 2) as amount,
    case when p.first_day_before >= v.first_day then t.orders_before end::integer as orders_before,
    case when p.first_day_before >= v.first_day then t.orders_unconverted_before end::integer
        as orders_unconverted_before,
    case
        when p.first_day_before >= v.first_day and t.orders_before = 0 then 0
        when p.first_day_before >= v.first_day then t.amount_before
    end::numeric(20, 2) as amount_before,
    round(n.rate, 10)::numeric as rate,
    n.rate_date::date as rate_date,
    n.is_filled::boolean as is_filled,
    (n.day - n.rate_date)::integer as days_old,
    n.source::text as source,
    v.first_day::date as data_since
from total as t
cross join period as p
cross join cover as v
left join newest as n on n.currency_code = t.currency_code
order by t.currency_code
