-- s05_sales_by_staff: Which departments and staff sell most?
-- Grain: one row per currency and member of staff.
-- Unit: amount in currency_code, which is `in` if it is set; units in bags.
-- Note: Departments are ordered by department_amount, the amount of the whole department, and the
-- staff in each by their own amount. All sales count for the department that the member of staff is
-- in now. With `in`, every currency is converted into that one, each order at the rate of the day
-- it was placed, as exchange_rate_on finds it now. An order without a rate is left out of the
-- amounts and counted in orders_unconverted; if no order of a row has a rate, amount is null and
-- the row comes last.
-- Filters: from, to, currency, in, department, counterparty, design, as_of
with summed as (
    select
        f.currency_id,
        f.sales_staff_id as staff_id,
        -- Only a rate needs the day.
        case when nullif(:'in', '') is not null then f.created_date end as day,
        sum(f.row_count) as orders,
        sum(f.units) as units,
        sum(f.amount) as amount
    from fact_sales_order_sums_current as f
    where f.grain = case
            when coalesce(:'counterparty', '') || coalesce(:'design', '') = '' then 'staff'
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
    group by f.currency_id, f.sales_staff_id, day
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
        x.staff_id,
        x.orders,
        x.units,
        case when x.day is null then x.amount else x.amount * r.rate end as amount
    from summed as x
    inner join dim_currency as u on u.currency_id = x.currency_id
    left join rate as r on r.currency_id = x.currency_id and r.day = x.day
),

total as (
    select
        x.currency_code,
        x.staff_id,
        sum(x.orders) as orders,
        sum(x.units) as units,
        sum(x.amount) as amount,
        sum(x.orders) filter (where x.amount is null) as orders_unconverted
    from rated as x
    group by x.currency_code, x.staff_id
),

named as (
    select
        t.currency_code,
        s.department_name,
        t.staff_id,
        s.first_name || ' ' || s.last_name as staff_name,
        t.orders,
        t.units,
        t.amount,
        t.orders_unconverted,
        sum(t.amount) over (partition by t.currency_code, s.department_name) as department_amount
    from total as t
    inner join dim_staff as s on s.staff_id = t.staff_id
)

select
    n.currency_code::text as currency_code,
    n.department_name::text as department,
    n.staff_id::integer as staff_id,
    n.staff_name::text as staff_name,
    n.orders::integer as orders,
    n.units::bigint as units,
    n.amount::numeric(20, 2) as amount,
    n.department_amount::numeric(20, 2) as department_amount,
    coalesce(n.orders_unconverted, 0)::integer as orders_unconverted
from named as n
order by
    n.currency_code,
    n.department_amount desc nulls last,
    n.department_name,
    n.amount desc nulls last,
    n.staff_id
