-- A shop that nobody tuned for Tidemark: partitioned payments, a tree, keys of several columns, names in
-- quotes, enums, arrays, ranges, a domain, secrets, tables without a key, and tables in two schemas.
create schema sales;
create schema "Stock Room";

create type order_state as enum ('open', 'paid', 'sent');
create domain money_amount as numeric(12, 2) check (value >= 0);

create table country (
    code char(2) primary key,
    name text not null
);

create table city (
    city_id serial primary key,
    name text not null,
    country_code char(2) not null references country,
    created_at timestamptz not null default now()
);

create table category (
    category_id integer primary key,
    parent_id integer references category,
    name text not null
);

create table customer (
    customer_id bigint generated always as identity primary key,
    name text not null,
    email text unique,
    password_hash text not null,
    "apiToken" text,
    city_id integer references city,
    birthday date,
    tags text[] not null default '{}',
    profile jsonb,
    created_at timestamptz not null default now()
);
comment on table customer is 'People who buy.
Some never did.';
comment on column customer.name is 'As they write it themselves';

create table product (
    product_id uuid primary key default gen_random_uuid(),
    name text not null,
    category_id integer references category,
    maker_city integer references city,
    price money_amount not null,
    sizes int4range,
    photo bytea
);

create table sales.orders (
    order_id bigint generated always as identity primary key,
    customer_id bigint not null references customer,
    delivered_to integer references city,
    state order_state not null default 'open',
    ordered_at timestamptz not null default now(),
    wanted_on date,
    version integer not null default 1,
    note text
);

create table sales.order_line (
    order_id bigint references sales.orders,
    line smallint,
    product_id uuid not null references product,
    quantity integer not null,
    price money_amount not null,
    discount numeric,
    primary key (order_id, line)
);

create table sales.payment (
    payment_id bigint not null,
    paid_on date not null,
    order_id bigint not null references sales.orders,
    customer_id bigint not null references customer,
    amount numeric(12, 2) not null,
    primary key (payment_id, paid_on)
) partition by range (paid_on);
create table sales.payment_2024 partition of sales.payment
    for values from ('2024-01-01') to ('2025-01-01');
create table sales.payment_later partition of sales.payment default;

create table "Stock Room"."Shelf" (
    "Aisle" integer,
    "No." smallint,
    "select" text,
    primary key ("Aisle", "No.")
);

create table "Stock Room"."Stock Count" (
    "Aisle" integer not null,
    "No." smallint not null,
    "product id" uuid not null references product,
    "counted at" timestamp not null,
    "how many?" integer,
    primary key ("Aisle", "No.", "product id", "counted at"),
    foreign key ("Aisle", "No.") references "Stock Room"."Shelf"
);

create table visit (
    at timestamptz not null,
    path text not null,
    address inet
);

create table setting (
    name text primary key,
    value text
);
comment on table setting is 'What the shop is set to';

create view best_customer as
select customer_id, name from customer;

insert into country values ('de', 'Germany'), ('gb', 'United Kingdom');
insert into city (name, country_code) values ('Berlin', 'de'), ('Leeds', 'gb');
insert into category values (1, null, 'All'), (2, 1, 'Bags');
insert into customer (name, email, password_hash, city_id, birthday, tags, profile) values
    ('Ada', 'ada@example.org', 'x', 1, '1985-12-10', '{new,"a b"}', '{"a": 1}'),
    ('Björk', null, 'y', null, '0044-03-15 BC', '{}', null);
insert into product (product_id, name, category_id, maker_city, price, sizes) values
    ('00000000-0000-4000-8000-000000000001', 'Bag', 2, 1, 12.50, '[1,5)'),
    ('00000000-0000-4000-8000-000000000002', 'Nothing', null, null, 0, null);
insert into sales.orders (customer_id, delivered_to, state, ordered_at, wanted_on) values
    (1, 1, 'paid', '2024-02-29 23:30:00+00', 'infinity'),
    (2, null, 'open', 'infinity', '2024-03-05'),
    (1, 2, 'sent', '2024-03-01 10:00:00+00', null);
insert into sales.order_line values
    (1, 1, '00000000-0000-4000-8000-000000000001', 2, 12.50, 0.1),
    (1, 2, '00000000-0000-4000-8000-000000000002', 1, 0, null),
    (3, 1, '00000000-0000-4000-8000-000000000001', 1, 11.00, 'NaN');
insert into sales.payment values
    (1, '2024-03-01', 1, 1, 25.00),
    (2, '2031-01-01', 3, 1, 11.00);
insert into "Stock Room"."Shelf" values (1, 1, 'top'), (1, 2, null);
insert into "Stock Room"."Stock Count" values
    (1, 1, '00000000-0000-4000-8000-000000000001', '2024-01-31 18:00:00', 4),
    (1, 2, '00000000-0000-4000-8000-000000000001', '2024-01-31 18:05:00', null);
insert into visit values ('2024-01-01 00:00:00+00', '/', '127.0.0.1'), ('2024-01-01 00:00:00+00', '/', '127.0.0.1');
insert into setting values ('colour', 'blue');
