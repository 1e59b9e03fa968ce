-- Creates everything in the source that grows: designs, orders, transactions, payments.
-- Runs in one transaction after reference.sql and people.sql, in an empty schema. Before it runs, each
-- name after a colon is replaced by a number or a quoted moment:
--   seed          what chance depends on
--   sales_orders  number of sales orders; orders: number with the purchase orders
--   begins        where the orders begin on the line of working time; length: how far they reach
--   until         the moment at which the filled source stands; opened: when its first rows were created
-- The line of working time consists of the hours from 08:00 to 19:00 (39,600,000 ms) on Monday to Friday,
-- laid end to end from Monday 1970-01-05.

-- A number from 0 up to 1, always the same for one number and purpose.
create function pg_temp.chance(of bigint, purpose integer) returns double precision
immutable language sql as $$
    select (hashint8extended(of, :seed * 1000 + purpose) & 9007199254740991)
        / 9007199254740992::double precision
$$;

create function pg_temp.working_moment(at bigint) returns timestamp
immutable language sql as $$
    select timestamp '1970-01-05 08:00'
        + make_interval(days => (at / 39600000 / 5 * 7 + at / 39600000 % 5)::integer)
        + at % 39600000 * interval '1 millisecond'
$$;

-- Seven characters. Each number below 26 * 16 ^ 6 gives its own code.
create function pg_temp.code(of bigint) returns text
immutable language sql as $$
    select translate(
        chr((65 + of % 26)::integer)
        || lpad(to_hex(of / 26), 6, '0'),
        'abcdef',
        'KQTXYZ'
    )
$$;

-- The rows are correct by construction, so a superuser's session skips the checks of foreign keys.
select set_config('session_replication_role', 'replica', true)
where current_setting('is_superuser') = 'on';

create temporary table fill_order on commit drop as
with placed as (
    select
        k + 1 as order_number,
        (k + 1) * :sales_orders / :orders as sales_order_id,
        (k + 1) * :sales_orders / :orders > k * :sales_orders / :orders as is_sale,
        :begins + floor((k + pg_temp.chance(k, 1)) / :orders * :length)::bigint as at
    from generate_series(0, :orders - 1) as k
),

dated as (
    select
        *,
        at / 39600000 - :begins / 39600000 as day_number,
        pg_temp.working_moment(at) as created_at
    from placed
)

select
    order_number,
    is_sale,
    case when is_sale then sales_order_id else order_number - sales_order_id end as order_id,
    created_at::timestamp(3) as created_at,
    1 + floor(pg_temp.chance(order_number, 2) * (12 + day_number))::integer as design_id,
    1 + floor(pg_temp.chance(order_number, 3) * 20)::integer as staff_id,
    1 + floor(pg_temp.chance(order_number, 4) * 20)::integer as counterparty_id,
    1 + floor(pg_temp.chance(order_number, 5) * 3)::integer as currency_id,
    1 + floor(pg_temp.chance(order_number, 6) * 30)::integer as location_id,
    case
        when is_sale then 1001 + floor(pg_temp.chance(order_number, 7) * 98973)
        else 1 + floor(pg_temp.chance(order_number, 7) * 999)
    end::integer as quantity,
    case
        when is_sale then round((2 + pg_temp.chance(order_number, 8) * 2)::numeric, 2)
        else round((3.32 + pg_temp.chance(order_number, 8) * 996.19)::numeric, 2)
    end as price,
    created_at::date + floor(pg_temp.chance(order_number, 9) * 8)::integer as delivery_date,
    created_at::date + floor(pg_temp.chance(order_number, 10) * 8)::integer as payment_date
from dated;

insert into design (created_at, design_name, file_location, file_name, last_updated)
with placed as (
    select
        n,
        case
            when n < 12 then :opened::timestamp
            else pg_temp.working_moment(
                (:begins / 39600000 + n - 12) * 39600000
                + floor(pg_temp.chance(n, 21) * 39600000)::bigint
            )
        end as created_at,
        case when n < 12 then n else floor(pg_temp.chance(n, 22) * 12) end::integer as material,
        floor(pg_temp.chance(n, 23) * 10)::integer as folder
    from generate_series(0, 12 + (:begins + :length) / 39600000 - :begins / 39600000) as n
),

named as (
    select
        n,
        created_at,
        (array[
            'Wooden', 'Steel', 'Granite', 'Metal', 'Rubber', 'Plastic',
            'Cotton', 'Concrete', 'Bronze', 'Soft', 'Frozen', 'Fresh'
        ])[1 + material] as design_name,
        (array[
            '/usr/local/src', '/etc/periodic', '/System', '/media', '/lost+found', '/selinux',
            '/private/var', '/Applications', '/opt/share', '/home/user dir'
        ])[1 + folder] as file_location
    from placed
    where created_at <= :until::timestamp
)

select
    created_at,
    design_name,
    file_location,
    lower(design_name)
    || '-' || to_char(created_at - pg_temp.chance(n, 24) * interval '800 days', 'yyyymmdd')
    || '-' || lower(right(pg_temp.code(floor(pg_temp.chance(n, 25) * 400000000)::bigint), 4))
    || '.json',
    created_at
from named
order by n;

insert into sales_order
select
    order_id, created_at, created_at, design_id, staff_id, counterparty_id, quantity, price,
    currency_id, delivery_date::text, payment_date::text, location_id
from fill_order
where is_sale;

-- The multiplier is prime, so no two codes are equal.
insert into purchase_order
select
    order_id, created_at, created_at, staff_id, counterparty_id,
    pg_temp.code(order_id * 48271 % 436207616),
    quantity, price, currency_id, delivery_date::text, payment_date::text, location_id
from fill_order
where not is_sale;

insert into transaction
select
    order_number,
    case when is_sale then 'SALE' else 'PURCHASE' end::"TransactionType",
    case when is_sale then order_id end,
    case when not is_sale then order_id end,
    created_at,
    created_at
from fill_order;

-- On weekdays, the batch at 07:55:11 pays what is due that day, unless it was created that day.
insert into payment
with due as (
    select
        *,
        payment_date
        + time '07:55:11'
        + floor(pg_temp.chance(payment_date - date '1970-01-01', 31) * 1000)
        * interval '1 millisecond' as batch_at
    from fill_order
),

payable as (
    select
        *,
        batch_at <= :until::timestamp
        and payment_date > created_at::date
        and extract(isodow from payment_date) < 6 as is_paid
    from due
)

select
    order_number,
    created_at,
    case when is_paid then batch_at else created_at end,
    order_number,
    counterparty_id,
    quantity * price,
    currency_id,
    case when is_sale then 1 else 3 end,
    is_paid,
    payment_date::text,
    10000000 + floor(pg_temp.chance(order_number, 32) * 90000000)::integer,
    10000000 + floor(pg_temp.chance(counterparty_id, 33) * 90000000)::integer
from payable;

select
    setval('sales_order_sales_order_id_seq', (select max(sales_order_id) from sales_order)),
    setval(
        'purchase_order_purchase_order_id_seq',
        (select max(purchase_order_id) from purchase_order)
    ),
    setval('transaction_transaction_id_seq', (select max(transaction_id) from transaction)),
    setval('payment_payment_id_seq', (select max(payment_id) from payment));

drop function pg_temp.chance, pg_temp.working_moment, pg_temp.code;
