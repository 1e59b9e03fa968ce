-- Where this connection's role keeps saved questions, and whether it may be trusted with them.
-- Grain: one row. `schema` is null if the role finds no schema; `version` is null if its table is
-- absent, and 0 if the table that bears its name does not say which version it is. `owns_named` says
-- whether the role owns the schema that bears its own name; it is null if there is no such schema.
-- No backslashes: the server reads this text before the settings of its transaction hold.
select
    current_user::text as role,
    exists (
        select
        from pg_catalog.pg_roles as r
        where r.rolname in (session_user, current_user)
            and (r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls)
    ) as is_special,
    exists (
        select
        from pg_catalog.pg_class as w
        where w.relname = 'tidemark_ledger'
            and has_table_privilege(w.oid, 'insert, update, delete, truncate')
    ) as writes_warehouse,
    n.nspname::text as schema,
    coalesce(n.nspowner = o.oid, false) as is_owner,
    m.nspowner = o.oid as owns_named,
    current_database()::text as database,
    case
        when c.oid is not null
            then coalesce(
                substring(
                    pg_catalog.obj_description(c.oid, 'pg_class')
                    from '^Tidemark: saved questions, version ([0-9]{1,6})$'
                )::integer,
                0
            )
    end as version
from pg_catalog.pg_roles as o
left join pg_catalog.pg_namespace as n on n.nspname = current_schema()
left join pg_catalog.pg_namespace as m on m.nspname = o.rolname
left join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = 'saved_question'
where o.rolname = current_user
