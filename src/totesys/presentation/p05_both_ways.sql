-- p05_both_ways: With whom do we both buy and sell?
-- Grain: one row per currency and counterparty with whom we do both.
-- Unit: amount in the row's own currency.
-- Note: The filters apply to both sides. The two may be in different currencies, so a row may have
-- zero on one side. In each currency the greatest turnover comes first.
-- Filters: from, to, currency, department, counterparty, as_of
with traded as (
    select
        f.counterparty_id,
        f.currency_id,
        sum(f.row_count) as orders_sold,
        sum(f.amount) as amount_sold,
        0 as orders_bought,
        0 as amount_bought
    from fact_sales_order_sums_current as f
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
    group by f.counterparty_id, f.currency_id
    union all
    select
        f.counterparty_id,
        f.currency_id,
        0,
        0,
        sum(f.row_count),
        sum(f.amount)
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
    group by f.counterparty_id, f.currency_id
),

total as (
    select
        x.counterparty_id,
        u.currency_code,
        sum(x.orders_sold) as orders_sold,
        sum(x.amount_sold) as amount_sold,
        sum(x.orders_bought) as orders_bought,
        sum(x.amount_bought) as amount_bought
    from traded as x
    inner join dim_currency as u on u.currency_id = x.currency_id
    group by x.counterparty_id, u.currency_code
),

both_ways as (
    select counterparty_id
    from total
    group by counterparty_id
    having sum(orders_sold) > 0 and sum(orders_bought) > 0
)

select
    t.currency_code::text as currency_code,
    t.counterparty_id::integer as counterparty_id,
    c.counterparty_legal_name::text as counterparty,
    t.orders_sold::integer as orders_sold,
    t.amount_sold::numeric(20, 2) as amount_sold,
    t.orders_bought::integer as orders_bought,
    t.amount_bought::numeric(20, 2) as amount_bought
from total as t
inner join both_ways as b on b.counterparty_id = t.counterparty_id
inner join dim_counterparty as c on c.counterparty_id = t.counterparty_id
order by t.currency_code, t.amount_sold + t.amount_bought desc, t.counterparty_id
