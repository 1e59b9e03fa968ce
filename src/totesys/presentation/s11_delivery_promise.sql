-- s11_delivery_promise: How many days until delivery do we promise?
-- Grain: one row per number of days promised.
-- Unit: days from order to agreed delivery; units in bags; share of orders, 0 to 1.
-- Note: 0 is delivery on the day of the order, a negative number is delivery before it. Weekends
-- count.
-- Filters: from, to, currency, department, counterparty, design, as_of
with total as (
    select
        f.agreed_delivery_date - f.created_date as days,
        sum(f.row_count) as orders,
        sum(f.units) as units
    from fact_sales_order_sums_current as f
    where f.grain = case
            when coalesce(:'department', '') || coalesce(:'counterparty', '')
                || coalesce(:'design', '') = '' then 'delivery'
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
    group by f.agreed_delivery_date - f.created_date
)

select
    t.days::integer as days,
    t.orders::integer as orders,
    t.units::bigint as units,
    round(t.orders / sum(t.orders) over (), 6)::numeric as share
from total as t
order by t.days
