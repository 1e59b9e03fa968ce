-- The first and the last snapshot among the newest $1 batches but the very first, in seconds.
select
    floor(extract(epoch from min(snapshot_at)))::bigint::text as first,
    floor(extract(epoch from max(snapshot_at)))::bigint::text as last,
    count(*)::text as batches
from (
    select snapshot_at from tidemark_batches where batch_id > 1 order by batch_id desc limit $1
) as b
