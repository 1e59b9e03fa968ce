-- y07_payment_mismatches: Which orders have no payment, or a different amount?
-- Grain: one row per sales or purchase order whose payment is not what it should be.
-- Unit: order_amount in currency_code, payment_amount in payment_currency_code.
-- Note: Payments are found through the transaction, paid or not. A sale should have a receipt, and
-- a purchase a payment, for quantity times price in the order's currency. Refunds do not count.
-- Several payments in one currency are added up; if they are in several, the payment columns are
-- null.
-- Access: finance
-- Filters: from, to, currency, department, counterparty, as_of
with placed as (
    select
        'sale' as order_kind,
        f.sales_order_id as order_id,
        f.created_date,
        f.counterparty_id,
        u.currency_code,
        f.units_sold * f.unit_price as amount
    from fact_sales_order_current as f
    inner join dim_currency as u on u.currency_id = f.currency_id
    where f.created_date >= coalesce(nullif(:'from', '')::date, '-infinity')
        and f.created_date <= coalesce(nullif(:'to', '')::date, 'infinity')
        and (u.currency_code = nullif(:'currency', '')) is not false
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
        'purchase',
        f.purchase_order_id,
        f.created_date,
        f.counterparty_id,
        u.currency_code,
        f.item_quantity * f.item_unit_price
    from fact_purchase_orders_current as f
    inner join dim_currency as u on u.currency_id = f.currency_id
    where f.created_date >= coalesce(nullif(:'from', '')::date, '-infinity')
        and f.created_date <= coalesce(nullif(:'to', '')::date, 'infinity')
        and (u.currency_code = nullif(:'currency', '')) is not false
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

-- Looks up the orders in question only, not every payment there ever was.
transaction as (
    select
        o.order_kind,
        o.order_id,
        r.transaction_id
    from placed as o
    inner join dim_transaction as r on r.sales_order_id = o.order_id
    where o.order_kind = 'sale'
    union all
    select
        o.order_kind,
        o.order_id,
        r.transaction_id
    from placed as o
    inner join dim_transaction as r on r.purchase_order_id = o.order_id
    where o.order_kind = 'purchase'
),

payment as (
    select
        r.order_kind,
        r.order_id,
        u.currency_code,
        f.payment_amount
    from transaction as r
    inner join fact_payment_current as f on f.transaction_id = r.transaction_id
    inner join dim_currency as u on u.currency_id = f.currency_id
    inner join dim_payment_type as t on t.payment_type_id = f.payment_type_id
    where t.payment_type_name
        = case r.order_kind when 'sale' then 'SALES_RECEIPT' else 'PURCHASE_PAYMENT' end
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
    from placed as o
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
