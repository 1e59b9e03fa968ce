-- The past of one fact, rendered for each fact like history.sql. May be repeated.
-- Every version of each key, and when it was valid.
create or replace view {history} as
select
    {viewed}
from {fact}
window newest_last as (partition by {key} order by {record_id});

-- The rows as known at a moment: the current row of a key without a later version, and of any other
-- key the version that was its newest then (past.ts has both conditions). A later insert counts too,
-- because a model's key need not be the source's. Little is captured after most moments that people
-- ask for, so this costs little more than the current rows; the versions alone cost three times as
-- much. The planner sees through the functions to the tables and their statistics; with `distinct on`
-- it planned every join blindly. The moment is `$1`, because a column may have the parameter's name.
create or replace function {as_of} (moment timestamptz) returns setof {row_type}
language sql stable parallel safe
begin atomic
    select {current_rows}
    from {current} as c
    where {anything_known}
        and not {current_changed_later}
    union all
    select {versions}
    from {fact} as f
    where {newest_then};
end;

-- The rows as known after a batch, from the versions alone, so that verify can compare the current
-- rows with them.
create or replace function {as_of_batch} (batch bigint) returns setof {row_type}
language sql stable parallel safe
begin atomic
    select {versions}
    from {fact} as f
    where f.{batch} <= $1
        and {version_present}
        and not exists (
            select 1
            from {fact} as n
            where {same_key}
                and n.{record_id} > f.{record_id}
                and n.{batch} <= $1
        );
end;
