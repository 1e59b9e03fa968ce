-- dim_payment_type: what a payment is for.
-- Grain: one row per payment type.
-- Sources: payment_type.
-- History: none; a row is replaced when its payment type changes.
select
    payment_type.payment_type_id::integer as payment_type_id,
    payment_type.payment_type_name::varchar as payment_type_name
from payment_type
