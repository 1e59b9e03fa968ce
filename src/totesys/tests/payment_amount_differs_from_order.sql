-- payment_amount_differs_from_order: payments of another amount than quantity × price of their order.
-- Grain: one row per payment that changed, or whose transaction or order did.
-- Sources: change_payment, change_transaction, change_sales_order, change_purchase_order; payment,
-- transaction, sales_order, purchase_order as they now stand.
with ordered as (
    select
        "transaction".transaction_id,
        sales_order.units_sold * sales_order.unit_price as amount,
        sales_order.sales_order_id in (
            select change_sales_order.sales_order_id from change_sales_order
        ) as has_changed
    from "transaction"
    join sales_order
        on sales_order.sales_order_id = "transaction".sales_order_id
    union all
    select
        "transaction".transaction_id,
        purchase_order.item_quantity * purchase_order.item_unit_price as amount,
        purchase_order.purchase_order_id in (
            select change_purchase_order.purchase_order_id from change_purchase_order
        ) as has_changed
    from "transaction"
    join purchase_order
        on purchase_order.purchase_order_id = "transaction".purchase_order_id
)

select
    payment.payment_id::integer as payment_id
from payment
join ordered
    on ordered.transaction_id = payment.transaction_id
where payment.payment_amount <> ordered.amount
    and (
        ordered.has_changed
        or payment.payment_id in (select change_payment.payment_id from change_payment)
        or payment.transaction_id in (
            select change_transaction.transaction_id from change_transaction
        )
    )
