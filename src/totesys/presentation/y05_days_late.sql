-- y05_days_late: Are we paid on time?
-- Grain: one row per number of days late, and one (null) for payments that are overdue and unpaid.
-- Unit: payments; days from the payment date, negative if paid early.
-- Note: Payments to us that still exist. The period is when they are due. The day of payment is
-- `last_updated` in the first version that is paid, because Totesys sets it when it marks a payment
-- as paid. It is compared with the payment date of that version. Overdue means due before today.
-- Access: finance
-- Filters: from, to, currency, counterparty, today
with clock as (
    select coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date) as today
),

owed as not materialized (
    select
        f.payment_id,
        f.payment_date,
        f.last_updated_date,
        f.paid
    from fact_payment_current as f
    where f.payment_type_id in (
            select t.payment_type_id
            from dim_payment_type as t
            where t.payment_type_name in ('SALES_RECEIPT', 'PURCHASE_REFUND')
        )
        and f.payment_date >= coalesce(nullif(:'from', '')::date, '-infinity')
        and f.payment_date <= coalesce(nullif(:'to', '')::date, 'infinity')
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

-- What was amended. All else has one version, which is there now and tells when it was paid.
amended as (
    select distinct f.payment_id
    from fact_payment as f
    where f.record_operation <> 'insert'
),

first_paid as (
    select distinct on (f.payment_id)
        f.payment_id,
        f.last_updated_date - f.payment_date as days_late
    from amended as a
    inner join fact_payment as f on f.payment_id = a.payment_id
    where f.paid
    order by f.payment_id, f.payment_record_id
),

receipt as (
    select
        case when f.paid then f.last_updated_date - f.payment_date end as days_late,
        f.payment_date < c.today as is_due,
        count(*) as payments
    from owed as f
    cross join clock as c
    where not exists (
        select
        from amended as a
        where a.payment_id = f.payment_id
    )
    group by days_late, is_due
    union all
    select
        p.days_late,
        f.payment_date < c.today,
        1
    from amended as a
    inner join owed as f on f.payment_id = a.payment_id
    cross join clock as c
    left join first_paid as p on p.payment_id = f.payment_id
)

select
    r.days_late::integer as days_late,
    sum(r.payments)::integer as payments
from receipt as r
where r.days_late is not null or r.is_due
group by r.days_late
order by r.days_late nulls last
