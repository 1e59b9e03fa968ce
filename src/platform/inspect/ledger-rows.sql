-- The ledger from batch $1 to batch $2; to its end if $2 is null.
select
    batch_id::text as batch,
    generation,
    to_char(snapshot_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "snapshotAt",
    loaded_from as "loadedFrom",
    captured_as as "capturedAs",
    row_counts::text as counts
from tidemark_ledger
where batch_id >= $1 and ($2::bigint is null or batch_id <= $2)
order by batch_id
