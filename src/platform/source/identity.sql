-- One row: the moment of this snapshot, and which of the `pg_catalog` functions in :functions this
-- user may call. `now()` is the start of the transaction, so it is not later than the snapshot. The
-- clock would be later.
select
    pg_catalog.pg_snapshot_xmin(s)::text as xmin,
    pg_catalog.pg_snapshot_xmax(s)::text as xmax,
    array(select x::text from pg_catalog.pg_snapshot_xip(s) as x) as in_flight,
    pg_catalog.to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as taken_at,
    pg_catalog.pg_is_in_recovery() as standby,
    array(
        select f.name
        from unnest(:functions) as f (name)
        where pg_catalog.has_function_privilege(pg_catalog.to_regprocedure('pg_catalog.' || f.name), 'execute')
    ) as permitted
from pg_catalog.pg_current_snapshot() as s
