-- o01_freshness: How fresh is the warehouse, and do we keep the promise?
-- Grain: one row per loaded batch, the newest 200.
-- Unit: seconds.
-- Note: The lag is the time from the source's snapshot to the warehouse, by the clock of each. The
-- promise is 30 minutes. Both are null if the snapshot is dated by a simulated clock. `from` and
-- `to` limit the day (UTC) of the snapshot. A run that finds nothing new leaves no row.
-- Filters: from, to
with loaded as (
    select
        l.batch_id,
        l.snapshot_at,
        l.loaded_at,
        l.row_counts,
        l.is_simulated,
        lag(l.snapshot_at) over (order by l.batch_id) as previous_snapshot_at
    from tidemark_batches as l
),

newest as (
    select *
    from loaded as l
    where (l.snapshot_at at time zone 'utc')::date
        >= coalesce(nullif(:'from', '')::date, '-infinity')
        and (l.snapshot_at at time zone 'utc')::date
        <= coalesce(nullif(:'to', '')::date, 'infinity')
    order by l.batch_id desc
    limit 200
)

select
    n.batch_id::bigint as batch_id,
    n.snapshot_at::timestamptz as snapshot_at,
    n.loaded_at::timestamptz as loaded_at,
    case
        when not n.is_simulated
            then round(extract(epoch from n.loaded_at - n.snapshot_at), 3)
    end::numeric as lag_seconds,
    round(extract(epoch from n.snapshot_at - n.previous_snapshot_at), 3)::numeric
        as seconds_since_previous,
    case
        when not n.is_simulated then n.loaded_at - n.snapshot_at <= interval '30 minutes'
    end::boolean as is_within_promise,
    n.is_simulated::boolean as is_simulated
from newest as n
order by n.batch_id
