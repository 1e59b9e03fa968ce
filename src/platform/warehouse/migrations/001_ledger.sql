-- The platform's own tables. One row a loaded batch; the newest says what the warehouse holds.
create table tidemark_ledger (
    batch_id bigint primary key,
    generation text not null,
    snapshot_at timestamptz not null,
    loaded_at timestamptz not null default clock_timestamp(),
    run_id text not null,
    row_counts jsonb not null
);

-- One row: when the source was last seen to hold nothing newer than the newest batch.
create table tidemark_confirmation (
    is_only_row boolean primary key default true check (is_only_row),
    batch_id bigint not null,
    confirmed_at timestamptz not null
);

-- How fresh the warehouse is: complete up to `complete_to`, a proven bound.
create view tidemark_status as
select
    l.batch_id,
    l.generation,
    l.snapshot_at,
    l.loaded_at,
    greatest(l.snapshot_at, c.confirmed_at) as complete_to
from tidemark_ledger as l
left join tidemark_confirmation as c on c.batch_id = l.batch_id
where l.batch_id = (select max(batch_id) from tidemark_ledger);
