-- payment_versions: How did this payment change over time?
-- Grain: one row per version of one payment, a deletion included.
-- Unit: amount in the row's own currency; times in UTC.
-- Note: valid_from is when the version was captured. A deletion shows the last known values. Names
-- are those in use now.
-- Access: finance
-- Filters: payment_id
select
    f.payment_id::integer as id,
    f.payment_date::date as date,
    f.payment_amount::numeric(10, 2) as amount,
    u.currency_code::text as currency,
    t.payment_type_name::text as type,
    f.paid::boolean as paid,
    f.counterparty_id::integer as counterparty_id,
    c.counterparty_legal_name::text as counterparty,
    f.transaction_id::integer as transaction_id,
    to_char(f.created_date + f.created_time, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')::text as created_at,
    to_char(f.last_updated_date + f.last_updated_time, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')::text
        as last_updated,
    f.version::integer as version,
    f.record_operation::text as operation,
    to_char(f.valid_from at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')::text as valid_from,
    to_char(f.valid_to at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')::text as valid_to,
    f.batch_id::bigint as batch
from fact_payment_history as f
inner join dim_currency as u on u.currency_id = f.currency_id
inner join dim_payment_type as t on t.payment_type_id = f.payment_type_id
inner join dim_counterparty as c on c.counterparty_id = f.counterparty_id
where f.payment_id = nullif(:'payment_id', '')::integer
order by f.version
