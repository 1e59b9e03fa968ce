-- order_payments: Which payments belong to this order?
-- Grain: one row per payment of the order's transactions, or one for a transaction without any.
-- Unit: amount in the row's own currency.
-- Note: The payments as they are now; deleted ones are left out. order_table is sales_order or
-- purchase_order.
-- Access: finance
-- Filters: order_table, order_id
select
    r.transaction_id::integer as transaction_id,
    r.transaction_type::text as transaction_type,
    'payment'::text as source_table,
    f.payment_id::integer as payment_id,
    t.payment_type_name::text as payment_type,
    f.payment_date::date as payment_date,
    u.currency_code::text as currency_code,
    f.payment_amount::numeric(10, 2) as amount,
    f.paid::boolean as paid,
    c.counterparty_legal_name::text as counterparty
from dim_transaction as r
left join fact_payment_current as f on f.transaction_id = r.transaction_id
left join dim_payment_type as t on t.payment_type_id = f.payment_type_id
left join dim_currency as u on u.currency_id = f.currency_id
left join dim_counterparty as c on c.counterparty_id = f.counterparty_id
where (:'order_table' = 'sales_order' and r.sales_order_id = nullif(:'order_id', '')::integer)
    or (
        :'order_table' = 'purchase_order'
        and r.purchase_order_id = nullif(:'order_id', '')::integer
    )
order by r.transaction_id, f.payment_date, f.payment_id
