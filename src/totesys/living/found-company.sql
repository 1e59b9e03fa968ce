-- Founds the company: everything that decides its life, in a schema that only the owner may use.
-- Runs after reference.sql and people.sql, whose ids it relies on. Before it runs, each name after a
-- colon is replaced by a number or a quoted moment:
--   seed     seed of all chance
--   orders   about how many sales orders there are to be when the company reaches `begun`
--   opened   when its first order may come; begun: when the demo was first started
--   reached  the moment up to which everything has happened already

create schema demo;

-- One row. Everything up to `reached` has happened.
create table demo.company (
    is_only_row boolean primary key default true check (is_only_row),
    seed bigint not null,
    opened timestamp(3) not null,
    begun timestamp(3) not null,
    reached timestamp(3) not null,
    orders_a_day double precision not null
);

-- Who buys. A draw from 0 to 1 falls into one customer's share. Amounts grow with `size`. Payments come
-- about `days_late` days after they are due. A customer that leaves orders nothing after `leaves_in_week`.
create table demo.customer (
    counterparty_id integer primary key,
    share numrange not null,
    size double precision not null,
    currency_id integer not null,
    address_id integer not null,
    payment_days integer not null,
    days_late integer not null,
    leaves_in_week integer
);

-- Who sells to us. Prices rise by `rise_a_week` from week 8 on.
create table demo.supplier (
    counterparty_id integer primary key,
    share numrange not null,
    currency_id integer not null,
    payment_days integer not null,
    rise_a_week double precision not null
);

create table demo.item (
    item_code text primary key,
    counterparty_id integer not null,
    number integer not null,
    price double precision not null,
    unique (counterparty_id, number)
);

-- How much each member of staff sells and buys.
create table demo.staff (
    staff_id integer primary key,
    sales numrange not null,
    purchases numrange not null
);

-- What is to happen to an order that has been placed.
create table demo.planned (
    at timestamp(3) not null,
    kind text not null check (kind in ('amend', 'pay', 'delete', 'return')),
    is_sale boolean not null,
    order_id integer not null,
    -- Decides what an amendment changes.
    draw bigint not null
);
create index on demo.planned (at);

-- What happens in the present step, in turns for each order. Empty between two steps.
create table demo.due (
    like demo.planned,
    turn integer not null
);

-- Orders that were deleted and will return, as they were.
create table demo.deleted (
    is_sale boolean not null,
    order_id integer not null,
    placed jsonb not null,
    booked jsonb not null,
    owed jsonb not null,
    primary key (is_sale, order_id)
);

-- A number from 0 up to 1, always the same for one seed, key and purpose.
create function demo.chance(seed bigint, key bigint, purpose integer) returns double precision
immutable parallel safe language sql
return (hashint8extended(key, seed * 1000 + purpose) & 9007199254740991)
    / 9007199254740992::double precision;

-- A draw around 0, rarely beyond 2 or below -2.
create function demo.spread(seed bigint, key bigint, purpose integer) returns double precision
immutable parallel safe language sql
return 1.73 * (
    demo.chance(seed, key, purpose) + demo.chance(seed, key, purpose + 100)
    + demo.chance(seed, key, purpose + 200) + demo.chance(seed, key, purpose + 300) - 2
);

-- Weeks since the company opened, in fractions.
create function demo.week(opened timestamp, at timestamp) returns double precision
immutable parallel safe language sql
return extract(epoch from at - opened)::double precision / 604800;

-- How busy the company is at a moment, 1 on average: by hour, weekday and season, and growing. The shop is
-- open day and night, because customers on other continents order at night.
create function demo.busyness(opened timestamp, at timestamp) returns double precision
immutable parallel safe language sql
return (array[
        0.25, 0.22, 0.20, 0.20, 0.25, 0.35, 0.55, 0.90, 1.50, 1.90, 2.00, 1.95,
        1.70, 1.85, 2.00, 1.90, 1.75, 1.50, 1.20, 1.00, 0.85, 0.65, 0.45, 0.30
    ])[1 + extract(hour from at)::integer]
    * case when extract(isodow from at) < 6 then 1.2 else 0.5 end
    * (1 + 0.2 * cos(2 * pi() * (extract(doy from at)::double precision - 335) / 365.25))
    * (1 + 0.006 * least(demo.week(opened, at), 52));

-- How many designs there are at a moment: 24 at the opening, and two new ones a week.
create function demo.designs(opened timestamp, at timestamp) returns integer
immutable parallel safe language sql
return 24 + floor(2 * demo.week(opened, at))::integer;

insert into demo.company (seed, opened, begun, reached, orders_a_day)
select
    :seed,
    :opened,
    :begun,
    :reached,
    -- Of a hundred orders 71 are sales, and four of those go with the customer that leaves or are deleted.
    :orders / 0.67 * 288 / sum(demo.busyness(:opened, at))
from generate_series(:opened, :begun, interval '5 minutes') as at;

insert into demo.customer
with named (
    counterparty_id, weight, size, currency_id, address_id, payment_days, days_late, leaves_in_week
) as (
    values
        -- The largest, and the one that leaves.
        (1, 20, 1.9, 1, 15, 30, 0, null), (2, 15, 1.6, 2, 28, 30, 3, null),
        (3, 12, 1.5, 3, 2, 14, 0, 19), (5, 10, 1.2, 2, 22, 30, 0, null),
        (7, 8, 1.1, 1, 3, 14, 1, null), (8, 7, 1.0, 1, 8, 30, 0, null),
        -- Two that pay late.
        (10, 6, 1.4, 2, 12, 14, 24, null), (11, 5, 0.9, 3, 26, 30, 11, null),
        (13, 4, 0.8, 2, 11, 14, 0, null), (14, 4, 0.7, 1, 24, 7, 0, null),
        (15, 3, 1.2, 3, 21, 30, 2, null), (18, 3, 0.6, 1, 1, 14, 0, null),
        (19, 2, 0.6, 3, 16, 7, 4, null), (20, 1, 0.5, 1, 10, 14, 0, null)
)

select
    counterparty_id,
    numrange(
        (sum(weight) over w - weight)::numeric / sum(weight) over (),
        (sum(weight) over w)::numeric / sum(weight) over ()
    ),
    size,
    currency_id,
    address_id,
    payment_days,
    days_late,
    leaves_in_week
from named
window w as (order by counterparty_id);

insert into demo.supplier
with named (counterparty_id, weight, currency_id, payment_days, rise_a_week) as (
    values
        (4, 14, 1, 30, 0.001), (6, 12, 3, 30, 0.0),
        -- The one that becomes dearer.
        (9, 12, 1, 14, 0.012),
        (12, 9, 2, 30, 0.002), (16, 6, 1, 14, 0.0), (17, 5, 1, 7, 0.001),
        -- Customers that also sell.
        (2, 5, 2, 30, 0.0), (11, 4, 3, 30, 0.003), (15, 3, 3, 30, -0.002), (20, 2, 1, 14, 0.0)
)

select
    counterparty_id,
    numrange(
        (sum(weight) over w - weight)::numeric / sum(weight) over (),
        (sum(weight) over w)::numeric / sum(weight) over ()
    ),
    currency_id,
    payment_days,
    rise_a_week
from named
window w as (order by counterparty_id);

-- Twelve items a supplier. The multiplier is prime, so no two codes are equal.
insert into demo.item
select
    translate(
        chr((65 + m.key % 26)::integer) || lpad(to_hex(m.key / 26), 6, '0'),
        'abcdef',
        'KQTXYZ'
    ),
    s.counterparty_id,
    n,
    4 * exp(2.4 * demo.chance(:seed, m.key, 61) + 2.0 * demo.chance(:seed, m.key, 62))
from demo.supplier as s
cross join generate_series(0, 11) as n
cross join lateral (
    select (s.counterparty_id * 12 + n + 1)::bigint * 48271 % 436207616 as key
) as m;

insert into demo.staff
with named (staff_id, sales, purchases) as (
    values
        (1, 3, 10), (2, 2, 0), (3, 2, 0), (4, 1, 2), (5, 1, 1), (6, 2, 1), (7, 1, 2), (8, 4, 0),
        (9, 1, 14), (10, 14, 0), (11, 1, 1), (12, 22, 0), (13, 9, 1), (14, 2, 3), (15, 1, 4),
        (16, 2, 8), (17, 6, 0), (18, 1, 1), (19, 1, 9), (20, 17, 1)
)

select
    staff_id,
    numrange(
        (sum(sales) over w - sales)::numeric / sum(sales) over (),
        (sum(sales) over w)::numeric / sum(sales) over ()
    ),
    numrange(
        (sum(purchases) over w - purchases)::numeric / sum(purchases) over (),
        (sum(purchases) over w)::numeric / sum(purchases) over ()
    )
from named
window w as (order by staff_id);
