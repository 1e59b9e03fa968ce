-- The two tables of saved questions. The comment states their version, for later versions of Tidemark.
create table saved_question (
    name text primary key check (name ~ '^[a-z0-9-]{1,63}$'),
    title text not null check (char_length(title) between 1 and 120),
    sql text not null check (char_length(sql) <= 100000),
    -- Text of a JSON object, not jsonb: filters stay in the order in which they were given.
    filters json not null,
    chart text not null check (chart in ('auto', 'none', 'bars', 'lines')),
    author text not null,
    saved_at timestamptz not null
);

-- The saved questions on each person's page.
create table saved_on_page (
    subject text,
    name text references saved_question on delete cascade,
    place bigint not null generated always as identity,
    primary key (subject, name)
);

create index saved_on_page_name_idx on saved_on_page (name);

comment on table saved_question is 'Tidemark: saved questions, version 1';
