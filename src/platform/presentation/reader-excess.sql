-- The rights of this connection's role that a reader of the star schema does not need, and the SQL
-- that revokes each.
-- Parameter: $1, the warehouse's schema.
-- Grain: one row per right.
with own as (
    select
        r.rolname,
        r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls
            as is_special
    from pg_catalog.pg_roles as r
    where r.rolname = session_user
),

-- Some fixes revoke a right from everybody. They first grant it to the loader, if the loader needs
-- it; no load makes temporary tables.
loader as (
    select coalesce(
        string_agg(distinct format('%I', r.rolname), ', '), 'session_user'
    ) as names
    from pg_catalog.pg_class as c
    inner join pg_catalog.pg_roles as r on r.oid = c.relowner
    where c.relnamespace = to_regnamespace(quote_ident($1)) and c.relkind in ('r', 'p')
),

acting_function as (
    /* acting-functions.sql */
),

-- The acting functions that leave something behind or reach other sessions.
lasting_function as (
    select format('%s', f.oid::regprocedure) as signature
    from acting_function as f
    where f.is_built_in
        and f.name ~ '^(lo_|lowrite|pg_(try_)?advisory_|pg_notify|pg_logical_emit|pg_export_snap|pg_terminate_b|pg_sleep|query_to_xml)'
        and has_function_privilege(f.oid, 'execute')
)

select
    'writes' as kind,
    'it is a superuser, or may make roles or databases' as what,
    format('alter role %I nosuperuser nocreaterole nocreatedb noreplication nobypassrls', rolname)
        as fix
from own
where is_special
union all
select
    'writes',
    format('it is a member of %s', r.rolname),
    format('revoke %I from %I', r.rolname, o.rolname)
from own as o
cross join pg_catalog.pg_roles as r
where not o.is_special
    and r.rolname in (
        'pg_execute_server_program',
        'pg_read_server_files',
        'pg_write_server_files',
        'pg_write_all_data',
        'pg_signal_backend'
    )
    and pg_has_role(session_user, r.oid, 'member')
union all
select
    'writes',
    format('it may create objects in schema %s', n.nspname),
    format(
        'grant create on schema %1$I to %2$s; revoke create on schema %1$I from %3$I, public',
        n.nspname,
        l.names,
        o.rolname
    )
from own as o
cross join loader as l
cross join pg_catalog.pg_namespace as n
where not o.is_special
    and n.nspname = $1
    and has_schema_privilege(n.oid, 'create')
union all
select
    'writes',
    format('it may change %s', c.relname),
    case
        when pg_has_role(session_user, c.relowner, 'member')
            then format('alter table %s owner to a role that %I is not a member of', c.oid::regclass, o.rolname)
        else format('revoke all on %s from %I, public; grant select on %s to %I', c.oid::regclass, o.rolname, c.oid::regclass, o.rolname)
    end
from own as o
cross join pg_catalog.pg_class as c
where not o.is_special
    and c.relnamespace = to_regnamespace(quote_ident($1))
    and c.relkind in ('r', 'p', 'v')
    and (
        has_table_privilege(c.oid, 'insert, update, delete, truncate')
        or pg_has_role(session_user, c.relowner, 'member')
    )
union all
select
    'unbounded',
    'nothing limits the disk space that one of its questions may take',
    format('alter role %I set temp_file_limit = ''1GB''', rolname)
from own
where current_setting('temp_file_limit') = '-1'
union all
select
    'unbounded',
    'it may create temporary tables, outside the Ask page',
    format(
        'revoke temporary on database %I from %I, public',
        current_database(),
        rolname
    )
from own
where not is_special and has_database_privilege(current_database(), 'temporary')
union all
select
    'functions',
    format(
        'it may run %s functions that write or reach other sessions, outside the Ask page, which refuses them',
        count(*)
    ),
    format(
        'grant execute on function %1$s to %2$s; revoke execute on function %1$s from public',
        string_agg(signature, ', ' order by signature),
        l.names
    )
from lasting_function
cross join own
cross join loader as l
where not is_special
group by l.names
having count(*) > 0
