-- Functions that place orders: designs, sales, purchases, and what is planned for each.
-- Each start runs all files with functions, so that an update of Tidemark reaches existing companies.
-- A draw depends only on the seed and on the five minutes or the order. So a company has the same life
-- in one long step as in many short ones.

-- The orders that are placed after one moment and up to another, in order of time.
create or replace function demo.orders_between(since timestamp, until timestamp)
returns table (at timestamp(3), key bigint, is_sale boolean)
stable language sql
begin atomic
    with slot as (
        select
            s.at,
            extract(epoch from s.at)::bigint / 300 as number,
            demo.busyness(c.opened, s.at) * c.orders_a_day / 288 as expected,
            c.seed
        from demo.company as c
        cross join generate_series(
            date_bin('5 minutes', since, timestamp '1970-01-01'), until, interval '5 minutes'
        ) as s (at)
    ),

    placed as (
        select
            (
                s.at
                + floor(300000 * demo.chance(s.seed, 1000 * s.number + n, 2))
                * interval '1 millisecond'
            )::timestamp(3) as at,
            1000 * s.number + n as key,
            demo.chance(s.seed, 1000 * s.number + n, 3) < 0.71 as is_sale
        from slot as s
        cross join lateral generate_series(
            1, floor(s.expected + demo.chance(s.seed, s.number, 1))::integer
        ) as n
    )

    select
        p.at,
        p.key,
        p.is_sale
    from placed as p
    where p.at > since and p.at <= until
    order by p.at, p.key;
end;

-- Creates the designs of a time. Each exists before the first order that can name it. Number 54 is the
-- rising one.
create or replace function demo.create_designs(since timestamp, until timestamp) returns integer
language sql
as $$
    with made as (
        select
            n,
            c.opened,
            c.seed,
            case
                when n <= 24 then c.opened - interval '1 day'
                else c.opened + (n - 25) * interval '84 hours'
                    + demo.chance(c.seed, n, 11) * interval '80 hours'
            end::timestamp(3) as at,
            case
                when n = 54 then 'Bamboo'
                else (array[
                    'Wooden', 'Steel', 'Granite', 'Metal', 'Rubber', 'Plastic',
                    'Cotton', 'Concrete', 'Bronze', 'Soft', 'Frozen', 'Fresh'
                ])[1 + case when n <= 12 then n - 1 else floor(12 * demo.chance(c.seed, n, 12)) end]
            end as name
        from demo.company as c
        cross join generate_series(1, demo.designs(c.opened, until) + 1) as n
    ),

    created as (
        insert into public.design (design_id, created_at, design_name, file_location, file_name, last_updated)
        select
            n,
            at,
            name,
            '/var/designs/' || lower(name),
            lower(name) || '-' || to_char(at, 'yyyymmdd') || '-'
            || right(to_hex(65536 + floor(65536 * demo.chance(seed, n, 13))::integer), 4)
            || '.json',
            at
        from made
        where at <= until and (at > since or (n <= 24 and since = opened))
        order by n
        returning 1
    )

    select count(*)::integer from created
$$;

-- Which changes an order will have, and how long after it was placed: amendments, a deletion, a return.
create or replace function demo.plan_changes(seed bigint, key bigint)
returns table (number integer, kind text, after interval)
immutable language sql
as $$
    with draw as (
        select
            demo.chance(seed, key, 51) as changes,
            demo.chance(seed, key, 52) * interval '8 days' as first,
            demo.chance(seed, key, 53) * interval '9 days' as second,
            demo.chance(seed, key, 54) * interval '6 days' as third,
            demo.chance(seed, key, 55) * interval '20 days' as deletion,
            interval '2 hours' + demo.chance(seed, key, 56) * interval '12 days' as return
    )

    select 1, 'amend', first from draw where changes < 0.3
    union all
    select 2, 'amend', first + second from draw where changes < 0.12
    union all
    select 3, 'amend', first + second + third from draw where changes < 0.03
    union all
    select 4, 'delete', first + second + third + deletion from draw
    where changes < 0.008 or changes > 0.984
    union all
    select 5, 'return', first + second + third + deletion + return from draw
    where changes < 0.004 or changes > 0.995
$$;

-- Places the sales of a time, with their transactions and payments, and plans what becomes of them.
create or replace function demo.place_sales(since timestamp, until timestamp) returns integer
language sql
as $$
    with placed as (
        select
            o.at,
            o.key,
            c.seed,
            b.*,
            demo.week(c.opened, o.at) as week,
            demo.designs(c.opened, o.at - interval '4 days') as designs,
            case
                when demo.chance(c.seed, o.key, 22) < 0.9 then b.currency_id
                else 1 + floor(3 * demo.chance(c.seed, o.key, 23))::integer
            end as paid_in
        from demo.company as c
        cross join demo.orders_between(since, until) as o
        inner join demo.customer as b on b.share @> demo.chance(c.seed, o.key, 21)::numeric
        where o.is_sale
            and (b.leaves_in_week is null or demo.week(c.opened, o.at) < b.leaves_in_week)
    ),

    designed as (
        select
            *,
            case
                -- One rises from week 16 on, one falls from week 14 on, the older ones sell better.
                when week > 16 and pick < 0.2 / (1 + exp((21 - week) / 1.2)) then 54
                when pick > 1 - 0.14 / (1 + exp((week - 19) / 1.2)) then 3
                else 1 + floor(designs * power(demo.chance(seed, key, 25), 1.6))::integer
            end as design_id
        from (select *, demo.chance(seed, key, 24) as pick from placed) as p
    ),

    ordered as (
        insert into public.sales_order (
            created_at, last_updated, design_id, staff_id, counterparty_id, units_sold, unit_price,
            currency_id, agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id
        )
        select
            d.at,
            d.at,
            d.design_id,
            s.staff_id,
            d.counterparty_id,
            least(greatest(
                exp(8.4 + ln(d.size) + 0.8 * demo.spread(d.seed, d.key, 31)), 1001
            ), 99973)::integer,
            least(greatest(
                (2.2 + 1.4 * demo.chance(d.seed, d.design_id, 33))
                * (1 + 0.0008 * d.week) * (1 + 0.03 * demo.spread(d.seed, d.key, 34)), 2
            ), 4)::numeric(10, 2),
            d.paid_in,
            (d.at::date + 2 + floor(13 * demo.chance(d.seed, d.key, 35))::integer)::text,
            (d.at::date + d.payment_days)::text,
            case
                when demo.chance(d.seed, d.key, 36) < 0.75 then d.address_id
                else 1 + floor(30 * demo.chance(d.seed, d.key, 37))::integer
            end
        from designed as d
        inner join demo.staff as s on s.sales @> demo.chance(d.seed, d.key, 32)::numeric
        order by d.at, d.key
        returning *
    ),

    booked as (
        insert into public.transaction (transaction_type, sales_order_id, created_at, last_updated)
        select 'SALE', sales_order_id, created_at, last_updated
        from ordered
        order by sales_order_id
        returning transaction_id, sales_order_id
    ),

    owed as (
        insert into public.payment (
            created_at, last_updated, transaction_id, counterparty_id, payment_amount, currency_id,
            payment_type_id, paid, payment_date, company_ac_number, counterparty_ac_number
        )
        select
            o.created_at,
            o.created_at,
            t.transaction_id,
            o.counterparty_id,
            o.units_sold * o.unit_price,
            o.currency_id,
            1,
            false,
            o.agreed_payment_date,
            10000000 + o.currency_id * 7919,
            20000000 + o.counterparty_id * 104729
        from ordered as o
        inner join booked as t on t.sales_order_id = o.sales_order_id
        order by t.transaction_id
        returning 1
    ),

    fate as (
        select
            o.sales_order_id as order_id,
            o.created_at,
            o.agreed_payment_date::date as due,
            b.days_late,
            c.seed
        from ordered as o
        inner join demo.customer as b on b.counterparty_id = o.counterparty_id
        cross join demo.company as c
    ),

    planned as (
        insert into demo.planned (at, kind, is_sale, order_id, draw)
        select
            f.due + interval '8 hours'
            + (
                f.days_late * 2 * demo.chance(seed, order_id, 42)
                + case when demo.chance(seed, order_id, 43) < 0.12 then 20 else 1 end
                * (demo.chance(seed, order_id, 44) - 0.6)
            ) * interval '1 day',
            'pay',
            true,
            order_id,
            0
        from fate as f
        -- A few are never paid.
        where demo.chance(seed, order_id, 41) > 0.012
        union all
        select
            f.created_at + interval '5 minutes' + p.after,
            p.kind,
            true,
            order_id,
            order_id::bigint * 10 + p.number
        from fate as f
        cross join lateral demo.plan_changes(f.seed, f.order_id::bigint * 2) as p
        returning 1
    )

    select
        (select count(*) from ordered)::integer
        + (select count(*) from owed)::integer
        + (select count(*) from booked)::integer
        + 0 * (select count(*) from planned)::integer
$$;

-- Places the purchases of a time, likewise.
create or replace function demo.place_purchases(since timestamp, until timestamp) returns integer
language sql
as $$
    with placed as (
        select
            o.at,
            o.key,
            c.seed,
            s.*,
            i.item_code,
            i.price,
            demo.week(c.opened, o.at) as week
        from demo.company as c
        cross join demo.orders_between(since, until) as o
        inner join demo.supplier as s on s.share @> demo.chance(c.seed, o.key, 21)::numeric
        inner join demo.item as i
            on i.counterparty_id = s.counterparty_id
            and i.number = floor(12 * power(demo.chance(c.seed, o.key, 22), 1.4))::integer
        where not o.is_sale
    ),

    ordered as (
        insert into public.purchase_order (
            created_at, last_updated, staff_id, counterparty_id, item_code, item_quantity,
            item_unit_price, currency_id, agreed_delivery_date, agreed_payment_date,
            agreed_delivery_location_id
        )
        select
            p.at,
            p.at,
            f.staff_id,
            p.counterparty_id,
            p.item_code,
            least(greatest(
                exp(4.6 + 0.8 * demo.spread(p.seed, p.key, 31)), 1
            ), 999)::integer,
            least(greatest(
                p.price * (1 + p.rise_a_week * greatest(p.week - 8, 0))
                * (1 + 0.006 * demo.spread(p.seed, p.key, 34)), 3.32
            ), 999.51)::numeric(10, 2),
            p.currency_id,
            (p.at::date + 3 + floor(18 * demo.chance(p.seed, p.key, 35))::integer)::text,
            (p.at::date + p.payment_days)::text,
            -- Delivered to our own two warehouses, and rarely elsewhere.
            case
                when demo.chance(p.seed, p.key, 36) < 0.55 then 24
                when demo.chance(p.seed, p.key, 36) < 0.9 then 23
                else 1 + floor(30 * demo.chance(p.seed, p.key, 37))::integer
            end
        from placed as p
        inner join demo.staff as f on f.purchases @> demo.chance(p.seed, p.key, 32)::numeric
        order by p.at, p.key
        returning *
    ),

    booked as (
        insert into public.transaction (transaction_type, purchase_order_id, created_at, last_updated)
        select 'PURCHASE', purchase_order_id, created_at, last_updated
        from ordered
        order by purchase_order_id
        returning transaction_id, purchase_order_id
    ),

    owed as (
        insert into public.payment (
            created_at, last_updated, transaction_id, counterparty_id, payment_amount, currency_id,
            payment_type_id, paid, payment_date, company_ac_number, counterparty_ac_number
        )
        select
            o.created_at,
            o.created_at,
            t.transaction_id,
            o.counterparty_id,
            o.item_quantity * o.item_unit_price,
            o.currency_id,
            3,
            false,
            o.agreed_payment_date,
            10000000 + o.currency_id * 7919,
            20000000 + o.counterparty_id * 104729
        from ordered as o
        inner join booked as t on t.purchase_order_id = o.purchase_order_id
        order by t.transaction_id
        returning 1
    ),

    fate as (
        select
            o.purchase_order_id as order_id,
            o.created_at,
            o.agreed_payment_date::date as due,
            c.seed
        from ordered as o
        cross join demo.company as c
    ),

    planned as (
        insert into demo.planned (at, kind, is_sale, order_id, draw)
        -- We pay at 07:55:11 on the due day, or on Monday if that is on a weekend.
        select
            f.due + case extract(isodow from f.due) when 6 then 2 when 7 then 1 else 0 end
            + time '07:55:11',
            'pay',
            false,
            order_id,
            0
        from fate as f
        where demo.chance(seed, order_id, 45) > 0.006
        union all
        select
            f.created_at + interval '5 minutes' + p.after,
            p.kind,
            false,
            order_id,
            order_id::bigint * 10 + p.number
        from fate as f
        cross join lateral demo.plan_changes(f.seed, f.order_id::bigint * 2 + 1) as p
        returning 1
    )

    select
        (select count(*) from ordered)::integer
        + (select count(*) from owed)::integer
        + (select count(*) from booked)::integer
        + 0 * (select count(*) from planned)::integer
$$;
