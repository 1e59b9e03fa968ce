-- A silent update: one column in one row, of any age, changes, and last_updated stays as it is.
-- $1: the column, $2: draws, $3: another code for the item.

update purchase_order as o
set
    agreed_delivery_date = case $1
        when 'agreed_delivery_date'
            then (o.agreed_delivery_date::date + 1 + floor(n[2] * 7)::integer)::text
        else o.agreed_delivery_date
    end,
    staff_id = case $1
        when 'staff_id'
            then (select staff_id from staff where staff_id <> o.staff_id order by staff_id
                offset floor(n[2] * (select count(*) - 1 from staff))::bigint limit 1)
        else o.staff_id
    end,
    agreed_delivery_location_id = case $1
        when 'agreed_delivery_location_id'
            then (select address_id from address
                where address_id <> o.agreed_delivery_location_id order by address_id
                offset floor(n[2] * (select count(*) - 1 from address))::bigint limit 1)
        else o.agreed_delivery_location_id
    end,
    item_code = case $1 when 'item_code' then $3 else o.item_code end
from (select $2::double precision[] as n) as draw
where o.purchase_order_id = (
    select purchase_order_id
    from purchase_order
    where purchase_order_id >= (
        select min(purchase_order_id)
            + floor(
                ($2::double precision[])[1] * (max(purchase_order_id) - min(purchase_order_id) + 1)
            )
        from purchase_order
    )
    order by purchase_order_id
    limit 1
);
