-- s01_sales_by_currency: How much did we sell, compared with an earlier period?
-- Grain: one row per currency with sales in the period or in the earlier one.
-- Unit: amount in the row's own currency; units in bags; change_ratio 0.1 is 10 % more.
-- Note: `against` is the earlier period. `before` (the standard) has the same number of days and
-- ends the day before `from`. `year` has the same dates a year earlier, 28 February for 29 February.
-- `none` compares nothing. Without `to` the period ends today. The columns of the earlier period
-- and change_ratio are null without `from`, and if it begins before data_since, the first day of all
-- sales.
-- Filters: from, to, against, currency, department, counterparty, design, today, as_of
with clock as (
    select coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date) as today
),

period as (
    select
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
            nullif(:'from', '')::date as first_day,
            coalesce(nullif(:'to', '')::date, 'infinity') as last_day,
            coalesce(nullif(:'to', '')::date, c.today) as end_day
        from clock as c
    ) as a
),

cover as (
    select min(f.created_date) as first_day
    from fact_sales_order_sums_current as f
    where f.grain = 'day'
),

sale as (
    select
        f.currency_id,
        f.created_date >= p.first_day as is_in_period,
        f.created_date <= p.last_day_before as is_before,
        sum(f.row_count) as orders,
        sum(f.units) as units,
        sum(f.amount) as amount
    from fact_sales_order_sums_current as f
    cross join period as p
    where f.grain = case
            when coalesce(:'design', '') <> '' then 'row'
            when coalesce(:'counterparty', '') = '' then 'staff'
            when coalesce(:'department', '') = '' then 'counterparty'
            else 'row'
        end
        and f.created_date >= least(p.first_day, p.first_day_before)
        and f.created_date <= p.last_day
        and (f.created_date >= p.first_day or f.created_date <= p.last_day_before)
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
    group by f.currency_id, is_in_period, is_before
),

total as (
    select
        u.currency_code,
        coalesce(sum(x.orders) filter (where x.is_in_period), 0) as orders,
        coalesce(sum(x.units) filter (where x.is_in_period), 0) as units,
        coalesce(sum(x.amount) filter (where x.is_in_period), 0) as amount,
        coalesce(sum(x.orders) filter (where x.is_before), 0) as orders_before,
        coalesce(sum(x.units) filter (where x.is_before), 0) as units_before,
        coalesce(sum(x.amount) filter (where x.is_before), 0) as amount_before
    from sale as x
    inner join dim_currency as u on u.currency_id = x.currency_id
    group by u.currency_code
)

select
    t.currency_code::text as currency_code,
    t.orders::integer as orders,
    t.units::bigint as units,
    t.amount::numeric(20, 2) as amount,
    case when p.first_day_before >= v.first_day then t.orders_before end::integer as orders_before,
    case when p.first_day_before >= v.first_day then t.units_before end::bigint as units_before,
    case when p.first_day_before >= v.first_day then t.amount_before end::numeric(20, 2)
        as amount_before,
    case
        when p.first_day_before >= v.first_day
            then round((t.amount - t.amount_before) / nullif(t.amount_before, 0), 4)
    end::numeric as change_ratio,
    v.first_day::date as data_since
from total as t
cross join period as p
cross join cover as v
order by t.currency_code
