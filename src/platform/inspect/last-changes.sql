-- For each table, the newest of the last $1 batches that changed it.
select distinct on (c.name)
    c.name,
    b.batch_id::text as batch,
    to_char(b.snapshot_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at,
    c.counts
from (
    select * from tidemark_batches order by batch_id desc limit $1
) as b
cross join lateral jsonb_each(b.row_counts) as c (name, counts)
where (c.counts ->> 'inserted')::bigint
    + (c.counts ->> 'updated')::bigint
    + (c.counts ->> 'deleted')::bigint > 0
order by c.name, b.batch_id desc
