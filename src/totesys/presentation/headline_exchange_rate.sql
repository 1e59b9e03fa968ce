-- Describes a rate in one line, from its newest version.
-- Parameters: $1 the base currency, $2 the quote currency, $3 the day.
select
    '1 ' || f.base_currency || ' = ' || trim_scale(f.rate) || ' ' || f.quote_currency || ' on '
    || f.rate_date || ', ' || f.source as headline
from fact_exchange_rate as f
where f.base_currency = $1 and f.quote_currency = $2 and f.rate_date = $3::date
order by f.rate_record_id desc
limit 1
