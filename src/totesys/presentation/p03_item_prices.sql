-- p03_item_prices: Which items become more expensive?
-- Grain: one row per item, currency and month, or other step, in which it was bought.
-- Unit: price of one item in the row's own currency; change_ratio 0.1 is 10 % more expensive.
-- Note: `by` is the step: day, week, month (the standard), quarter or year. month is its first day,
-- whatever its length. The average price is the amount paid, divided by the quantity. First and
-- last are the averages of the item's first and last step. The greatest rise comes first. An item
-- that was bought in only one step has no price to compare with and is left out; Totesys gives
-- nearly every order an item code of its own. A step is complete if it does not begin before
-- data_since, the first day of all purchases, its last day is before today and before the day of
-- the newest purchase, and neither `from` nor `to` cuts it. A price is an average, not a sum, so
-- change_ratio also uses steps that are not complete.
-- Filters: from, to, by, currency, department, counterparty, today, as_of
with clock as (
    select coalesce(nullif(:'today', '')::date, (now() at time zone 'utc')::date) as today
),

step as (
    select
        case coalesce(nullif(:'by', ''), 'month')
            when 'day' then interval '1 day'
            when 'week' then interval '1 week'
            when 'month' then interval '1 month'
            when 'quarter' then interval '3 months'
            when 'year' then interval '1 year'
        end as length
),

cover as (
    select
        min(f.created_date) as first_day,
        max(f.created_date) as newest_day
    from fact_purchase_orders_sums_current as f
    where f.grain = 'day'
),

-- One id for each code, which several may have: numbers are grouped faster than text.
currency as (
    select
        currency_id,
        min(currency_id) over (partition by currency_code) as first_id
    from dim_currency
),

bought as not materialized (
    select
        f.item_code,
        x.first_id as currency_id,
        f.created_date,
        f.item_quantity,
        f.item_unit_price
    from fact_purchase_orders_current as f
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

-- Nearly every item was bought in one step only, so that few are summed and sorted.
repeated as materialized (
    select
        f.item_code,
        f.currency_id
    from bought as f
    group by f.item_code, f.currency_id
    having date_trunc(coalesce(nullif(:'by', ''), 'month'), min(f.created_date)::timestamp)
        < date_trunc(coalesce(nullif(:'by', ''), 'month'), max(f.created_date)::timestamp)
),

monthly as (
    select
        f.item_code,
        f.currency_id,
        date_trunc(coalesce(nullif(:'by', ''), 'month'), f.created_date::timestamp)::date as month,
        count(*) as orders,
        sum(f.item_quantity) as quantity,
        sum(f.item_quantity * f.item_unit_price) / nullif(sum(f.item_quantity), 0) as average_price
    from bought as f
    where (f.item_code, f.currency_id) in (
            select
                r.item_code,
                r.currency_id
            from repeated as r
        )
    group by f.item_code, f.currency_id, month
),

compared as (
    select
        m.*,
        u.currency_code,
        first_value(m.average_price) over item as first_price,
        last_value(m.average_price) over item as last_price
    from monthly as m
    inner join dim_currency as u on u.currency_id = m.currency_id
    window item as (
        partition by m.item_code, m.currency_id
        order by m.month
        rows between unbounded preceding and unbounded following
    )
)

select
    m.item_code::text as item_code,
    m.currency_code::text as currency_code,
    m.month::date as month,
    (
        m.month + s.length <= least(c.today, v.newest_day)
        and m.month >= greatest(v.first_day, nullif(:'from', '')::date)
        and m.month + s.length - interval '1 day' <= coalesce(nullif(:'to', '')::date, 'infinity')
    )::boolean as is_complete,
    m.orders::integer as orders,
    m.quantity::bigint as quantity,
    round(m.average_price, 4)::numeric as average_price,
    round(m.first_price, 4)::numeric as first_price,
    round(m.last_price, 4)::numeric as last_price,
    round((m.last_price - m.first_price) / nullif(m.first_price, 0), 4)::numeric as change_ratio,
    v.first_day::date as data_since
from compared as m
cross join clock as c
cross join step as s
cross join cover as v
order by
    (m.last_price - m.first_price) / nullif(m.first_price, 0) desc nulls last,
    m.item_code,
    m.currency_code,
    m.month
