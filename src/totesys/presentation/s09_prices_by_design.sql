-- s09_prices_by_design: What prices do we get for each design?
-- Grain: one row per currency and design sold.
-- Unit: price of one bag in the row's own currency.
-- Note: Each order counts once, whatever its units. A quartile is a price that was really agreed,
-- never one between two. The design ordered most comes first.
-- Filters: from, to, currency, department, counterparty, design, as_of
with currency as (
    -- One id for each code, which several may have. Numbers are grouped faster than text.
    select
        currency_id,
        min(currency_id) over (partition by currency_code) as first_id
    from dim_currency
),

agreed as (
    select
        x.first_id as currency_id,
        f.design_id,
        f.unit_price,
        count(*)::integer as orders
    from fact_sales_order_current as f
    inner join currency as x on x.currency_id = f.currency_id
    where f.created_date >= coalesce(nullif(:'from', '')::date, '-infinity')
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
    group by x.first_id, f.design_id, f.unit_price
),

-- The orders at each price or a lower one. There are far fewer prices than orders to sort.
ranked as (
    select
        currency_id,
        design_id,
        unit_price,
        sum(orders) over (
            partition by currency_id, design_id
            order by unit_price
            rows unbounded preceding
        ) as orders_up_to
    from agreed
),

price as (
    select
        currency_id,
        design_id,
        max(orders_up_to) as orders,
        array_agg(unit_price order by orders_up_to) as prices,
        array_agg(orders_up_to order by orders_up_to) as orders_up_to
    from ranked
    group by currency_id, design_id
),

-- Of n orders, the lower quartile is the price of the order at n / 4, rounded up: the first price
-- at which that many orders are reached. `width_bucket` counts the prices before it.
quartile as (
    select
        currency_id,
        design_id,
        orders,
        prices[1] as lowest_price,
        prices[1 + width_bucket((orders + 3) / 4 - 1, orders_up_to)] as lower_quartile,
        prices[1 + width_bucket((orders + 1) / 2 - 1, orders_up_to)] as median_price,
        prices[1 + width_bucket((3 * orders + 3) / 4 - 1, orders_up_to)] as upper_quartile,
        prices[cardinality(prices)] as highest_price
    from price
)

select
    u.currency_code::text as currency_code,
    q.design_id::integer as design_id,
    d.design_name::text as design_name,
    q.orders::integer as orders,
    q.lowest_price::numeric(10, 2) as lowest_price,
    q.lower_quartile::numeric(10, 2) as lower_quartile,
    q.median_price::numeric(10, 2) as median_price,
    q.upper_quartile::numeric(10, 2) as upper_quartile,
    q.highest_price::numeric(10, 2) as highest_price
from quartile as q
inner join dim_currency as u on u.currency_id = q.currency_id
inner join dim_design as d on d.design_id = q.design_id
order by u.currency_code, q.orders desc, q.design_id
