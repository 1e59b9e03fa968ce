-- p02_biggest_suppliers: Who are our biggest suppliers?
-- Grain: one row per currency and supplier.
-- Unit: amount in the row's own currency; quantity in items; share of the currency's amount, 0 to 1.
-- Note: The biggest supplier comes first.
-- Filters: from, to, currency, department, counterparty, as_of
with summed as (
    select
        f.currency_id,
        f.counterparty_id,
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
    group by f.currency_id, f.counterparty_id
),

total as (
    select
        u.currency_code,
        x.counterparty_id,
        sum(x.orders) as orders,
        sum(x.quantity) as quantity,
        sum(x.amount) as amount
    from summed as x
    inner join dim_currency as u on u.currency_id = x.currency_id
    group by u.currency_code, x.counterparty_id
)

select
    t.currency_code::text as currency_code,
    t.counterparty_id::integer as counterparty_id,
    c.counterparty_legal_name::text as counterparty,
    t.orders::integer as orders,
    t.quantity::bigint as quantity,
    t.amount::numeric(20, 2) as amount,
    round(t.amount / nullif(sum(t.amount) over (partition by t.currency_code), 0), 6)::numeric
        as share
from total as t
inner join dim_counterparty as c on c.counterparty_id = t.counterparty_id
order by t.currency_code, t.amount desc, t.counterparty_id
