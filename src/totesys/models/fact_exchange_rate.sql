-- fact_exchange_rate: what one unit of a currency cost in another on a day, and who says so.
-- Grain: one row per version of the rate of a pair of currencies on a day.
-- Sources: change_exchange_rate.
-- History: append-only; every insert, update and delete of a rate is a row of its own.
select
    change_exchange_rate.base::varchar as base_currency,
    change_exchange_rate.quote::varchar as quote_currency,
    change_exchange_rate.rate_date::date as rate_date,
    change_exchange_rate.rate::decimal(20, 10) as rate,
    change_exchange_rate.source::varchar as source,
    change_exchange_rate._operation::varchar as _operation,
    change_exchange_rate._captured_at::timestamptz as _captured_at,
    change_exchange_rate._ordinal::bigint as _ordinal
from change_exchange_rate
