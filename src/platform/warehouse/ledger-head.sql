-- The newest loaded batch, and the moment up to which the warehouse is complete.
select
    batch_id::text as batch,
    generation,
    to_char(snapshot_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "snapshotAt",
    to_char(loaded_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "loadedAt",
    to_char(complete_to, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "completeTo"
from tidemark_status
