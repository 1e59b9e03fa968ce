-- When the newest order was created, in milliseconds since 1970; null if there is none. One row.

select
    (extract(epoch from greatest(
        (select created_at from sales_order order by sales_order_id desc limit 1),
        (select created_at from purchase_order order by purchase_order_id desc limit 1)
    )) * 1000)::double precision as ms;
