-- s07_sales_by_country: Where do we deliver?
-- Grain: one row per currency and country of delivery.
-- Unit: amount in the row's own currency; units in bags.
-- Note: The country is that of the agreed delivery location, not of the customer. The biggest comes
-- first.
-- Filters: from, to, currency, department, counterparty, design, as_of
with summed as (
    select
        f.currency_id,
        f.agreed_delivery_location_id as location_id,
        sum(f.row_count) as orders,
        sum(f.units) as units,
        sum(f.amount) as amount
    from fact_sales_order_sums_current as f
    where f.grain = case
            when coalesce(:'department', '') || coalesce(:'counterparty', '')
                || coalesce(:'design', '') = '' then 'location'
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
    group by f.currency_id, f.agreed_delivery_location_id
),

total as (
    select
        u.currency_code,
        x.location_id,
        sum(x.orders) as orders,
        sum(x.units) as units,
        sum(x.amount) as amount
    from summed as x
    inner join dim_currency as u on u.currency_id = x.currency_id
    group by u.currency_code, x.location_id
)

select
    t.currency_code::text as currency_code,
    l.country::text as country,
    count(distinct l.city)::integer as cities,
    sum(t.orders)::integer as orders,
    sum(t.units)::bigint as units,
    sum(t.amount)::numeric(20, 2) as amount
from total as t
inner join dim_location as l on l.location_id = t.location_id
group by t.currency_code, l.country
order by t.currency_code, sum(t.amount) desc, l.country
