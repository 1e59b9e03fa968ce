-- s04_rising_designs: Which designs rise or fall in the last 28 days?
-- Grain: one row per design sold in these days or in the earlier ones.
-- Unit: units in bags; change_ratio 0.1 is 10 % more, null if none were sold before.
-- Note: The last 28 days are whole days and end yesterday. `against` is the earlier days: `before`
-- (the standard), the 28 that end the day before those; `year`, the same dates a year earlier; or
-- `none`. The greatest rise comes first. If the earlier days begin before data_since, the first day
-- of all sales, their columns and the changes are null, and the design sold most comes first.
-- Filters: against, currency, department, counterparty, design, today, as_of
with clock as not materialized (
    -- Not materialized, although read twice: the planner would not know the days and would read all orders.
    select coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date) as today
),

span as not materialized (
    select
        c.today - 28 as first_day,
        c.today - 1 as last_day,
        case coalesce(nullif(:'against', ''), 'before')
            when 'before' then c.today - 56
            when 'year' then (c.today - 28 - interval '1 year')::date
            when 'none' then null
        end as first_day_before,
        case coalesce(nullif(:'against', ''), 'before')
            when 'before' then c.today - 29
            when 'year' then (c.today - 1 - interval '1 year')::date
            when 'none' then null
        end as last_day_before
    from clock as c
),

cover as (
    select min(f.created_date) as first_day
    from fact_sales_order_sums_current as f
    where f.grain = 'day'
),

sale as (
    select
        f.design_id,
        f.units_sold,
        f.created_date >= p.first_day as is_last
    from fact_sales_order_current as f
    cross join span as p
    where (
            f.created_date between p.first_day and p.last_day
            or f.created_date between p.first_day_before and p.last_day_before
        )
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
),

total as (
    select
        design_id,
        count(*) filter (where not is_last) as orders_before,
        count(*) filter (where is_last) as orders_last,
        coalesce(sum(units_sold) filter (where not is_last), 0) as units_before,
        coalesce(sum(units_sold) filter (where is_last), 0) as units_last
    from sale
    group by design_id
),

compared as (
    select
        t.design_id,
        t.orders_last,
        t.units_last,
        case when p.first_day_before >= v.first_day then t.orders_before end as orders_before,
        case when p.first_day_before >= v.first_day then t.units_before end as units_before,
        v.first_day
    from total as t
    cross join span as p
    cross join cover as v
)

select
    t.design_id::integer as design_id,
    d.design_name::text as design_name,
    t.orders_before::integer as orders_before,
    t.orders_last::integer as orders_last,
    t.units_before::bigint as units_before,
    t.units_last::bigint as units_last,
    (t.units_last - t.units_before)::bigint as units_change,
    round((t.units_last - t.units_before)::numeric / nullif(t.units_before, 0), 4)::numeric
        as change_ratio,
    t.first_day::date as data_since
from compared as t
inner join dim_design as d on d.design_id = t.design_id
order by t.units_last - coalesce(t.units_before, 0) desc, t.design_id
