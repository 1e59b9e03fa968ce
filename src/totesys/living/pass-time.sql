-- The function that makes time pass, and the small things that happen at any hour.

-- Since the demo began, some design's file moves twice a minute, day and night. As in the real Totesys,
-- `last_updated` stays as it is.
create or replace function demo.move_files(since timestamp, until timestamp) returns integer
language sql
as $$
    with moment as (
        select
            s.slot,
            c.opened,
            c.seed,
            greatest(since, c.begun) as after,
            timestamp '1970-01-01'
            + (s.slot + demo.chance(c.seed, s.slot, 81)) * interval '30 seconds' as at
        from demo.company as c
        cross join lateral generate_series(
            floor(extract(epoch from greatest(since, c.begun)) / 30)::bigint,
            floor(extract(epoch from until) / 30)::bigint
        ) as s (slot)
    ),

    move as (
        select distinct on (n.design_id)
            n.design_id,
            m.slot
        from moment as m
        cross join lateral (
            select
                1 + floor(
                    demo.designs(m.opened, m.at) * demo.chance(m.seed, m.slot, 82)
                )::integer as design_id
        ) as n
        where m.at > m.after and m.at <= until
        order by n.design_id, m.slot desc
    ),

    moved as (
        update public.design as d
        set file_location = '/var/designs/' || lower(d.design_name) || '/' || to_hex(m.slot)
        from move as m
        where d.design_id = m.design_id
        returning 1
    )

    select count(*)::integer from moved
$$;

-- Makes everything happen up to a moment. Writes nothing if nothing happens, so that a run that follows
-- has nothing to do. Returns how many rows were created, changed and deleted.
create or replace function demo.pass_time(until timestamp)
returns table (created integer, changed integer, deleted integer)
language plpgsql
-- Compiling these statements would take longer than running them.
set jit = off
-- A small sample says enough about these tables.
set default_statistics_target = 10
-- These functions keep foreign keys valid. To check each row again would take a third of the time.
set session_replication_role = replica
as $$
declare
    since timestamp := (select c.reached from demo.company as c);
    turns integer;
begin
    created := 0;
    changed := 0;
    deleted := 0;
    if until > since then
        created := created + demo.create_designs(since, until);
        created := created + demo.place_sales(since, until);
        created := created + demo.place_purchases(since, until);

        -- Each order's changes happen in sequence: first the first change of every order, then the second.
        insert into demo.due
        select
            p.*,
            row_number() over (
                partition by p.is_sale, p.order_id order by p.at, p.draw
            )::integer as turn
        from demo.planned as p
        where p.at <= until;
        turns := (select coalesce(max(d.turn), 0) from demo.due as d);
        if (select count(*) > 1000 from demo.due) then
            analyze demo.due, public.sales_order, public.purchase_order, public.transaction, public.payment;
        end if;
        for turn in 1..turns loop
            changed := changed + demo.amend_sales(turn) + demo.amend_purchases(turn) + demo.pay(turn);
            deleted := deleted + demo.delete_orders(turn);
            created := created + demo.return_orders(turn);
        end loop;
        delete from demo.planned as p where p.at <= until;
        delete from demo.due;
        changed := changed + demo.move_files(since, until);

        if created + changed + deleted > 0 then
            update demo.company set reached = until;
        end if;
    end if;
    return next;
end
$$;
