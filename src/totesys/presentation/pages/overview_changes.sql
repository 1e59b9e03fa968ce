-- overview_changes: What changed lately?
-- Grain: one row per version of an order: for sales and purchases, the 3 newest created, amended and
-- deleted.
-- Unit: amount in the row's own currency, the last known one for a deletion; times in UTC.
-- Note: The newest comes first. what_changed says old → new, with
-- names in place of numbers, and by how much a quantity changed.
-- Filters: currency, department, counterparty
with sale as (
    (
        select f.sales_record_id as record_id
        from fact_sales_order as f
        inner join dim_currency as u on u.currency_id = f.currency_id
        inner join dim_staff as s on s.staff_id = f.sales_staff_id
        where f.record_operation = 'insert'
            and (u.currency_code = nullif(:'currency', '')) is not false
            and (s.department_name = nullif(:'department', '')) is not false
            and (
                nullif(:'counterparty', '') is null
                or f.counterparty_id = nullif(:'counterparty', '')::integer
            )
        order by f.sales_record_id desc
        limit 3
    )
    union all
    select x.record_id
    from (values ('update'), ('delete')) as o (operation)
    cross join lateral (
        select f.sales_record_id as record_id
        from fact_sales_order as f
        inner join dim_currency as u on u.currency_id = f.currency_id
        inner join dim_staff as s on s.staff_id = f.sales_staff_id
        where f.record_operation = o.operation
            and f.record_operation <> 'insert' -- as in the index of what was not only inserted
            and (u.currency_code = nullif(:'currency', '')) is not false
            and (s.department_name = nullif(:'department', '')) is not false
            and (
                nullif(:'counterparty', '') is null
                or f.counterparty_id = nullif(:'counterparty', '')::integer
            )
        order by f.sales_record_id desc
        limit 3
    ) as x
),

purchase as (
    (
        select f.purchase_record_id as record_id
        from fact_purchase_orders as f
        inner join dim_currency as u on u.currency_id = f.currency_id
        inner join dim_staff as s on s.staff_id = f.staff_id
        where f.record_operation = 'insert'
            and (u.currency_code = nullif(:'currency', '')) is not false
            and (s.department_name = nullif(:'department', '')) is not false
            and (
                nullif(:'counterparty', '') is null
                or f.counterparty_id = nullif(:'counterparty', '')::integer
            )
        order by f.purchase_record_id desc
        limit 3
    )
    union all
    select x.record_id
    from (values ('update'), ('delete')) as o (operation)
    cross join lateral (
        select f.purchase_record_id as record_id
        from fact_purchase_orders as f
        inner join dim_currency as u on u.currency_id = f.currency_id
        inner join dim_staff as s on s.staff_id = f.staff_id
        where f.record_operation = o.operation
            and f.record_operation <> 'insert' -- as in the index of what was not only inserted
            and (u.currency_code = nullif(:'currency', '')) is not false
            and (s.department_name = nullif(:'department', '')) is not false
            and (
                nullif(:'counterparty', '') is null
                or f.counterparty_id = nullif(:'counterparty', '')::integer
            )
        order by f.purchase_record_id desc
        limit 3
    ) as x
),

newest as (
    select
        f.sales_record_id as record_id,
        f.record_operation,
        f.recorded_at,
        f.batch_id,
        'sales_order' as source_table,
        f.sales_order_id as id,
        f.counterparty_id,
        u.currency_code,
        f.units_sold * f.unit_price as amount,
        to_jsonb(f) as version,
        b.before
    from sale as i
    inner join fact_sales_order as f on f.sales_record_id = i.record_id
    inner join dim_currency as u on u.currency_id = f.currency_id
    left join lateral (
        select to_jsonb(e) as before
        from fact_sales_order as e
        where e.sales_order_id = f.sales_order_id
            and e.sales_record_id < f.sales_record_id
            and f.record_operation = 'update'
        order by e.sales_record_id desc
        limit 1
    ) as b on true
    union all
    select
        f.purchase_record_id,
        f.record_operation,
        f.recorded_at,
        f.batch_id,
        'purchase_order',
        f.purchase_order_id,
        f.counterparty_id,
        u.currency_code,
        f.item_quantity * f.item_unit_price,
        to_jsonb(f),
        b.before
    from purchase as i
    inner join fact_purchase_orders as f on f.purchase_record_id = i.record_id
    inner join dim_currency as u on u.currency_id = f.currency_id
    left join lateral (
        select to_jsonb(e) as before
        from fact_purchase_orders as e
        where e.purchase_order_id = f.purchase_order_id
            and e.purchase_record_id < f.purchase_record_id
            and f.record_operation = 'update'
        order by e.purchase_record_id desc
        limit 1
    ) as b on true
)

select
    n.recorded_at::timestamptz as recorded_at,
    case n.record_operation
        when 'insert' then 'new'
        when 'update' then 'amended'
        else 'deleted'
    end::text as change,
    n.source_table::text as source_table,
    n.id::integer as id,
    (
        select string_agg(
            replace(regexp_replace(v.key, '_id$', ''), '_', ' ') || ': ' || s.before || ' → '
            || s.after || case
                when v.key in ('units_sold', 'item_quantity')
                    then ' (' || replace(
                        to_char(v.value::numeric - b.value::numeric, 'FMSG999,999,999,990'),
                        '-',
                        '−'
                    ) || ')'
                else ''
            end,
            ', '
            order by v.key
        )
        from jsonb_each_text(n.version) as v
        inner join jsonb_each_text(n.before) as b on b.key = v.key
        cross join lateral (
            select
                max(x.said) filter (where not x.is_new) as before,
                max(x.said) filter (where x.is_new) as after
            from (
                select
                    w.is_new,
                    coalesce(
                        case
                            when v.key in ('sales_staff_id', 'staff_id')
                                then (
                                    select d.first_name || ' ' || d.last_name
                                    from dim_staff as d
                                    where d.staff_id = w.value::integer
                                )
                            when v.key = 'counterparty_id'
                                then (
                                    select d.counterparty_legal_name
                                    from dim_counterparty as d
                                    where d.counterparty_id = w.value::integer
                                )
                            when v.key = 'design_id'
                                then (
                                    select d.design_name || ' ' || d.design_id
                                    from dim_design as d
                                    where d.design_id = w.value::integer
                                )
                            when v.key = 'currency_id'
                                then (
                                    select d.currency_code
                                    from dim_currency as d
                                    where d.currency_id = w.value::integer
                                )
                            when v.key = 'agreed_delivery_location_id'
                                then (
                                    select d.city || ', ' || d.country
                                    from dim_location as d
                                    where d.location_id = w.value::integer
                                )
                            when v.key in ('units_sold', 'item_quantity')
                                then to_char(w.value::numeric, 'FM999,999,999,990')
                            when v.key in ('unit_price', 'item_unit_price')
                                then n.currency_code || ' '
                                || to_char(w.value::numeric, 'FM999,999,999,990.00')
                        end,
                        w.value,
                        '–'
                    ) as said
                from (values (false, b.value), (true, v.value)) as w (is_new, value)
            ) as x
        ) as s
        where b.value is distinct from v.value
            and v.key not in (
                'sales_record_id',
                'purchase_record_id',
                'record_operation',
                'recorded_at',
                'batch_id',
                'last_updated_date',
                'last_updated_time'
            )
    )::text as what_changed,
    n.counterparty_id::integer as counterparty_id,
    c.counterparty_legal_name::text as counterparty,
    n.currency_code::text as currency_code,
    n.amount::numeric(20, 2) as amount,
    n.batch_id::bigint as batch_id
from newest as n
inner join dim_counterparty as c on c.counterparty_id = n.counterparty_id
order by n.recorded_at desc, n.source_table, n.record_id desc
