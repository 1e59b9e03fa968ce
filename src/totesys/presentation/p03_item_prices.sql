-- p03_item_prices: Which items become more expensive?
-- Grain: one row per item, currency and month in which it was bought.
-- Unit: price of one item in the row's own currency; change_ratio 0.1 is 10 % more expensive.
-- Note: The average price is the amount paid, divided by the quantity. First and last are the
-- averages of the item's first and last month. The greatest rise comes first. An item that was
-- bought in one month only has nothing to compare and is left out; Totesys gives nearly every order
-- an item code of its own. A month is complete if it ended before today and neither `from` nor `to`
-- cuts it.
-- Filters: from, to, currency, department, counterparty, today, as_of
with clock as (
    select coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date) as today
),

bought as (
    select
        f.item_code,
        u.currency_code,
        date_trunc('month', f.created_date::timestamp)::date as month,
        f.item_quantity as quantity,
        f.item_quantity * f.item_unit_price as amount
    from fact_purchase_orders_current as f
    inner join dim_currency as u on u.currency_id = f.currency_id
    where f.created_date >= coalesce(nullif(:'from', '')::date, '-infinity')
        and f.created_date <= coalesce(nullif(:'to', '')::date, 'infinity')
        and (u.currency_code = nullif(:'currency', '')) is not false
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
),

monthly as (
    select
        item_code,
        currency_code,
        month,
        count(*) as orders,
        sum(quantity) as quantity,
        sum(amount) / nullif(sum(quantity), 0) as average_price
    from bought
    group by item_code, currency_code, month
),

-- Nearly every item has one month only, and need not be sorted.
repeated as (
    select
        item_code,
        currency_code
    from monthly
    group by item_code, currency_code
    having count(*) > 1
),

compared as (
    select
        m.*,
        first_value(m.average_price) over item as first_price,
        last_value(m.average_price) over item as last_price
    from monthly as m
    inner join repeated as r
        on r.item_code = m.item_code and r.currency_code = m.currency_code
    window item as (
        partition by m.item_code, m.currency_code
        order by m.month
        rows between unbounded preceding and unbounded following
    )
)

select
    m.item_code::text as item_code,
    m.currency_code::text as currency_code,
    m.month::date as month,
    (
        m.month + interval '1 month' <= c.today
        and m.month >= coalesce(nullif(:'from', '')::date, '-infinity')
        and m.month + interval '1 month' - interval '1 day'
        <= coalesce(nullif(:'to', '')::date, 'infinity')
    )::boolean as is_complete,
    m.orders::integer as orders,
    m.quantity::bigint as quantity,
    round(m.average_price, 4)::numeric as average_price,
    round(m.first_price, 4)::numeric as first_price,
    round(m.last_price, 4)::numeric as last_price,
    round((m.last_price - m.first_price) / nullif(m.first_price, 0), 4)::numeric as change_ratio
from compared as m
cross join clock as c
order by
    (m.last_price - m.first_price) / nullif(m.first_price, 0) desc nulls last,
    m.item_code,
    m.currency_code,
    m.month
