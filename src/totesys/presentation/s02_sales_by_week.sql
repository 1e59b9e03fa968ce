-- s02_sales_by_week: How do sales develop week by week?
-- Grain: one row per currency and ISO week, from the first week with an order to the last.
-- Unit: amount in the row's own currency; units in bags.
-- Note: A week without orders is a row of zeros. A week is complete if it does not begin before the
-- first day of all sales, its Sunday is before today and before the day of the newest sale, and
-- neither `from` nor `to` cuts it.
-- Filters: from, to, currency, department, counterparty, design, today, as_of
with clock as (
    select coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date) as today
),

cover as (
    select
        min(f.created_date) as first_day,
        max(f.created_date) as newest_day
    from fact_sales_order_sums_current as f
    where f.grain = 'day'
),

placed as (
    select
        f.currency_id,
        f.created_date,
        sum(f.row_count) as orders,
        sum(f.units) as units,
        sum(f.amount) as amount
    from fact_sales_order_sums_current as f
    where f.grain = case
            when coalesce(:'design', '') <> '' then 'row'
            when coalesce(:'counterparty', '') = '' then 'staff'
            when coalesce(:'department', '') = '' then 'counterparty'
            else 'row'
        end
        and f.created_date >= coalesce(nullif(:'from', '')::date, '-infinity')
        and f.created_date <= coalesce(nullif(:'to', '')::date, 'infinity')
        and (
            nullif(:'currency', '') is null
            or f.currency_id in (
                select u.currency_id
                from dim_currency as u
                where u.currency_code = :'currency'
            )
        )
        and (
            nullif(:'department', '') is null
            or f.sales_staff_id in (
                select s.staff_id
                from dim_staff as s
                where s.department_name = :'department'
            )
        )
        and (
            nullif(:'counterparty', '') is null
            or f.counterparty_id = nullif(:'counterparty', '')::integer
        )
        and (
            nullif(:'design', '') is null
            or f.design_id = nullif(:'design', '')::integer
        )
    group by f.currency_id, f.created_date
),

total as (
    select
        u.currency_code,
        date_trunc('week', d.created_date::timestamp)::date as week_start,
        sum(d.orders) as orders,
        sum(d.units) as units,
        sum(d.amount) as amount
    from placed as d
    inner join dim_currency as u on u.currency_id = d.currency_id
    group by u.currency_code, week_start
),

currency as (
    select distinct currency_code
    from total
),

week as (
    select b.first_week + 7 * n as week_start
    from (select min(week_start) as first_week, max(week_start) as last_week from total) as b
    cross join generate_series(0, (b.last_week - b.first_week) / 7) as n
)

select
    y.currency_code::text as currency_code,
    w.week_start::date as week_start,
    (
        w.week_start + 7 <= least(c.today, v.newest_day)
        and w.week_start >= greatest(v.first_day, nullif(:'from', '')::date)
        and w.week_start + 6 <= coalesce(nullif(:'to', '')::date, 'infinity')
    )::boolean as is_complete,
    coalesce(t.orders, 0)::integer as orders,
    coalesce(t.units, 0)::bigint as units,
    coalesce(t.amount, 0)::numeric(20, 2) as amount
from currency as y
cross join week as w
cross join clock as c
cross join cover as v
left join total as t on t.currency_code = y.currency_code and t.week_start = w.week_start
order by y.currency_code, w.week_start
