-- s06_biggest_customers: Who are our biggest customers, and how dependent are we on them?
-- Grain: one row per currency and customer.
-- Unit: amount in currency_code, which is `in` if it is set; units in bags; shares 0 to 1.
-- Note: The biggest customer comes first. Shares are of all amounts in the currency. The cumulative
-- share is that of this customer and all bigger ones, so the last is 1. With `in`, every currency
-- is converted into that one, each order at the rate of the day it was placed, as exchange_rate_on
-- finds it now. An order without a rate is left out of amount and counted in orders_unconverted; if
-- no order of a row has a rate, amount is null and the row comes last.
-- Filters: from, to, currency, in, department, counterparty, design, as_of
with summed as (
    select
        f.currency_id,
        f.counterparty_id,
        -- Only a rate needs the day.
        case when nullif(:'in', '') is not null then f.created_date end as day,
        sum(f.row_count) as orders,
        sum(f.units) as units,
        sum(f.amount) as amount
    from fact_sales_order_sums_current as f
    where f.grain = case
            when coalesce(:'department', '') || coalesce(:'design', '') = '' then 'counterparty'
            else 'row'
        end
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
            nullif(:'department', '') is null
            or f.sales_staff_id in (
                select s.staff_id
                from dim_staff as s
                where s.department_name = :'department'
            )
        )
        and (
            nullif(:'counterparty', '') is null
            or f.counterparty_id = nullif(:'counterparty', '')::integer
        )
        and (
            nullif(:'design', '') is null
            or f.design_id = nullif(:'design', '')::integer
        )
    group by f.currency_id, f.counterparty_id, day
),

rate as (
    select
        d.currency_id,
        d.day,
        r.rate
    from (select distinct currency_id, day from summed where day is not null) as d
    inner join dim_currency as u on u.currency_id = d.currency_id
    cross join lateral exchange_rate_on(u.currency_code::text, nullif(:'in', ''), d.day) as r
),

rated as (
    select
        coalesce(nullif(:'in', ''), u.currency_code) as currency_code,
        x.counterparty_id,
        x.orders,
        x.units,
        case when x.day is null then x.amount else x.amount * r.rate end as amount
    from summed as x
    inner join dim_currency as u on u.currency_id = x.currency_id
    left join rate as r on r.currency_id = x.currency_id and r.day = x.day
),

total as (
    select
        x.currency_code,
        x.counterparty_id,
        sum(x.orders) as orders,
        sum(x.units) as units,
        sum(x.amount) as amount,
        sum(x.orders) filter (where x.amount is null) as orders_unconverted
    from rated as x
    group by x.currency_code, x.counterparty_id
),

ranked as (
    select
        *,
        row_number() over biggest_first as position,
        sum(amount) over biggest_first as amount_so_far,
        nullif(sum(amount) over (partition by currency_code), 0) as currency_amount
    from total
    window biggest_first as (
        partition by currency_code
        order by amount desc nulls last, counterparty_id
        rows unbounded preceding
    )
)

select
    r.currency_code::text as currency_code,
    r.position::integer as position,
    r.counterparty_id::integer as counterparty_id,
    c.counterparty_legal_name::text as counterparty,
    r.orders::integer as orders,
    r.units::bigint as units,
    r.amount::numeric(20, 2) as amount,
    round(r.amount / r.currency_amount, 6)::numeric as share,
    round(r.amount_so_far / r.currency_amount, 6)::numeric as cumulative_share,
    coalesce(r.orders_unconverted, 0)::integer as orders_unconverted
from ranked as r
inner join dim_counterparty as c on c.counterparty_id = r.counterparty_id
order by r.currency_code, r.position
