-- A silent update: one column in one row, of any age, changes, and last_updated stays as it is.
-- $1: the column, $2: draws.

update sales_order as o
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
    design_id = case $1
        when 'design_id'
            then (select design_id from design where design_id <> o.design_id order by design_id
                offset floor(n[2] * (select count(*) - 1 from design))::bigint limit 1)
        else o.design_id
    end
from (select $2::double precision[] as n) as draw
where o.sales_order_id = (
    select sales_order_id
    from sales_order
    where sales_order_id >= (
        select min(sales_order_id)
            + floor(($2::double precision[])[1] * (max(sales_order_id) - min(sales_order_id) + 1))
        from sales_order
    )
    order by sales_order_id
    limit 1
);
