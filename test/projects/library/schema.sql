-- The source: a lending library. `lending` is the living schema, `archive` keeps former members in
-- a table of the same name.
create schema lending;
create schema archive;

create table lending.category (
    category_id integer primary key,
    parent_id integer references lending.category on delete set null,
    category_name text not null
);

create table lending.book (
    isbn text primary key,
    title text not null,
    category_id integer references lending.category on delete set null
);

create table lending.copy (
    isbn text not null references lending.book,
    copy_number smallint not null,
    shelf text,
    primary key (isbn, copy_number)
);

create table lending.member (
    member_id integer primary key,
    full_name text not null,
    email text
);

create table archive.member (
    member_id integer primary key,
    full_name text not null,
    left_on date not null
);

-- A member may leave for the archive while old loans still name them: no foreign key.
create table lending.loan (
    isbn text not null,
    copy_number smallint not null,
    lent_at timestamptz not null,
    member_id integer not null,
    due_on date not null,
    returned_on date,
    primary key (isbn, copy_number, lent_at)
);

-- Came with bought software: capitals, spaces, a reserved word, a quote, 63 bytes, dates as text.
create table lending."Order Line" (
    "Order" integer not null,
    "Line No." smallint not null,
    isbn text,
    requested_by integer,
    ordered_on text not null,
    "select" integer not null,
    "it's ""net"" price" numeric(10, 3) not null,
    "größe_µm" text,
    what_the_librarian_wrote_on_the_paper_slip_that_came_with_books text,
    primary key ("Order", "Line No.")
);
