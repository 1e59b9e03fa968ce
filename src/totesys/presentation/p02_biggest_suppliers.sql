-- p02_biggest_suppliers: Who are our biggest suppliers?
-- Grain: one row per currency and supplier.
-- Unit: amount in currency_code, which is `in` if it is set; quantity in items; share 0 to 1.
-- Note: The biggest supplier comes first. The share is of all amounts in the currency. With `in`,
-- every currency is converted into that one, each order at the rate of the day it was placed, as
-- exchange_rate_on finds it now. An order without a rate is left out of amount and counted in
-- orders_unconverted; if no order of a row has a rate, amount is null and the row comes last.
-- Filters: from, to, currency, in, department, counterparty, as_of
with summed as (
    select
        f.currency_id,
        f.counterparty_id,
        -- Only a rate needs the day.
        case when nullif(:'in', '') is not null then f.created_date end as day,
        sum(f.row_count) as orders,
        sum(f.quantity) as quantity,
        sum(f.amount) as amount
    from fact_purchase_orders_sums_current as f
    where f.grain = case
            when coalesce(:'department', '') = '' then 'counterparty'
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
            or f.staff_id in (
                select s.staff_id
                from dim_staff as s
                where s.department_name = :'department'
            )
        )
        and (
            nullif(:'counterparty', '') is null
            or f.counterparty_id = nullif(:'counterparty', '')::integer
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
        x.quantity,
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
        sum(x.quantity) as quantity,
        sum(x.amount) as amount,
        sum(x.orders) filter (where x.amount is null) as orders_unconverted
    from rated as x
    group by x.currency_code, x.counterparty_id
)

select
    t.currency_code::text as currency_code,
    t.counterparty_id::integer as counterparty_id,
    c.counterparty_legal_name::text as counterparty,
    t.orders::integer as orders,
    t.quantity::bigint as quantity,
    t.amount::numeric(20, 2) as amount,
    round(t.amount / nullif(sum(t.amount) over (partition by t.currency_code), 0), 6)::numeric
        as share,
    coalesce(t.orders_unconverted, 0)::integer as orders_unconverted
from total as t
inner join dim_counterparty as c on c.counterparty_id = t.counterparty_id
order by t.currency_code, t.amount desc nulls last, t.counterparty_id
