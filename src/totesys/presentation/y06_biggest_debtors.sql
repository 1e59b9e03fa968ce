-- y06_biggest_debtors: Who owes us most?
-- Grain: one row per currency and counterparty with an unpaid payment.
-- Unit: amount in the row's own currency.
-- Note: Everything unpaid counts, whenever it is due; amount_due is the part due today or before.
-- The greatest amount comes first.
-- Access: finance
-- Filters: currency, counterparty, today, as_of
with clock as (
    select coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date) as today
),

summed as (
    select
        f.currency_id,
        f.payment_type_id,
        f.counterparty_id,
        sum(f.row_count) as payments,
        sum(f.amount) as amount,
        coalesce(sum(f.amount) filter (where f.payment_date <= c.today), 0) as amount_due,
        min(f.payment_date) as first_due
    from fact_payment_sums_current as f
    cross join clock as c
    where f.grain = 'counterparty'
        and not f.paid
        and (
            nullif(:'currency', '') is null
            or f.currency_id in (
                select u.currency_id
                from dim_currency as u
                where u.currency_code = :'currency'
            )
        )
        and (
            nullif(:'counterparty', '') is null
            or f.counterparty_id = nullif(:'counterparty', '')::integer
        )
    group by f.currency_id, f.payment_type_id, f.counterparty_id
),

unpaid as (
    select
        u.currency_code,
        x.counterparty_id,
        sum(x.payments) as payments,
        sum(x.amount) as amount,
        sum(x.amount_due) as amount_due,
        min(x.first_due) as first_due
    from summed as x
    inner join dim_currency as u on u.currency_id = x.currency_id
    inner join dim_payment_type as t on t.payment_type_id = x.payment_type_id
    where t.payment_type_name in ('SALES_RECEIPT', 'PURCHASE_REFUND')
    group by u.currency_code, x.counterparty_id
)

select
    p.currency_code::text as currency_code,
    p.counterparty_id::integer as counterparty_id,
    c.counterparty_legal_name::text as counterparty,
    p.payments::integer as payments,
    p.amount::numeric(20, 2) as amount,
    p.amount_due::numeric(20, 2) as amount_due,
    p.first_due::date as first_due
from unpaid as p
inner join dim_counterparty as c on c.counterparty_id = p.counterparty_id
order by p.currency_code, p.amount desc, p.counterparty_id
