-- s08_sales_by_hour: When are orders placed?
-- Grain: one row per weekday and hour in which orders were placed.
-- Unit: orders; units in bags. No amounts: orders are added across currencies.
-- Note: Weekdays are ISO: Monday is 1. Hours are UTC: 9 is 09:00 to 09:59. An hour without orders
-- has no row.
-- Filters: from, to, currency, department, counterparty, design, as_of
with placed as (
    select
        f.created_date,
        f.created_hour as hour,
        sum(f.row_count) as orders,
        sum(f.units) as units
    from fact_sales_order_sums_current as f
    where f.grain = case
            when coalesce(:'department', '') || coalesce(:'counterparty', '')
                || coalesce(:'design', '') = '' then 'hour'
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
    group by f.created_date, f.created_hour
)

select
    d.day_of_week::integer as day_of_week,
    d.day_name::text as day_name,
    p.hour::integer as hour,
    sum(p.orders)::integer as orders,
    sum(p.units)::bigint as units
from placed as p
inner join dim_date as d on d.date_id = p.created_date
group by d.day_of_week, d.day_name, p.hour
order by d.day_of_week, p.hour
