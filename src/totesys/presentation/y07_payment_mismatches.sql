-- y07_payment_mismatches: Which orders have no payment, or a different amount?
-- Grain: one row per sales or purchase order whose payment is not what it should be.
-- Unit: order_amount in currency_code, payment_amount in payment_currency_code.
-- Note: Payments are found through the transaction, paid or not. A sale should have a receipt, and
-- a purchase a payment, for quantity times price in the order's currency. Refunds do not count.
-- Several payments in one currency are added up; if they are in several, the payment columns are
-- null.
-- Access: finance
-- Filters: from, to, currency, department, counterparty, as_of
with placed as not materialized (
    select
        'sale' as order_kind,
        f.sales_order_id as order_id,
        f.currency_id,
        f.units_sold * f.unit_price as amount
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
    union all
    select
        'purchase' as order_kind,
        f.purchase_order_id as order_id,
        f.currency_id,
        f.item_quantity * f.item_unit_price as amount
    from fact_purchase_orders_current as f
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

-- Each order with each of its payments; a transaction, or an order, without a payment comes once.
-- The orders come first, because a left join of them to joined tables would join those whole.
tied as not materialized (
    select
        o.order_kind,
        o.order_id,
        p.payment_id,
        p.currency_id = o.currency_id and p.payment_amount = o.amount as is_exact
    from placed as o
    left join dim_transaction as r on r.sales_order_id = o.order_id
    left join (
        select
            f.transaction_id,
            f.payment_id,
            f.currency_id,
            f.payment_amount
        from fact_payment_current as f
        where f.payment_type_id in (
                select t.payment_type_id
                from dim_payment_type as t
                where t.payment_type_name = 'SALES_RECEIPT'
            )
    ) as p on p.transaction_id = r.transaction_id
    where o.order_kind = 'sale'
    union all
    select
        o.order_kind,
        o.order_id,
        p.payment_id,
        p.currency_id = o.currency_id and p.payment_amount = o.amount as is_exact
    from placed as o
    left join dim_transaction as r on r.purchase_order_id = o.order_id
    left join (
        select
            f.transaction_id,
            f.payment_id,
            f.currency_id,
            f.payment_amount
        from fact_payment_current as f
        where f.payment_type_id in (
                select t.payment_type_id
                from dim_payment_type as t
                where t.payment_type_name = 'PURCHASE_PAYMENT'
            )
    ) as p on p.transaction_id = r.transaction_id
    where o.order_kind = 'purchase'
),

-- Nearly every order has one payment, and it is exact. One pass finds the others: the server can
-- share it among processes, and nothing is sorted or kept for the orders that are right.
found as materialized (
    select
        count(*) as pairs,
        array_agg(order_kind) filter (where is_exact is not true) as order_kinds,
        array_agg(order_id) filter (where is_exact is not true) as order_ids,
        array_agg(payment_id) filter (where is_exact is not true) as payment_ids
    from tied
),

-- With as many pairs as orders, no order has several payments, and nobody need look for them.
found_several as materialized (
    select
        array_agg(t.order_kind) as order_kinds,
        array_agg(t.order_id) as order_ids,
        array_agg(t.payment_id) as payment_ids
    from (
        select
            order_kind,
            order_id,
            payment_id,
            count(*) over (partition by order_kind, order_id) as payments
        from tied
        where (select f.pairs from found as f) > (select count(*) from placed)
    ) as t
    where t.payments > 1
),

suspect as (
    select
        x.order_kind,
        x.order_id,
        x.payment_id
    from found as f
    cross join unnest(f.order_kinds, f.order_ids, f.payment_ids)
        as x (order_kind, order_id, payment_id)
    union
    select
        x.order_kind,
        x.order_id,
        x.payment_id
    from found_several as f
    cross join unnest(f.order_kinds, f.order_ids, f.payment_ids)
        as x (order_kind, order_id, payment_id)
),

payment as (
    select
        s.order_kind,
        s.order_id,
        u.currency_code,
        f.payment_amount
    from suspect as s
    inner join fact_payment_current as f on f.payment_id = s.payment_id
    inner join dim_currency as u on u.currency_id = f.currency_id
),

paid as (
    select
        order_kind,
        order_id,
        count(*) as payments,
        case when min(currency_code) = max(currency_code) then min(currency_code) end
            as currency_code,
        case when min(currency_code) = max(currency_code) then sum(payment_amount) end as amount
    from payment
    group by order_kind, order_id
),

suspect_order as (
    select
        s.order_kind,
        s.order_id,
        f.created_date,
        f.counterparty_id,
        u.currency_code,
        f.units_sold * f.unit_price as amount
    from suspect as s
    inner join fact_sales_order_current as f on f.sales_order_id = s.order_id
    inner join dim_currency as u on u.currency_id = f.currency_id
    where s.order_kind = 'sale'
    union
    select
        s.order_kind,
        s.order_id,
        f.created_date,
        f.counterparty_id,
        u.currency_code,
        f.item_quantity * f.item_unit_price as amount
    from suspect as s
    inner join fact_purchase_orders_current as f on f.purchase_order_id = s.order_id
    inner join dim_currency as u on u.currency_id = f.currency_id
    where s.order_kind = 'purchase'
),

compared as (
    select
        o.*,
        coalesce(p.payments, 0) as payments,
        p.currency_code as payment_currency_code,
        p.amount as payment_amount,
        case
            when p.payments is null then 'no payment'
            when p.currency_code is distinct from o.currency_code then 'different currency'
            when p.amount <> o.amount then 'different amount'
        end as problem
    from suspect_order as o
    left join paid as p on p.order_kind = o.order_kind and p.order_id = o.order_id
)

select
    m.problem::text as problem,
    m.order_kind::text as order_kind,
    m.order_id::integer as order_id,
    m.created_date::date as created_date,
    m.counterparty_id::integer as counterparty_id,
    c.counterparty_legal_name::text as counterparty,
    m.currency_code::text as currency_code,
    m.amount::numeric(20, 2) as order_amount,
    m.payments::integer as payments,
    m.payment_currency_code::text as payment_currency_code,
    m.payment_amount::numeric(20, 2) as payment_amount,
    case when m.problem = 'different amount' then m.payment_amount - m.amount end::numeric(20, 2)
        as difference
from compared as m
inner join dim_counterparty as c on c.counterparty_id = m.counterparty_id
where m.problem is not null
order by m.created_date desc, m.order_kind, m.order_id
