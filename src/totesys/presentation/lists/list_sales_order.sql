-- list_sales_order: Which sales orders are there?
-- Grain: one row per sales order.
-- Unit: amount in the row's own currency; units in bags.
-- Note: The rows come unsorted: the page sorts them. Each `left join` only brings names, so the
-- planner leaves it out where they are not needed. The period is when an order was placed. `search`
-- is a part of a customer's, design's or staff member's name in any case, a design's name with its
-- number (`Cotton 7`), or an order's whole number. `state`: `changed` leaves only orders that were
-- changed after they were placed, `deleted` shows the deleted ones as they were last; without it,
-- every order that exists.
-- Filters: search, state, from, to, currency, department, counterparty, design, amount_from,
-- amount_to
select
    f.sales_order_id::integer as sales_order_id,
    f.created_date::date as created_date,
    f.counterparty_id::integer as counterparty_id,
    c.counterparty_legal_name::text as counterparty,
    f.design_id::integer as design_id,
    d.design_name::text as design_name,
    f.units_sold::integer as units,
    f.unit_price::numeric(10, 2) as unit_price,
    u.currency_code::text as currency_code,
    (f.units_sold * f.unit_price)::numeric(20, 2) as amount,
    (s.first_name || ' ' || s.last_name)::text as staff_name,
    s.department_name::text as department,
    f.agreed_delivery_date::date as agreed_delivery_date,
    f.agreed_payment_date::date as agreed_payment_date,
    case f.record_operation
        when 'update' then 'changed'
        when 'delete' then 'deleted'
        else 'as placed'
    end::text as state
from (
    select
        n.sales_order_id,
        n.created_date,
        n.counterparty_id,
        n.design_id,
        n.sales_staff_id,
        n.currency_id,
        n.units_sold,
        n.unit_price,
        n.agreed_delivery_date,
        n.agreed_payment_date,
        n.record_operation,
        false as is_deleted
    from fact_sales_order_current as n
    union all
    select
        g.sales_order_id,
        g.created_date,
        g.counterparty_id,
        g.design_id,
        g.sales_staff_id,
        g.currency_id,
        g.units_sold,
        g.unit_price,
        g.agreed_delivery_date,
        g.agreed_payment_date,
        g.record_operation,
        true as is_deleted
    from fact_sales_order as g
    where g.record_operation = 'delete'
        and not exists (
            select
            from fact_sales_order as later
            where later.sales_order_id = g.sales_order_id
                and later.sales_record_id > g.sales_record_id
        )
) as f
left join dim_currency as u on u.currency_id = f.currency_id
left join dim_counterparty as c on c.counterparty_id = f.counterparty_id
left join dim_design as d on d.design_id = f.design_id
left join dim_staff as s on s.staff_id = f.sales_staff_id
where f.is_deleted = (coalesce(:'state', '') = 'deleted')
    and (coalesce(:'state', '') <> 'changed' or f.record_operation = 'update')
    and f.created_date >= coalesce(nullif(:'from', '')::date, '-infinity')
    and f.created_date <= coalesce(nullif(:'to', '')::date, 'infinity')
    and (
        nullif(:'currency', '') is null
        or u.currency_code = :'currency'
    )
    and (
        nullif(:'department', '') is null
        or s.department_name = :'department'
    )
    and (
        nullif(:'counterparty', '') is null
        or f.counterparty_id = nullif(:'counterparty', '')::integer
    )
    and (
        nullif(:'design', '') is null
        or f.design_id = nullif(:'design', '')::integer
    )
    and (
        nullif(:'amount_from', '') is null
        or f.units_sold * f.unit_price >= nullif(:'amount_from', '')::numeric
    )
    and (
        nullif(:'amount_to', '') is null
        or f.units_sold * f.unit_price <= nullif(:'amount_to', '')::numeric
    )
    and (
        nullif(:'search', '') is null
        or f.sales_order_id
        = case when :'search' ~ '^[0-9]{1,9}$' then (:'search')::integer end
        or f.counterparty_id in (
            select p.counterparty_id
            from dim_counterparty as p
            where strpos(
                lower(p.counterparty_legal_name collate "und-x-icu"),
                lower(:'search' collate "und-x-icu")
            ) > 0
        )
        or f.design_id in (
            select p.design_id
            from dim_design as p
            where strpos(
                lower(p.design_name collate "und-x-icu"),
                lower(:'search' collate "und-x-icu")
            ) > 0
                or lower((p.design_name || ' ' || p.design_id) collate "und-x-icu")
                = lower(:'search' collate "und-x-icu")
        )
        or f.sales_staff_id in (
            select p.staff_id
            from dim_staff as p
            where strpos(
                lower((p.first_name || ' ' || p.last_name) collate "und-x-icu"),
                lower(:'search' collate "und-x-icu")
            ) > 0
        )
    )
