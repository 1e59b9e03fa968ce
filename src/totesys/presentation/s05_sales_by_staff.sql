-- s05_sales_by_staff: Which departments and staff sell most?
-- Grain: one row per currency and member of staff.
-- Unit: amount in the row's own currency; units in bags; department_amount for the whole department.
-- Note: Departments are in order of their amount, and so are the staff in each. All sales count for
-- the department that the member of staff is in now.
-- Filters: from, to, currency, department, counterparty, design, as_of
with summed as (
    select
        f.currency_id,
        f.sales_staff_id as staff_id,
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
    group by f.currency_id, f.sales_staff_id
),

total as (
    select
        u.currency_code,
        x.staff_id,
        sum(x.orders) as orders,
        sum(x.units) as units,
        sum(x.amount) as amount
    from summed as x
    inner join dim_currency as u on u.currency_id = x.currency_id
    group by u.currency_code, x.staff_id
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
    n.department_amount::numeric(20, 2) as department_amount
from named as n
order by
    n.currency_code,
    n.department_amount desc,
    n.department_name,
    n.amount desc,
    n.staff_id
