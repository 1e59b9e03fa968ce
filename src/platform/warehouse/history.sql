-- History of one fact table, rendered for each fact: names in braces are replaced by quoted
-- identifiers. May be repeated.
-- The fact table holds every version. Rows are only ever appended to it.
create unique index if not exists {key_index} on {fact} ({key}, {record_id});

-- What was amended or deleted, in order: what questions about changes look for. Nothing enters it in
-- a first load.
create index if not exists {changes_index}
on {fact} (record_operation, {record_id}) include ({key}, recorded_at, batch_id)
where record_operation <> 'insert';

-- The latest version of each key, without deleted keys. Each load updates it.
create table if not exists {current} (like {fact}, primary key ({key}));

-- Every version of each key, with the time from which and until which it held.
create or replace view {history} as
select
    {columns},
    row_number() over newest_last as version,
    recorded_at as valid_from,
    lead(recorded_at) over newest_last as valid_to,
    lead({record_id}) over newest_last is null and record_operation <> 'delete' as is_current
from {fact}
window newest_last as (partition by {key} order by {record_id});

-- The rows as known at a moment: the versions after which nothing of their key was known by then. An
-- insert counts too, because a model's key need not be the source's. The planner sees through the
-- functions to the fact and its statistics; with `distinct on` every join was planned blindly. `$1`,
-- because a column may have the parameter's name.
create or replace function {as_of} (moment timestamptz) returns setof {fact}
language sql stable parallel safe
begin atomic
    select {versions}
    from {fact} as f
    where f.recorded_at <= $1
        and f.record_operation <> 'delete'
        and not exists (
            select 1
            from {fact} as n
            where {same_key}
                and n.{record_id} > f.{record_id}
                and n.recorded_at <= $1
        );
end;

-- The rows as known after a batch.
create or replace function {as_of_batch} (batch bigint) returns setof {fact}
language sql stable parallel safe
begin atomic
    select {versions}
    from {fact} as f
    where f.batch_id <= $1
        and f.record_operation <> 'delete'
        and not exists (
            select 1
            from {fact} as n
            where {same_key}
                and n.{record_id} > f.{record_id}
                and n.batch_id <= $1
        );
end;
