-- s09_prices_by_design: What prices do we get for each design?
-- Grain: one row per currency and design sold.
-- Unit: price of one bag in the row's own currency.
-- Note: Each order counts once, whatever its units. A quartile is a price that was really agreed,
-- never one between two. The design ordered most comes first.
-- Filters: from, to, currency, department, counterparty, design, as_of
with price as (
    select
        u.currency_code,
        f.design_id,
        count(*) as orders,
        min(f.unit_price) as lowest_price,
        percentile_disc(array[0.25, 0.5, 0.75]) within group (order by f.unit_price) as quartiles,
        max(f.unit_price) as highest_price
    from fact_sales_order_current as f
    inner join dim_currency as u on u.currency_id = f.currency_id
    where f.created_date >= coalesce(nullif(:'from', '')::date, '-infinity')
        and f.created_date <= coalesce(nullif(:'to', '')::date, 'infinity')
        and (u.currency_code = nullif(:'currency', '')) is not false
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
    group by u.currency_code, f.design_id
)

select
    p.currency_code::text as currency_code,
    p.design_id::integer as design_id,
    d.design_name::text as design_name,
    p.orders::integer as orders,
    p.lowest_price::numeric(10, 2) as lowest_price,
    p.quartiles[1]::numeric(10, 2) as lower_quartile,
    p.quartiles[2]::numeric(10, 2) as median_price,
    p.quartiles[3]::numeric(10, 2) as upper_quartile,
    p.highest_price::numeric(10, 2) as highest_price
from price as p
inner join dim_design as d on d.design_id = p.design_id
order by p.currency_code, p.orders desc, p.design_id
