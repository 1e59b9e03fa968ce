-- One sales order created before $2, chosen by the draw $1. No row if there is no such order.

select
    sales_order_id as order_id,
    transaction_id
from sales_order
join transaction using (sales_order_id)
where
    sales_order.created_at < $2::timestamp(3)
    and sales_order_id >= (
        select
            min(sales_order_id)
            + floor($1::double precision * (max(sales_order_id) - min(sales_order_id) + 1))
        from sales_order
        where created_at < $2::timestamp(3)
    )
order by sales_order_id
limit 1;
