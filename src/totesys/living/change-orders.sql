-- Functions that carry out what is planned for orders in `demo.due`, one turn after the other.
-- Each takes the number of a turn and returns how many rows it created, changed or deleted.

-- Amends sales as planned in `demo.due`. `last_updated` stays as it is, as in the real Totesys.
create or replace function demo.amend_sales(turn integer) returns integer
language sql
as $$
    with amendment as (
        select
            d.order_id,
            d.draw,
            c.seed,
            demo.chance(c.seed, d.draw, 71) as field,
            demo.chance(c.seed, d.draw, 72) as size
        from demo.due as d
        cross join demo.company as c
        where d.turn = amend_sales.turn and d.kind = 'amend' and d.is_sale
    ),

    amended as (
        update public.sales_order as o
        set
            agreed_delivery_date = case
                when a.field < 0.4
                    then (o.agreed_delivery_date::date + 1 + floor(7 * a.size)::integer)::text
                else o.agreed_delivery_date
            end,
            units_sold = case
                when a.field >= 0.4 and a.field < 0.62
                    then least(greatest((o.units_sold * (0.55 + 0.8 * a.size))::integer, 1001), 99973)
                else o.units_sold
            end,
            unit_price = case
                when a.field >= 0.62 and a.field < 0.77
                    then least(greatest((o.unit_price * (0.93 + 0.12 * a.size)::numeric), 2), 4)
                else o.unit_price
            end,
            staff_id = case
                when a.field >= 0.77 and a.field < 0.86 then 1 + floor(20 * a.size)::integer
                else o.staff_id
            end,
            agreed_delivery_location_id = case
                when a.field >= 0.86 and a.field < 0.94 then 1 + floor(30 * a.size)::integer
                else o.agreed_delivery_location_id
            end,
            design_id = case
                when a.field >= 0.94 then 1 + floor(24 * a.size)::integer
                else o.design_id
            end
        from amendment as a
        where o.sales_order_id = a.order_id
        returning o.sales_order_id, o.units_sold * o.unit_price as amount, a.field, a.draw, a.seed
    ),

    -- The amount owed follows, unless somebody forgets to change it.
    owed as (
        update public.payment as p
        set payment_amount = a.amount
        from amended as a
        inner join public.transaction as t on t.sales_order_id = a.sales_order_id
        where p.transaction_id = t.transaction_id
            and a.field >= 0.4 and a.field < 0.77
            and demo.chance(a.seed, a.draw, 73) > 0.04
        returning 1
    )

    select (select count(*) from amended)::integer + (select count(*) from owed)::integer
$$;

-- Amends purchases likewise.
create or replace function demo.amend_purchases(turn integer) returns integer
language sql
as $$
    with amendment as (
        select
            d.order_id,
            d.draw,
            c.seed,
            demo.chance(c.seed, d.draw, 76) as field,
            demo.chance(c.seed, d.draw, 77) as size
        from demo.due as d
        cross join demo.company as c
        where d.turn = amend_purchases.turn and d.kind = 'amend' and not d.is_sale
    ),

    amended as (
        update public.purchase_order as o
        set
            agreed_delivery_date = case
                when a.field < 0.5
                    then (o.agreed_delivery_date::date + 1 + floor(9 * a.size)::integer)::text
                else o.agreed_delivery_date
            end,
            item_quantity = case
                when a.field >= 0.5 and a.field < 0.75
                    then least(greatest((o.item_quantity * (0.5 + a.size))::integer, 1), 999)
                else o.item_quantity
            end,
            staff_id = case
                when a.field >= 0.75 and a.field < 0.88 then 1 + floor(20 * a.size)::integer
                else o.staff_id
            end,
            agreed_delivery_location_id = case
                when a.field >= 0.88 then 1 + floor(30 * a.size)::integer
                else o.agreed_delivery_location_id
            end
        from amendment as a
        where o.purchase_order_id = a.order_id
        returning
            o.purchase_order_id, o.item_quantity * o.item_unit_price as amount, a.field, a.draw, a.seed
    ),

    owed as (
        update public.payment as p
        set payment_amount = a.amount
        from amended as a
        inner join public.transaction as t on t.purchase_order_id = a.purchase_order_id
        where p.transaction_id = t.transaction_id
            and a.field >= 0.5 and a.field < 0.75
            and demo.chance(a.seed, a.draw, 78) > 0.04
        returning 1
    )

    select (select count(*) from amended)::integer + (select count(*) from owed)::integer
$$;

-- Marks the payments of orders as paid. This alone moves `last_updated`.
create or replace function demo.pay(turn integer) returns integer
language sql
as $$
    with due as (
        select
            t.transaction_id,
            d.at
        from demo.due as d
        inner join public.transaction as t on t.sales_order_id = d.order_id
        where d.turn = pay.turn and d.kind = 'pay' and d.is_sale
        union all
        select
            t.transaction_id,
            d.at
        from demo.due as d
        inner join public.transaction as t on t.purchase_order_id = d.order_id
        where d.turn = pay.turn and d.kind = 'pay' and not d.is_sale
    ),

    paid as (
        update public.payment as p
        set paid = true, last_updated = d.at
        from due as d
        where p.transaction_id = d.transaction_id
        returning 1
    )

    select count(*)::integer from paid
$$;

-- Deletes orders with their transactions and payments, and keeps those that will return.
create or replace function demo.delete_orders(turn integer) returns integer
language plpgsql
as $$
declare
    gone record;
    deleted integer := 0;
begin
    for gone in
        select
            d.is_sale,
            d.order_id,
            coalesce(to_jsonb(s), to_jsonb(o)) as placed,
            to_jsonb(t) as booked,
            to_jsonb(p) as owed
        from demo.due as d
        left join public.sales_order as s on d.is_sale and s.sales_order_id = d.order_id
        left join public.purchase_order as o on not d.is_sale and o.purchase_order_id = d.order_id
        inner join lateral (
            select * from public.transaction as x where x.sales_order_id = s.sales_order_id
            union all
            select * from public.transaction as x where x.purchase_order_id = o.purchase_order_id
        ) as t on true
        inner join public.payment as p on p.transaction_id = t.transaction_id
        where d.turn = delete_orders.turn and d.kind = 'delete'
    loop
        delete from public.payment where payment_id = (gone.owed ->> 'payment_id')::integer;
        delete from public.transaction
        where transaction_id = (gone.booked ->> 'transaction_id')::integer;
        if gone.is_sale then
            delete from public.sales_order where sales_order_id = gone.order_id;
        else
            delete from public.purchase_order where purchase_order_id = gone.order_id;
        end if;
        if exists (
            select from demo.planned as n
            where n.kind = 'return' and n.is_sale = gone.is_sale and n.order_id = gone.order_id
        ) then
            insert into demo.deleted
            values (gone.is_sale, gone.order_id, gone.placed, gone.booked, gone.owed);
        end if;
        deleted := deleted + 3;
    end loop;
    return deleted;
end
$$;

-- Brings deleted orders back as they were.
create or replace function demo.return_orders(turn integer) returns integer
language plpgsql
as $$
declare
    back record;
    created integer := 0;
begin
    for back in
        delete from demo.deleted as d
        using demo.due as n
        where n.turn = return_orders.turn and n.kind = 'return'
            and d.is_sale = n.is_sale and d.order_id = n.order_id
        returning d.*
    loop
        if back.is_sale then
            insert into public.sales_order
            select * from jsonb_populate_record(null::public.sales_order, back.placed);
        else
            insert into public.purchase_order
            select * from jsonb_populate_record(null::public.purchase_order, back.placed);
        end if;
        insert into public.transaction
        select * from jsonb_populate_record(null::public.transaction, back.booked);
        insert into public.payment
        select * from jsonb_populate_record(null::public.payment, back.owed);
        created := created + 3;
    end loop;
    return created;
end
$$;
