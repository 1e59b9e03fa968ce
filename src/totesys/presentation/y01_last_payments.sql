-- y01_last_payments: Which five scheduled payments fell due last?
-- Grain: one row per payment, five at most.
-- Unit: amount in the row's own currency.
-- Note: Due today or before, paid or not. The newest comes first; on one day, the highest id.
-- Access: finance
-- Filters: currency, counterparty, today, as_of
with due as (
    select
        f.payment_id,
        f.payment_date,
        f.payment_amount,
        f.currency_id,
        f.payment_type_id,
        f.paid,
        f.counterparty_id
    from fact_payment_current as f
    where f.payment_date <= coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date)
        and (
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
    order by f.payment_date desc, f.payment_id desc
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
