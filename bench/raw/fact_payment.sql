-- As the model of this name makes it: src/totesys/models. Dates that are text already need no cast.
select
    row_number() over () as payment_record_id,
    payment_id,
    created_at::date as created_date,
    created_at::time as created_time,
    last_updated::date as last_updated_date,
    last_updated::time as last_updated_time,
    transaction_id,
    counterparty_id,
    payment_amount,
    currency_id,
    payment_type_id,
    paid,
    payment_date,
    'insert' as record_operation,
    now() as recorded_at,
    1 as batch_id
from payment
