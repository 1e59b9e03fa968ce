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

unpaid as (
    select
        u.currency_code,
        f.counterparty_id,
        count(*) as payments,
        sum(f.payment_amount) as amount,
        coalesce(sum(f.payment_amount) filter (where f.payment_date <= c.today), 0) as amount_due,
        min(f.payment_date) as first_due
    from fact_payment_current as f
    inner join dim_currency as u on u.currency_id = f.currency_id
    inner join dim_payment_type as t on t.payment_type_id = f.payment_type_id
    cross join clock as c
    where not f.paid
        and t.payment_type_name in ('SALES_RECEIPT', 'PURCHASE_REFUND')
        and (u.currency_code = nullif(:'currency', '')) is not false
        and (f.counterparty_id = nullif(:'counterparty', '')::integer) is not false
    group by u.currency_code, f.counterparty_id
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
