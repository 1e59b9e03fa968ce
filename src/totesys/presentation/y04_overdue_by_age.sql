-- y04_overdue_by_age: What is overdue and unpaid, and for how long?
-- Grain: one row per direction, currency and age, all four ages of each.
-- Unit: amount in the row's own currency; age in days since the payment date.
-- Note: A payment due today is not overdue. In is owed to us, out is owed by us. due_from and due_to
-- are the first and the last due day of an age; the oldest age has no first day. A payment is
-- unpaid until Totesys marks it as paid. Not every one is a real debt: some are marked late, and
-- some never.
-- Access: finance
-- Filters: currency, counterparty, today, as_of
with clock as (
    select coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date) as today
),

age (age_position, age_days, first_day, last_day) as (
    values
        (1, '1-7', 1, 7),
        (2, '8-30', 8, 30),
        (3, '31-90', 31, 90),
        (4, 'over 90', 91, null)
),

summed as (
    select
        f.currency_id,
        f.payment_type_id,
        f.payment_date,
        sum(f.row_count) as payments,
        sum(f.amount) as amount
    from fact_payment_sums_current as f
    inner join clock as c on f.payment_date < c.today
    where f.grain = case when coalesce(:'counterparty', '') = '' then 'due' else 'counterparty' end
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
    group by f.currency_id, f.payment_type_id, f.payment_date
),

due as (
    select
        case
            when t.payment_type_name in ('SALES_RECEIPT', 'PURCHASE_REFUND') then 'in'
            else 'out'
        end as direction,
        u.currency_code,
        x.payment_date,
        x.payments,
        x.amount
    from summed as x
    inner join dim_currency as u on u.currency_id = x.currency_id
    inner join dim_payment_type as t on t.payment_type_id = x.payment_type_id
),

owed as (
    select distinct
        direction,
        currency_code
    from due
)

select
    o.direction::text as direction,
    o.currency_code::text as currency_code,
    a.age_position::integer as age_position,
    a.age_days::text as age_days,
    coalesce(sum(d.payments), 0)::integer as payments,
    coalesce(sum(d.amount), 0)::numeric(20, 2) as amount,
    min(d.payment_date)::date as oldest_due,
    (c.today - a.last_day)::date as due_from,
    (c.today - a.first_day)::date as due_to
from owed as o
cross join age as a
cross join clock as c
left join due as d
    on d.direction = o.direction
    and d.currency_code = o.currency_code
    and d.payment_date <= c.today - a.first_day
    and (a.last_day is null or d.payment_date >= c.today - a.last_day)
group by
    o.direction,
    o.currency_code,
    a.age_position,
    a.age_days,
    a.first_day,
    a.last_day,
    c.today
order by o.direction, o.currency_code, a.age_position
