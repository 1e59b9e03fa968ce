-- 003_usable_rates: rates that nobody can mean are kept, and convert nothing.
-- Grain: usable_exchange_rate has one row per pair of currencies and day with a rate that converts.
-- History: none of its own; fact_exchange_rate holds every version of every rate, usable or not.

-- The bounds are those of the checks rate_in_bounds and date_in_bounds of the model. A rate of zero
-- would divide by zero, and one of the year 206 would fill every day from then on.
create or replace view usable_exchange_rate as
select
    c.base_currency,
    c.quote_currency,
    c.rate_date,
    c.rate,
    c.source
from fact_exchange_rate_current as c
where c.rate between 0.00000001 and 100000000
    and c.rate_date - date '1970-01-01' between 0 and date '2099-12-31' - date '1970-01-01';

-- As in 002, of usable rates only.
create or replace function exchange_rate_on (from_currency text, to_currency text, day date)
returns table (rate numeric, rate_date date, is_filled boolean, source text)
language sql stable parallel safe
begin atomic
    select
        case when $1 = $2 then 1 else coalesce(d.rate, i.rate, x.rate) end,
        case when $1 = $2 then $3 else coalesce(d.rate_date, i.rate_date, x.rate_date) end,
        case when $1 = $2 then false
            else coalesce(d.rate_date, i.rate_date, x.rate_date) < $3
        end,
        case when $1 = $2 then null else coalesce(d.source, i.source, x.source) end
    from (values (1)) as always (row)
    left join lateral (
        select
            c.rate,
            c.rate_date,
            c.source
        from usable_exchange_rate as c
        where c.base_currency = $1 and c.quote_currency = $2 and c.rate_date <= $3
        order by c.rate_date desc
        limit 1
    ) as d on true
    left join lateral (
        select
            round(1::numeric(40, 20) / c.rate, 20) as rate,
            c.rate_date,
            c.source || ', inverse' as source
        from usable_exchange_rate as c
        where d.rate is null
            and c.base_currency = $2
            and c.quote_currency = $1
            and c.rate_date <= $3
        order by c.rate_date desc
        limit 1
    ) as i on true
    left join lateral (
        -- Bases are stepped through in the index: all rows of a currency are never read.
        with recursive base (code) as (
            select min(c.base_currency)
            from usable_exchange_rate as c
            where c.quote_currency = $1
            union all
            select (
                select min(c.base_currency)
                from usable_exchange_rate as c
                where c.quote_currency = $1 and c.base_currency > base.code
            )
            from base
            where base.code is not null
        )

        select
            round(t.rate::numeric(40, 20) / f.rate, 20) as rate,
            least(f.rate_date, t.rate_date) as rate_date,
            f.source || case when t.source <> f.source then ' and ' || t.source else '' end
            || ', over ' || base.code as source
        from base
        cross join lateral (
            select
                c.rate,
                c.rate_date,
                c.source
            from usable_exchange_rate as c
            where c.base_currency = base.code
                and c.quote_currency = $1
                and c.rate_date <= $3
            order by c.rate_date desc
            limit 1
        ) as f
        cross join lateral (
            select
                c.rate,
                c.rate_date,
                c.source
            from usable_exchange_rate as c
            where c.base_currency = base.code
                and c.quote_currency = $2
                and c.rate_date <= $3
            order by c.rate_date desc
            limit 1
        ) as t
        where d.rate is null and i.rate is null and $1 <> $2
        order by least(f.rate_date, t.rate_date) desc, base.code
        limit 1
    ) as x on true;
end;

-- As in 002: charts begin on the day of the first usable rate.
create or replace view exchange_rate_by_day as
with known as (
    -- The first day of all; each pair begins where its own is found.
    select date '1970-01-01' + min(c.rate_date - date '1970-01-01') as first_day
    from usable_exchange_rate as c
),

own as (
    select distinct c.currency_code
    from dim_currency as c
)

select
    (f.currency_code || '/' || t.currency_code)::text as pair,
    f.currency_code::text as from_currency,
    t.currency_code::text as to_currency,
    d.day::date as day,
    r.rate::numeric as rate,
    r.rate_date::date as rate_date,
    r.is_filled::boolean as is_filled,
    r.source::text as source
from known as k
cross join lateral generate_series(
    k.first_day::timestamp, (now() at time zone 'utc')::date::timestamp, interval '1 day'
) as d (day)
cross join own as f
inner join own as t on t.currency_code <> f.currency_code
cross join lateral exchange_rate_on (f.currency_code, t.currency_code, d.day::date) as r
where r.rate is not null;
