-- fact_sales_order: what was sold, to whom, by whom, and what was agreed.
-- Grain: one row per version of a sales order.
-- Sources: change_sales_order.
-- History: append-only; every insert, update and delete of an order is a row of its own.
with change as (
    select
        *,
        -- Moments no calendar has (infinity, BC) have no date and time; a cast of them would fail
        -- the whole batch, a null sends the one row to quarantine.
        case
            when created_at between '0001-01-01' and '9999-12-31 23:59:59.999999' then created_at
        end as created,
        case
            when last_updated between '0001-01-01' and '9999-12-31 23:59:59.999999'
                then last_updated
        end as updated,
        -- The shape is checked first: alone, try_strptime takes '2024-2-3', 'epoch' and 'infinity'
        -- for dates. There is no year 0000.
        case
            when regexp_full_match(agreed_payment_date, '[0-9]{4}-[0-9]{2}-[0-9]{2}')
                and agreed_payment_date >= '0001-01-01'
                then try_strptime(agreed_payment_date, '%Y-%m-%d')
        end as payment_due,
        case
            when regexp_full_match(agreed_delivery_date, '[0-9]{4}-[0-9]{2}-[0-9]{2}')
                and agreed_delivery_date >= '0001-01-01'
                then try_strptime(agreed_delivery_date, '%Y-%m-%d')
        end as delivery_due
    from change_sales_order
)

select
    change.sales_order_id::integer as sales_order_id,
    change.created::date as created_date,
    change.created::time as created_time,
    change.updated::date as last_updated_date,
    change.updated::time as last_updated_time,
    change.staff_id::integer as sales_staff_id,
    change.counterparty_id::integer as counterparty_id,
    change.units_sold::integer as units_sold,
    change.unit_price::decimal(10, 2) as unit_price,
    change.currency_id::integer as currency_id,
    change.design_id::integer as design_id,
    change.payment_due::date as agreed_payment_date,
    change.delivery_due::date as agreed_delivery_date,
    change.agreed_delivery_location_id::integer as agreed_delivery_location_id,
    change._operation::varchar as _operation,
    change._captured_at::timestamptz as _captured_at,
    change._ordinal::bigint as _ordinal
from change
