-- options_currency: Which currencies are there?
-- Grain: one row per currency.
-- Note: The choices of the filter `currency`: the value in the address, and what people read.
select
    d.currency_code::text as value,
    (d.currency_code || ' · ' || d.currency_name)::text as label
from dim_currency as d
order by d.currency_code
