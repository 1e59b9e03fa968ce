-- The newest row of the ledger.
select
    batch_id::text as batch,
    generation,
    to_char(snapshot_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as snapshot_at,
    loaded_from,
    captured_as
from tidemark_ledger
order by batch_id desc
limit 1
