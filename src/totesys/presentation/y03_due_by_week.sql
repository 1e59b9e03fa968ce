-- y03_due_by_week: How much money comes in and goes out, by due date?
-- Grain: one row per currency and ISO week, or other step, from the first with a payment due to the last.
-- Unit: amount in currency_code, which is `in` if it is set; amount_net is in minus out.
-- Note: Payments count by their payment date, paid or not; `from` and `to` limit it. In are sales
-- receipts and refunds that we get, out are purchase payments and refunds that we give. `by` is the
-- step: day, week (the standard), month, quarter or year. week_start is its first day, whatever its
-- length. A step without payments is a row of zeros. It is complete if it does not begin before the
-- first day on which any payment was due, its last day is before today and before the day on which
-- the newest payment was created, and neither `from` nor `to` cuts it. With `in`, every currency is
-- converted into that one, each payment at the rate of the day it is due, as exchange_rate_on finds
-- it now. A payment without a rate is left out of the amounts and counted in payments_unconverted;
-- an amount is null if none of its payments in a step has a rate.
-- Access: finance
-- Filters: from, to, by, currency, in, counterparty, today, as_of
with clock as (
    select coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date) as today
),

-- Payments are due long after the newest one was created: that day is the newest of the data.
cover as (
    select
        (
            select min(f.payment_date)
            from fact_payment_sums_current as f
            where f.grain = 'due'
        ) as first_day,
        (
            select max(f.created_date)
            from fact_payment_sums_current as f
            where f.grain = 'day'
        ) as newest_day
),

due as (
    select
        f.currency_id,
        f.payment_type_id,
        f.payment_date,
        sum(f.row_count) as payments,
        sum(f.amount) as amount
    from fact_payment_sums_current as f
    where f.grain = case when coalesce(:'counterparty', '') = '' then 'due' else 'counterparty' end
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
    group by f.currency_id, f.payment_type_id, f.payment_date
),

directed as (
    select
        coalesce(nullif(:'in', ''), u.currency_code) as currency_code,
        date_trunc(coalesce(nullif(:'by', ''), 'week'), d.payment_date::timestamp)::date
            as week_start,
        d.payments,
        case when nullif(:'in', '') is null then d.amount else d.amount * r.rate end as amount,
        t.payment_type_name in ('SALES_RECEIPT', 'PURCHASE_REFUND') as is_in
    from due as d
    inner join dim_currency as u on u.currency_id = d.currency_id
    inner join dim_payment_type as t on t.payment_type_id = d.payment_type_id
    -- Without `in`, no rate is looked up.
    left join lateral
        exchange_rate_on(u.currency_code::text, nullif(:'in', ''), d.payment_date) as r
        on nullif(:'in', '') is not null
),

step as (
    select
        case coalesce(nullif(:'by', ''), 'week')
            when 'day' then interval '1 day'
            when 'week' then interval '1 week'
            when 'month' then interval '1 month'
            when 'quarter' then interval '3 months'
            when 'year' then interval '1 year'
        end as length
),

total as (
    select
        currency_code,
        week_start,
        coalesce(sum(payments) filter (where is_in), 0) as payments_in,
        sum(amount) filter (where is_in) as amount_in,
        coalesce(sum(payments) filter (where not is_in), 0) as payments_out,
        sum(amount) filter (where not is_in) as amount_out,
        sum(payments) filter (where amount is null) as payments_unconverted
    from directed
    group by currency_code, week_start
),

currency as (
    select distinct currency_code
    from total
),

week as (
    select
        w.first_day::date as week_start,
        (w.first_day + s.length)::date as next_start
    from (select min(week_start) as first_week, max(week_start) as last_week from total) as b
    cross join step as s
    cross join lateral generate_series(
        b.first_week::timestamp, b.last_week::timestamp, s.length
    ) as w (first_day)
)

select
    y.currency_code::text as currency_code,
    w.week_start::date as week_start,
    (
        w.next_start <= least(c.today, v.newest_day)
        and w.week_start >= greatest(v.first_day, nullif(:'from', '')::date)
        and w.next_start - 1 <= coalesce(nullif(:'to', '')::date, 'infinity')
    )::boolean as is_complete,
    coalesce(t.payments_in, 0)::integer as payments_in,
    case when t.payments_in > 0 then t.amount_in else 0 end::numeric(20, 2) as amount_in,
    coalesce(t.payments_out, 0)::integer as payments_out,
    case when t.payments_out > 0 then t.amount_out else 0 end::numeric(20, 2) as amount_out,
    (
        case when t.payments_in > 0 then round(t.amount_in, 2) else 0 end
        - case when t.payments_out > 0 then round(t.amount_out, 2) else 0 end
    )::numeric(20, 2) as amount_net,
    coalesce(t.payments_unconverted, 0)::integer as payments_unconverted
from currency as y
cross join week as w
cross join clock as c
cross join cover as v
left join total as t on t.currency_code = y.currency_code and t.week_start = w.week_start
order by y.currency_code, w.week_start
