-- order_names: What are the names of the things that an order refers to by number?
-- Grain: one row per thing in a dimension.
-- Unit: none.
-- Note: `leads_to` is the address of the thing's page, null if it has none. `ids` is a JSON object
-- of numbers by dimension: {"dim_staff": ["1", "2"]}. Names are those in use now.
-- Filters: ids
with wanted as (
    select
        d.key as dimension,
        json_array_elements_text(d.value)::integer as id
    from json_each(nullif(:'ids', '')::json) as d
),

named as (
    select
        'dim_staff' as dimension,
        s.staff_id as id,
        s.first_name || ' ' || s.last_name as name,
        null as leads_to
    from dim_staff as s
    union all
    select
        'dim_design',
        d.design_id,
        d.design_name,
        '/list/sales_order?design=' || d.design_id
    from dim_design as d
    union all
    select
        'dim_counterparty',
        c.counterparty_id,
        c.counterparty_legal_name,
        '/counterparty?counterparty=' || c.counterparty_id
    from dim_counterparty as c
    union all
    select
        'dim_currency',
        u.currency_id,
        u.currency_code,
        null
    from dim_currency as u
    union all
    select
        'dim_location',
        l.location_id,
        l.city || ', ' || l.country,
        null
    from dim_location as l
    union all
    select
        'dim_payment_type',
        t.payment_type_id,
        lower(replace(t.payment_type_name, '_', ' ')),
        null
    from dim_payment_type as t
    union all
    select
        'dim_transaction',
        r.transaction_id,
        case
            when r.sales_order_id is not null then 'sales order ' || r.sales_order_id
            when r.purchase_order_id is not null then 'purchase order ' || r.purchase_order_id
            else r.transaction_type
        end,
        case
            when r.sales_order_id is not null then '/order/sales_order/' || r.sales_order_id
            when r.purchase_order_id is not null
                then '/order/purchase_order/' || r.purchase_order_id
        end
    from dim_transaction as r
)

select
    n.dimension::text as dimension,
    n.id::integer as id,
    n.name::text as name,
    n.leads_to::text as leads_to
from wanted as w
inner join named as n on n.dimension = w.dimension and n.id = w.id
order by n.dimension, n.id
