-- payments: Which payments are scheduled?
-- Grain: one row per payment, at most as many as the limit.
-- Unit: amount in the row's own currency.
-- Note: In order of the day and the id, after the payment with after_date and after_id. In is owed to
-- us, out is owed by us. Overdue is unpaid and due before today.
-- Access: finance
-- Filters: direction, currency, counterparty, paid, due_from, due_to, overdue, after_date, after_id,
-- limit, today
with chosen as (
    select
        f.payment_id,
        f.payment_date,
        f.payment_amount,
        f.currency_id,
        f.payment_type_id,
        f.paid,
        f.counterparty_id
    from fact_payment_current as f
    where (f.payment_date, f.payment_id) > (
            coalesce(nullif(:'after_date', '')::date, '-infinity'),
            coalesce(nullif(:'after_id', '')::integer, 0)
        )
        and f.payment_date >= coalesce(nullif(:'due_from', '')::date, '-infinity')
        and f.payment_date <= coalesce(nullif(:'due_to', '')::date, 'infinity')
        and (
            nullif(:'paid', '') is null
            or f.paid = nullif(:'paid', '')::boolean
        )
        and (
            nullif(:'overdue', '') is null
            or nullif(:'overdue', '')::boolean = (
                not f.paid
                and f.payment_date
                < coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date)
            )
        )
        and (
            nullif(:'direction', '') is null
            or f.payment_type_id in (
                select t.payment_type_id
                from dim_payment_type as t
                where (t.payment_type_name in ('SALES_RECEIPT', 'PURCHASE_REFUND'))
                    = (:'direction' = 'in')
            )
        )
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
    order by f.payment_date, f.payment_id
    limit nullif(:'limit', '')::integer
)

select
    p.payment_id::integer as id,
    p.payment_date::date as date,
    p.payment_amount::numeric(10, 2) as amount,
    u.currency_code::text as currency,
    t.payment_type_name::text as type,
    p.paid::boolean as paid,
    p.counterparty_id::integer as counterparty_id,
    c.counterparty_legal_name::text as counterparty
from chosen as p
inner join dim_currency as u on u.currency_id = p.currency_id
inner join dim_payment_type as t on t.payment_type_id = p.payment_type_id
inner join dim_counterparty as c on c.counterparty_id = p.counterparty_id
order by p.payment_date, p.payment_id
