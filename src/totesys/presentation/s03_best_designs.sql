-- s03_best_designs: Which designs sell best?
-- Grain: one row per design sold.
-- Unit: units in bags; share of all units sold, 0 to 1. No amounts: units are added across currencies.
-- Note: The most units come first. A name is a material and not unique; the id tells designs apart.
-- Filters: from, to, currency, department, counterparty, design, as_of
with total as (
    select
        f.design_id,
        count(*) as orders,
        sum(f.units_sold) as units
    from fact_sales_order_current as f
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
    group by f.design_id
)

select
    t.design_id::integer as design_id,
    d.design_name::text as design_name,
    d.file_name::text as file_name,
    t.orders::integer as orders,
    t.units::bigint as units,
    round(t.units / nullif(sum(t.units) over (), 0), 6)::numeric as share
from total as t
inner join dim_design as d on d.design_id = t.design_id
order by t.units desc, t.design_id
