-- s15_books_as_of: What did the books say on that day?
-- Grain: one row per currency that had sales then or has them now.
-- Unit: amount in the row's own currency; units in bags; amount_change is now minus then.
-- Note: `then` is a moment with a time zone; everything captured by then is known. Without it, or
-- before the first batch, nothing is. Departments are those of now.
-- Filters: then, currency, department, counterparty, design
with total as (
    select
        'then' as moment,
        f.currency_id,
        sum(f.row_count) as orders,
        sum(f.units) as units,
        sum(f.amount) as amount
    from fact_sales_order_sums_as_of(nullif(:'then', '')::timestamptz) as f
    where f.grain = case
            when coalesce(:'design', '') <> '' then 'row'
            when coalesce(:'counterparty', '') = '' then 'staff'
            when coalesce(:'department', '') = '' then 'counterparty'
            else 'row'
        end
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
    group by f.currency_id
    union all
    select
        'now',
        f.currency_id,
        sum(f.row_count),
        sum(f.units),
        sum(f.amount)
    from fact_sales_order_sums_current as f
    where f.grain = case
            when coalesce(:'design', '') <> '' then 'row'
            when coalesce(:'counterparty', '') = '' then 'staff'
            when coalesce(:'department', '') = '' then 'counterparty'
            else 'row'
        end
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
    group by f.currency_id
)

select
    u.currency_code::text as currency_code,
    coalesce(sum(t.orders) filter (where t.moment = 'then'), 0)::integer as orders_then,
    coalesce(sum(t.units) filter (where t.moment = 'then'), 0)::bigint as units_then,
    coalesce(sum(t.amount) filter (where t.moment = 'then'), 0)::numeric(20, 2) as amount_then,
    coalesce(sum(t.orders) filter (where t.moment = 'now'), 0)::integer as orders_now,
    coalesce(sum(t.units) filter (where t.moment = 'now'), 0)::bigint as units_now,
    coalesce(sum(t.amount) filter (where t.moment = 'now'), 0)::numeric(20, 2) as amount_now,
    sum(case when t.moment = 'now' then t.amount else -t.amount end)::numeric(20, 2)
        as amount_change
from total as t
inner join dim_currency as u on u.currency_id = t.currency_id
group by u.currency_code
order by u.currency_code
