-- One purchase order created before $2, chosen by the draw $1. No row if there is no such order.

select
    purchase_order_id as order_id,
    transaction_id
from purchase_order
join transaction using (purchase_order_id)
where
    purchase_order.created_at < $2::timestamp(3)
    and purchase_order_id >= (
        select
            min(purchase_order_id)
            + floor($1::double precision * (max(purchase_order_id) - min(purchase_order_id) + 1))
        from purchase_order
        where created_at < $2::timestamp(3)
    )
order by purchase_order_id
limit 1;
