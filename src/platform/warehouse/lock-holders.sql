-- Who has locked tables or views of the schema $1 against every reader, longest first.
select
    a.pid,
    coalesce(a.usename::text, '') as "user",
    coalesce(a.application_name, '') as application,
    string_agg(distinct c.relname::text, ', ') as tables
from pg_locks as l
inner join pg_class as c on c.oid = l.relation
inner join pg_stat_activity as a on a.pid = l.pid
where
    l.granted
    and l.mode = 'AccessExclusiveLock'
    and l.pid <> pg_backend_pid()
    and c.relnamespace = to_regnamespace(quote_ident($1))
    and c.relkind in ('r', 'p', 'v', 'm')
group by a.pid, a.usename, a.application_name, a.xact_start
order by a.xact_start
