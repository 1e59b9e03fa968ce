-- 001_star: the eleven tables of the three stars (sales, purchases, payments).
-- Grain: a dimension has one row per thing, a fact one row per version of a thing.
-- History: the columns and relations that keep it are the platform's and are added after this.
-- A prepared warehouse that already has the standard tables is adopted as it is. Names are
-- unqualified: the runner sets the search_path.

create table if not exists dim_date (
    date_id date not null,
    year integer not null,
    month integer not null,
    day integer not null,
    day_of_week integer not null,
    day_name varchar not null,
    month_name varchar not null,
    quarter integer not null,
    constraint dim_date_pkey primary key (date_id)
);

create table if not exists dim_staff (
    staff_id integer not null,
    first_name varchar not null,
    last_name varchar not null,
    department_name varchar not null,
    location varchar not null,
    email_address varchar not null,
    constraint dim_staff_pkey primary key (staff_id)
);

create table if not exists dim_location (
    location_id integer not null,
    address_line_1 varchar not null,
    address_line_2 varchar,
    district varchar,
    city varchar not null,
    postal_code varchar not null,
    country varchar not null,
    phone varchar not null,
    constraint dim_location_pkey primary key (location_id)
);

create table if not exists dim_currency (
    currency_id integer not null,
    currency_code varchar not null,
    currency_name varchar not null,
    constraint dim_currency_pkey primary key (currency_id)
);

create table if not exists dim_design (
    design_id integer not null,
    design_name varchar not null,
    file_location varchar not null,
    file_name varchar not null,
    constraint dim_design_pkey primary key (design_id)
);

create table if not exists dim_counterparty (
    counterparty_id integer not null,
    counterparty_legal_name varchar not null,
    counterparty_legal_address_line_1 varchar not null,
    counterparty_legal_address_line_2 varchar,
    counterparty_legal_district varchar,
    counterparty_legal_city varchar not null,
    counterparty_legal_postal_code varchar not null,
    counterparty_legal_country varchar not null,
    counterparty_legal_phone_number varchar not null,
    constraint dim_counterparty_pkey primary key (counterparty_id)
);

create table if not exists dim_payment_type (
    payment_type_id integer not null,
    payment_type_name varchar not null,
    constraint dim_payment_type_pkey primary key (payment_type_id)
);

create table if not exists dim_transaction (
    transaction_id integer not null,
    transaction_type varchar not null,
    sales_order_id integer,
    purchase_order_id integer,
    constraint dim_transaction_pkey primary key (transaction_id)
);

create table if not exists fact_sales_order (
    sales_record_id bigint not null,
    sales_order_id integer not null,
    created_date date not null,
    created_time time not null,
    last_updated_date date not null,
    last_updated_time time not null,
    sales_staff_id integer not null,
    counterparty_id integer not null,
    units_sold integer not null,
    unit_price numeric(10, 2) not null,
    currency_id integer not null,
    design_id integer not null,
    agreed_payment_date date not null,
    agreed_delivery_date date not null,
    agreed_delivery_location_id integer not null,
    constraint fact_sales_order_pkey primary key (sales_record_id),
    constraint fact_sales_order_created_date_fkey
        foreign key (created_date) references dim_date (date_id),
    constraint fact_sales_order_last_updated_date_fkey
        foreign key (last_updated_date) references dim_date (date_id),
    constraint fact_sales_order_sales_staff_id_fkey
        foreign key (sales_staff_id) references dim_staff (staff_id),
    constraint fact_sales_order_counterparty_id_fkey
        foreign key (counterparty_id) references dim_counterparty (counterparty_id),
    constraint fact_sales_order_currency_id_fkey
        foreign key (currency_id) references dim_currency (currency_id),
    constraint fact_sales_order_design_id_fkey
        foreign key (design_id) references dim_design (design_id),
    constraint fact_sales_order_agreed_payment_date_fkey
        foreign key (agreed_payment_date) references dim_date (date_id),
    constraint fact_sales_order_agreed_delivery_date_fkey
        foreign key (agreed_delivery_date) references dim_date (date_id),
    constraint fact_sales_order_agreed_delivery_location_id_fkey
        foreign key (agreed_delivery_location_id) references dim_location (location_id)
);

create table if not exists fact_purchase_orders (
    purchase_record_id bigint not null,
    purchase_order_id integer not null,
    created_date date not null,
    created_time time not null,
    last_updated_date date not null,
    last_updated_time time not null,
    staff_id integer not null,
    counterparty_id integer not null,
    item_code varchar not null,
    item_quantity integer not null,
    item_unit_price numeric(10, 2) not null,
    currency_id integer not null,
    agreed_delivery_date date not null,
    agreed_payment_date date not null,
    agreed_delivery_location_id integer not null,
    constraint fact_purchase_orders_pkey primary key (purchase_record_id),
    constraint fact_purchase_orders_created_date_fkey
        foreign key (created_date) references dim_date (date_id),
    constraint fact_purchase_orders_last_updated_date_fkey
        foreign key (last_updated_date) references dim_date (date_id),
    constraint fact_purchase_orders_staff_id_fkey
        foreign key (staff_id) references dim_staff (staff_id),
    constraint fact_purchase_orders_counterparty_id_fkey
        foreign key (counterparty_id) references dim_counterparty (counterparty_id),
    constraint fact_purchase_orders_currency_id_fkey
        foreign key (currency_id) references dim_currency (currency_id),
    constraint fact_purchase_orders_agreed_delivery_date_fkey
        foreign key (agreed_delivery_date) references dim_date (date_id),
    constraint fact_purchase_orders_agreed_payment_date_fkey
        foreign key (agreed_payment_date) references dim_date (date_id),
    constraint fact_purchase_orders_agreed_delivery_location_id_fkey
        foreign key (agreed_delivery_location_id) references dim_location (location_id)
);

create table if not exists fact_payment (
    payment_record_id bigint not null,
    payment_id integer not null,
    created_date date not null,
    created_time time not null,
    last_updated_date date not null,
    last_updated_time time not null,
    transaction_id integer not null,
    counterparty_id integer not null,
    payment_amount numeric(10, 2) not null,
    currency_id integer not null,
    payment_type_id integer not null,
    paid boolean not null,
    payment_date date not null,
    constraint fact_payment_pkey primary key (payment_record_id),
    constraint fact_payment_created_date_fkey
        foreign key (created_date) references dim_date (date_id),
    constraint fact_payment_last_updated_date_fkey
        foreign key (last_updated_date) references dim_date (date_id),
    constraint fact_payment_transaction_id_fkey
        foreign key (transaction_id) references dim_transaction (transaction_id),
    constraint fact_payment_counterparty_id_fkey
        foreign key (counterparty_id) references dim_counterparty (counterparty_id),
    constraint fact_payment_currency_id_fkey
        foreign key (currency_id) references dim_currency (currency_id),
    constraint fact_payment_payment_type_id_fkey
        foreign key (payment_type_id) references dim_payment_type (payment_type_id),
    constraint fact_payment_payment_date_fkey
        foreign key (payment_date) references dim_date (date_id)
);

-- The published diagram says fact_purchase_order, the brief fact_purchase_orders: both answer.
create or replace view fact_purchase_order as
select
    fact_purchase_orders.purchase_record_id,
    fact_purchase_orders.purchase_order_id,
    fact_purchase_orders.created_date,
    fact_purchase_orders.created_time,
    fact_purchase_orders.last_updated_date,
    fact_purchase_orders.last_updated_time,
    fact_purchase_orders.staff_id,
    fact_purchase_orders.counterparty_id,
    fact_purchase_orders.item_code,
    fact_purchase_orders.item_quantity,
    fact_purchase_orders.item_unit_price,
    fact_purchase_orders.currency_id,
    fact_purchase_orders.agreed_delivery_date,
    fact_purchase_orders.agreed_payment_date,
    fact_purchase_orders.agreed_delivery_location_id
from fact_purchase_orders;
