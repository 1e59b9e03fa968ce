-- y05_days_late: Are we paid on time?
-- Grain: one row per number of days late, and one (null) for payments that are overdue and unpaid.
-- Unit: payments; days from the payment date, negative if paid early.
-- Note: Payments to us that still exist. The day of payment is `last_updated` in the first version
-- that is paid, because Totesys sets it when it marks a payment as paid. It is compared with the
-- payment date of that version. Overdue means due before today.
-- Access: finance
-- Filters: from, to, currency, counterparty, today
with clock as (
    select coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date) as today
),

owed as (
    select
        f.payment_id,
        f.payment_date
    from fact_payment_current as f
    inner join dim_payment_type as t on t.payment_type_id = f.payment_type_id
    where t.payment_type_name in ('SALES_RECEIPT', 'PURCHASE_REFUND')
        and f.created_date >= coalesce(nullif(:'from', '')::date, '-infinity')
        and f.created_date <= coalesce(nullif(:'to', '')::date, 'infinity')
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
),

first_paid as (
    select distinct on (f.payment_id)
        f.payment_id,
        f.payment_date,
        f.last_updated_date
    from fact_payment as f
    inner join owed as o on o.payment_id = f.payment_id
    where f.paid
    order by f.payment_id, f.payment_record_id
),

receipt as (
    select p.last_updated_date - p.payment_date as days_late
    from owed as o
    cross join clock as c
    left join first_paid as p on p.payment_id = o.payment_id
    where p.payment_id is not null or o.payment_date < c.today
)

select
    r.days_late::integer as days_late,
    count(*)::integer as payments
from receipt as r
group by r.days_late
order by r.days_late nulls last
