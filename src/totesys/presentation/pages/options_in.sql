-- options_in: Into which currencies can others be converted?
-- Grain: one row per currency of the company that at least one other has a rate into.
-- Note: The choices of the filter `in`: the value in the address, and what people read.
-- Filters: today
with clock as (
    select coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date) as today
),

own as (
    select
        d.currency_code,
        min(d.currency_name) as currency_name
    from dim_currency as d
    group by d.currency_code
)

select
    o.currency_code::text as value,
    (o.currency_code || ' · ' || o.currency_name)::text as label
from own as o
cross join clock as c
where exists (
    select
    from own as other
    cross join lateral
        exchange_rate_on(other.currency_code::text, o.currency_code::text, c.today) as r
    where other.currency_code <> o.currency_code and r.rate is not null
)
order by o.currency_code
