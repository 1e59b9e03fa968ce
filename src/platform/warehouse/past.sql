-- The past of one fact, rendered for each fact like history.sql. May be repeated.
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

-- The rows as known at a moment: current rows of which nothing was captured later, and for all other
-- keys the versions after which nothing was known by then. An insert counts too, because a model's
-- key need not be the source's. Little is captured after most moments that people ask for, so this
-- costs little more than the current rows; the versions alone cost three times as much. The planner
-- sees through the functions to the tables and their statistics; with `distinct on` every join was
-- planned blindly. `$1`, because a column may have the parameter's name.
create or replace function {as_of} (moment timestamptz) returns setof {fact}
language sql stable parallel safe
begin atomic
    select {current_rows}
    from {current} as c
    where $1 is not null and not exists (
        select 1 from {fact} as n where {current_key} and n.recorded_at > $1
    )
    union all
    select {versions}
    from {fact} as f
    where f.recorded_at <= $1
        and f.record_operation <> 'delete'
        and exists (
            select 1 from {fact} as n where {same_key} and n.recorded_at > $1
        )
        and not exists (
            select 1
            from {fact} as n
            where {same_key}
                and n.{record_id} > f.{record_id}
                and n.recorded_at <= $1
        );
end;

-- The rows as known after a batch, from the versions alone: verify compares the current rows with
-- them.
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
