-- The changes to the tables $1 over time, by the moments of the snapshots that captured them. Only the
-- newest $2 batches count, and the very first batch is left out: it holds what was there before.
-- Grain: one row per step of $3 seconds in which something changed.
select
    (floor(extract(epoch from b.snapshot_at) / $3::bigint) * $3::bigint)::bigint::text as at,
    sum((c.counts ->> 'inserted')::bigint)::text as inserted,
    sum((c.counts ->> 'updated')::bigint)::text as updated,
    sum((c.counts ->> 'deleted')::bigint)::text as deleted
from (
    select * from tidemark_batches where batch_id > 1 order by batch_id desc limit $2
) as b
cross join lateral jsonb_each(b.row_counts) as c (name, counts)
where c.name = any($1::text[])
group by 1
having sum(
    (c.counts ->> 'inserted')::bigint
    + (c.counts ->> 'updated')::bigint
    + (c.counts ->> 'deleted')::bigint
) > 0
order by 1
