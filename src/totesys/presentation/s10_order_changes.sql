-- s10_order_changes: How often do orders change afterwards, and what changes?
-- Grain: one row per month, or other step, and field that changed in it.
-- Unit: changes; orders is the number of orders in which the field changed.
-- Note: Sales orders only. `by` is the step: day, week, month (the standard), quarter or year. month
-- is its first day, whatever its length. The period and the step (UTC) are when a change was
-- noticed. The other filters apply to the order as it was after the change. An update counts once
-- for every field that it changed, except `last_updated`. The first version, a deletion and a return
-- from one are not changes. A step is complete if the period holds all of it, it does not begin
-- before the day of the first capture, and its last day is before today and before the day of the
-- newest capture.
-- Filters: from, to, by, currency, department, counterparty, design, today
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
        (min(b.snapshot_at) at time zone 'utc')::date as first_day,
        (max(b.snapshot_at) at time zone 'utc')::date as newest_day
    from tidemark_batches as b
),

-- Each update beside the version before it.
change as (
    select
        f.sales_order_id,
        date_trunc(coalesce(nullif(:'by', ''), 'month'), f.recorded_at at time zone 'utc')::date
            as month,
        f.created_date <> f.before_created_date as created_date,
        f.created_time <> f.before_created_time as created_time,
        f.sales_staff_id <> f.before_sales_staff_id as sales_staff_id,
        f.counterparty_id <> f.before_counterparty_id as counterparty_id,
        f.units_sold <> f.before_units_sold as units_sold,
        f.unit_price <> f.before_unit_price as unit_price,
        f.currency_id <> f.before_currency_id as currency_id,
        f.design_id <> f.before_design_id as design_id,
        f.agreed_payment_date <> f.before_agreed_payment_date as agreed_payment_date,
        f.agreed_delivery_date <> f.before_agreed_delivery_date as agreed_delivery_date,
        f.agreed_delivery_location_id <> f.before_agreed_delivery_location_id
            as agreed_delivery_location_id
    from fact_sales_order_revisions as f
    where f.record_operation = 'update'
        -- The return of an order that was refused at first.
        and f.before_record_operation <> 'delete'
        and (f.recorded_at at time zone 'utc')::date
            >= coalesce(nullif(:'from', '')::date, '-infinity')
        and (f.recorded_at at time zone 'utc')::date
            <= coalesce(nullif(:'to', '')::date, 'infinity')
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
),

-- Counted by order first, so that an order counts once.
changed_order as (
    select
        month,
        sales_order_id,
        count(*) filter (where created_date) as created_date,
        count(*) filter (where created_time) as created_time,
        count(*) filter (where sales_staff_id) as sales_staff_id,
        count(*) filter (where counterparty_id) as counterparty_id,
        count(*) filter (where units_sold) as units_sold,
        count(*) filter (where unit_price) as unit_price,
        count(*) filter (where currency_id) as currency_id,
        count(*) filter (where design_id) as design_id,
        count(*) filter (where agreed_payment_date) as agreed_payment_date,
        count(*) filter (where agreed_delivery_date) as agreed_delivery_date,
        count(*) filter (where agreed_delivery_location_id) as agreed_delivery_location_id
    from change
    group by month, sales_order_id
),

changed_month as (
    select
        month,
        sum(created_date) as created_date,
        count(nullif(created_date, 0)) as created_date_orders,
        sum(created_time) as created_time,
        count(nullif(created_time, 0)) as created_time_orders,
        sum(sales_staff_id) as sales_staff_id,
        count(nullif(sales_staff_id, 0)) as sales_staff_id_orders,
        sum(counterparty_id) as counterparty_id,
        count(nullif(counterparty_id, 0)) as counterparty_id_orders,
        sum(units_sold) as units_sold,
        count(nullif(units_sold, 0)) as units_sold_orders,
        sum(unit_price) as unit_price,
        count(nullif(unit_price, 0)) as unit_price_orders,
        sum(currency_id) as currency_id,
        count(nullif(currency_id, 0)) as currency_id_orders,
        sum(design_id) as design_id,
        count(nullif(design_id, 0)) as design_id_orders,
        sum(agreed_payment_date) as agreed_payment_date,
        count(nullif(agreed_payment_date, 0)) as agreed_payment_date_orders,
        sum(agreed_delivery_date) as agreed_delivery_date,
        count(nullif(agreed_delivery_date, 0)) as agreed_delivery_date_orders,
        sum(agreed_delivery_location_id) as agreed_delivery_location_id,
        count(nullif(agreed_delivery_location_id, 0)) as agreed_delivery_location_id_orders
    from changed_order
    group by month
)

select
    m.month::date as month,
    (
        m.month + s.length <= least(c.today, v.newest_day)
        and m.month >= greatest(v.first_day, nullif(:'from', '')::date)
        and m.month + s.length <= coalesce(nullif(:'to', '')::date + 1, 'infinity')
    )::boolean as is_complete,
    x.field::text as field,
    x.changes::integer as changes,
    x.orders::integer as orders
from changed_month as m
cross join clock as c
cross join step as s
cross join cover as v
cross join lateral (
    values
        ('created_date', m.created_date, m.created_date_orders),
        ('created_time', m.created_time, m.created_time_orders),
        ('sales_staff_id', m.sales_staff_id, m.sales_staff_id_orders),
        ('counterparty_id', m.counterparty_id, m.counterparty_id_orders),
        ('units_sold', m.units_sold, m.units_sold_orders),
        ('unit_price', m.unit_price, m.unit_price_orders),
        ('currency_id', m.currency_id, m.currency_id_orders),
        ('design_id', m.design_id, m.design_id_orders),
        ('agreed_payment_date', m.agreed_payment_date, m.agreed_payment_date_orders),
        ('agreed_delivery_date', m.agreed_delivery_date, m.agreed_delivery_date_orders),
        (
            'agreed_delivery_location_id',
            m.agreed_delivery_location_id,
            m.agreed_delivery_location_id_orders
        )
) as x (field, changes, orders)
where x.changes > 0
order by m.month, x.field
