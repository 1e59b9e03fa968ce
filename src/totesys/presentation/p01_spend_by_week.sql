-- p01_spend_by_week: How does our spending develop?
-- Grain: one row per currency and ISO week, or other step, from the first with an order to the last.
-- Unit: amount in currency_code, which is `in` if it is set; quantity in items.
-- Note: `by` is the step: day, week (the standard), month, quarter or year. week_start is its first
-- day, whatever its length. A step without orders is a row of zeros. It is complete if it does not
-- begin before the first day of all purchases, its last day is before today and before the day of
-- the newest purchase, and neither `from` nor `to` cuts it. An order counts on the day on which it
-- was placed. With `in`, every currency is converted into that one, each order at the rate of the
-- day it was placed, as exchange_rate_on finds it now. An order without a rate is left out of
-- amount and counted in orders_unconverted; amount is null if no order in a step has a rate.
-- Filters: from, to, by, currency, in, department, counterparty, today, as_of
with clock as (
    select coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date) as today
),

cover as (
    select
        min(f.created_date) as first_day,
        max(f.created_date) as newest_day
    from fact_purchase_orders_sums_current as f
    where f.grain = 'day'
),

placed as (
    select
        f.currency_id,
        f.created_date,
        sum(f.row_count) as orders,
        sum(f.quantity) as quantity,
        sum(f.amount) as amount
    from fact_purchase_orders_sums_current as f
    where f.grain = case
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
    group by f.currency_id, f.created_date
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

rated as (
    select
        coalesce(nullif(:'in', ''), u.currency_code) as currency_code,
        d.created_date,
        d.orders,
        d.quantity,
        case when nullif(:'in', '') is null then d.amount else d.amount * r.rate end as amount
    from placed as d
    inner join dim_currency as u on u.currency_id = d.currency_id
    -- Without `in`, no rate is looked up.
    left join lateral
        exchange_rate_on(u.currency_code::text, nullif(:'in', ''), d.created_date) as r
        on nullif(:'in', '') is not null
),

total as (
    select
        d.currency_code,
        date_trunc(coalesce(nullif(:'by', ''), 'week'), d.created_date::timestamp)::date
            as week_start,
        sum(d.orders) as orders,
        sum(d.quantity) as quantity,
        sum(d.amount) as amount,
        sum(d.orders) filter (where d.amount is null) as orders_unconverted
    from rated as d
    group by d.currency_code, week_start
),

currency as (
    select distinct currency_code
    from total
),

week as (
    select
        w.first_day::date as week_start,
        (w.first_day + s.length)::date as next_start
    from (select min(week_start) as first_week, max(week_start) as last_week from total) as b
    cross join step as s
    cross join lateral generate_series(
        b.first_week::timestamp, b.last_week::timestamp, s.length
    ) as w (first_day)
)

select
    y.currency_code::text as currency_code,
    w.week_start::date as week_start,
    (
        w.next_start <= least(c.today, v.newest_day)
        and w.week_start >= greatest(v.first_day, nullif(:'from', '')::date)
        and w.next_start - 1 <= coalesce(nullif(:'to', '')::date, 'infinity')
    )::boolean as is_complete,
    coalesce(t.orders, 0)::integer as orders,
    coalesce(t.quantity, 0)::bigint as quantity,
    case when t.orders > 0 then t.amount else 0 end::numeric(20, 2) as amount,
    coalesce(t.orders_unconverted, 0)::integer as orders_unconverted
from currency as y
cross join week as w
cross join clock as c
cross join cover as v
left join total as t on t.currency_code = y.currency_code and t.week_start = w.week_start
order by y.currency_code, w.week_start
