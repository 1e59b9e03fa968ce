-- fact_payment: what is owed or was paid, by or to whom, and when.
-- Grain: one row per version of a payment.
-- Sources: change_payment.
-- History: append-only; every insert, update and delete of a payment is a row of its own.
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
            when regexp_full_match(payment_date, '[0-9]{4}-[0-9]{2}-[0-9]{2}')
                and payment_date >= '0001-01-01'
                then try_strptime(payment_date, '%Y-%m-%d')
        end as payment_due
    from change_payment
)

select
    change.payment_id::integer as payment_id,
    change.created::date as created_date,
    change.created::time as created_time,
    change.updated::date as last_updated_date,
    change.updated::time as last_updated_time,
    change.transaction_id::integer as transaction_id,
    change.counterparty_id::integer as counterparty_id,
    change.payment_amount::decimal(10, 2) as payment_amount,
    change.currency_id::integer as currency_id,
    change.payment_type_id::integer as payment_type_id,
    change.paid::boolean as paid,
    change.payment_due::date as payment_date,
    change._operation::varchar as _operation,
    change._captured_at::timestamptz as _captured_at,
    change._ordinal::bigint as _ordinal
from change
