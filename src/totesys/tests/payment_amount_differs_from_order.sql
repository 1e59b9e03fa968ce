-- payment_amount_differs_from_order: payments of another amount than quantity × price of their order.
-- Grain: one row per payment that changed, or whose transaction or order did.
-- Sources: change_payment, change_transaction, change_sales_order, change_purchase_order; payment,
-- transaction, sales_order, purchase_order as they now stand.
-- The few transactions that the batch touches come first, so that whole tables are only looked
-- through for them and never joined with one another.
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

ordered as (
    select
        touched.transaction_id,
        sales_order.units_sold * sales_order.unit_price as amount
    from touched
    join "transaction"
        on "transaction".transaction_id = touched.transaction_id
    join sales_order
        on sales_order.sales_order_id = "transaction".sales_order_id
    union all
    select
        touched.transaction_id,
        purchase_order.item_quantity * purchase_order.item_unit_price as amount
    from touched
    join "transaction"
        on "transaction".transaction_id = touched.transaction_id
    join purchase_order
        on purchase_order.purchase_order_id = "transaction".purchase_order_id
)

select
    payment.payment_id::integer as payment_id
from ordered
join payment
    on payment.transaction_id = ordered.transaction_id
where payment.payment_amount <> ordered.amount
