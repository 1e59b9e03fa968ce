-- The newest $1 batches, newest first; only batch $2 unless $2 is null.
select
    batch_id::text as batch,
    generation,
    run_id,
    to_char(snapshot_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as snapshot_at,
    to_char(loaded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as loaded_at,
    case
        -- Older warehouses have no such column.
        when not coalesce((to_jsonb(b) ->> 'is_simulated')::boolean, false)
            then greatest(0, extract(epoch from loaded_at - snapshot_at) * 1000)::numeric(20, 0)::text
    end as lag_ms
from tidemark_batches as b
where $2::bigint is null or batch_id = $2
order by batch_id desc
limit $1
