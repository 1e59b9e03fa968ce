-- p04_arrivals: What arrives in the next 14 days, and where?
-- Grain: one row per purchase order.
-- Unit: amount in the row's own currency; quantity in items.
-- Note: The first of the 14 days is today. The agreed delivery date counts. The soonest comes
-- first.
-- Filters: currency, department, counterparty, today, as_of
with clock as (
    select coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date) as today
)

select
    f.agreed_delivery_date::date as delivery_date,
    (f.agreed_delivery_date - k.today)::integer as days_ahead,
    l.location_id::integer as location_id,
    l.address_line_1::text as address_line_1,
    l.city::text as city,
    l.country::text as country,
    f.purchase_order_id::integer as purchase_order_id,
    f.item_code::text as item_code,
    f.item_quantity::integer as quantity,
    u.currency_code::text as currency_code,
    (f.item_quantity * f.item_unit_price)::numeric(20, 2) as amount,
    f.counterparty_id::integer as counterparty_id,
    c.counterparty_legal_name::text as counterparty
from fact_purchase_orders_current as f
inner join clock as k on f.agreed_delivery_date between k.today and k.today + 13
inner join dim_currency as u on u.currency_id = f.currency_id
inner join dim_staff as s on s.staff_id = f.staff_id
inner join dim_location as l on l.location_id = f.agreed_delivery_location_id
inner join dim_counterparty as c on c.counterparty_id = f.counterparty_id
where (u.currency_code = nullif(:'currency', '')) is not false
    and (s.department_name = nullif(:'department', '')) is not false
    and (
        nullif(:'counterparty', '') is null
        or f.counterparty_id = nullif(:'counterparty', '')::integer
    )
order by f.agreed_delivery_date, f.purchase_order_id
