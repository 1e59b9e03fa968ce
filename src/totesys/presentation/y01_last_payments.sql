-- y01_last_payments: Which five scheduled payments fell due last?
-- Grain: one row per payment, five at most.
-- Unit: amount in the row's own currency.
-- Note: Due today or before, paid or not. The newest comes first; on one day, the highest id.
-- Access: finance
-- Filters: currency, counterparty, today, as_of
with asked as not materialized (
    select
        f.payment_id,
        f.payment_date,
        f.payment_amount,
        f.currency_id,
        f.payment_type_id,
        f.paid,
        f.counterparty_id
    from fact_payment_current as f
    where (
            nullif(:'counterparty', '') is null
            or f.counterparty_id = nullif(:'counterparty', '')::integer
        )
        and (
            nullif(:'currency', '') is null
            or f.currency_id in (
                select u.currency_id
                from dim_currency as u
                where u.currency_code = :'currency'
            )
        )
),

-- As a rule, the days before today hold them: an index finds those, and the rest is left alone.
newest as (
    select a.*
    from asked as a
    where a.payment_date <= coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date)
        and a.payment_date
        > coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date) - 7
    order by a.payment_date desc, a.payment_id desc
    limit 5
),

due as (
    select *
    from newest
    union all
    (
        select a.*
        from asked as a
        where a.payment_date
            <= coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date) - 7
            and (select count(*) from newest) < 5
        order by a.payment_date desc, a.payment_id desc
        limit 5
    )
    order by payment_date desc, payment_id desc
    limit 5
)

select
    p.payment_id::integer as payment_id,
    p.payment_date::date as payment_date,
    p.payment_amount::numeric(10, 2) as amount,
    u.currency_code::text as currency_code,
    t.payment_type_name::text as payment_type,
    p.paid::boolean as paid,
    p.counterparty_id::integer as counterparty_id,
    c.counterparty_legal_name::text as counterparty
from due as p
inner join dim_currency as u on u.currency_id = p.currency_id
inner join dim_payment_type as t on t.payment_type_id = p.payment_type_id
inner join dim_counterparty as c on c.counterparty_id = p.counterparty_id
order by p.payment_date desc, p.payment_id desc
