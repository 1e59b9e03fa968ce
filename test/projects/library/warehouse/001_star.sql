-- 001_star: the seven tables of the library's two stars (loans, order lines).
-- Grain: a dimension has one row per thing, a fact one row per version of a thing.
-- History: the columns and relations that keep it are the platform's and are added after this.

create table if not exists dim_date (
    day date primary key,
    day_name varchar not null,
    is_open boolean not null
);

create table if not exists dim_category (
    category_id integer primary key,
    category_name varchar not null,
    parent_id integer,
    path varchar not null,
    depth integer
);

create table if not exists dim_book (
    isbn varchar primary key,
    title varchar not null,
    category_name varchar not null
);

create table if not exists dim_copy (
    isbn varchar not null,
    copy_number smallint not null,
    title varchar not null,
    shelf varchar,
    primary key (isbn, copy_number)
);

create table if not exists dim_member (
    member_id integer primary key,
    full_name varchar not null,
    email varchar,
    left_on date
);

create table if not exists fact_loan (
    loan_record_id bigint primary key,
    isbn varchar not null,
    copy_number smallint not null,
    lent_at timestamptz not null,
    member_id integer not null references dim_member,
    lent_on date not null references dim_date,
    due_on date not null references dim_date,
    returned_on date references dim_date,
    foreign key (isbn, copy_number) references dim_copy,
    foreign key (isbn) references dim_book
);

create table if not exists "fact_Order Line" (
    "order line record id" bigint primary key,
    "Order" integer not null,
    "Line No." smallint not null,
    isbn varchar references dim_book,
    requested_by integer references dim_member,
    ordered_on date not null references dim_date,
    "select" integer not null,
    "it's ""net"" price" numeric(10, 3) not null,
    "größe_µm" varchar,
    what_the_librarian_wrote_on_the_paper_slip_that_came_with_books varchar
);
