-- 002_exchange_rate: rates of exchange, and how an amount is converted with them.
-- Grain: fact_exchange_rate has one row per version of the rate of a pair of currencies on a day.
-- History: as in 001. Rates in use are always the newest version of each: a corrected rate corrects
-- what was converted with it, whatever moment the amounts are asked for.
-- What is made here may be called by whoever may read the rates; it reads as its caller.

create table if not exists fact_exchange_rate (
    rate_record_id bigint not null,
    base_currency varchar not null,
    quote_currency varchar not null,
    rate_date date not null,
    rate numeric(20, 10) not null,
    source varchar not null,
    constraint fact_exchange_rate_pkey primary key (rate_record_id),
    constraint fact_exchange_rate_rate_date_fkey
        foreign key (rate_date) references dim_date (date_id)
);

-- Made here since what follows reads it; the platform adds the columns of history to it.
create table if not exists fact_exchange_rate_current (
    like fact_exchange_rate,
    primary key (base_currency, quote_currency, rate_date)
);

-- The bases that quote a currency are found by it, one entry after the other.
create index if not exists fact_exchange_rate_current_quote_idx
    on fact_exchange_rate_current (quote_currency, base_currency);

-- The first day of all. On the day itself an index would tempt the planner to walk through all pairs
-- for the newest rate of one.
create index if not exists fact_exchange_rate_current_age_idx
    on fact_exchange_rate_current ((rate_date - date '1970-01-01'));

-- What one unit of a currency costs in another on a day: always one row, of nulls when it is not
-- known. In this order, the first that is known on or before the day, each from its newest day:
--   1. the rate of the pair; of a currency in itself 1;
--   2. the inverse, 1 / rate of the pair the other way round;
--   3. a cross, base → to divided by base → from, over one base that quotes both: that whose older
--      rate of the two is newest, then the first in the alphabet. Its day is that of the older.
-- A rate of an earlier day than asked is_filled. Rates of later days are never used.
-- An inverse and a cross have 20 decimals; source then says how they were made.
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
        from fact_exchange_rate_current as c
        where c.base_currency = $1 and c.quote_currency = $2 and c.rate_date <= $3
        order by c.rate_date desc
        limit 1
    ) as d on true
    left join lateral (
        select
            round(1::numeric(40, 20) / c.rate, 20) as rate,
            c.rate_date,
            c.source || ', inverse' as source
        from fact_exchange_rate_current as c
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
            from fact_exchange_rate_current as c
            where c.quote_currency = $1
            union all
            select (
                select min(c.base_currency)
                from fact_exchange_rate_current as c
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
            from fact_exchange_rate_current as c
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
            from fact_exchange_rate_current as c
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

-- An amount in another currency at that day's rate, not rounded; null where there is no rate.
create or replace function converted (
    amount numeric, from_currency text, to_currency text, day date
)
returns numeric
language sql stable parallel safe
begin atomic
    select $1 * r.rate from exchange_rate_on ($2, $3, $4) as r;
end;

-- What each currency of the company cost in each other, every day from the first that a rate is
-- known of to today: for charts, and to join on in other tools.
create or replace view exchange_rate_by_day as
with known as (
    -- The first day of all; each pair begins where its own is found.
    select date '1970-01-01' + min(c.rate_date - date '1970-01-01') as first_day
    from fact_exchange_rate_current as c
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
