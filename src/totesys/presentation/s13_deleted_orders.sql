-- s13_deleted_orders: What was deleted, and what was it worth?
-- Grain: one row per deletion of a sales order.
-- Unit: the last known amount, in the row's own currency; units in bags; times in UTC.
-- Note: The newest comes first. The period is when a deletion was noticed (UTC), which is deleted_at.
-- has_returned says that the order came back after this deletion; if it was deleted again, that is a
-- row of its own. Leave out the orders that have returned to see what is missing now.
-- Filters: from, to, currency, department, counterparty, design
with deletion as (
    select f.*
    from fact_sales_order as f
    where f.record_operation = 'delete'
),

latest as (
    select
        f.sales_order_id,
        max(f.sales_record_id) as sales_record_id
    from fact_sales_order as f
    where f.sales_order_id in (select d.sales_order_id from deletion as d)
    group by f.sales_order_id
)

select
    f.sales_order_id::integer as sales_order_id,
    f.recorded_at::timestamptz as deleted_at,
    f.batch_id::bigint as batch_id,
    f.created_date::date as created_date,
    u.currency_code::text as currency_code,
    f.units_sold::integer as units,
    f.unit_price::numeric(10, 2) as unit_price,
    (f.units_sold * f.unit_price)::numeric(20, 2) as amount,
    f.counterparty_id::integer as counterparty_id,
    c.counterparty_legal_name::text as counterparty,
    f.design_id::integer as design_id,
    d.design_name::text as design_name,
    s.department_name::text as department,
    (s.first_name || ' ' || s.last_name)::text as staff_name,
    (n.sales_record_id <> f.sales_record_id)::boolean as has_returned
from deletion as f
inner join latest as n on n.sales_order_id = f.sales_order_id
inner join dim_currency as u on u.currency_id = f.currency_id
inner join dim_counterparty as c on c.counterparty_id = f.counterparty_id
inner join dim_design as d on d.design_id = f.design_id
inner join dim_staff as s on s.staff_id = f.sales_staff_id
where (f.recorded_at at time zone 'utc')::date >= coalesce(nullif(:'from', '')::date, '-infinity')
    and (f.recorded_at at time zone 'utc')::date <= coalesce(nullif(:'to', '')::date, 'infinity')
    and (u.currency_code = nullif(:'currency', '')) is not false
    and (s.department_name = nullif(:'department', '')) is not false
    and (
        nullif(:'counterparty', '') is null
        or f.counterparty_id = nullif(:'counterparty', '')::integer
    )
    and (
        nullif(:'design', '') is null
        or f.design_id = nullif(:'design', '')::integer
    )
order by f.sales_record_id desc
