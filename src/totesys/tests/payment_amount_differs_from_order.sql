-- payment_amount_differs_from_order: payments of another amount than quantity × price of their order.
-- Grain: one row per payment that changed, or whose transaction or order did.
-- Sources: change_payment, change_transaction, change_sales_order, change_purchase_order; payment,
-- transaction, sales_order, purchase_order as they now stand.
-- The few transactions that the batch touches come first, so that whole tables are only searched for
-- them and never joined with one another. Orders are read only between the first and the last key
-- that these transactions name, because a join alone puts all orders into memory.
with touched as (
    select change_payment.transaction_id
    from change_payment
    union
    select change_transaction.transaction_id
    from change_transaction
    union
    select "transaction".transaction_id
    from "transaction"
    where "transaction".sales_order_id in (
        select change_sales_order.sales_order_id from change_sales_order
    )
    union
    select "transaction".transaction_id
    from "transaction"
    where "transaction".purchase_order_id in (
        select change_purchase_order.purchase_order_id from change_purchase_order
    )
),

touched_transaction as (
    select
        "transaction".transaction_id,
        "transaction".sales_order_id,
        "transaction".purchase_order_id
    from "transaction"
    where "transaction".transaction_id in (select touched.transaction_id from touched)
),

touched_payment as (
    select
        payment.payment_id,
        payment.transaction_id,
        payment.payment_amount
    from payment
    where payment.transaction_id in (select touched.transaction_id from touched)
),

near_sales_order as (
    select
        sales_order.sales_order_id,
        sales_order.units_sold * sales_order.unit_price as amount
    from sales_order
    where sales_order.sales_order_id
        between (select coalesce(min(touched_transaction.sales_order_id), 1) from touched_transaction)
        and (select coalesce(max(touched_transaction.sales_order_id), 0) from touched_transaction)
),

near_purchase_order as (
    select
        purchase_order.purchase_order_id,
        purchase_order.item_quantity * purchase_order.item_unit_price as amount
    from purchase_order
    where purchase_order.purchase_order_id
        between (select coalesce(min(touched_transaction.purchase_order_id), 1) from touched_transaction)
        and (select coalesce(max(touched_transaction.purchase_order_id), 0) from touched_transaction)
),

ordered as (
    select
        touched_transaction.transaction_id,
        near_sales_order.amount
    from touched_transaction
    join near_sales_order
        on near_sales_order.sales_order_id = touched_transaction.sales_order_id
    union all
    select
        touched_transaction.transaction_id,
        near_purchase_order.amount
    from touched_transaction
    join near_purchase_order
        on near_purchase_order.purchase_order_id = touched_transaction.purchase_order_id
)

select
    touched_payment.payment_id::integer as payment_id
from ordered
join touched_payment
    on touched_payment.transaction_id = ordered.transaction_id
where touched_payment.payment_amount <> ordered.amount
