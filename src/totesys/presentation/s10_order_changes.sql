-- s10_order_changes: How often do orders change afterwards, and what changes?
-- Grain: one row per month and field that changed in it.
-- Unit: changes; orders is the number of orders in which the field changed.
-- Note: Sales orders only. The month (UTC) is when the change was captured. The filters apply to
-- the order as it was after the change. An update counts once for every field that it changed,
-- except `last_updated`. The first version, a deletion and a return from one are not changes.
-- Filters: from, to, currency, department, counterparty, design, today
with clock as (
    select coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date) as today
),

amended as (
    select distinct f.sales_order_id
    from fact_sales_order as f
    where f.record_operation = 'update'
),

version as (
    select
        f.sales_record_id,
        lag(f.sales_record_id) over earlier_first as record_id_before
    from fact_sales_order as f
    inner join amended as a on a.sales_order_id = f.sales_order_id
    window earlier_first as (partition by f.sales_order_id order by f.sales_record_id)
),

change as (
    select
        f.sales_order_id,
        date_trunc('month', f.recorded_at at time zone 'utc')::date as month,
        x.field
    from version as v
    inner join fact_sales_order as f on f.sales_record_id = v.sales_record_id
    inner join fact_sales_order as b on b.sales_record_id = v.record_id_before
    inner join dim_currency as u on u.currency_id = f.currency_id
    inner join dim_staff as s on s.staff_id = f.sales_staff_id
    cross join lateral (
        values
            ('created_date', f.created_date <> b.created_date),
            ('created_time', f.created_time <> b.created_time),
            ('sales_staff_id', f.sales_staff_id <> b.sales_staff_id),
            ('counterparty_id', f.counterparty_id <> b.counterparty_id),
            ('units_sold', f.units_sold <> b.units_sold),
            ('unit_price', f.unit_price <> b.unit_price),
            ('currency_id', f.currency_id <> b.currency_id),
            ('design_id', f.design_id <> b.design_id),
            ('agreed_payment_date', f.agreed_payment_date <> b.agreed_payment_date),
            ('agreed_delivery_date', f.agreed_delivery_date <> b.agreed_delivery_date),
            (
                'agreed_delivery_location_id',
                f.agreed_delivery_location_id <> b.agreed_delivery_location_id
            )
    ) as x (field, is_changed)
    where f.record_operation = 'update'
        and x.is_changed
        and f.created_date >= coalesce(nullif(:'from', '')::date, '-infinity')
        and f.created_date <= coalesce(nullif(:'to', '')::date, 'infinity')
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
)

select
    h.month::date as month,
    (h.month + interval '1 month' <= c.today)::boolean as is_complete,
    h.field::text as field,
    count(*)::integer as changes,
    count(distinct h.sales_order_id)::integer as orders
from change as h
cross join clock as c
group by h.month, c.today, h.field
order by h.month, h.field
