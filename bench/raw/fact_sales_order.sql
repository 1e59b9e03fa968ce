-- As the model of this name makes it: src/totesys/models. Dates that are text already need no cast.
select
    row_number() over () as sales_record_id,
    sales_order_id,
    created_at::date as created_date,
    created_at::time as created_time,
    last_updated::date as last_updated_date,
    last_updated::time as last_updated_time,
    staff_id as sales_staff_id,
    counterparty_id,
    units_sold,
    unit_price,
    currency_id,
    design_id,
    agreed_payment_date,
    agreed_delivery_date,
    agreed_delivery_location_id,
    'insert' as record_operation,
    now() as recorded_at,
    1 as batch_id
from sales_order
