-- The first right of this connection's role that goes beyond reading, in words; null if it can only
-- read.
-- Grain: one row.
-- Parameter: $1, the schema of the warehouse.
with own as (
    select
        r.oid,
        r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls
            as is_special
    from pg_roles as r
    where r.rolname = session_user
),

relation as (
    select
        c.oid,
        c.relname,
        c.relowner
    from pg_class as c
    inner join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relkind in ('r', 'p', 'v')
)

select
    case
        when (select is_special from own) then 'is a superuser or may make roles or databases'
        when exists (
            select
            from pg_roles as r
            where r.rolname in (
                'pg_execute_server_program',
                'pg_read_server_files',
                'pg_write_server_files',
                'pg_write_all_data',
                'pg_signal_backend'
            )
                and pg_has_role(session_user, r.oid, 'member')
        ) then 'is a member of a role that reaches beyond the database'
        when exists (
            select
            from pg_namespace as n
            where n.nspname = $1 and has_schema_privilege(session_user, n.oid, 'create')
        ) then 'may create objects in the schema of the warehouse'
        when exists (
            select
            from relation as r
            where has_table_privilege(session_user, r.oid, 'insert, update, delete, truncate')
                or pg_has_role(session_user, r.relowner, 'member')
        ) then 'may change the tables of the warehouse'
    end as beyond
