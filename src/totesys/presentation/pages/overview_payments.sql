-- overview_payments: Which payments fell due, to us and from us, compared with an earlier period?
-- Grain: one row per currency with a payment due in the period or in the earlier one.
-- Unit: amount in the row's own currency.
-- Note: Payments count by their payment date, paid or not, up to today. In are sales receipts and
-- refunds that we get, out are purchase payments and refunds that we give. `against` is the earlier
-- period. `before` (the standard) has the same number of days and ends the day before `from`. `year`
-- has the same dates a year earlier, 28 February for 29 February. `none` compares nothing. The
-- columns of the earlier period are null without `from`, and if it begins before data_since, the
-- first day on which any payment was due.
-- Access: finance
-- Filters: from, to, against, currency, counterparty, today, as_of
with clock as (
    select coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date) as today
),

period as (
    select
        coalesce(a.first_day, '-infinity') as first_day,
        a.last_day,
        case coalesce(nullif(:'against', ''), 'before')
            when 'before' then a.first_day - greatest(a.last_day - a.first_day + 1, 0)
            when 'year' then (a.first_day - interval '1 year')::date
            when 'none' then null
        end as first_day_before,
        coalesce(
            case coalesce(nullif(:'against', ''), 'before')
                when 'before' then a.first_day - 1
                when 'year' then (a.last_day - interval '1 year')::date
                when 'none' then null
            end,
            '-infinity'
        ) as last_day_before
    from (
        select
            nullif(:'from', '')::date as first_day,
            least(coalesce(nullif(:'to', '')::date, c.today), c.today) as last_day
        from clock as c
    ) as a
),

cover as (
    select min(f.payment_date) as first_day
    from fact_payment_sums_current as f
    where f.grain = 'due'
),

due as (
    select
        f.currency_id,
        f.payment_type_id,
        f.paid,
        f.payment_date >= p.first_day as is_in_period,
        f.payment_date <= p.last_day_before as is_before,
        sum(f.amount) as amount
    from fact_payment_sums_current as f
    cross join period as p
    where f.grain = case when coalesce(:'counterparty', '') = '' then 'due' else 'counterparty' end
        and f.payment_date >= least(p.first_day, p.first_day_before)
        and f.payment_date <= p.last_day
        and (f.payment_date >= p.first_day or f.payment_date <= p.last_day_before)
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
    group by f.currency_id, f.payment_type_id, f.paid, is_in_period, is_before
),

directed as (
    select
        u.currency_code,
        d.paid,
        d.is_in_period,
        d.is_before,
        d.amount,
        t.payment_type_name in ('SALES_RECEIPT', 'PURCHASE_REFUND') as is_in
    from due as d
    inner join dim_currency as u on u.currency_id = d.currency_id
    inner join dim_payment_type as t on t.payment_type_id = d.payment_type_id
),

total as (
    select
        currency_code,
        coalesce(sum(amount) filter (where is_in and is_in_period), 0) as amount_in,
        coalesce(sum(amount) filter (where is_in and is_before), 0) as amount_in_before,
        coalesce(sum(amount) filter (where not is_in and is_in_period), 0) as amount_out,
        coalesce(sum(amount) filter (where not is_in and is_before), 0)
            as amount_out_before,
        coalesce(sum(amount) filter (where not paid and is_in_period), 0) as amount_unpaid
    from directed
    group by currency_code
)

select
    t.currency_code::text as currency_code,
    t.amount_in::numeric(20, 2) as amount_in,
    t.amount_out::numeric(20, 2) as amount_out,
    t.amount_unpaid::numeric(20, 2) as amount_unpaid,
    case when p.first_day_before >= v.first_day then t.amount_in_before end::numeric(20, 2)
        as amount_in_before,
    case when p.first_day_before >= v.first_day then t.amount_out_before end::numeric(20, 2)
        as amount_out_before,
    v.first_day::date as data_since
from total as t
cross join period as p
cross join cover as v
order by t.currency_code
