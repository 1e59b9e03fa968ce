-- y07_payment_mismatches: Which orders have no payment, or a different amount?
-- Grain: one row per sales or purchase order whose payment is not what it should be.
-- Unit: order_amount in currency_code, payment_amount in payment_currency_code.
-- Note: Payments are found through the transaction, paid or not. A sale should have a receipt, and
-- a purchase a payment, for quantity times price in the order's currency. Refunds do not count.
-- Several payments in one currency are added up; if they are in several, the payment columns are
-- null.
-- Access: finance
-- Filters: from, to, currency, department, counterparty, as_of
with sale as not materialized (
    select
        true as is_sale,
        f.sales_order_id as order_id,
        f.created_date,
        f.counterparty_id,
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
),

purchase as not materialized (
    select
        false as is_sale,
        f.purchase_order_id as order_id,
        f.created_date,
        f.counterparty_id,
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

-- With a period, indexes find the transactions of its orders and their payments, because ids grow with
-- time. Without a period that gains nothing, and the condition is constant.
sale_ids as (
    select
        min(order_id) as first,
        max(order_id) as last,
        count(*) as orders
    from sale
),

purchase_ids as (
    select
        min(order_id) as first,
        max(order_id) as last,
        count(*) as orders
    from purchase
),

sale_transaction as not materialized (
    select
        r.transaction_id,
        r.sales_order_id as order_id
    from dim_transaction as r
    where coalesce(:'from', '') || coalesce(:'to', '') = ''
        or r.sales_order_id
        between (select i.first from sale_ids as i) and (select i.last from sale_ids as i)
),

purchase_transaction as not materialized (
    select
        r.transaction_id,
        r.purchase_order_id as order_id
    from dim_transaction as r
    where coalesce(:'from', '') || coalesce(:'to', '') = ''
        or r.purchase_order_id
        between (select i.first from purchase_ids as i) and (select i.last from purchase_ids as i)
),

transaction_ids as (
    select
        min(transaction_id) as first,
        max(transaction_id) as last
    from (
        select transaction_id from sale_transaction
        union all
        select transaction_id from purchase_transaction
    ) as r
),

-- Each order with each of its transactions; an order without any appears once.
placed as not materialized (
    select
        o.*,
        r.transaction_id
    from sale as o
    left join sale_transaction as r on r.order_id = o.order_id
    union all
    select
        o.*,
        r.transaction_id
    from purchase as o
    left join purchase_transaction as r on r.order_id = o.order_id
),

payment as not materialized (
    select
        f.transaction_id,
        t.payment_type_name = 'SALES_RECEIPT' as is_sale,
        f.payment_id,
        f.currency_id,
        f.payment_amount
    from fact_payment_current as f
    inner join dim_payment_type as t on t.payment_type_id = f.payment_type_id
    where t.payment_type_name in ('SALES_RECEIPT', 'PURCHASE_PAYMENT')
        and (
            coalesce(:'from', '') || coalesce(:'to', '') = ''
            or f.transaction_id between (select i.first from transaction_ids as i)
            and (select i.last from transaction_ids as i)
        )
),

-- Each of these with each of its payments; one without a payment appears once.
tied as not materialized (
    select
        o.is_sale,
        o.order_id,
        o.created_date,
        o.counterparty_id,
        o.currency_id,
        o.amount,
        p.payment_id,
        p.currency_id as payment_currency_id,
        p.payment_amount,
        p.currency_id = o.currency_id and p.payment_amount = o.amount as is_exact
    from placed as o
    left join payment as p on p.transaction_id = o.transaction_id and p.is_sale = o.is_sale
),

-- Nearly every order has one payment, and it is exact. One pass finds the others: the server can
-- share it among processes, and nothing is sorted or kept for the orders that are right.
found as materialized (
    select
        count(*) as pairs,
        array_agg(is_sale) filter (where is_exact is not true) as are_sales,
        array_agg(order_id) filter (where is_exact is not true) as order_ids,
        array_agg(created_date) filter (where is_exact is not true) as created_dates,
        array_agg(counterparty_id) filter (where is_exact is not true) as counterparty_ids,
        array_agg(currency_id) filter (where is_exact is not true) as currency_ids,
        array_agg(amount) filter (where is_exact is not true) as amounts,
        array_agg(payment_id) filter (where is_exact is not true) as payment_ids,
        array_agg(payment_currency_id) filter (where is_exact is not true) as payment_currency_ids,
        array_agg(payment_amount) filter (where is_exact is not true) as payment_amounts
    from tied
),

-- With as many pairs as orders, no order has several payments, and nobody need look for them.
several as materialized (
    select *
    from (
        select
            t.*,
            count(*) over (partition by t.is_sale, t.order_id) as pairs
        from tied as t
        where (select f.pairs from found as f)
            > (select i.orders from sale_ids as i) + (select i.orders from purchase_ids as i)
    ) as t
    where t.pairs > 1
),

-- What each of the others was paid, and each order with several pairs.
paid as (
    select
        x.is_sale,
        x.order_id,
        x.created_date,
        x.counterparty_id,
        x.currency_id,
        x.amount,
        case when x.payment_id is null then 0 else 1 end as payments,
        u.currency_code as payment_currency_code,
        x.payment_amount
    from found as f
    cross join unnest(
        f.are_sales,
        f.order_ids,
        f.created_dates,
        f.counterparty_ids,
        f.currency_ids,
        f.amounts,
        f.payment_ids,
        f.payment_currency_ids,
        f.payment_amounts
    ) as x (
        is_sale,
        order_id,
        created_date,
        counterparty_id,
        currency_id,
        amount,
        payment_id,
        payment_currency_id,
        payment_amount
    )
    left join dim_currency as u on u.currency_id = x.payment_currency_id
    where not exists (
        select
        from several as v
        where v.is_sale = x.is_sale
            and v.order_id = x.order_id
    )
    union all
    select
        v.is_sale,
        v.order_id,
        v.created_date,
        v.counterparty_id,
        v.currency_id,
        v.amount,
        count(v.payment_id),
        case when min(u.currency_code) = max(u.currency_code) then min(u.currency_code) end,
        case when min(u.currency_code) = max(u.currency_code) then sum(v.payment_amount) end
    from several as v
    left join dim_currency as u on u.currency_id = v.payment_currency_id
    group by
        v.is_sale,
        v.order_id,
        v.created_date,
        v.counterparty_id,
        v.currency_id,
        v.amount
),

compared as (
    select
        o.*,
        u.currency_code,
        case when o.is_sale then 'sale' else 'purchase' end as order_kind,
        case
            when o.payments = 0 then 'no payment'
            when o.payment_currency_code is distinct from u.currency_code
                then 'different currency'
            when o.payment_amount <> o.amount then 'different amount'
        end as problem
    from paid as o
    inner join dim_currency as u on u.currency_id = o.currency_id
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
