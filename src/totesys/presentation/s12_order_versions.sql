-- s12_order_versions: How did this order change over time?
-- Grain: one row per version of one sales order, a deletion included.
-- Unit: amount in the row's own currency; units in bags; times in UTC.
-- Note: valid_from is when the version was captured. A deletion shows the last known values. Names
-- are those in use now.
-- Filters: order_id
select
    f.version::integer as version,
    f.record_operation::text as operation,
    f.valid_from::timestamptz as valid_from,
    f.valid_to::timestamptz as valid_to,
    f.is_current::boolean as is_current,
    f.batch_id::bigint as batch_id,
    f.sales_record_id::bigint as sales_record_id,
    f.sales_order_id::integer as sales_order_id,
    (f.created_date + f.created_time)::timestamp as created_at,
    (f.last_updated_date + f.last_updated_time)::timestamp as last_updated,
    f.design_id::integer as design_id,
    d.design_name::text as design_name,
    f.sales_staff_id::integer as staff_id,
    (s.first_name || ' ' || s.last_name)::text as staff_name,
    s.department_name::text as department,
    f.counterparty_id::integer as counterparty_id,
    c.counterparty_legal_name::text as counterparty,
    f.units_sold::integer as units,
    f.unit_price::numeric(10, 2) as unit_price,
    u.currency_code::text as currency_code,
    (f.units_sold * f.unit_price)::numeric(20, 2) as amount,
    f.agreed_payment_date::date as agreed_payment_date,
    f.agreed_delivery_date::date as agreed_delivery_date,
    f.agreed_delivery_location_id::integer as delivery_location_id,
    l.city::text as delivery_city,
    l.country::text as delivery_country
from fact_sales_order_history as f
inner join dim_design as d on d.design_id = f.design_id
inner join dim_staff as s on s.staff_id = f.sales_staff_id
inner join dim_counterparty as c on c.counterparty_id = f.counterparty_id
inner join dim_currency as u on u.currency_id = f.currency_id
inner join dim_location as l on l.location_id = f.agreed_delivery_location_id
where f.sales_order_id = nullif(:'order_id', '')::integer
order by f.version
