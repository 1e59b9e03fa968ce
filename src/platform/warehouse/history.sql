-- History of one fact table, rendered for each fact: names in braces are replaced by quoted
-- identifiers. May be repeated.
-- The fact table holds every version. Rows are only ever appended to it.
create unique index if not exists {key_index} on {fact} ({key}, {record_id});

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

-- The rows as known at a moment. `$1`, because a column may have the parameter's name.
create or replace function {as_of} (moment timestamptz) returns setof {fact}
language sql stable
begin atomic
    select {columns}
    from (
        select distinct on ({key}) *
        from {fact}
        where recorded_at <= $1
        order by {key}, {record_id} desc
    ) as latest
    where record_operation <> 'delete';
end;

-- The rows as known after a batch.
create or replace function {as_of_batch} (batch bigint) returns setof {fact}
language sql stable
begin atomic
    select {columns}
    from (
        select distinct on ({key}) *
        from {fact}
        where batch_id <= $1
        order by {key}, {record_id} desc
    ) as latest
    where record_operation <> 'delete';
end;
