-- y08_payments_in_one_currency: Which payments fell due, all in one currency, compared with an earlier period?
-- Grain: one row per currency with a payment due in the period or in the earlier one.
-- Unit: own amounts in the row's own currency, others in in_currency; rate is what 1 of currency_code costs in in_currency.
-- Note: Payments count by their payment date, paid or not, up to today. In are sales receipts and
-- refunds that we get, out are purchase payments and refunds that we give. `against` is the earlier
-- period: `before` (the standard), `year` (the same dates a year earlier) or `none`, as in s01. Its
-- columns are null without `from`, and if it begins before data_since, the first day on which any
-- payment was due. Each payment is converted at the rate of the day it is due, as
-- exchange_rate_on finds it. Rates are those known now, even with `as_of`. A payment without a rate
-- is left out of the amounts and counted in payments_unconverted. rate is the newest rate used in
-- the period, from rate_date. is_filled says that it was the last known one, days_old days before
-- the payment. There are no rows without `in`.
-- Access: finance
-- Filters: from, to, against, currency, in, counterparty, today, as_of
with clock as (
    select coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date) as today
),

period as (
    select
        a.in_currency,
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
            nullif(:'in', '') as in_currency,
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

daily as (
    select
        u.currency_code,
        f.payment_date as day,
        sum(f.row_count) as payments,
        sum(f.amount) filter (
            where t.payment_type_name in ('SALES_RECEIPT', 'PURCHASE_REFUND')
        ) as amount_in,
        sum(f.amount) filter (
            where t.payment_type_name not in ('SALES_RECEIPT', 'PURCHASE_REFUND')
        ) as amount_out,
        sum(f.amount) filter (where not f.paid) as amount_unpaid
    from fact_payment_sums_current as f
    inner join dim_currency as u on u.currency_id = f.currency_id
    inner join dim_payment_type as t on t.payment_type_id = f.payment_type_id
    cross join period as p
    where f.grain = case when coalesce(:'counterparty', '') = '' then 'due' else 'counterparty' end
        and p.in_currency is not null
        and f.payment_date >= least(p.first_day, p.first_day_before)
        and f.payment_date <= p.last_day
        and (f.payment_date >= p.first_day or f.payment_date <= p.last_day_before)
        and (u.currency_code = nullif(:'currency', '')) is not false
        and (
            nullif(:'counterparty', '') is null
            or f.counterparty_id = nullif(:'counterparty', '')::integer
        )
    group by u.currency_code, f.payment_date
),

rated as (
    select
        d.currency_code,
        d.day,
        d.payments,
        coalesce(d.amount_in, 0) as own_amount_in,
        coalesce(d.amount_out, 0) as own_amount_out,
        coalesce(d.amount_in, 0) * r.rate as amount_in,
        coalesce(d.amount_out, 0) * r.rate as amount_out,
        coalesce(d.amount_unpaid, 0) * r.rate as amount_unpaid,
        d.day >= p.first_day as is_in_period,
        d.day <= p.last_day_before as is_before,
        r.rate,
        r.rate_date,
        r.is_filled,
        r.source
    from daily as d
    cross join period as p
    cross join lateral exchange_rate_on(d.currency_code::text, p.in_currency, d.day) as r
),

newest as (
    select distinct on (r.currency_code)
        r.currency_code,
        r.day,
        r.rate,
        r.rate_date,
        r.is_filled,
        r.source
    from rated as r
    where r.is_in_period and r.rate is not null
    order by r.currency_code, r.day desc
),

total as (
    select
        currency_code,
        coalesce(sum(payments) filter (where is_in_period), 0) as payments,
        coalesce(sum(payments) filter (where is_in_period and rate is null), 0)
            as payments_unconverted,
        coalesce(sum(own_amount_in) filter (where is_in_period), 0) as own_amount_in,
        coalesce(sum(own_amount_out) filter (where is_in_period), 0) as own_amount_out,
        sum(amount_in) filter (where is_in_period) as amount_in,
        sum(amount_out) filter (where is_in_period) as amount_out,
        sum(amount_unpaid) filter (where is_in_period) as amount_unpaid,
        coalesce(sum(payments) filter (where is_before), 0) as payments_before,
        coalesce(sum(payments) filter (where is_before and rate is null), 0)
            as payments_unconverted_before,
        sum(amount_in) filter (where is_before) as amount_in_before,
        sum(amount_out) filter (where is_before) as amount_out_before
    from rated
    group by currency_code
)

select
    p.in_currency::text as in_currency,
    t.currency_code::text as currency_code,
    t.payments::integer as payments,
    t.payments_unconverted::integer as payments_unconverted,
    t.own_amount_in::numeric(20, 2) as own_amount_in,
    t.own_amount_out::numeric(20, 2) as own_amount_out,
    case when t.payments = 0 then 0 else t.amount_in end::numeric(20, 2) as amount_in,
    case when t.payments = 0 then 0 else t.amount_out end::numeric(20, 2) as amount_out,
    case when t.payments = 0 then 0 else t.amount_unpaid end::numeric(20, 2) as amount_unpaid,
    case when p.first_day_before >= v.first_day then t.payments_before end::integer
        as payments_before,
    case when p.first_day_before >= v.first_day then t.payments_unconverted_before end::integer
        as payments_unconverted_before,
    case
        when p.first_day_before >= v.first_day and t.payments_before = 0 then 0
        when p.first_day_before >= v.first_day then t.amount_in_before
    end::numeric(20, 2) as amount_in_before,
    case
        when p.first_day_before >= v.first_day and t.payments_before = 0 then 0
        when p.first_day_before >= v.first_day then t.amount_out_before
    end::numeric(20, 2) as amount_out_before,
    round(n.rate, 10)::numeric as rate,
    n.rate_date::date as rate_date,
    n.is_filled::boolean as is_filled,
    (n.day - n.rate_date)::integer as days_old,
    n.source::text as source,
    v.first_day::date as data_since
from total as t
cross join period as p
cross join cover as v
left join newest as n on n.currency_code = t.currency_code
order by t.currency_code
