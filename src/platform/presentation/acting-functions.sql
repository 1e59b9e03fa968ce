-- Functions that may do more than compute: write to the log or to large objects, take locks,
-- notify, wait, change settings, end sessions, or run SQL given as text. Postgres itself marks them
-- as volatile (manual, 36.7); aggregates made from them count too. Harmless built-in functions are
-- left out. Two functions that assign a transaction id are added, and the functions that read whole
-- tables into one value. Functions that no statement can call (trigger functions, handlers) are
-- left out.
-- Grain: one row per function or aggregate.
select
    p.oid,
    p.proname::text as name,
    p.pronamespace = 'pg_catalog'::regnamespace as is_built_in
from pg_catalog.pg_proc as p
inner join pg_catalog.pg_type as t on t.oid = p.prorettype
left join pg_catalog.pg_aggregate as a on a.aggfnoid = p.oid
where (
    p.provolatile = 'v'
    or exists (
        select
        from pg_catalog.pg_proc as s
        where s.oid in (a.aggtransfn, a.aggfinalfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn)
            and s.provolatile = 'v'
    )
    or p.pronamespace = 'pg_catalog'::regnamespace
        and p.proname ~ '_to_xml|^(txid_current|pg_current_xact_id)$'
)
    and not (t.typtype = 'p' and t.typname ~ '(trigger|handler|internal)$')
    and not 'internal'::regtype = any(p.proargtypes::oid[])
    and not (
        p.pronamespace = 'pg_catalog'::regnamespace
        and p.proname in (
            'array_sample',
            'array_shuffle',
            'clock_timestamp',
            'current_query',
            'gen_random_uuid',
            'pg_database_size',
            'pg_indexes_size',
            'pg_is_in_recovery',
            'pg_partition_ancestors',
            'pg_partition_tree',
            'pg_relation_size',
            'pg_table_size',
            'pg_tablespace_size',
            'pg_total_relation_size',
            'random',
            'random_normal',
            'timeofday',
            'uuidv4',
            'uuidv7'
        )
    )
