-- s14_value_changes: How much value do amendments and deletions add or remove?
-- Grain: one row per currency.
-- Unit: amount in the row's own currency; lowered and deleted are zero or negative.
-- Note: Sales orders only. created + raised + lowered + deleted = now, exactly. An amendment that
-- moves an order to another currency, or into or out of a filter, lowers one side and raises the
-- other. An order that comes back after its deletion is created again.
-- Filters: from, to, currency, department, counterparty, design
with amended as (
    select distinct f.sales_order_id
    from fact_sales_order as f
    where f.record_operation <> 'insert'
),

-- Every version of what was amended; of all else, what there is now was created so.
version as (
    select
        f.sales_order_id,
        f.sales_record_id,
        u.currency_code,
        f.units_sold * f.unit_price as amount,
        f.record_operation <> 'delete' as is_there,
        (
            f.record_operation <> 'delete'
            and f.created_date >= coalesce(nullif(:'from', '')::date, '-infinity')
            and f.created_date <= coalesce(nullif(:'to', '')::date, 'infinity')
            and (u.currency_code = nullif(:'currency', '')) is not false
            and (s.department_name = nullif(:'department', '')) is not false
            and (
                nullif(:'counterparty', '') is null
                or f.counterparty_id = nullif(:'counterparty', '')::integer
            )
            and (
                nullif(:'design', '') is null
                or f.design_id = nullif(:'design', '')::integer
            )
        ) as is_counted
    from amended as a
    inner join fact_sales_order as f on f.sales_order_id = a.sales_order_id
    inner join dim_currency as u on u.currency_id = f.currency_id
    inner join dim_staff as s on s.staff_id = f.sales_staff_id
),

evolved as (
    select
        v.*,
        coalesce(lag(v.is_there) over earlier_first, false) as was_there,
        coalesce(lag(v.is_counted) over earlier_first, false) as was_counted,
        lag(v.currency_code) over earlier_first as currency_before,
        lag(v.amount) over earlier_first as amount_before
    from version as v
    window earlier_first as (partition by v.sales_order_id order by v.sales_record_id)
),

entry as (
    select
        sales_record_id,
        currency_code,
        was_there,
        is_there,
        amount as change
    from evolved
    where is_counted
    union all
    select
        sales_record_id,
        currency_before,
        was_there,
        is_there,
        -amount_before
    from evolved
    where was_counted
),

movement as (
    select
        currency_code,
        case
            when not was_there then 'created'
            when not is_there then 'deleted'
            when sum(change) > 0 then 'raised'
            else 'lowered'
        end as kind,
        sum(change) as change
    from entry
    group by sales_record_id, currency_code, was_there, is_there
),

amended_now as (
    select
        v.currency_code,
        count(*) as orders,
        sum(v.amount) as amount
    from (
        select distinct on (sales_order_id) *
        from version
        order by sales_order_id, sales_record_id desc
    ) as v
    where v.is_counted
    group by v.currency_code
),

standing_by_id as (
    select
        f.currency_id,
        sum(f.row_count) as orders,
        sum(f.amount) as amount
    from fact_sales_order_sums_current as f
    where f.grain = case
            when coalesce(:'design', '') <> '' then 'row'
            when coalesce(:'counterparty', '') = '' then 'staff'
            when coalesce(:'department', '') = '' then 'counterparty'
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
    group by f.currency_id
),

standing as (
    select
        u.currency_code,
        sum(x.orders) as orders,
        sum(x.amount) as amount
    from standing_by_id as x
    inner join dim_currency as u on u.currency_id = x.currency_id
    group by u.currency_code
),

step as (
    select
        currency_code,
        coalesce(sum(change) filter (where kind = 'created'), 0) as created,
        coalesce(sum(change) filter (where kind = 'raised'), 0) as raised,
        coalesce(sum(change) filter (where kind = 'lowered'), 0) as lowered,
        coalesce(sum(change) filter (where kind = 'deleted'), 0) as deleted
    from (
        select
            currency_code,
            kind,
            change
        from movement
        union all
        select
            n.currency_code,
            'created',
            n.amount - coalesce(a.amount, 0)
        from standing as n
        left join amended_now as a on a.currency_code = n.currency_code
        where n.orders > coalesce(a.orders, 0)
    ) as m
    group by currency_code
)

select
    p.currency_code::text as currency_code,
    p.created::numeric(20, 2) as created_amount,
    p.raised::numeric(20, 2) as raised_amount,
    p.lowered::numeric(20, 2) as lowered_amount,
    p.deleted::numeric(20, 2) as deleted_amount,
    coalesce(n.amount, 0)::numeric(20, 2) as now_amount
from step as p
left join standing as n on n.currency_code = p.currency_code
order by p.currency_code
