-- dim_transaction: which order, of which kind, a payment belongs to.
-- Grain: one row per transaction.
-- Sources: transaction.
-- History: none; a row is replaced when its transaction changes (an order's deletion clears its id).
select
    "transaction".transaction_id::integer as transaction_id,
    "transaction".transaction_type::varchar as transaction_type,
    "transaction".sales_order_id::integer as sales_order_id,
    "transaction".purchase_order_id::integer as purchase_order_id
from "transaction"
