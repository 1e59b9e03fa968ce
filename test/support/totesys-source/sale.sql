-- Creates one sales order with its transaction and its payment, all at one moment. $1: when, $2: draws.

with draw as (
    select
        $1::timestamp(3) as at,
        $2::double precision[] as n
),

new_order as (
    insert into sales_order (
        created_at, last_updated, design_id, staff_id, counterparty_id, units_sold, unit_price,
        currency_id, agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id
    )
    select
        at,
        at,
        (select design_id from design order by design_id
            offset floor(n[1] * (select count(*) from design))::bigint limit 1),
        (select staff_id from staff order by staff_id
            offset floor(n[2] * (select count(*) from staff))::bigint limit 1),
        (select counterparty_id from counterparty order by counterparty_id
            offset floor(n[3] * (select count(*) from counterparty))::bigint limit 1),
        1001 + floor(n[4] * 98973)::integer,
        round((2 + n[5] * 2)::numeric, 2),
        (select currency_id from currency order by currency_id
            offset floor(n[6] * (select count(*) from currency))::bigint limit 1),
        (at::date + floor(n[7] * 8)::integer)::text,
        (at::date + floor(n[8] * 8)::integer)::text,
        (select address_id from address order by address_id
            offset floor(n[9] * (select count(*) from address))::bigint limit 1)
    from draw
    returning *
),

new_transaction as (
    insert into transaction (transaction_type, sales_order_id, created_at, last_updated)
    select 'SALE', sales_order_id, created_at, last_updated
    from new_order
    returning transaction_id
)

insert into payment (
    created_at, last_updated, transaction_id, counterparty_id, payment_amount, currency_id,
    payment_type_id, paid, payment_date, company_ac_number, counterparty_ac_number
)
select
    created_at,
    last_updated,
    transaction_id,
    counterparty_id,
    units_sold * unit_price,
    currency_id,
    (select payment_type_id from payment_type where payment_type_name = 'SALES_RECEIPT'),
    false,
    agreed_payment_date,
    10000000 + floor(n[10] * 90000000)::integer,
    10000000 + floor(n[11] * 90000000)::integer
from new_order, new_transaction, draw;
